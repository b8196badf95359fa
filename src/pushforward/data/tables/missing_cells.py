"""Missing cells: where they are, and what a fit leaves out for them."""

from collections.abc import Sequence

import numpy as np

from ...errors import DataError
from ..checks import column_text, refuse_missing
from .column import Column
from .column_contents import MADE, unreadable
from .sheet import Sheet

__all__ = ["complete_rows", "missing_cells", "without_sparse"]

ENOUGH = 0.5  # share of its rows that an automatic fit keeps at least, and a column's cells


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
    columns: Sequence[Column], gaps: np.ndarray, declared: Sequence[bool]
) -> list[Column]:
    """Return the columns, those that would cost a fit its rows as columns that are left out.

    They are those with most of their cells missing and then, one by one, those with most missing
    cells, until half of the rows are complete; not if that takes half of the columns.

    Args:
        columns: the p columns.
        gaps: boolean of shape (n, p), the missing cells of the rows that count.
        declared: which columns the user has declared; those stay. If no column would be
            left, all stay.
    """
    shares = gaps.mean(axis=0) if len(gaps) else np.zeros(len(columns))
    free = ~np.array(declared, dtype=bool)
    sparse = (shares > 1 - ENOUGH) & free
    modelled = np.array([not column.left_out for column in columns])
    if not (modelled & ~sparse).any():
        return list(columns)
    gone = sparse.copy()
    for j in np.argsort(-shares, kind="stable"):
        if not _few_complete(gaps[:, ~gone]):
            break
        gone[j] |= free[j]
    few = (gone & ~sparse).sum() <= ENOUGH * (modelled & ~sparse).sum()
    gone = gone if few and not _few_complete(gaps[:, ~gone]) else sparse
    note = f"{MADE['empty']}; declare its kind to model it"
    found = list(columns)
    for j in np.flatnonzero(gone).tolist():
        why = f"{100 * shares[j]:.0f} % of its cells are missing"
        why += "" if sparse[j] else "; less than half of the rows would be left"
        found[j] = Column("empty", columns[j].family, why=why, note=note)
    return found


def _few_complete(gaps: np.ndarray) -> bool:
    """Whether less than half of the rows have no missing cell."""
    return bool((~gaps.any(axis=1)).sum() < ENOUGH * len(gaps))


def complete_rows(
    labels: Sequence[str | int], gaps: np.ndarray, kept: np.ndarray, missing: str
) -> np.ndarray:
    """Return the mask of the rows to fit, shape (n,): those of ``kept`` without missing cells.

    Args:
        labels: names of the p columns.
        gaps: boolean of shape (n, p), the missing cells.
        kept: boolean of shape (n,), the rows that count.
        missing: "error" refuses rows with missing cells, "drop" leaves them out, "auto" leaves
            them out where at least half of the rows are left.

    Raises:
        DataError: for missing cells that are not to be left out.
    """
    gaps = gaps & kept[:, None]
    if not gaps.any():
        return kept
    if missing == "error":
        refuse_missing(labels, gaps, fitting=True)
    complete = kept & ~gaps.any(axis=1)
    if missing == "auto" and _few_complete(gaps[kept]):
        counts = gaps.sum(axis=0)
        most = [j for j in np.argsort(-counts, kind="stable")[:4] if counts[j]]
        shown = ", ".join(f"{column_text(labels[j])} in {counts[j]:,}" for j in most)
        raise DataError(
            f"Only {complete.sum():,} of {kept.sum():,} rows have no missing cell (most are "
            f"missing in {shown}). Expected half of the rows at least: fill cells in, leave "
            'columns out (--drop NAME), or fit these rows with missing="drop" (--missing drop).'
        )
    return complete
