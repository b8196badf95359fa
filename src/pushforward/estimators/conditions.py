"""Conditions on columns as a user writes them: values, ranges and lists of values."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..data import Columns
from ..errors import DataError, ParameterError

__all__ = ["Event", "column_place", "taken_apart"]


class Event:
    """Values, ranges and lists of values of some columns, as a condition on rows."""

    def __init__(self, ranges: Mapping[str | int, Any], columns: Columns) -> None:
        self._parts: list[tuple[str | int, Callable[[np.ndarray], np.ndarray]]] = []
        for label, asked in ranges.items():
            self._parts.append((label, _condition(label, asked, columns)))

    def __bool__(self) -> bool:
        return bool(self._parts)

    def holds(self, values: Mapping[str | int, np.ndarray]) -> np.ndarray:
        """Whether rows meet all of it, from their values by column: bool of shape (n,)."""
        result = np.ones(len(next(iter(values.values()))), dtype=bool)
        for label, condition in self._parts:
            result &= condition(values[label])
        return result


def _condition(
    label: str | int, asked: Any, columns: Columns
) -> Callable[[np.ndarray], np.ndarray]:
    """What is asked of one column, as a function of its values."""
    if isinstance(asked, tuple):
        if label not in columns.numeric or len(asked) != 2:
            raise ParameterError(
                f"{label!r}: got the range {asked!r}. Expected (low, high) of a column of numbers "
                "or dates; a list of values says which ones are meant."
            )
        low, high = asked
        low = None if low is None else columns.number(label, low)
        high = None if high is None else columns.number(label, high, last=True)
        if low is not None and high is not None and low > high:
            raise ParameterError(f"{label!r}: the range {asked!r} ends before it begins.")
        low, high = (-math.inf if low is None else low), (math.inf if high is None else high)
        return lambda values: (values >= low) & (values <= high)
    listed = asked if isinstance(asked, (list, set, frozenset)) else [asked]
    wanted = [columns.number(label, value) for value in listed]
    return lambda values: np.isin(values, np.array(wanted, dtype=values.dtype))


def taken_apart(
    conditions: Any, columns: Columns, single: bool = False
) -> tuple[Any, dict[str | int, Any]]:
    """A table of given cells, and ranges and lists by column.

    Args:
        conditions: a table, or a mapping of both.
        columns: of the table.
        single: whether single values stay a mapping.
    """
    if not isinstance(conditions, Mapping):
        return conditions, {}
    for label in conditions:
        column_place(label, columns)
    several = (tuple, list, set, frozenset)
    ranges = {k: v for k, v in conditions.items() if isinstance(v, several)}
    values = {k: v for k, v in conditions.items() if k not in ranges}
    for label, value in values.items():
        columns.number(label, value)  # which refuses what is none of its values
    return values if single else columns.row(values), ranges


def column_place(label: str | int, columns: Columns) -> int:
    """The number of a column.

    Raises:
        DataError: for one that was not there in fit, or is left out.
    """
    if label not in columns.labels:
        raise DataError(
            f"There was no column {label!r} in fit. Expected one of {list(columns.labels)}."
        )
    place = columns.labels.index(label)
    if columns.columns[place].left_out:
        raise DataError(
            f"Column {label!r} is {columns.kinds[place]} and no part of the density: nothing can "
            "be asked of it. Declare its kind in fit to model it."
        )
    return place
