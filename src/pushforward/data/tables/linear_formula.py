"""Columns that are linear functions of others, such as a total of its parts, found by fitting."""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

__all__ = ["COMPUTED", "LinearFormula", "find_formulas"]

#: Kinds of columns that formulas may be of, and made of.
COMPUTED = ("continuous", "mixed", "integer", "grid", "discrete", "date")

_CHANCE = 1e-6  # that rows which do not follow a formula agree with it as often as they do
_LOOKED_AT = 2000  # rows by which formulas are sought; those found are checked on all
_MOST_COLUMNS = 1000  # the search takes as long as a product of the columns with each other
_MANY = 4  # a column with more different values than this part of the rows has many
_AS_MANY = 0.75  # of the values of a part that a total has, of which it may be the one computed
_ROWS_A_TERM = 4  # rows for each column that a formula may be made of, at the least
_EXACT = 1e-10  # of the largest term: what the last bits of sums are off by
_SINGLE = 1e-6  # the same for numbers of single precision
_COARSEST = 0.05  # deviations of a column: a coarser rounding would hide that it is none
_DEPENDENT = 1e-7  # what is left of a column that is as good as a function of others
_MOST_DECIMALS = 8  # of coefficients that are written shortly


@dataclass(frozen=True)
class LinearFormula:
    """One column of a table as ``intercept + sum of coefficient * column``.

    Attributes:
        places: numbers of the columns that it is computed from, rising.
        coefficients: one for each of them.
        intercept: what is added.
        tolerance: how far the cells of a row that follows the formula may be from it: half a
            step of the column's rounding, or the last bits of a sum.

    Examples:
        >>> total = LinearFormula((0, 2), (1.0, 2.0), 0.0, 1e-9)
        >>> total.compute({0: np.array([1.0, 2.0]), 2: np.array([0.5, 3.0])}).tolist()
        [2.0, 8.0]
        >>> total.text(["price", "note", "fee"])
        'price + 2 fee'
    """

    places: tuple[int, ...]
    coefficients: tuple[float, ...]
    intercept: float
    tolerance: float

    def compute(self, values: Mapping[int, np.ndarray]) -> np.ndarray:
        """The column, float64 of shape (n,), from values (n,) of the columns by their numbers."""
        total = np.full(len(values[self.places[0]]), self.intercept)
        for place, coefficient in zip(self.places, self.coefficients, strict=True):
            total += coefficient * values[place].astype(np.float64)
        return total

    def solve(self, k: int, column: np.ndarray, values: Mapping[int, np.ndarray]) -> np.ndarray:
        """Column ``k``, one of those it is computed from, from it and the others: (n,).

        Args:
            k: number of the column.
            column: (n,) the computed column.
            values: (n,) of the other columns by their numbers.
        """
        others = {**values, k: np.zeros(len(column))}
        coefficient = self.coefficients[self.places.index(k)]
        return (column.astype(np.float64) - self.compute(others)) / coefficient

    def holds(self, column: np.ndarray, values: Mapping[int, np.ndarray]) -> np.ndarray:
        """Whether each row follows the formula: bool of shape (n,)."""
        return np.abs(column.astype(np.float64) - self.compute(values)) <= self.tolerance

    def among(self, places: Mapping[int, int]) -> "LinearFormula":
        """The formula where columns have other numbers, given by the numbers that they had."""
        return replace(self, places=tuple(places[j] for j in self.places))

    def text(self, labels: Sequence[str | int]) -> str:
        """The formula as people write it."""
        names = [labels[j] if isinstance(labels[j], str) else f"x{labels[j]}" for j in self.places]
        terms = [
            (c, f"{abs(c):.6g} {name}" if abs(c) != 1 else str(name))
            for name, c in zip(names, self.coefficients, strict=True)
        ]
        if self.intercept:
            terms.append((self.intercept, f"{abs(self.intercept):.6g}"))
        terms.sort(key=lambda term: term[0] < 0)  # what is subtracted comes last
        first, *rest = terms
        words = [f"-{first[1]}" if first[0] < 0 else first[1]]
        return " ".join(words + [f"{'-' if sign < 0 else '+'} {term}" for sign, term in rest])


def find_formulas(
    columns: Mapping[int, np.ndarray],
    steps: Mapping[int, float],
    fixed: Collection[int] = (),
) -> dict[int, LinearFormula]:
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

    def run(self, places: Sequence[int]) -> dict[int, LinearFormula]:
        """Formulas of columns by those before them, by Gram-Schmidt orthogonalisation."""
        n = len(self.few[places[0]]) if places else 0
        found: dict[int, LinearFormula] = {}
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

    def _formula(self, j: int, used: list[int], apart: float) -> LinearFormula | None:
        """The formula of a column that is so far from the span of those ``used``."""
        for tolerance in _tolerances(self.whole[j], self.steps[j], self.deviation[j]):
            if apart <= tolerance:
                formula = _fitted(j, used, self.few, self.whole, self.deviation, tolerance)
                if formula is not None:
                    return formula
        return None


def _tolerances(values: np.ndarray, step: float, deviation: float) -> list[float]:
    """How far a column may be from its formula, the smallest first."""
    single = bool((values.astype(np.float32) == values).all()) and step == 0
    exact = (_SINGLE if single else _EXACT) * float(np.abs(values).max())
    rounded = 0.5 * step * (1 + 1e-6) + exact
    return [exact] + ([rounded] if 0 < step <= _COARSEST * deviation else [])


def _fitted(
    j: int,
    used: list[int],
    few: Mapping[int, np.ndarray],
    whole: Mapping[int, np.ndarray],
    deviation: Mapping[int, float],
    tolerance: float,
) -> LinearFormula | None:
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
    if not _beyond_chance(j, terms, few, tolerance):
        return None
    largest = max(float(np.abs(c * whole[k]).max()) for k, c in zip(terms, slope, strict=True))
    tolerance += _EXACT * largest
    for decimals in (*range(_MOST_DECIMALS + 1), None):
        c = slope if decimals is None else np.round(slope, decimals)
        if not c.all():
            continue
        left = whole[j] - sum(s * whole[k] for k, s in zip(terms, c, strict=True))
        middle = 0.5 * float(left.max() + left.min())
        middle = middle if decimals is None else round(float(np.median(left)), decimals)
        for intercept in (0.0, middle):
            if float(np.abs(left - intercept).max()) <= tolerance:
                return LinearFormula(tuple(terms), tuple(c.tolist()), intercept, tolerance)
    return None


def _beyond_chance(
    j: int, terms: list[int], few: Mapping[int, np.ndarray], tolerance: float
) -> bool:
    """Whether so many different rows would not agree by chance."""
    y = np.sort(few[j])
    near = np.searchsorted(y, y + tolerance, "right") - np.searchsorted(y, y - tolerance)
    agree = min(float(near.mean()) / len(y), 1 - 1e-12)
    rows = np.unique(np.column_stack([few[k] for k in (j, *terms)]), axis=0)
    spare = len(rows) - len(terms) - 1
    return spare * math.log(agree) < math.log(_CHANCE)
