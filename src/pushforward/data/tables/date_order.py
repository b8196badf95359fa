"""Dates that never precede another date of their row, such as an end after its beginning."""

from collections.abc import Mapping, Sequence

import numpy as np

from .column import Column
from .column_formula import COMPUTED
from .dates import UNITS, DateFormat

__all__ = ["by_origin", "find_origins", "is_origin", "since", "unit_ratio"]

_ORDERED = 0.995  # share of rows that keep to the order, at least: some are typed wrongly
_BY_CHANCE = 0.01  # share of pairs of any two rows that would not, at least: else none needs it
_FEWEST = 20  # rows


def find_origins(dates: Mapping[int, np.ndarray], units: Mapping[int, str]) -> dict[int, int]:
    """Find for each column of dates the one that it is best counted from, if any.

    A date is counted from another where it hardly ever precedes it and dates of rows that do not
    belong together often would. Of several that one is taken which the column is closest to.

    Args:
        dates: counts of the column's unit, (n,) int64 each, by the number of the column.
        units: what they count, a key of ``UNITS``.

    Returns:
        The number of the other column by the number of the column; never in a circle.

    Examples:
        >>> begin = np.arange(50) * 3
        >>> find_origins({2: begin, 5: begin + np.arange(50) % 4}, {2: "day", 5: "day"})
        {5: 2}
    """
    order = sorted(dates, key=lambda j: (np.median(dates[j]) * (UNITS[units[j]] or 1), j))
    found: dict[int, int] = {}
    for place, j in enumerate(order):
        closest = np.inf
        for i in order[:place]:
            if not _comparable(units[i], units[j]):
                continue
            start = _in_unit(dates[i], units[i], units[j])
            elapsed = dates[j] - start
            if _ordered(start, dates[j]) and 0 < elapsed.std() < closest:
                closest, found[j] = float(elapsed.std()), i
    return found


def since(columns: Sequence[Column], j: int, values: Mapping[int, np.ndarray]) -> np.ndarray:
    """What the dates or numbers of a column are counted from in each row, in its unit: (n,).

    Args:
        columns: the p columns.
        j: number of the column, which is counted from others.
        values: of these by their number; of dates counts of their unit.
    """
    if addends := columns[j].addends:
        return np.sum([values[k] for k in addends], axis=0)
    origin = columns[j].origin
    assert origin is not None
    if columns[j].kind != "date":
        return values[origin]
    return _in_unit(values[origin], _unit(columns[origin]), _unit(columns[j]))


def unit_ratio(columns: Sequence[Column], j: int) -> int:
    """How many units of a column of dates are in one of those that it is counted from."""
    origin = columns[j].origin
    assert origin is not None
    one, other = _unit(columns[origin]), _unit(columns[j])
    return 1 if one == other else UNITS[one] // UNITS[other]


def by_origin(columns: Sequence[Column]) -> list[int]:
    """Numbers of the columns that are counted from others, each after these; none in a circle."""
    left = {j: column.counted_from for j, column in enumerate(columns) if column.counted_from}
    order: list[int] = []
    while ready := [j for j, others in left.items() if not left.keys() & set(others)]:
        order += ready
        left = {j: others for j, others in left.items() if j not in ready}
    return order


def is_origin(origin: Column, column: Column) -> bool:
    """Whether the dates or numbers of a column can be counted from those of another."""
    if "date" not in (origin.kind, column.kind):
        numbers = origin.kind in COMPUTED and column.kind in COMPUTED
        whole = column.family != "int" or origin.family == "int"
        return numbers and whole and origin.has_coordinate and column.has_coordinate
    dated = origin.kind == column.kind == "date" and origin.has_coordinate
    return dated and column.has_coordinate and _comparable(_unit(origin), _unit(column))


def _unit(column: Column) -> str:
    assert isinstance(column.format, DateFormat)
    return column.format.unit


def _in_unit(counts: np.ndarray, unit: str, other: str) -> np.ndarray:
    """Counts of a unit as counts of an equal or a finer one, (n,)."""
    return counts if unit == other else counts * (UNITS[unit] // UNITS[other])


def _comparable(unit: str, other: str) -> bool:
    """Whether counts of a unit are whole numbers of the other."""
    return unit == other or ("month" not in (unit, other) and UNITS[unit] > UNITS[other])


def _ordered(earlier: np.ndarray, later: np.ndarray) -> bool:
    """Whether rows keep to an order that dates of different rows would break."""
    n = len(later)
    if n < _FEWEST or (later >= earlier).mean() < _ORDERED:
        return False
    preceded = n - np.searchsorted(np.sort(earlier), later, side="right")
    return bool(preceded.mean() >= _BY_CHANCE * n)
