"""The coordinates of a table as the fits see them."""

import dataclasses
from dataclasses import dataclass

import torch
from torch import Tensor

from .margins import Margins
from .numerics import weighted_mean

__all__ = ["Rows"]


@dataclass(frozen=True)
class Rows:
    """Coordinates of a table as the fits see them.

    Attributes:
        x: (n, d) float64 coordinates.
        weight: (n,) row weights, or None.
        log_det: (n,) log-determinants that carry densities to the units of the table.
        discrete: (d,) bool, which coordinates are dequantised whole numbers.
        origin, width: (d,) where their cell 0 starts and how wide a cell is.
    """

    x: Tensor
    weight: Tensor | None
    log_det: Tensor
    discrete: Tensor
    origin: Tensor
    width: Tensor

    def __len__(self) -> int:
        return len(self.x)

    def take(self, index: Tensor) -> "Rows":
        """The chosen rows."""
        weight = None if self.weight is None else self.weight[index]
        return dataclasses.replace(
            self, x=self.x[index], weight=weight, log_det=self.log_det[index]
        )

    def split(self, count: int, seed: int) -> tuple[Tensor, Tensor]:
        """Indices of rows to fit on and of about ``count`` rows to hold out, at random.

        Copies of a row stay on one side: a copy held out would praise a density for spikes. A
        value so frequent that it is a feature of the table, not a copy, is divided.
        """
        order = torch.randperm(len(self), generator=torch.Generator().manual_seed(seed))
        values, group = self._keys().unique(return_inverse=True)
        if 0 < len(values) < len(self):
            place = torch.empty_like(order).scatter_(0, order, torch.arange(len(self)))
            first = place.new_full((len(values),), len(self))
            first = first.scatter_reduce(0, group, place, "amin")
            frequent = torch.bincount(group)[group] > max(1, count // 4)
            first = torch.where(frequent, place, first[group])
            order = first.argsort(stable=True)
            while count < len(self) - 1 and first[order[count]] == first[order[count - 1]]:
                count += 1
        return order[count:], order[:count]

    def distinct(self) -> int:
        """Number of different rows."""
        return len(self._keys().unique())

    def _keys(self) -> Tensor:
        """One number a row, (n,), the same for copies and different for different rows."""
        generator = torch.Generator().manual_seed(0)
        key = torch.randn(self.x.shape[1], dtype=self.x.dtype, generator=generator)
        return (self.x * key).sum(1)

    def fit_margins(self) -> Margins:
        """The marginal layer of these rows."""
        return Margins.fit(
            self.x.T.contiguous(), self.discrete, self.origin, self.width, self.weight
        )

    def through(self, margins: Margins | None) -> "Rows":
        """The rows after a marginal layer."""
        if margins is None:
            return self
        z, log_det = margins(self.x.T.contiguous())
        return dataclasses.replace(self, x=z.T.contiguous(), log_det=self.log_det + log_det)

    def mean(self, values: Tensor) -> float:
        """Weighted mean of one value a row."""
        return weighted_mean(values, self.weight)
