"""What a column holds, found from its cells as they came: before any of its values is used."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ...errors import DataError
from ..checks import cell_text, column_text, rows_text
from .cells import convert_text, plain
from .column import Column
from .dates import DateFormat
from .number_format import NumberFormat, is_blank
from .sheet import Sheet
from .unmodelled_columns import LEFT_OUT, is_identifier, is_row_number, names_note

__all__ = ["MADE", "ColumnContents", "read", "survey", "unreadable", "write"]

NUMBERS = ("continuous", "mixed", "integer", "grid", "discrete")
DATES = {"datetime64": "moment", "datetime": "moment", "date": "date"}
DATES |= {"timedelta64": "duration", "timedelta": "duration"}
TEXTS = ("string", "mixed", "mixed-integer")
_MOST_COUNTED_ON = 2**61
MADE = {  # what a note says of the columns that are left out
    "identifier": "left out of the model; samples have new ones",
    "text": "left out of the model; empty in samples",
    "empty": "left out of the model; empty in samples",
    "drop": "left out of the model and of samples",
}


@dataclass(frozen=True)
class ColumnContents:
    """The contents of a column, as recognised from its cells.

    Attributes:
        kind: the kind of a column that is left out, or "date"; None where the values say it.
        format: how its numbers or dates are written, None where they are plain values.
        family: of the cells of a column that is left out.
        why: what it was recognised by.
        note: what the user should know.
        first: number of the first row, of an identifier.
    """

    kind: str | None = None
    format: NumberFormat | DateFormat | None = None
    family: str = "text"
    why: str = ""
    note: str = ""
    first: int = 1


def survey(
    cells: np.ndarray,
    label: str | int,
    *,
    declared: str | None,
    categorical: bool,
    alone: bool,
    zone: str | None = None,
) -> ColumnContents:
    """Find out what a column holds.

    Args:
        cells: shape (n,), as they came, none missing.
        label: name of the column.
        declared: the kind the user asked for, or None.
        categorical: whether the column is stored with a categorical dtype.
        alone: whether it is the only column of the table, which is never an identifier.
        zone: time zone of a dtype of moments.

    Raises:
        DataError: where a declared kind does not fit.
    """
    sort = _sort(cells)
    family = "float" if cells.dtype.kind == "f" else "int" if sort == "integer" else "text"
    if declared in LEFT_OUT:
        return ColumnContents(declared, family=family, why="declared", note=MADE[declared])
    if not len(cells):
        return ColumnContents(
            "empty", family=family, why="all cells are missing", note=MADE["empty"]
        )
    if categorical:
        if sort in DATES:
            raise DataError(convert_text(label, f"categories of {sort}"))
        return ColumnContents()
    if sort in DATES:
        if declared not in (None, "date"):
            raise DataError(
                f"{column_text(label)} was declared {declared} and holds dates or durations. "
                "Expected another type: convert it, or leave it as a date."
            )
        how = DateFormat.of_moments(cells, DATES[sort], zone)
        what = "durations" if DATES[sort] == "duration" else "dates"
        return ColumnContents("date", how, why=f"{what}, in {how.unit}s")
    if sort in TEXTS:
        return _survey_text(cells, label, sort, declared, alone)
    if sort in ("integer", "floating") and declared in (None, "date"):
        with np.errstate(over="ignore"):
            numbers = cells.astype(np.float64)
        how = DateFormat.of_integers(numbers) if np.isfinite(numbers).all() else None
        if how is not None:
            shown = {"%Y%m%d": "20240131", "%Y%m": "202401"}[how.pattern]
            return ColumnContents("date", how, why=f"calendar numbers like {shown}")
        if declared is None and sort == "integer" and not alone:
            whole = cells.astype(np.int64) if np.abs(numbers).max() < 2**62 else numbers
            if why := is_row_number(whole, label):
                low, high = int(cells.min()), int(cells.max())
                # whole numbers end: after those of a hash there may be none left to count
                first = low if "from" in why else high + 1 if high < _MOST_COUNTED_ON else 1
                note = MADE["identifier"]
                return ColumnContents("identifier", None, "int", why, note, first)
            if len(np.unique(numbers)) < len(set(cells.tolist())):
                return _survey_text(cells.astype(str), label, "string", None, alone)
    if declared == "date":
        raise DataError(
            f"{column_text(label)} was declared date and holds no dates in a known format. "
            "Expected dates such as 2024-01-31: convert the column first."
        )
    return ColumnContents()


def _survey_text(
    cells: np.ndarray, label: str | int, sort: str, declared: str | None, alone: bool
) -> ColumnContents:
    if declared in ("category", "boolean"):
        return ColumnContents()
    if not all(isinstance(cell, (str, int, float, np.number)) for cell in cells):
        return ColumnContents()  # the values say what is wrong
    texts = np.array([cell if isinstance(cell, str) else str(cell) for cell in cells], object)
    if declared in (None, "date") and sort == "string":
        dates = DateFormat.of_text(texts, declared=declared is not None)
        if dates is not None:
            shown = next(t for t, bad in zip(texts, dates.parse(texts)[1], strict=True) if not bad)
            what = "durations" if dates.is_duration else "times" if dates.timed else "dates"
            note = _odd(texts, dates.parse(texts)[1], what)
            if _ambiguous(dates, texts):
                note = "; ".join(filter(None, ["read with the day first", note]))
            if dates.pattern in ("{m}:{ss}", "{mm}:{ss}"):
                note = "; ".join(filter(None, ["read as minutes and seconds", note]))
            if dates.since is not None:
                years = f"its years of two digits are from {dates.since} on"
                note = "; ".join(filter(None, [note, years]))
            return ColumnContents("date", dates, why=f"{what} like {shown.strip()}", note=note)
        if declared is not None:
            raise DataError(
                f"{column_text(label)} was declared date and holds no dates in a known format. "
                "Expected dates such as 2024-01-31: convert the column first."
            )
    numbers = NumberFormat.learn(texts, declared=declared is not None)
    if numbers is not None:
        parsed = numbers.parse(cells)
        shown = next(t for t, x in zip(texts, parsed, strict=True) if np.isfinite(x))
        note = _odd(texts, np.isnan(parsed), "numbers")
        why = (
            "" if numbers in (NumberFormat(), NumberFormat(places=0)) else f"like {shown.strip()}"
        )
        return ColumnContents(None, numbers, why=why, note=note)
    if declared in NUMBERS or sort != "string" or alone:
        return ColumnContents()  # the values say what is wrong
    others = _others(texts)
    if (found := is_identifier(texts)) is not None:
        kind, why = found
        note = "; ".join([MADE[kind], others or 'declare it "category" to model it'])
        return ColumnContents(kind, why=why, note=note)
    return ColumnContents(note=others or names_note(texts))


def _odd(texts: np.ndarray, bad: np.ndarray, what: str) -> str:
    """Say which cells are no numbers or dates, and that they count as missing."""
    if not bad.any():
        return ""
    return f"{_named(texts, bad, what)} and {'counts' if bad.sum() == 1 else 'count'} as missing"


def _named(texts: np.ndarray, bad: np.ndarray, what: str) -> str:
    """Say which cells are no numbers or dates."""
    names = sorted(set(texts[bad].tolist()))
    shown = ", ".join(repr(name) for name in names[:3]) + (", ..." if len(names) > 3 else "")
    count = int(bad.sum())
    if count == 1:
        return f"1 cell is no {what[:-1]} ({shown})"
    return f"{count} cells are no {what} ({shown})"


def _others(texts: np.ndarray) -> str:
    """Say which cells keep a column of text from being numbers or dates; "" for none."""
    dates = DateFormat.of_text(texts, declared=True)
    numbers = None if dates else NumberFormat.learn(texts, declared=True)
    if dates is not None:
        what = "durations" if dates.is_duration else "dates"
        bad, kind = dates.parse(texts)[1], "date"
    elif numbers is not None:
        bad, what, kind = np.isnan(numbers.parse(texts)), "numbers", "continuous"
    else:
        return ""
    if not 0 < bad.mean() < 0.5:
        return ""
    return (
        f'{_named(texts, bad, what)}: correct them, or declare it "{kind}" and they count as '
        "missing"
    )


def _ambiguous(dates: DateFormat, texts: np.ndarray) -> bool:
    """Whether days and months could be exchanged in every row."""
    for mark in "/-":
        if f"%d{mark}%m" in dates.pattern:
            other = dates.pattern.replace(f"%d{mark}%m", f"%m{mark}%d")
            bad = DateFormat("text", "nanosecond", other).parse(texts)[1]
            return not bool(bad[~dates.parse(texts)[1]].any())
    return False


def _sort(cells: np.ndarray) -> str:
    """What pandas calls the type of cells, none missing."""
    import pandas as pd

    if cells.dtype.kind == "U":
        return "string"
    known = {"M": "datetime64", "m": "timedelta64", "b": "boolean", "f": "floating"}
    known |= {"i": "integer", "u": "integer"}
    return known.get(cells.dtype.kind) or str(pd.api.types.infer_dtype(cells, skipna=True))


def _format_for(cells: np.ndarray, column: Column) -> NumberFormat | DateFormat | None:
    """The format that a table's cells are read by; numbers may come as text, too."""
    if column.format is not None or column.family not in ("int", "float"):
        return column.format
    if column.kind in ("category", "boolean") or cells.dtype.kind in "biuf":
        return None
    if _sort(cells) not in TEXTS:
        return None
    how = NumberFormat.learn(cells[[cell is not None and cell == cell for cell in cells]])
    return how or NumberFormat()


