"""A density of smooth and discrete coordinates: ``p(smooth) P(discrete | smooth)``."""

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from .discrete_chain import DiscreteChain

if TYPE_CHECKING:
    from .any_density import Density

__all__ = ["JointDensity"]


class JointDensity(nn.Module):
    """A density on R^D that samples: one of the smooth coordinates, a chain for the others.

    Args:
        smooth: density of the coordinates that the chain does not know, in their order; None
            where there is none.
        chain: conditional distribution of the others.
    """

    smooth: "Density | None"
    chain: DiscreteChain

    def __init__(self, smooth: "Density | None", chain: DiscreteChain) -> None:
        super().__init__()
        self.smooth, self.chain = smooth, chain

    @property
    def dimension(self) -> int:
        """Number of coordinates D."""
        return len(self.chain.nominal)

    def log_prob(self, x: Tensor) -> Tensor:
        """Log density in nats: (n, D) float64 -> (n,) float64."""
        result = self.chain.log_prob(x)
        if self.smooth is None:
            return result
        return result + self.smooth.log_prob(x[:, self.chain.smooth])

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """Draw (n, D) rows."""
        x = torch.zeros(n, self.dimension, dtype=torch.float64)
        if self.smooth is not None:
            x[:, self.chain.smooth] = self.smooth.sample(n, generator)
        return self.chain.sample(x, generator)
