"""Totals of whose parts few values are left, such as a price with one of some surcharges."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import numpy as np

from .column import Column
from .date_order import is_origin
from .decimals import EPSILON, Digits

__all__ = ["common_digits", "few_values", "note_sums"]

_LOOKED_AT = 2000  # rows by which totals are sought; those found are checked on all
_MOST_COLUMNS = 200
_ROWS_A_COLUMN = 10  # rows for each column of these regressions, at the least
_RIDGE = 1e-9  # of standardised columns, of which some may be as good as sums of others
_NEAR_ONE = 0.25  # of the coefficient of a part, which what is left may depend on
_MOST_DECIMALS = 6
_LARGEST = 1e100  # of numbers, whose squares are added up
_MOST_LEFT = 100  # different values that are left
_ROWS_A_VALUE = 20  # rows for each of them, at the least
_BY_CHANCE = 10  # times as many are left where the rows of total and parts are not the same


def note_sums(
    columns: list[Column],
    values: Mapping[int, np.ndarray],
    taken: Collection[int],
    labels: Sequence[str | int],
) -> None:
    """Note of each total of whose parts few values are left by which constraint rows keep to them.

    That is not done unasked: a total that is counted from its parts says nothing of a part that is
    missing.

    Args:
        columns: the p columns, whose notes are changed.
        values: (n,) of columns of numbers, by their number, in rows that have them all.
        taken: columns that the user has declared or named in constraints.
        labels: names of the columns.
    """
    used = {k for c in columns for k in c.counted_from}
    used |= {k for c in columns if c.formula is not None for k in c.formula.places}
    for j, parts in _totals(columns, values, {*taken, *used}).items():
        names = " + ".join(str(labels[k]) for k in parts)
        note = (
            f"{names} and one of few values: the constraint '{names} <= {labels[j]}' has samples "
            "keep to these"
        )
        columns[j] = replace(columns[j], note="; ".join(filter(None, (columns[j].note, note))))


def _totals(
    columns: Sequence[Column], values: Mapping[int, np.ndarray], apart: Collection[int]
) -> dict[int, tuple[int, ...]]:
    """The parts of each column that is a sum of others but for a few values."""
    n = len(next(iter(values.values()), ()))
    places = [
        j
        for j, own in values.items()
        if columns[j].has_coordinate and own.min() < own.max() and np.abs(own).max() < _LARGEST
    ]
    if len(places) < 3 or len(places) > min(_MOST_COLUMNS, n // _ROWS_A_COLUMN):
        return {}
    some = np.unique(np.linspace(0, n - 1, min(n, _LOOKED_AT)).astype(np.int64))
    few = np.stack([values[j][some].astype(np.float64) for j in places], axis=1)
    few -= few.mean(axis=0)
    scale = few.std(axis=0)
    few = few[:, scale > 0] / scale[scale > 0]
    places = [j for j, one in zip(places, scale.tolist(), strict=True) if one > 0]
    size = dict(zip(places, scale[scale > 0].tolist(), strict=True))
    found: dict[int, tuple[int, ...]] = {}
    weight = _weights(few)
    for i in sorted(range(len(places)), key=lambda i: -size[places[i]]):
        j = places[i]
        if j in apart or j in {k for parts in found.values() for k in parts}:
            continue
        near = [
            k
            for k, w in zip(places, weight[i], strict=True)
            if k != j and abs(w * size[j] / size[k] - 1) <= _NEAR_ONE
        ]
        parts = tuple(sorted(near))
        if len(parts) > 1 and _leaves_few(columns, values, j, parts):
            found[j] = parts
            few[:, i] = 0.0  # no total is a part of another
            weight = _weights(few)
    return found


def _weights(few: np.ndarray) -> np.ndarray:
    """Weights of all others in the regression of each column of (n, p) by them: (p, p).

    All regressions at once, from the inverse of the covariances.
    """
    inverse = np.linalg.inv(few.T @ few / len(few) + _RIDGE * np.eye(few.shape[1]))
    return -inverse / np.diag(inverse)[:, None]


def _leaves_few(
    columns: Sequence[Column], values: Mapping[int, np.ndarray], j: int, parts: Sequence[int]
) -> bool:
    """Whether few values are left of a total, and many were it not one of its own parts."""
    own, others = values[j], [values[k] for k in parts]
    digits = common_digits([own, *others])
    if digits is None or not all(is_origin(columns[k], columns[j]) for k in parts):
        return False
    left = np.unique(_left(own, others, digits))
    if left[0] < 0 or not few_values(left, len(own)):
        return False
    order = np.random.default_rng(0).permutation(len(own))
    by_chance = np.unique(_left(own, [x[order] for x in others], digits))
    return len(by_chance) >= _BY_CHANCE * len(left)


def few_values(left: np.ndarray, n: int) -> bool:
    """Whether different values that are left of a total in n rows are few, and more than one."""
    return 1 < len(left) <= min(_MOST_LEFT, n // _ROWS_A_VALUE)


def _left(own: np.ndarray, others: Sequence[np.ndarray], digits: Digits | None) -> np.ndarray:
    left = own - np.sum(others, axis=0)
    return left if digits is None or left.dtype.kind in "iu" else digits.round(left)


def common_digits(columns: Sequence[np.ndarray]) -> Digits | None:
    """The decimals that hold the numbers of all of some columns; None where some have more."""
    values = np.concatenate(columns).astype(np.float64)
    for decimals in range(_MOST_DECIMALS + 1):
        off = np.abs(np.round(values, decimals) - values)
        if (off <= 4 * EPSILON * np.abs(values)).all():
            return Digits(decimals=decimals)
    return None
