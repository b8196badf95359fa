"""Values that were filled in, brought to agree with known ones of their row."""

from collections.abc import Mapping, Sequence

import numpy as np

from .column import Column
from .column_formula import ColumnFormula
from .date_order import by_origin, since, unit_ratio

__all__ = ["agree_with_known"]


def agree_with_known(
    columns: Sequence[Column],
    numbers: dict[int, np.ndarray],
    known: Mapping[int, np.ndarray],
    given: Mapping[int, np.ndarray],
) -> None:
    """Change filled-in values, in place, so that what counts from them or sums them up holds.

    Where an end is known and its beginning is not, the beginning is as long before it as was
    filled in for both. Where a total is known and several of its parts are not, these are scaled
    to it, or moved by as much each where they cannot be.

    Args:
        columns: the p columns.
        numbers: (n,) values by the number of the column, known ones too.
        known: (n,) bool by the number of the column; columns that lack are known nowhere.
        given: (n,) the known values, anything elsewhere.
    """
    _agree_differences(columns, numbers, known, given)
    for j, column in enumerate(columns):
        if column.formula is not None and j in known:
            _agree_sum(columns, column.formula, given[j], known[j], numbers, known, given)


def _agree_differences(
    columns: Sequence[Column],
    numbers: dict[int, np.ndarray],
    known: Mapping[int, np.ndarray],
    given: Mapping[int, np.ndarray],
) -> None:
    none = np.zeros(len(next(iter(numbers.values()), np.zeros(0))), dtype=bool)
    passed = {j: numbers[j] - since(columns, j, numbers) for j in by_origin(columns)}
    moved: dict[int, np.ndarray] = {}
    for j in reversed(by_origin(columns)):
        if addends := columns[j].addends:
            if j in known:
                terms = ColumnFormula(addends, (1.0,) * len(addends), 0.0, 0.0)
                _agree_sum(columns, terms, given[j] - passed[j], known[j], numbers, known, given)
            continue
        origin = columns[j].origin
        assert origin is not None
        there, before = known.get(j, none), known.get(origin, none)
        value = np.where(there, given.get(j, numbers[j]), numbers[j])
        shifted = moved.get(j, none)
        if (between := shifted & before).any():  # what lies between two known ones stays there
            start = since(columns, j, {origin: given.get(origin, numbers[origin])})
            end = np.where(passed[j] >= 0, np.maximum(value, start), np.minimum(value, start))
            numbers[j] = np.where(between, end, numbers[j])
        rows = (there | shifted) & ~before
        if rows.any():
            begin = value - passed[j]
            if columns[j].kind == "date":
                begin = begin // unit_ratio(columns, j)
            else:
                begin = _on_the_same_side(columns[origin], begin, value, passed[j])
            numbers[origin] = np.where(rows, begin, numbers[origin])
            moved[origin] = moved.get(origin, none) | rows


def _on_the_same_side(
    column: Column, begin: np.ndarray, end: np.ndarray, passed: np.ndarray
) -> np.ndarray:
    """Beginnings in the precision of their column, rounding of which must not move them past."""
    begin = column.rounded(begin)
    step = 1.0
    if column.digits is not None and column.digits.decimals is not None:
        step = 10.0**-column.digits.decimals
    past = np.where(passed >= 0, begin > end, begin < end)
    return column.rounded(np.where(past, begin - np.sign(passed + (passed == 0)) * step, begin))


def _agree_sum(
    columns: Sequence[Column],
    formula: ColumnFormula,
    sums: np.ndarray,
    there: np.ndarray,
    numbers: dict[int, np.ndarray],
    known: Mapping[int, np.ndarray],
    given: Mapping[int, np.ndarray],
) -> None:
    """Change the open terms of sums (n,) in the rows in which these are ``there``."""
    n = len(there)
    gaps = {k: ~known.get(k, np.zeros(n, dtype=bool)) & there for k in formula.places}
    rows = np.sum(list(gaps.values()), axis=0) > 0
    if not rows.any():
        return
    values = {
        k: np.where(gaps[k], numbers[k], given.get(k, numbers[k])) if k in given else numbers[k]
        for k in formula.places
    }
    if formula.form != "sum":
        _agree_product(columns, formula, sums, gaps, values, numbers)
        return
    left = sums.astype(np.float64) - formula.compute(values)
    terms = dict(zip(formula.places, formula.coefficients, strict=True))
    parts = {k: np.where(gaps[k], c * values[k], 0.0) for k, c in terms.items()}
    total = np.sum(list(parts.values()), axis=0)
    spread = np.sum([np.abs(part) for part in parts.values()], axis=0)
    scaled = (np.abs(total) == spread) & (total != 0) & ((total + left) * total >= 0)
    count = np.sum(list(gaps.values()), axis=0)
    for k, c in terms.items():
        share = np.where(
            scaled,
            np.divide(parts[k], total, out=np.zeros(n), where=total != 0),
            1 / np.maximum(count, 1),
        )
        made = columns[k].rounded(values[k] + np.where(gaps[k], share * left / c, 0.0))
        values[k] = np.where(gaps[k] & rows, made, values[k])
    left = sums.astype(np.float64) - formula.compute(values)  # what rounding left
    sizes = np.stack([np.where(gaps[k], np.abs(values[k]), -1.0) for k in terms])
    for i, (k, c) in enumerate(terms.items()):
        largest = rows & (sizes.argmax(axis=0) == i)
        values[k] = np.where(largest, columns[k].rounded(values[k] + left / c), values[k])
        numbers[k] = np.where(gaps[k], values[k], numbers[k]).astype(numbers[k].dtype)


def _agree_product(
    columns: Sequence[Column],
    formula: ColumnFormula,
    known: np.ndarray,
    gaps: Mapping[int, np.ndarray],
    values: Mapping[int, np.ndarray],
    numbers: dict[int, np.ndarray],
) -> None:
    """Multiply the open terms of a product, or of logarithms, by what makes it the known one.

    What no factor makes of the terms, as a product of 0, leaves them as they are.
    """
    made, count = formula.compute(values), np.sum(list(gaps.values()), axis=0)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        if formula.form == "product":
            missing = np.log(known.astype(np.float64) / made)
        else:
            missing = known.astype(np.float64) - made
        one = 1.0 if formula.form == "log1p" else 0.0
        for k, c in zip(formula.places, formula.coefficients, strict=True):
            factor = np.exp(missing / (c * np.maximum(count, 1)))
            own = columns[k].rounded((one + values[k]) * factor - one)
            changed = gaps[k] & (np.abs(own) <= 2.0**53)  # a number, which every integer holds
            numbers[k] = np.where(changed, own, numbers[k]).astype(numbers[k].dtype)
