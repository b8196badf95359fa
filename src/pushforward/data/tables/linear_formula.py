"""Columns that are linear functions of others, such as a total of its parts, found by fitting."""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from .column_formula import EXACT, ColumnFormula
from .repeated_values import whole as all_whole

__all__ = ["beyond_chance", "find_formulas", "tolerances"]

_CHANCE = 1e-6  # that rows which do not follow a formula agree with it as often as they do
_LOOKED_AT = 2000  # rows by which formulas are sought; those found are checked on all
_MOST_COLUMNS = 1000  # the search takes as long as a product of the columns with each other
_MANY = 4  # a column with more different values than this part of the rows has many
_AS_MANY = 0.75  # of the values of a part that a total has, of which it may be the one computed
_ROWS_A_TERM = 4  # rows for each column that a formula may be made of, at the least
_SINGLE = 1e-6  # the same for numbers of single precision
_COARSEST = 0.05  # deviations of a column: a coarser rounding would hide that it is none
_DEPENDENT = 1e-7  # what is left of a column that is as good as a function of others
_MOST_DECIMALS = 8  # of coefficients that are written shortly


def find_formulas(
    columns: Mapping[int, np.ndarray],
    steps: Mapping[int, float],
    fixed: Collection[int] = (),
) -> dict[int, ColumnFormula]:
    """Which columns are linear functions of others in all rows.

    Of the columns that a formula ties together, the one with the most values is computed from
    those with fewer; of columns with many the total of the others, or the one that varies most:
    a price with its taxes from the price, the end of a stay from its beginning and its days.
    That all rows agree is evidence only as far as it would not happen by chance: each row that is
    not needed to find the coefficients agrees by chance as often as two values are as near.

    Args:
        columns: values of shape (n,), at least two different ones, by the number of the column.
        steps: to what each column is rounded, 0 for not at all, by its number.
        fixed: numbers of columns that are not to be computed, but others may be from them.

    Returns:
        A formula for each column that is computed. None is made of another that is.
    """
    places = [j for j in columns if np.abs(columns[j]).max() < 2.0**53]
    n = len(next(iter(columns.values()))) if columns else 0
    if len(places) < 2 or len(places) > _MOST_COLUMNS:
        return {}
    whole = {j: columns[j].astype(np.float64) for j in places}
    some = np.unique(np.linspace(0, n - 1, min(n, _LOOKED_AT)).astype(np.int64))
    few = {j: whole[j][some] for j in places}
    deviation = {j: float(few[j].std()) for j in places}
    places = [j for j in places if 0 < deviation[j] < math.inf]
    values = {j: min(len(np.unique(few[j])), len(some) // _MANY) for j in places}
    places.sort(key=lambda j: (j not in fixed, values[j], deviation[j], j))
    search = _Search(few, whole, deviation, steps, frozenset(fixed))
    found = search.run(places)
    order = [*places]
    for j, formula in found.items():
        # what is left of a total may be negative: the total is computed from its parts
        positive = [k for k, c in zip(formula.places, formula.coefficients, strict=True) if c > 0]
        if len(positive) == 1 < len(formula.places):
            (total,) = positive
            if total not in fixed and values[total] >= _AS_MANY * values[j]:
                places.remove(total)
                places.insert(places.index(j) + 1, total)
    return found if places == order else search.run(places)


@dataclass(frozen=True)
class _Search:
    """What formulas are sought among: some rows, all rows, and what is known of each column."""

    few: Mapping[int, np.ndarray]
    whole: Mapping[int, np.ndarray]
    deviation: Mapping[int, float]
    steps: Mapping[int, float]
    fixed: frozenset[int]

    def run(self, places: Sequence[int]) -> dict[int, ColumnFormula]:
        """Formulas of columns by those before them, by Gram-Schmidt orthogonalisation."""
        n = len(self.few[places[0]]) if places else 0
        found: dict[int, ColumnFormula] = {}
        used: list[int] = []
        basis = np.empty((n, 1 + n // _ROWS_A_TERM), order="F")
        basis[:, 0] = 1 / math.sqrt(max(n, 1))
        for j in places:
            rest = (self.few[j] - self.few[j].mean()) / self.deviation[j]
            known = basis[:, : 1 + len(used)]
            for _ in range(2):  # once leaves what rounding made of the first time
                rest = rest - known @ (known.T @ rest)
            size = float(np.sqrt(np.mean(rest**2)))
            if j not in self.fixed and used:
                formula = self._formula(j, used, size * self.deviation[j])
                if formula is not None:
                    found[j] = formula
                    continue
            if size < _DEPENDENT:
                continue
            if 1 + len(used) == basis.shape[1]:
                break  # as many terms as the rows allow
            basis[:, 1 + len(used)] = rest / np.linalg.norm(rest)
            used.append(j)
        return found

    def _formula(self, j: int, used: list[int], apart: float) -> ColumnFormula | None:
        """The formula of a column that is so far from the span of those ``used``."""
        for tolerance in tolerances(self.whole[j], self.steps[j], self.deviation[j]):
            if apart <= tolerance:
                formula = _fitted(j, used, self.few, self.whole, self.deviation, tolerance)
                if formula is not None:
                    return formula
        return None


def tolerances(values: np.ndarray, step: float, deviation: float) -> list[float]:
    """How far a column may be from its formula, the smallest first."""
    largest = float(np.abs(values).max())
    # of single precision: decimals that are finer than its last digit say nothing
    single = step < _SINGLE * largest and bool((values.astype(np.float32) == values).all())
    single = single and not (largest < 2**24 and all_whole(values))  # which float32 holds exactly
    exact = (_SINGLE if single else EXACT) * largest
    rounded = 0.5 * step * (1 + 1e-6) + exact
    return [exact] + ([rounded] if 0 < step <= _COARSEST * deviation else [])


def _fitted(
    j: int,
    used: list[int],
    few: Mapping[int, np.ndarray],
    whole: Mapping[int, np.ndarray],
    deviation: Mapping[int, float],
    tolerance: float,
) -> ColumnFormula | None:
    """The formula of column ``j``, made of those ``used`` that matter; None where none holds."""
    y, terms, weight = few[j], used, np.zeros(0)
    for _ in range(2):  # first of all of them, then of those that matter
        x = np.stack([few[k] / deviation[k] for k in terms], axis=1)
        x = np.column_stack([x - x.mean(axis=0), np.ones(len(y))])
        weight = np.linalg.lstsq(x, y, rcond=None)[0][:-1]
        matters = np.abs(weight) > max(tolerance, 1e-8 * deviation[j])
        if not matters.any():
            return None
        terms = [k for k, one in zip(terms, matters, strict=True) if one]
        weight = weight[matters]
    slope = weight / [deviation[k] for k in terms]
    order = np.argsort(terms)
    terms, slope = [terms[i] for i in order], slope[order]
    if not beyond_chance(j, terms, few, tolerance):
        return None
    largest = max(float(np.abs(c * whole[k]).max()) for k, c in zip(terms, slope, strict=True))
    tolerance += EXACT * largest
    for decimals in (*range(_MOST_DECIMALS + 1), None):
        c = slope if decimals is None else np.round(slope, decimals)
        if not c.all():
            continue
        left = whole[j] - sum(s * whole[k] for k, s in zip(terms, c, strict=True))
        middle = 0.5 * float(left.max() + left.min())
        middle = middle if decimals is None else round(float(np.median(left)), decimals)
        for intercept in (0.0, middle):
            if float(np.abs(left - intercept).max()) <= tolerance:
                return ColumnFormula(tuple(terms), tuple(c.tolist()), intercept, tolerance)
    return None


def beyond_chance(
    j: int, terms: list[int], few: Mapping[int, np.ndarray], tolerance: float
) -> bool:
    """Whether so many different rows would not agree by chance."""
    y = np.sort(few[j])
    near = np.searchsorted(y, y + tolerance, "right") - np.searchsorted(y, y - tolerance)
    agree = min(float(near.mean()) / len(y), 1 - 1e-12)
    rows = np.unique(np.column_stack([few[k] for k in (j, *terms)]), axis=0)
    spare = len(rows) - len(terms) - 1
    return spare * math.log(agree) < math.log(_CHANCE)
