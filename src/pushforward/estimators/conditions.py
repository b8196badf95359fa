"""Conditions on columns as a user writes them: values, ranges and lists of values."""

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..data import Columns
from ..data.checks import column_text
from ..data.tables.column import Column
from ..errors import DataError, ParameterError
from ..wording import did_you_mean, worded

__all__ = ["Event", "column_place", "read_condition", "taken_apart"]

_BEYOND = re.compile(r"(>=|<=|≥|≤|>|<)(.+)")


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
        # which refuses what is none of its values; draws never have a level that the fit had not
        columns.number(label, value, unseen=not single)
    return values if single else columns.row(values), ranges


def read_condition(text: str, column: Column, label: str | int) -> Any:
    """A condition on one column from its text: a value, or a range.

    Args:
        text: a value; of numbers and dates also ``40..60``, ``40..``, ``..60``, ``>= 40``,
            ``<= 60``; of numbers ``> 40`` and ``< 60``.
        column: that it is about.
        label: of the column.

    Returns:
        What :meth:`given` takes: a value, or a pair (low, high) with None for no end.

    Raises:
        DataError: for what is no number, of a column of numbers.
    """
    if column.kind in ("category", "boolean"):
        return _choice(text, column)
    text = text.strip()
    if ".." in text:
        low, _, high = text.partition("..")
        if low.strip() or high.strip():
            ends = (low, high)
            return tuple(_value(end, column, label) if end.strip() else None for end in ends)
    elif found := _BEYOND.fullmatch(text):
        sign, end = found.groups()
        above, value = sign in (">", ">=", "≥"), _value(end, column, label)
        if sign in "<>":  # the end itself does not belong to it
            if isinstance(value, str):
                raise DataError(
                    f"{column_text(label)}: got {text[:40]!r}. Expected {sign}= of dates."
                )
            step = 1 if above else -1
            whole = isinstance(value, int)
            value = value + step if whole else math.nextafter(value, step * math.inf)
        return (value, None) if above else (None, value)
    return _value(text, column, label)


def _choice(text: str, column: Column) -> Any:
    """The value of a category or boolean that a text means; the text where it means none."""
    lower = text.strip().lower()
    for same in (
        lambda value: str(value) == text,
        lambda value: str(value).strip().lower() == lower,
    ):
        if (found := next(filter(same, column.values), None)) is not None:
            return found
    try:
        number = float(text)
    except ValueError:
        return text  # which the model refuses, with what it expects
    numbers = [x for x in column.values if not isinstance(x, (str, bool))]
    return next((x for x in numbers if float(x) == number), text)


def _value(text: str, column: Column, label: str | int) -> Any:
    """A text as a value of a column of numbers or dates."""
    text = text.strip()
    if column.format is not None or column.family == "text":
        return text
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise DataError(
            f"{column_text(label)}: got {text[:40]!r}. Expected a finite number, or a range such "
            "as 40..60 or > 40."
        )
    return int(number) if column.family != "float" and number == round(number) else number


def column_place(label: str | int, columns: Columns) -> int:
    """The number of a column.

    Raises:
        DataError: for one that was not there in fit, or is left out.
    """
    if label not in columns.labels:
        raise DataError(
            f"There was no column {label!r} in fit{did_you_mean(label, columns.labels)}. "
            f"Expected one of {list(columns.labels)}."
        )
    place = columns.labels.index(label)
    if columns.columns[place].left_out:
        raise DataError(
            f"Column {label!r} is {columns.kinds[place]} and no part of the density: nothing can "
            "be asked of it. Declare its kind in the fit to model it: "
            + worded(f"columns={{{label!r}: kind}}.", "pushforward fit --column NAME=KIND.")
        )
    return place
