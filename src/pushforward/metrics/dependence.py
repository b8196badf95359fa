"""Measures which dependences between columns a generated table breaks."""

import math
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
from scipy.special import chdtrc

from ..deprecation import renamed
from ..errors import DataError
from ..validation import as_seed
from .measure import Measure
from .table_encoding import TableCode
from .uncertainty import GROUPS, jackknife_moments, normal_interval

__all__ = ["broken_dependence"]

_BINS = 10  # cells of a column of numbers, and so many values at most are cells of their own
_CLEAR = 0.1  # Cramér's V from which a dependence is clear, if it is significant as well
_SIGNIFICANT = 0.01  # after Bonferroni's correction for the number of pairs
_FORBIDDEN = 0.1  # share of independent rows in pairs that never occur, for a pair to forbid some
_NEW = 0.01  # share of real rows in pairs that occur once; where more do, an absence says little
_WORST = 10


@renamed(seed="random_state")
def broken_dependence(
    real: Any, generated: Any, *, train: Any = None, random_state: Any = 0
) -> Measure:
    """Share of the clear dependence between pairs of columns that samples lose: 0 is perfect.

    Columns become cells: levels of categories, values of numbers that have ten at most, tenths of
    the real rows otherwise (fewer where there are under a hundred rows). A pair counts where its
    dependence in the real rows is clear: Cramér's V, without its bias, of 0.1 or more, and
    significant at 1 % for all pairs together. Levels with fewer rows than the root of all count as
    one there. Missing cells of a column are a level of their own, so that what holes depend on
    counts as well. What a pair loses is the larger of two shares.

    *Lost*: 1 - <R, S> / <R, R>, between 0 and 1, of Pearson's residuals
    R = (p(a, b) - p(a) p(b)) / sqrt(p(a) p(b)) of real and S of generated rows (both scaled by
    the real margins), <R, R> without its bias: 0 where samples have the pattern, or more of it, 1
    where they are independent or depend the other way.

    *Impossible*, of pairs with combinations that do not occur (where one column determines the
    other, or nearly): the share of generated rows with a combination that no real row has, over
    the share that the generated columns would have if they were independent.

    Args:
        real, generated: tables of shape (n, p) and (m, p) with p of at least 2.
        train: more real rows, such as those the generator was fitted on; they make known which
            combinations occur.
        random_state: of the groups of the jackknife.

    Returns:
        The mean over the pairs that count; 0 where none does, which is a warning.
        ``details["worst_pairs"]`` has the pairs by what they lose.

    Raises:
        DataError: as :func:`column_fidelity`, and for fewer than two columns.

    Examples:
        >>> X = np.random.default_rng(0).normal(size=(500, 2))
        >>> X[:, 1] = 2 * X[:, 0]
        >>> round(broken_dependence(X, X).value, 3), broken_dependence(X, X * [1, -1]).value
        (0.0, 1.0)
    """
    seed = as_seed(random_state)
    code = TableCode.learn(real)
    a, b = code.numbers(real), code.numbers(generated)
    if a.shape[1] < 2:
        raise DataError("The table has one column. Expected at least two for a pair.")
    if min(len(a), len(b)) < 4:
        raise DataError(f"{len(a)} real and {len(b)} generated rows. Expected at least 4 of each.")
    known = a if train is None else np.concatenate([a, code.numbers(train)])
    known, drawn = _cells(code, known, b)
    pairs = [
        found
        for i, j in combinations(range(a.shape[1]), 2)
        if (found := _Pair.of(i, j, known, a.shape[1])) is not None
    ]
    shares = _Groups.deal(drawn, seed)
    lost = np.stack([shares.broken(pair) for pair in pairs]) if pairs else np.zeros((0, 1, 2))
    each = lost[:, 0]  # then what is lost without each group of rows
    details = {
        "n_real": len(known),
        "n_generated": len(b),
        "pairs": len(pairs),
        "lost": float(each[:, 0].mean()) if pairs else 0.0,
        "impossible": float(each[:, 1].mean()) if pairs else 0.0,
        "worst_pairs": [
            {
                "columns": [code.names[pairs[k].i], code.names[pairs[k].j]],
                "value": float(each[k].max()),
                "lost": float(each[k, 0]),
                "impossible": float(each[k, 1]),
            }
            for k in np.argsort(-each.max(axis=1, initial=0.0), kind="stable")[:_WORST]
        ],
        "seed": seed,
    }
    if not pairs:
        note = "No two columns of the real rows depend on each other clearly: nothing to break."
        return Measure("broken_dependence", 0.0, None, "lower", details, (note,))
    value, *left = lost.max(axis=2).mean(axis=0).tolist()
    error, _ = jackknife_moments(np.array(left), value)
    details |= {"standard_error": error, "interval": "generated rows left out in groups, normal"}
    interval = normal_interval(value, error, 0.0, 1.0)
    return Measure("broken_dependence", value, interval, "lower", details)


def _cells(code: TableCode, *tables: np.ndarray) -> list[np.ndarray]:
    """Cells of each column, counted from 0; those of numbers are learned on the first table.

    The last one is that of missing cells.
    """
    out = [np.empty(table.shape, dtype=np.intp) for table in tables]
    bins = max(2, min(_BINS, math.isqrt(len(tables[0]))))
    for j in range(tables[0].shape[1]):
        edges, last = None, len(code.columns.columns[j].values) + 1
        if code.ordered(j):
            known = tables[0][~np.isnan(tables[0][:, j]), j]
            values = np.unique(known)
            if len(values) > bins:
                edges = np.unique(np.quantile(known, np.arange(1, bins) / bins))
            else:
                edges = (values[1:] + values[:-1]) / 2
            last = len(edges) + 1
        for cells, table in zip(out, tables, strict=True):
            column, gap = table[:, j], np.isnan(table[:, j])
            cells[gap, j] = last
            column = column[~gap]
            cells[~gap, j] = column if edges is None else np.searchsorted(edges, column, "right")
    return out


