"""Exponential moving averages of networks, parameters and buffers alike."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

__all__ = ["Average"]


class Average:
    """A running average of networks: ``a <- d a + (1 - d) w`` after each step.

    The decay warms up as min(decay, (1 + t) / (10 + t)), without which the random weights of the
    beginning stay in the average for 1 / (1 - decay) steps. Floating-point buffers (the moments
    of batch-norm) are averaged too; others are copied.

    Args:
        networks: by name, the networks to average.
        decay: in [0, 1).

    Examples:
        >>> import torch
        >>> net = torch.nn.Linear(1, 1, bias=False)
        >>> average = Average({"net": net}, decay=0.9)
        >>> with torch.no_grad():
        ...     _ = net.weight.fill_(0.0)
        >>> for _ in range(500):
        ...     average.update()
        >>> with average.applied():
        ...     bool(net.weight.abs() < 1e-9)
        True
    """

    def __init__(self, networks: Mapping[str, nn.Module], decay: float) -> None:
        self.decay = decay
        self.updates = 0
        self._live: dict[str, Tensor] = {
            f"{name}.{key}": value
            for name, network in networks.items()
            for key, value in network.state_dict(keep_vars=True).items()
        }
        self.state: dict[str, Tensor] = {k: v.detach().clone() for k, v in self._live.items()}

    @torch.no_grad()
    def update(self) -> None:
        """Take in the networks as they are now."""
        rate = 1.0 - min(self.decay, (1 + self.updates) / (10 + self.updates))
        self.updates += 1
        for key, value in self._live.items():
            if value.is_floating_point():
                self.state[key].lerp_(value.detach(), rate)
            else:
                self.state[key].copy_(value)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """The networks hold the average inside, and their own values again afterwards."""
        own = {k: v.detach().clone() for k, v in self._live.items()}
        self._write(self.state)
        try:
            yield
        finally:
            self._write(own)

    @torch.no_grad()
    def _write(self, values: Mapping[str, Tensor]) -> None:
        for key, value in self._live.items():
            value.copy_(values[key])
