"""What the repeats of a column's numbers say: steps, lists of values, point masses."""

from dataclasses import dataclass

import numpy as np

__all__ = ["EXACT", "FEW_CELLS", "MANY_CELLS", "MOST_CELLS", "Repeats", "grid_step", "whole"]

EXACT = 2**53  # whole numbers up to here are exact in float64
FEWEST = 20  # rows below which repeats say little
FEW_CELLS = 20  # a range so short is counted cell by cell, gaps or not
MANY_CELLS = 1024  # a range so wide is a line to the models, on which single cells do not show
MOST_CELLS = 100_000  # of a grid: a finer one is continuous to all purposes
MOST_LISTED = 5_000
DOMINANT, APART = 0.2, 10.0  # share of the rows, and times the rows of a neighbouring cell
SHARE = 0.02  # of the rows at a value, above which it may be a point mass


@dataclass(frozen=True)
class Repeats:
    """The different numbers of a column.

    Attributes:
        distinct: in rising order, shape (m,).
        counts: rows of each, shape (m,).
        step: distance of neighbouring values that all lie on; 0 where there is none.
    """

    distinct: np.ndarray
    counts: np.ndarray
    step: float

    @classmethod
    def of(cls, values: np.ndarray, family: str) -> "Repeats":
        """Look at the values of a column, shape (n,)."""
        distinct, counts = np.unique(values, return_counts=True)
        if family == "int":
            return cls(distinct, counts, _common_step(distinct, len(values)))
        often = len(distinct) <= len(values) / 2
        # Whole numbers that repeat are counts or codes stored as floats, like those of digits.
        if len(values) >= 10 and often and whole(distinct):
            return cls(distinct, counts, _common_step(distinct, len(values)))
        step = grid_step(distinct) if often and len(values) >= FEWEST else None
        return cls(distinct, counts, step or 0.0)

    @property
    def rows(self) -> int:
        """Number of rows."""
        return int(self.counts.sum())

    @property
    def n_cells(self) -> float:
        """Steps from the smallest value to the largest; infinite without a step."""
        if not self.step:
            return float("inf")
        return (float(self.distinct[-1]) - float(self.distinct[0])) / self.step + 1

    @property
    def wide(self) -> bool:
        """Whether there are too many cells for each to be a value of its own."""
        return self.n_cells > min(MANY_CELLS, max(self.rows, 32))

    @property
    def atoms(self) -> np.ndarray:
        """The point masses, bool of shape (m,): values with far more rows than the others.

        A value needs a share significantly above 2 %, and five times the rows of a typical other
        value.
        """
        n = self.rows
        if (
            n < FEWEST
            or abs(float(self.distinct[0])) >= EXACT
            or abs(float(self.distinct[-1])) >= EXACT
        ):
            return np.zeros(len(self.distinct), dtype=bool)
        frequent = self.counts > max(5.0, SHARE * n + 3 * np.sqrt(SHARE * n))
        others = self.counts[~frequent]
        typical = float(others.mean()) if len(others) else 0.0
        return frequent & (self.counts > 5 * typical)

    @property
    def dominant(self) -> np.ndarray:
        """The point masses beside which the neighbouring cells are all but empty: bool of (m,).

        They have a fifth of the rows at least, and ten times those of either neighbour.
        """
        near = np.zeros(len(self.distinct))
        touching = np.diff(self.distinct.astype(np.float64)) < 1.5 * self.step
        near[1:] = np.where(touching, self.counts[:-1], 0)
        near[:-1] = np.maximum(near[:-1], np.where(touching, self.counts[1:], 0))
        return self.atoms & (self.counts >= DOMINANT * self.rows) & (self.counts >= APART * near)

    @property
    def listed(self) -> bool:
        """Whether the values are a list: most rows are at values that repeat beside empty cells.

        Where a value repeats, a smooth density would fill the cells beside it. Point masses say
        nothing about the others and are left out.
        """
        n, distinct = self.rows, self.distinct.astype(np.float64)
        if not 2 <= len(distinct) <= MOST_LISTED or n < FEWEST or self.n_cells <= FEW_CELLS:
            return False
        if max(abs(distinct[0]), abs(distinct[-1])) >= EXACT:
            return False
        other = ~self.atoms
        if other.sum() < 5 or self.counts[other].sum() < max(5.0, SHARE / 2 * n):
            other = np.ones(len(distinct), dtype=bool)  # nearly all rows are at point masses
        hole = (np.diff(distinct) > 1.5 * self.step).astype(int)
        left, right = np.concatenate([[1], hole]), np.concatenate([hole, [1]])
        left[0], right[-1] = right[0], left[-1]  # an end says nothing by itself
        often = np.choose(left + right, [np.inf, 8.0, 3.0])
        repeated = self.counts[other & (self.counts >= often)].sum()
        return bool(repeated >= self.counts[other].sum() / 2)


def _common_step(distinct: np.ndarray, n: int) -> float:
    """Return the greatest step that all of n whole numbers lie on; 1 for few or a short range."""
    if n < FEWEST or max(abs(float(distinct[0])), abs(float(distinct[-1]))) >= EXACT:
        return 1.0
    width = int(distinct[-1]) - int(distinct[0])
    step = _greatest_divisor(distinct)
    return step if width >= FEW_CELLS and width / step <= MOST_CELLS else 1.0


def _greatest_divisor(distinct: np.ndarray) -> float:
    """Greatest step that whole numbers in rising order lie on; 1 for a single one."""
    gaps = np.diff(distinct.astype(np.int64))
    return float(np.gcd.reduce(gaps)) if len(gaps) else 1.0


def grid_step(distinct: np.ndarray) -> float | None:
    """Distance of the values in rising order if all lie a whole number of steps apart, or None.

    Measurements are recorded at a resolution. Where that makes rows share values, a density
    of the bare numbers is without bound on them; it has to be dequantised like a count.
    """
    if len(distinct) < 2:
        return None
    if whole(distinct):  # of 0, 50, 80 and 110 no two are as near as their step
        step = _greatest_divisor(distinct)
        return step if (distinct[-1] - distinct[0]) / step <= MOST_CELLS else None
    with np.errstate(over="ignore"):
        gaps, width = np.diff(distinct), distinct[-1] - distinct[0]
        if not np.isfinite(width) or width / gaps.min() > MOST_CELLS:
            return None
    step = float(width / round(width / gaps.min()))
    position = (distinct - distinct[0]) / step
    # readings may be rounded, as thirds are; but few values lie near some grid by chance
    near = 0.05 if len(distinct) > 5 else 1e-4
    on_grid = np.abs(position - np.round(position)).max() < near
    return step if on_grid and step > 0 else None


def whole(values: np.ndarray) -> bool:
    """Whether all values are whole numbers that float64 holds exactly."""
    return bool((values == np.floor(values)).all() and abs(values).max() < EXACT)