class _Pair(NamedTuple):
    """A pair of columns of the real rows whose dependence is clear.

    ``frequent`` are the cells of either column as they count for the association, the rare ones
    together; ``residuals`` Pearson's, ``size`` their squared length without its bias, ``scale``
    the roots of the products of the margins; ``occurs`` the combinations that are known, or None
    where that says little.
    """

    i: int
    j: int
    frequent: tuple[np.ndarray, np.ndarray]
    residuals: np.ndarray
    size: float
    scale: np.ndarray
    occurs: np.ndarray | None

    @classmethod
    def of(cls, i: int, j: int, known: np.ndarray, columns: int) -> "_Pair | None":
        frequent = (_frequent(known[:, i]), _frequent(known[:, j]))
        n = len(known)
        shape = (int(frequent[0][-1]) + 1, int(frequent[1][-1]) + 1)
        joint = _counts(*_merged(frequent, known[:, i], known[:, j]), shape) / n
        rows, cols = joint.sum(axis=1), joint.sum(axis=0)
        r, c = (int((margin > 0).sum()) for margin in (rows, cols))
        if min(r, c) < 2:
            return None
        independent = np.outer(rows, cols)
        scale = np.sqrt(np.where(independent > 0, independent, 1.0))
        residuals = (joint - independent) / scale
        square, free = float((residuals**2).sum()), (r - 1) * (c - 1)
        size = square - free / n
        tests = columns * (columns - 1) / 2
        if chdtrc(free, n * square) * tests > _SIGNIFICANT:
            return None
        if size < _CLEAR**2 * (min(r, c) - 1):
            return None
        return cls(i, j, frequent, residuals, size, scale, _occurring(known[:, i], known[:, j]))

    def merged(self, first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Cells of either column as they count for the association."""
        return _merged(self.frequent, first, second)


def _frequent(cells: np.ndarray) -> np.ndarray:
    """For each cell its number among those with rows enough; the last is that of all the rest.

    Enough are as many that any two independent cells have an expected count of 1 at least, below
    which squared residuals are mostly noise.
    """
    counts = np.bincount(cells)
    enough = counts >= math.isqrt(len(cells))
    number = np.cumsum(enough) - 1
    rest = int(enough.sum())
    number[~enough] = rest
    return np.append(number, rest)


def _merged(
    frequent: tuple[np.ndarray, np.ndarray], first: np.ndarray, second: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Cells with the rare ones together; levels that no real row has are among these."""
    a, b = (
        number[np.minimum(cells, len(number) - 1)]
        for number, cells in zip(frequent, (first, second), strict=True)
    )
    return a, b


def _counts(
    first: np.ndarray, second: np.ndarray, shape: tuple[int, int], group: np.ndarray | None = None
) -> np.ndarray:
    """Rows in each pair of cells, (r, c); of each group of rows, (groups, r, c)."""
    size = shape[0] * shape[1]
    place = first * shape[1] + second
    if group is None:
        return np.bincount(place, minlength=size).reshape(shape)
    return np.bincount(group * size + place, minlength=GROUPS * size).reshape(-1, *shape)


def _occurring(first: np.ndarray, second: np.ndarray) -> np.ndarray | None:
    """Which pairs of cells occur, (r, c), as far as there are rows enough to be sure."""
    counts = _counts(first, second, (first.max() + 1, second.max() + 1))
    n = len(first)
    # The rows whose pair occurs once are as many as new rows whose pair would be new (Good, 1953).
    if (counts == 1).sum() > _NEW * n:
        return None
    independent = np.outer(counts.sum(axis=1), counts.sum(axis=0)) / n**2
    return counts > 0 if independent[counts == 0].sum() >= _FORBIDDEN else None


class _Groups(NamedTuple):
    """Cells of the generated rows, dealt into groups that are left out in turn."""

    drawn: np.ndarray
    group: np.ndarray

    @classmethod
    def deal(cls, drawn: np.ndarray, seed: int) -> "_Groups":
        return cls(drawn, np.random.default_rng(seed).permutation(len(drawn)) % GROUPS)

    def broken(self, pair: "_Pair") -> np.ndarray:
        """What the pair loses and the impossible share, of all rows and without each group."""
        first, second = self.drawn[:, pair.i], self.drawn[:, pair.j]
        joint = self._shares(*pair.merged(first, second), pair.residuals.shape)
        kept = np.einsum("grc,rc->g", _deviations(joint), pair.residuals / pair.scale) / pair.size
        impossible = np.zeros(len(joint))
        if pair.occurs is not None:
            r, c = pair.occurs.shape  # levels that no real row has come last
            never = np.pad(~pair.occurs, ((0, 1), (0, 1)), constant_values=True)
            joint = self._shares(np.minimum(first, r), np.minimum(second, c), (r + 1, c + 1))
            share = joint[:, never].sum(axis=1)
            independent = (joint - _deviations(joint))[:, never].sum(axis=1)
            np.divide(share, independent, out=impossible, where=independent > 0)
        return np.clip(np.stack([1 - kept, impossible], axis=1), 0, 1)

    def _shares(self, first: np.ndarray, second: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
        each = _counts(first, second, shape, self.group)
        counts = np.concatenate([each.sum(axis=0)[None], each.sum(axis=0) - each])
        return counts / counts.sum(axis=(1, 2), keepdims=True)


def _deviations(joint: np.ndarray) -> np.ndarray:
    """Joint shares less the products of their margins: (groups, r, c)."""
    return joint - joint.sum(axis=2, keepdims=True) * joint.sum(axis=1, keepdims=True)
