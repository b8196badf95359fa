"""The coordinates of a table with weights, log-determinants and kinds: the input of every fit."""

import dataclasses
import math
from dataclasses import dataclass

import torch
from torch import Tensor

from .compressed_ends import CompressedEnds
from .margins import Margins
from .numerics import weighted_mean

__all__ = ["Rows"]


@dataclass(frozen=True)
class Rows:
    """Coordinates of a table with weights, log-determinants and kinds: the input of a fit.

    Attributes:
        x: (n, d) float64 coordinates.
        weight: (n,) row weights, or None.
        log_det: (n,) log-determinants that carry densities to the units of the table.
        discrete: (d,) bool, which coordinates are dequantised whole numbers.
        origin, width: (d,) where their cell 0 starts and how wide a cell is.
        nominal: (d,) bool, which of the discrete ones have no order: categories.
        listed: (d,) bool, which are lists of numbers, whose cells are not evenly spaced values.
        atoms: for each coordinate the cells (m, 2) of its point masses; m = 0 for most.
        completions: of rows with missing cells other draws of these, pairs of ``x`` and
            ``log_det`` as above.
    """

    x: Tensor
    weight: Tensor | None
    log_det: Tensor
    discrete: Tensor
    origin: Tensor
    width: Tensor
    nominal: Tensor
    listed: Tensor
    atoms: tuple[Tensor, ...]
    completions: tuple[tuple[Tensor, Tensor], ...] = ()

    @classmethod
    def continuous(cls, x: Tensor, weight: Tensor | None = None) -> "Rows":
        """Rows of continuous coordinates (n, d), with their weights (n,)."""
        d = x.shape[1]
        none, zero = torch.zeros(d, dtype=torch.bool), x.new_zeros(d)
        atoms = tuple(x.new_zeros(0, 2) for _ in range(d))
        return cls(x, weight, x.new_zeros(len(x)), none, zero, zero + 1, none, none, atoms)

    def __len__(self) -> int:
        return len(self.x)

    def take(self, index: Tensor) -> "Rows":
        """The chosen rows."""
        return dataclasses.replace(
            self,
            x=self.x[index],
            weight=None if self.weight is None else self.weight[index],
            log_det=self.log_det[index],
            completions=tuple((x[index], log_det[index]) for x, log_det in self.completions),
        )

    def completion(self, i: int) -> "Rows":
        """The rows with one draw of their missing cells, in turn."""
        drawn = ((self.x, self.log_det), *self.completions)
        x, log_det = drawn[i % len(drawn)]
        return dataclasses.replace(self, x=x, log_det=log_det, completions=())

    def followed_by(self, other: "Rows") -> "Rows":
        """These rows and then others of the same columns; rows without a weight weigh one."""
        weight = None
        if self.weight is not None or other.weight is not None:
            parts = (
                torch.ones_like(r.log_det) if r.weight is None else r.weight for r in (self, other)
            )
            weight = torch.cat([*parts])
        return dataclasses.replace(
            self,
            x=torch.cat([self.x, other.x]),
            weight=weight,
            log_det=torch.cat([self.log_det, other.log_det]),
            completions=(),
        )

    def beside(self, other: "Rows") -> "Rows":
        """The same rows with the coordinates of others after their own."""
        parts = {
            name: torch.cat([vars(self)[name], vars(other)[name]])
            for name in ("discrete", "origin", "width", "nominal", "listed")
        }
        return dataclasses.replace(
            self,
            x=torch.cat([self.x, other.x], dim=1),
            log_det=self.log_det + other.log_det,
            atoms=(*self.atoms, *other.atoms),
            completions=(),
            **parts,
        )

    def coordinates(self, which: Tensor) -> "Rows":
        """The rows with the chosen coordinates, (d,) bool; the log-determinants stay whole."""
        parts = {
            name: vars(self)[name][which]
            for name in ("discrete", "origin", "width", "nominal", "listed")
        }
        atoms = tuple(p for p, taken in zip(self.atoms, which.tolist(), strict=True) if taken)
        completions = tuple((x[:, which], log_det) for x, log_det in self.completions)
        return dataclasses.replace(
            self, x=self.x[:, which], atoms=atoms, completions=completions, **parts
        )

    def in_cell(self, cell: Tensor, j: int, share: Tensor) -> Tensor:
        """Points of coordinate j in cells, at shares of their width, off their edges."""
        return self.origin[j] + self.width[j] * (cell + 1e-6 + (1 - 2e-6) * share)

    def evenly(self) -> "Rows":
        """Unweighted rows, resampled systematically by their weights."""
        if self.weight is None:
            return self
        total = self.weight.cumsum(0)
        n = math.ceil(float(total[-1] / self.weight.max().clamp_min(1e-300)))
        n = min(max(len(self), n), 4 * len(self))
        place = (torch.arange(n, dtype=torch.float64) + 0.5) / n * total[-1]
        index = torch.searchsorted(total, place).clamp_max(len(self) - 1)
        return dataclasses.replace(self.take(index), weight=None)

    def split(self, count: int, seed: int) -> tuple[Tensor, Tensor]:
        """Indices of rows to fit on and of about ``count`` rows to hold out, at random.

        Copies of a row stay on one side: a copy held out would praise a density for spikes. A
        value so frequent that it is a feature of the table, not a copy, is divided.
        """
        order, first = self._shuffled(count, seed)
        while count < len(self) - 1 and first[order[count]] == first[order[count - 1]]:
            count += 1
        return order[count:], order[:count]

    def folds(self, count: int, seed: int) -> Tensor:
        """A fold for each row, (n,) from 0 to ``count - 1``, copies of a row in one as above."""
        _, first = self._shuffled(len(self) // count, seed)
        return first * count // max(1, len(self))

    def _shuffled(self, part: int, seed: int) -> tuple[Tensor, Tensor]:
        """The rows in random order, copies together; for each row, the place of its first copy.

        Values that more than a quarter of ``part`` rows have are no copies.
        """
        n = len(self)
        order = torch.randperm(n, generator=torch.Generator().manual_seed(seed))
        place = torch.empty_like(order).scatter_(0, order, torch.arange(n))
        values, group = self._keys().unique(return_inverse=True)
        if not 0 < len(values) < n:
            return order, place
        first = place.new_full((len(values),), n)
        first = first.scatter_reduce(0, group, place, "amin")
        frequent = torch.bincount(group)[group] > max(1, part // 4)
        first = torch.where(frequent, place, first[group])
        return first.argsort(stable=True), first

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
        x = self.x.T.contiguous()
        return Margins.fit(x, self.discrete, self.origin, self.width, self.weight, self.atoms)

    def fit_ends(self) -> CompressedEnds:
        """The map whose inverse draws points far beyond these rows nearer to them."""
        return CompressedEnds.fit(self.x, self.cells())

    def cells(self) -> Tensor:
        """Width that the cells of point masses take of each coordinate: (d,)."""
        width = [(cell[:, 1] - cell[:, 0]).sum() for cell in self.atoms]
        return torch.stack(width) if width else self.x.new_zeros(0)

    def commonest(self) -> Tensor:
        """Share of the rows with the most common value of each coordinate, (d,).

        It is 0 for coordinates that are neither discrete nor have point masses.
        """
        weight = torch.ones(len(self), dtype=self.x.dtype) if self.weight is None else self.weight
        share = torch.zeros(self.x.shape[1], dtype=self.x.dtype)
        for j, x in enumerate(self.x.T):
            masses = [x.new_zeros(1)]
            if self.discrete[j]:
                cell = ((x - self.origin[j]) / self.width[j]).floor()
                masses.append(torch.bincount(cell.unique(return_inverse=True)[1], weight))
            for low, high in self.atoms[j].tolist():
                masses.append(weight[(x >= low) & (x <= high)].sum()[None])
            share[j] = torch.cat(masses).max() / weight.sum()
        return share

    def values(self) -> Tensor:
        """How many values each discrete coordinate ranges over, infinity for the others: (d,)."""
        span = ((self.x.amax(0) - self.x.amin(0)) / self.width).round()
        return torch.where(self.discrete, span, math.inf)

    def through(self, layer: Margins | CompressedEnds | None) -> "Rows":
        """The rows after a layer of maps of single coordinates."""
        if layer is None:
            return self
        z, log_det = layer(self.x.T.contiguous())
        z, log_det = z.T.contiguous(), self.log_det + log_det
        # behind margins a point mass is a stretch like others
        atoms = tuple(z.new_zeros(0, 2) for _ in self.atoms)
        atoms = atoms if isinstance(layer, Margins) else self.atoms
        return dataclasses.replace(self, x=z, log_det=log_det, atoms=atoms, completions=())

    def mean(self, values: Tensor) -> float:
        """Weighted mean of one value a row."""
        return weighted_mean(values, self.weight)
