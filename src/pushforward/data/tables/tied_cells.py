"""Known cells that tie open ones: totals of which several parts are open, ends without beginnings.

A column that is computed from others has no coordinate, and one that is counted from others has
that of what has passed. Where such a cell is known and several of those it depends on are not, it
is a condition on these together: whatever all but one of them are, the last follows.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from .column import Column
from .column_formula import ColumnFormula
from .column_reader import PartCells
from .coordinates import Coordinates
from .date_order import since, unit_ratio
from .table_builder import TableBuilder

__all__ = ["TiedCells"]

#: Kinds of columns that can follow from others.
_PIVOTS = ("continuous", "grid", "integer", "discrete", "date")


@dataclass(frozen=True)
class _Tie:
    """A known cell, in some rows, from which an open column follows.

    Attributes:
        column: number of the known column.
        pivot: number of the column that follows; itself, where it is what has passed; None where
            nothing is left to follow, since other ties say all: points have to make the cell then.
        coarse: whether one value of it at most makes the known cell, however that is rounded.
        there: (n,) bool, the rows.
        values: (n,) of the known column, anything in other rows.
    """

    column: int
    pivot: int | None
    coarse: bool
    there: np.ndarray
    values: np.ndarray


class TiedCells:
    """The ties of the rows of a table.

    Args:
        columns: the p columns.
        labels: their names.
        builder: of tables of these columns.
        coordinates: of the columns that have some.
        places: the first coordinate of each column that has some, by its number.
        cells: what is known of the table.
        known: (n, D) bool, the coordinates that are known.
    """

    def __init__(
        self,
        columns: Sequence[Column],
        labels: Sequence[str | int],
        builder: TableBuilder,
        coordinates: Coordinates,
        places: dict[int, int],
        cells: PartCells,
        known: np.ndarray,
    ) -> None:
        self._columns, self._labels, self._builder = columns, labels, builder
        self._coordinates, self._places = coordinates, places
        self._n = len(known)
        self._ties = self._found(cells, known)

    @property
    def rows(self) -> np.ndarray:
        """Which rows have any, (n,) bool."""
        return np.logical_or.reduce(
            [np.zeros(self._n, dtype=bool), *(t.there for t in self._ties)]
        )

    def __bool__(self) -> bool:
        return bool(self._ties)

    def used(self, j: int) -> np.ndarray:
        """In which rows the known cell of column j ties others, (n,) bool."""
        found = [tie.there for tie in self._ties if tie.column == j]
        return np.logical_or.reduce([np.zeros(self._n, dtype=bool), *found])

    def imposed(self, points: Tensor, rows: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Points in which what is tied follows from the others.

        Args:
            points: (N, D) coordinates.
            rows: (N,) int64, the row of the table that each is of.

        Returns:
            Points (N, D); which of their coordinates follow, (N, D) bool; and (N,) logarithms of
            how far these move for a unit of the known cells, minus infinity where nothing that
            the column can be makes the known cell.
        """
        points, own = points.clone(), rows.numpy()
        follow, log_volume = torch.zeros_like(points, dtype=torch.bool), points.new_zeros(len(own))
        for tie in self._ties:
            at = np.flatnonzero(tie.there[own])
            if not len(at):
                continue
            some, wanted = points[at], tie.values[own[at]]
            if tie.pivot is None:
                fine = self._agree(tie, wanted, self._builder.values(some))
                log_volume[at] += torch.from_numpy(np.where(fine, 0.0, -np.inf))
                continue
            i = self._places[tie.pivot]
            z, log_slope = self._solved(tie, tie.pivot, wanted, self._builder.values(some))
            some[:, i] = torch.from_numpy(z)
            fine = self._agree(tie, wanted, self._builder.values(some))
            points[at, i] = torch.where(torch.from_numpy(fine), some[:, i], points[at, i])
            follow[at, i] = True
            log_volume[at] += torch.from_numpy(np.where(fine, log_slope, -np.inf))
        return points, follow, log_volume

    def agree(self, points: Tensor, rows: Tensor) -> np.ndarray:
        """Which points make the known cells: of the shapes of :meth:`imposed`, to (N,) bool."""
        fine, own, values = np.ones(len(points), dtype=bool), rows.numpy(), None
        for tie in self._ties:
            values = self._builder.values(points) if values is None else values
            fine &= ~tie.there[own] | self._agree(tie, tie.values[own], values)
        return fine

    def log_slope(self, points: Tensor, rows: Tensor) -> np.ndarray:
        """Logarithms of how far what follows moves in a table for a unit of known cells: (N,)."""
        total, own, values = np.zeros(len(points)), rows.numpy(), None
        for tie in self._ties:
            formula = self._columns[tie.column].formula
            if formula is not None and tie.pivot is not None and not tie.coarse:
                values = self._builder.values(points) if values is None else values
                slope = formula.log_slope(tie.pivot, tie.values[own], values[tie.pivot])
                total += np.where(tie.there[own], slope, 0.0)
        return total

    def without(self, rows: np.ndarray) -> list[str | int]:
        """Forget ties of some rows, by their numbers; what columns they were of.

        Those from which nothing follows are the first to go, where there are any.
        """
        there = [tie for tie in self._ties if tie.there[rows].any()]
        chosen = [tie for tie in there if tie.pivot is None] or there
        lost = [tie.column for tie in chosen]
        for tie in chosen:
            tie.there[rows] = False
        return [self._labels[j] for j in dict.fromkeys(lost)]

    def _found(self, cells: PartCells, known: np.ndarray) -> list[_Tie]:
        """The ties; none of those that were there before is undone by a later one."""
        n, apart = len(known), np.zeros((len(known), len(self._columns)), dtype=bool)
        ties = []
        for j, (own, values, family) in cells.items():
            column, whole = self._columns[j], np.zeros(n, dtype=values.dtype)
            if family not in ("int", "float") or not (column.counted_from or column.formula):
                continue
            whole[own] = values
            inputs = column.counted_from if column.formula is None else column.formula.places
            if not all(k in self._places for k in inputs):
                continue
            open_ = {k: own & ~known[:, self._places[k]] for k in inputs}
            several = np.sum(list(open_.values()), axis=0) > (column.formula is not None)
            open_[j] = several  # what has passed is not known where its beginning is not
            there = np.zeros(n, dtype=bool)
            for k, coarse in self._pivots(j):
                rows = open_[k] & several & ~there & ~apart[:, k]
                if rows.any():
                    ties.append(_Tie(j, k, coarse, rows, whole))
                    there |= rows
            told = several & ~there & apart[:, list(inputs)].any(axis=1)
            if told.any():
                ties.append(_Tie(j, None, True, told, whole))
            for k in (j, *inputs):
                apart[:, k] |= there
        return ties

    def _pivots(self, j: int) -> list[tuple[int, bool]]:
        """Those columns that can follow from column j, the best one first, and which are coarse.

        Best are those whose rounding does not matter to column j, then those that are no list of
        values, and of these the one that moves it most: the wider the density of what follows, the
        more evenly draws of the others count.
        """
        places = [np.full((1, len(self._coordinates)), place) for place in (-1.0, 0.0, 1.0)]
        values = self._builder.values(torch.from_numpy(np.concatenate(places)))
        column, found = self._columns[j], {}
        formula = column.formula or ColumnFormula(
            tuple(k for k in column.counted_from if self._counts_as(j, k)),
            (1.0,) * len(column.counted_from),
            0.0,
            0.0,
        )
        if column.counted_from and column.calendar is None and j in self._places:
            low, _, high = values[j] - since(self._columns, j, values)
            found[j] = (False, column.is_list, -abs(high - low))
        for k, coefficient in zip(formula.places, formula.coefficients, strict=False):
            own = self._columns[k]
            if own.kind not in _PIVOTS or own.counted_from or own.calendar is not None:
                continue
            ends = values[k].astype(float)
            step = _step(own, ends[1])
            if formula.form != "sum":  # by factors
                step *= abs(float(values[j][1])) / max(abs(ends[1]), 1e-300)
                ends = np.log(np.maximum(np.abs(ends), 1e-300))
            coarse = column.formula is not None and (
                0.5 * abs(coefficient) * step > 1.01 * formula.tolerance
            )
            width = abs(coefficient * (ends[2] - ends[0]))
            found[k] = (coarse, own.is_list, -width)
        return [(k, found[k][0]) for k in sorted(found, key=lambda k: found[k])]

    def _counts_as(self, j: int, k: int) -> bool:
        """Whether column j moves by one for one of column k, which it is counted from."""
        return self._columns[j].kind != "date" or unit_ratio(self._columns, j) == 1

    def _solved(
        self, tie: _Tie, pivot: int, known: np.ndarray, values: dict[int, np.ndarray]
    ) -> tuple[np.ndarray, np.ndarray]:
        """The coordinate that follows, (m,), and the log of its slope by the known cell, (m,).

        Of what is no value of its column it is some other.
        """
        formula, column = self._columns[tie.column].formula, self._columns[pivot]
        log_slope: np.ndarray | float = 0.0
        if pivot == tie.column:
            number = known - since(self._columns, pivot, values)
        elif formula is None:
            number = column.rounded(values[pivot] + (known - values[tie.column]))
        else:
            number = formula.solve(pivot, known, values)
            number = column.rounded(np.where(np.isfinite(number), number, values[pivot]))
            log_slope = 0.0 if tie.coarse else formula.log_slope(pivot, known, number)
        low, high = column.bounds
        number = number if low is None and high is None else np.clip(number, low, high)
        number = number.astype(np.int64 if column.family == "int" else np.float64)
        (part,) = column.coordinate_numbers(number, column.family, self._labels[pivot])
        raw = np.full((len(known), len(self._coordinates)), np.nan)
        there, i = np.zeros(raw.shape, dtype=bool), self._places[pivot]
        raw[:, i], there[:, i] = part, True
        z, log_det = self._coordinates.forward_known(raw, there, 0)
        return z[:, i], log_slope + log_det

    def _agree(self, tie: _Tie, known: np.ndarray, values: dict[int, np.ndarray]) -> np.ndarray:
        """Whether values (m,) of a row's columns make the known cell: (m,) bool."""
        formula, made = self._columns[tie.column].formula, values[tie.column]
        if formula is not None:
            return formula.holds(known, values)
        if made.dtype.kind != "f":
            return made == known
        return np.abs(made - known) <= 1e-9 * np.maximum(np.abs(made), np.abs(known))


def _step(column: Column, value: float) -> float:
    """How far apart values of a column are, near one of them; 0 where they are any numbers."""
    if column.kind == "discrete":
        return float("inf")
    if column.kind in ("integer", "date") or column.family == "int":
        return 1.0
    if column.digits is None:
        return column.step if column.kind == "grid" else 0.0
    if column.digits.significant is not None:
        return abs(value) * 10.0 ** (1 - column.digits.significant)
    return column.digits.step
