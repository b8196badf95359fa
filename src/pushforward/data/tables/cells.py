"""The cells of one column: brought to one of four families, and cast back to a dtype."""

import decimal
import numbers

import numpy as np

from ...errors import DataError
from ..checks import CellTypeError, column_text, rows_text

__all__ = ["cast", "convert_text", "plain"]

NUMERIC = ("integer", "floating", "mixed-integer-float", "decimal")


def plain(values: np.ndarray, label: str | int) -> tuple[np.ndarray, str]:
    """Bring the values of a column, shape (n,) and none missing, to a family.

    Returns:
        The values and "bool", "int" (int64 or uint64), "float" (float64) or "text" (objects).

    Raises:
        DataError: for dates, mixed or unknown types.
    """
    import pandas as pd

    kind = values.dtype.kind
    if kind == "b":
        return values, "bool"
    if kind in "iu":
        return values.astype(np.uint64 if kind == "u" else np.int64, copy=False), "int"
    if kind == "f":
        with np.errstate(over="ignore"):  # a long double beyond float64 is reported as infinite
            return values.astype(np.float64, copy=False), "float"
    if kind == "U":
        return values.astype(object), "text"
    held = pd.api.types.infer_dtype(values)
    if held == "string":
        return np.asarray(values, dtype=object), "text"
    if held == "boolean":
        return values.astype(bool), "bool"
    if held == "integer":
        try:
            return values.astype(np.int64), "int"
        except OverflowError:
            held = "floating"
    if held in NUMERIC:
        try:
            return values.astype(np.float64), "float"
        except OverflowError as error:
            raise DataError(
                f"{column_text(label)} holds a whole number that is too large for float64 (beyond "
                "1.8e308). Expected smaller numbers: correct or rescale the column."
            ) from error
    raise _object_error(values, label, held)


def _object_error(values: np.ndarray, label: str | int, held: str) -> DataError:
    """Return the error for an object column that is neither all numbers nor all text."""
    if not held.startswith("mixed") and held != "unknown-array":
        return DataError(convert_text(label, held))
    types = np.array([_family(value) for value in values], dtype=object)
    other = ~np.isin(types, ["text", "number", "bool"])
    if other.any():
        return CellTypeError(
            f"{column_text(label)} holds a {types[other][0]} in {rows_text(other)}: each cell "
            f"argument must be a string or a real number, not '{types[other][0]}'."
        )
    names, counts = np.unique(types.astype(str), return_counts=True)
    rare = types == names[counts.argmin()]
    return DataError(
        f"{column_text(label)} mixes {' and '.join(names)}: {names[counts.argmin()]} in "
        f"{rows_text(rare)}. Expected one type: convert the column to numbers or to text."
    )


def _family(value: object) -> str:
    if isinstance(value, (bool, np.bool_)):
        return "bool"
    if isinstance(value, (numbers.Real, decimal.Decimal)):
        return "number"
    return "text" if isinstance(value, str) else type(value).__name__


def convert_text(label: str | int, held: str) -> str:
    """Say that a column of dates or other objects has to be converted."""
    return (
        f"{column_text(label)} holds {held} values. Expected numbers, booleans or text: convert "
        "the column to numbers (days since a date of your choice, say), or drop it."
    )


def cast(values: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Convert values to a dtype: rounded for integers, and never beyond its finite range."""
    if dtype.kind == "O":
        return np.array(values.tolist(), dtype=object)
    if dtype.kind in "US":
        if values.dtype.kind == "O":  # an empty cell is an empty text, not "None"
            values = np.where(values == None, "", values)  # noqa: E711
        return values.astype(dtype)
    if dtype.kind == "f" and values.dtype.kind == "O":
        values = values.astype(np.float64)  # an empty cell is NaN
    if dtype.kind in "Mm":
        return values.astype(dtype)
    if values.dtype.kind == "O":
        values = np.array(values.tolist())
    if values.dtype == dtype:
        return values
    if dtype.kind == "b":
        return values >= 0.5 if values.dtype.kind == "f" else values.astype(bool)
    if dtype.kind == "f":
        info = np.finfo(dtype)
        return np.clip(values, info.min, info.max).astype(dtype)
    if values.dtype.kind == "f":
        info = np.iinfo(dtype)
        top = float(info.max)
        if top > info.max:  # 2**63 - 1 is no float64; the next one above it does not fit
            top = np.nextafter(top, 0.0)
        return np.clip(np.rint(values), float(info.min), top).astype(dtype)
    return values.astype(dtype)
