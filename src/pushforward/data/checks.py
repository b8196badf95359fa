"""Checks of what the user passed, and the texts of the errors they raise.

Where scikit-learn has a text for a mistake, the text here starts with it: its estimator checks
and its users look for those words.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import DataError
from ..wording import did_you_mean, setting

__all__ = [
    "MISSING",
    "CellTypeError",
    "cell_text",
    "check_names",
    "check_shape",
    "check_weights",
    "column_text",
    "refuse_infinite",
    "refuse_missing",
    "rows_text",
]

MISSING = ("error", "drop", "auto", "model")  # what a fit may do about rows with missing cells
SHOWN = 5  # names or row numbers listed in an error before "..."


class CellTypeError(DataError, TypeError):
    """A cell holds something that is neither a number nor text."""


def rows_text(mask: npt.ArrayLike) -> str:
    """Say which rows of a boolean mask are set, the first few by number.

    >>> rows_text(np.array([False, True, False, True]))
    'rows 1, 3'
    """
    rows = np.flatnonzero(mask)
    shown = ", ".join(str(row) for row in rows[:SHOWN])
    if len(rows) > SHOWN:
        return f"rows {shown}, ... ({len(rows)} in all)"
    return f"{'row' if len(rows) == 1 else 'rows'} {shown}"


def column_text(label: str | int) -> str:
    """Name one column in an error: by its name, or by its position in an array."""
    return f"column {label!r}"


def cell_text(cell: Any) -> str:
    """A cell in an error, as a person writes it: without the name of NumPy's type.

    >>> [cell_text(cell) for cell in (np.str_("ten"), np.float64(9.5), np.datetime64("2026-11"))]
    ["'ten'", '9.5', "'2026-11'"]
    """
    if isinstance(cell, np.datetime64):
        return repr(str(cell))
    return repr(cell.item() if isinstance(cell, np.generic) else cell)


def check_shape(n_rows: int, n_columns: int, min_rows: int, estimator: str) -> None:
    """Refuse a table without columns or with fewer than ``min_rows`` rows.

    Raises:
        DataError: with scikit-learn's text.
    """
    shape = (n_rows, n_columns)
    if n_columns < 1:
        raise DataError(
            f"Found array with 0 feature(s) (shape={shape}) while a minimum of 1 is required "
            f"by {estimator}."
        )
    if n_rows < min_rows:
        raise DataError(
            f"Found array with {n_rows} sample(s) (shape={shape}) while a minimum of {min_rows} "
            f"is required by {estimator}."
        )


def check_names(
    labels: Sequence[str | int], fitted: Sequence[str | int], named: bool, estimator: str
) -> None:
    """Compare the columns of a table with those seen in ``fit``.

    Args:
        labels: columns of the table at hand.
        fitted: columns seen in ``fit``.
        named: whether both tables have names; without names only the number is compared.
        estimator: name of the model, for the text.

    Raises:
        DataError: saying which columns are unexpected, missing or in another order.
    """
    if named and list(labels) != list(fitted):
        known, given = set(fitted), set(labels)
        text = "The feature names should match those that were passed during fit.\n"
        unseen = sorted(given - known, key=str)
        gone = sorted(known - given, key=str)
        hints = {name: did_you_mean(name, unseen) for name in gone}
        for heading, names in (
            ("Feature names unseen at fit time:", unseen),
            ("Feature names seen at fit time, yet now missing:", gone),
        ):
            if names:
                shown = [f"- {name}{hints.get(name, '')}\n" for name in names[:SHOWN]]
                text += f"{heading}\n{''.join(shown)}{'- ...' if len(names) > SHOWN else ''}"
        if not unseen and not gone:
            text += "Feature names must be in the same order as they were in fit.\n"
            text += f"Expected {list(fitted)}, got {list(labels)}.\n"
        raise DataError(text)
    if len(labels) != len(fitted):
        raise DataError(
            f"X has {len(labels)} features, but {estimator} is expecting {len(fitted)} features "
            "as input."
        )


def check_weights(sample_weight: object, n_rows: int) -> np.ndarray | None:
    """Return the weights as float64 of shape (n_rows,), or None.

    Raises:
        DataError: for a wrong shape, a negative or non-finite weight, or a sum of zero.
    """
    if sample_weight is None:
        return None
    try:
        weights = np.array(sample_weight, dtype=np.float64)  # columns of a frame are not writable
    except (TypeError, ValueError) as error:
        raise DataError(f"sample_weight has to be numbers: {error}") from error
    if weights.ndim == 0:
        weights = np.full(n_rows, float(weights))
    if weights.ndim != 1:
        raise DataError(
            f"Sample weights must be 1D array or scalar, got {weights.ndim}D array. "
            f"Expected shape ({n_rows},)."
        )
    if weights.shape != (n_rows,):
        raise DataError(f"sample_weight.shape == {weights.shape}, expected {(n_rows,)}!")
    bad = ~(np.isfinite(weights) & (weights >= 0))
    if bad.any():
        raise DataError(
            f"sample_weight is NaN, infinite or negative in {rows_text(bad)}. "
            "Expected finite weights >= 0."
        )
    if not weights.any():
        raise DataError("sample_weight is zero in every row. Expected at least one above zero.")
    return weights


def _count_text(labels: Sequence[str | int], mask: np.ndarray) -> str:
    """List the columns of a (n, p) mask with counts and first rows."""
    columns = np.flatnonzero(mask.any(axis=0))
    parts = [
        f"{column_text(labels[j])}: {int(mask[:, j].sum())} ({rows_text(mask[:, j])})"
        for j in columns[:SHOWN]
    ]
    if len(columns) > SHOWN:
        parts.append(f"... ({len(columns)} columns in all)")
    return "; ".join(parts)


def refuse_missing(labels: Sequence[str | int], mask: np.ndarray, fitting: bool) -> None:
    """Raise the error that names the missing cells of a (n, p) mask.

    Raises:
        DataError: always.
    """
    remedy = (
        f"or drop these rows with {setting('missing', 'drop')}"
        if fitting
        else f"or leave these rows out ({setting('missing', 'drop')} drops rows in fit only)"
    )
    raise DataError(
        f"Input X contains missing values (NaN, None or null) in {_count_text(labels, mask)}. "
        f"Expected a value in every cell: fill them in, {remedy}."
    )


def refuse_infinite(labels: Sequence[str | int], mask: np.ndarray) -> None:
    """Raise the error that names the infinite cells of a (n, p) mask.

    Raises:
        DataError: always.
    """
    raise DataError(
        f"Input X contains infinity (inf), or a number too large for float64, in "
        f"{_count_text(labels, mask)}. Expected finite numbers: correct them, or remove these "
        "rows. They are never dropped silently, because an infinity is often a division by zero."
    )
