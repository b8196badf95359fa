"""What stands in for a CUDA graph where there is no GPU: a tape of the calls of a function.

It makes them again in the same memory, and refuses what a capture refuses, that the processor
looks at a number. What a function does beside calls, such as counting, a replay leaves out, as
that of a graph does.
"""

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map_only

_LOOKED_AT = ("aten::_local_scalar_dense", "aten::nonzero", "aten::equal", "aten::is_nonzero")


class Tape(TorchDispatchMode):
    """Calls of a function, to be made again: a ``Graph`` of ``pushforward.training.captured``."""

    def __init__(self):
        super().__init__()
        self.calls, self.replays = [], 0

    def capture(self, function):
        """Take down the calls of a function, which are made meanwhile."""
        with self:
            function()

    def __torch_dispatch__(self, call, types, args=(), kwargs=None):
        if call._schema.name in _LOOKED_AT:
            raise RuntimeError(f"{call} is not permitted when a stream is capturing")
        kwargs = kwargs or {}
        if torch.Tag.inplace_view in call.tags:  # as unsqueeze_: the memory is what it was
            return call(*args, **kwargs)
        seen = tree_map_only(torch.Tensor, _alias, (args, kwargs))
        result = call(*args, **kwargs)
        self.calls.append((call, *seen, tree_map_only(torch.Tensor, _alias, result)))
        return result

    def replay(self):
        """Make the calls again."""
        self.replays += 1
        with torch.no_grad():
            for call, args, kwargs, result in self.calls:
                again = call(*args, **kwargs)
                returns = call._schema.returns
                olds, news = ([r] if len(returns) == 1 else r or [] for r in (result, again))
                for description, old, new in zip(returns, olds, news, strict=True):
                    if description.alias_info is None:  # views look at memory that is there
                        _copy(old, new)


def _alias(tensor):
    """The same memory, whose shape is kept whatever becomes of the tensor's."""
    return tensor.detach()


def _copy(old, new):
    if isinstance(old, (tuple, list)):
        for one, other in zip(old, new, strict=True):
            _copy(one, other)
    elif isinstance(old, torch.Tensor) and old.numel():
        old.detach().copy_(new)
