"""Missing cells: where they are, and what a fit leaves out for them."""

from collections.abc import Sequence

import numpy as np

from ..checks import refuse_missing
from .column import Column
from .column_contents import MADE, unreadable
from .sheet import Sheet

__all__ = ["MOST_MISSING", "complete_rows", "missing_cells", "without_sparse"]

MOST_MISSING = 0.9  # share of the cells of a column that an automatic fit models
# where more than half of a column is missing, fewer known cells than these are all accident
_HALF, _FEWEST_KNOWN = 0.5, 20


def missing_cells(
    sheet: Sheet, places: Sequence[int | None], columns: Sequence[Column], missing: np.ndarray
) -> np.ndarray:
    """Mark missing cells, shape (n, p), and words where numbers or dates should be.

    Columns that are left out have no missing cells.

    Args:
        sheet: the table.
        places: where each of the p columns is in it; None where it is absent.
        columns: the p columns.
        missing: what :meth:`Sheet.missing` says.
    """
    gaps = np.zeros((sheet.n_rows, len(columns)), dtype=bool)
    for j, (place, column) in enumerate(zip(places, columns, strict=True)):
        if place is None or column.left_out:
            continue
        gaps[:, j] = missing[:, place]
        if (more := unreadable(sheet, place, column)) is not None:
            gaps[:, j] |= more
    return gaps


def without_sparse(
    columns: Sequence[Column],
    gaps: np.ndarray,
    declared: Sequence[bool],
    most: float = MOST_MISSING,
) -> list[Column]:
    """Return the columns, those of which too little is known as columns that are left out.

    Left out are columns with more than a share of their cells missing, and those with more than
    half of them missing of which fewer than 20 are known.

    Args:
        columns: the p columns.
        gaps: boolean of shape (n, p), the missing cells of the rows that count.
        declared: which columns the user has declared; those stay. If no column would be
            left, all stay.
        most: share of the cells of a column that may be missing.
    """
    shares = gaps.mean(axis=0) if len(gaps) else np.zeros(len(columns))
    few = (~gaps).sum(axis=0) < _FEWEST_KNOWN
    gone = (shares > most) | ((shares > _HALF) & few)
    gone &= ~np.array(declared, dtype=bool)
    modelled = np.array([not column.left_out for column in columns])
    if not (modelled & ~gone).any():
        return list(columns)
    note = f"{MADE['empty']}; declare its kind to model it"
    found = list(columns)
    for j in np.flatnonzero(gone).tolist():
        why = f"{100 * shares[j]:.0f} % of its cells are missing"
        found[j] = Column("empty", columns[j].family, why=why, note=note)
    return found


def complete_rows(
    labels: Sequence[str | int],
    gaps: np.ndarray,
    kept: np.ndarray,
    missing: str,
    modelled: Sequence[bool],
) -> np.ndarray:
    """Return the mask of the rows to fit, shape (n,): those of ``kept`` without missing cells.

    Args:
        labels: names of the p columns.
        gaps: boolean of shape (n, p), the missing cells.
        kept: boolean of shape (n,), the rows that count.
        missing: "error" refuses rows with missing cells, "drop" leaves them out, "auto" and
            "model" those alone that have no cell.
        modelled: whether each column is not left out.

    Raises:
        DataError: for missing cells that are not to be left out.
    """
    gaps = gaps & kept[:, None]
    if not gaps.any():
        return kept
    if missing == "error":
        refuse_missing(labels, gaps, fitting=True)
    if missing == "drop":
        return kept & ~gaps.any(axis=1)
    return kept & ~gaps[:, np.array(modelled)].all(axis=1)
