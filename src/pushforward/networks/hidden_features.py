"""The inputs of the layers of any network, recorded in a forward pass."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

__all__ = ["layer_inputs"]

_LAYERS = (
    *(nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d),
    *(nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d),
)


@contextmanager
def layer_inputs(network: nn.Module) -> Iterator[list[Tensor]]:
    """Inside, what goes into each linear map or convolution, in the order they are called.

    The first is what the network was given, the last its features: what its last layer sees.

    Examples:
        >>> import torch
        >>> net = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
        >>> with layer_inputs(net) as seen:
        ...     _ = net(torch.zeros(5, 2))
        >>> [tuple(x.shape) for x in seen]
        [(5, 2), (5, 3)]
    """
    seen: list[Tensor] = []

    def see(layer: nn.Module, inputs: tuple[Any, ...]) -> None:
        seen.append(inputs[0])

    layers = [m for m in network.modules() if isinstance(m, _LAYERS)]
    hooks = [layer.register_forward_pre_hook(see) for layer in layers]
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()
