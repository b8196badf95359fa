"""A mixture of densities: each may have its own marginal layer, or none."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from .any_density import Density

__all__ = ["MixtureDensity"]


class MixtureDensity(nn.Module):
    """``p(x) = sum_i w_i p_i(x)`` of densities on the same R^d.

    Args:
        members: the densities p_i.
        log_share: (m,) logarithms of the weights w_i; normalised here.
    """

    log_share: Tensor

    def __init__(self, members: "Sequence[Density]", log_share: Tensor) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)
        self.register_buffer("log_share", log_share.to(torch.float64).log_softmax(0))

    @property
    def dimension(self) -> int:
        """Number of coordinates d."""
        return self._densities()[0].dimension

    def _densities(self) -> "list[Density]":
        return cast("list[Density]", list(self.members))

    def log_prob(self, x: Tensor) -> Tensor:
        """Log density in nats: (n, d) float64 -> (n,) float64."""
        parts = [member.log_prob(x) for member in self._densities()]
        return (torch.stack(parts, dim=1) + self.log_share).logsumexp(1)

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """Draw (n, d) rows."""
        share = self.log_share.exp()
        which = torch.multinomial(share, n, replacement=True, generator=generator)
        x = torch.empty(n, self.dimension, dtype=torch.float64)
        for i, member in enumerate(self._densities()):
            mine = torch.nonzero(which == i)[:, 0]
            if len(mine):
                x[mine] = member.sample(len(mine), generator)
        return x
