"""The coordinates of a table as the fits see them."""

import dataclasses
from dataclasses import dataclass

from torch import Tensor

from .margins import Margins

__all__ = ["Rows"]


@dataclass(frozen=True)
class Rows:
    """Coordinates of a table as the fits see them.

    Attributes:
        x: (n, d) float64 coordinates.
        weight: (n,) row weights, or None.
        discrete: (d,) bool, which coordinates are dequantised whole numbers.
        origin, width: (d,) where their cell 0 starts and how wide a cell is.
    """

    x: Tensor
    weight: Tensor | None
    discrete: Tensor
    origin: Tensor
    width: Tensor

    def __len__(self) -> int:
        return len(self.x)

    def take(self, index: Tensor) -> "Rows":
        """The chosen rows."""
        weight = None if self.weight is None else self.weight[index]
        return dataclasses.replace(self, x=self.x[index], weight=weight)

    def fit_margins(self) -> Margins:
        """The marginal layer of these rows."""
        return Margins.fit(
            self.x.T.contiguous(), self.discrete, self.origin, self.width, self.weight
        )

    def through(self, margins: Margins | None) -> "tuple[Rows, Tensor]":
        """The rows after a marginal layer, and its log-determinants (n,)."""
        if margins is None:
            return self, self.x.new_zeros(len(self))
        z, log_det = margins(self.x.T.contiguous())
        return dataclasses.replace(self, x=z.T.contiguous()), log_det

    def mean(self, values: Tensor) -> float:
        """Weighted mean of one value a row."""
        if self.weight is None:
            return float(values.mean())
        return float((values * self.weight).sum() / self.weight.sum())