def unreadable(sheet: Sheet, place: int, column: Column) -> np.ndarray | None:
    """Mark the cells that are written but are no numbers or dates, shape (n,); None for none.

    Cells that are missing as such are not marked.
    """
    if column.format is None and sheet.plain_numbers(place):
        return None
    cells = sheet.raw(place, column.zone)
    how = _format_for(cells, column)
    if how is None:
        return None
    bad = how.parse(cells)[1] if isinstance(how, DateFormat) else np.isnan(how.parse(cells))
    written = np.array([isinstance(cell, str) for cell in cells])
    if column.format is None and bad[written].all() and not all(map(is_blank, cells[written])):
        return None  # words where numbers were: an error of its own
    return bad & written


def read(sheet: Sheet, place: int, column: Column, label: str | int) -> tuple[np.ndarray, str]:
    """Return the values of a column, shape (n,), and their family; no cell may be missing.

    Raises:
        DataError: for cells that are not what they were in fit.
    """
    if column.format is None and sheet.plain_numbers(place):
        return sheet.column(place)
    cells = sheet.raw(place, column.zone)
    how = _format_for(cells, column)
    if how is None:
        return sheet.column(place)
    if isinstance(how, DateFormat):
        values, bad = how.parse(cells)
    else:
        values = how.parse(cells)
        bad = np.isnan(values)
        if column.format is not None and how.places == 0 and bool((abs(values) < 2**53).all()):
            values = values.astype(np.int64)
    if bad.any():
        if column.format is None:  # as an error of types
            return plain(cells, label)
        raise DataError(
            f"{column_text(label)} holds {cell_text(cells[bad][0])} in {rows_text(bad)}. "
            "Expected what it held in fit: correct these cells, or leave these rows out."
        )
    return values, "float" if values.dtype.kind == "f" else "int"


def write(column: Column, values: np.ndarray) -> Any:
    """Return values of a column as its cells held them, shape (n,)."""
    return values if column.format is None else column.format.write(values)
