"""Reads any table by the columns of a fit: which they are, their gaps and their cells."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...errors import DataError
from ...wording import did_you_mean
from ..checks import check_names, refuse_infinite, refuse_missing
from .column import Column
from .column_contents import read
from .containers import Layout
from .date_order import since
from .missing_cells import missing_cells
from .sheet import Sheet

__all__ = ["PartCells", "TableReader", "dense_numbers", "read_known"]

Cells = dict[int, tuple[np.ndarray, str]]
Places = list[int | None]
PartCells = dict[int, tuple[np.ndarray, np.ndarray, str]]


class TableReader:
    """Reads tables by the p columns that were learned.

    Args:
        layout: names, container and types of the columns.
        columns: what was learned of them.
        estimator: name of the model, for the texts of errors.
    """

    def __init__(self, layout: Layout, columns: Sequence[Column], estimator: str) -> None:
        self.layout = layout
        self.columns = columns
        self.estimator = estimator
        self._modelled = [j for j, column in enumerate(columns) for _ in column.coordinates]

    def open(self, X: Any) -> tuple[Sheet, Places]:
        """Read a table, and find where each of the p columns is; one left out may be absent.

        Raises:
            DataError: for other columns than in fit.
        """
        sheet = Sheet.open(X, self.estimator)
        named = sheet.layout.named and self.layout.named
        given = {label: place for place, label in enumerate(sheet.labels)}
        expected = [
            label
            for label, column in zip(self.layout.labels, self.columns, strict=True)
            if not (named and column.left_out and label not in given)
        ]
        check_names(sheet.labels, expected, named, self.estimator)
        if not named:
            return sheet, list(range(len(self.columns)))
        return sheet, [given.get(label) for label in self.layout.labels]

    def find(self, X: Any) -> tuple[Sheet, Places]:
        """Read a table that may have other columns besides, in any order.

        Raises:
            DataError: for lacking columns.
        """
        sheet = Sheet.open(X, self.estimator)
        labels = self.layout.labels
        given = {label: place for place, label in enumerate(sheet.labels)}
        lacking = [
            label
            for label, column in zip(labels, self.columns, strict=True)
            if not column.left_out and label not in given
        ]
        if lacking and len(given) == len(labels) and not sheet.layout.named:
            lacking, given = [], {label: place for place, label in enumerate(labels)}
        if lacking:
            named = ", ".join(f"{x!r}{did_you_mean(x, sheet.labels)}" for x in lacking)
            raise DataError(
                f"The table lacks the columns {named}. Expected the columns seen in fit; it has "
                f"{list(sheet.labels)}."
            )
        return sheet, [given.get(label) for label in labels]

    def find_some(self, X: Any) -> tuple[Sheet, Places]:
        """Read a table that has some of the columns, in any order; arrays must have all.

        Raises:
            DataError: for columns that were not there in fit.
        """
        sheet = Sheet.open(X, self.estimator)
        labels = self.layout.labels
        if not (sheet.layout.named and self.layout.named):
            check_names(sheet.labels, labels, False, self.estimator)
            return sheet, list(range(len(labels)))
        unknown = [label for label in sheet.labels if label not in labels]
        if unknown:
            named = ", ".join(f"{x!r}{did_you_mean(x, labels)}" for x in unknown)
            raise DataError(
                f"The table has columns that were not there in fit: {named}. Expected some of "
                f"{list(labels)}."
            )
        given = {label: place for place, label in enumerate(sheet.labels)}
        return sheet, [given.get(label) for label in labels]

    def known_cells(self, sheet: Sheet, places: Places) -> PartCells:
        """Read the cells that are not missing, and those that follow from a computed column.

        Returns:
            For each column that is there and not left out, the mask (n,) of its cells that are
            known, their values, and "bool", "int", "float" or "text".

        Raises:
            DataError: for infinite cells.
        """
        cells = read_known(sheet, places, self.columns, self.gaps(sheet, places))
        self._solve(cells, sheet.n_rows)
        return cells

    def _solve(self, cells: PartCells, n: int) -> None:
        """Add the cells that follow from a computed column and all but one of its inputs."""
        for j, column in enumerate(self.columns):
            if column.formula is None or j not in cells:
                continue
            inputs = column.formula.places
            if any(cells[k][2] == "text" for k in (j, *inputs) if k in cells):
                continue  # no numbers, which is said where they are asked for
            for k in inputs:
                cells.setdefault(k, (np.zeros(n, dtype=bool), np.zeros(0), self.columns[k].family))
            dense = {k: dense_numbers(cells[k], n) for k in (j, *inputs)}
            gaps = np.stack([~cells[k][0] for k in inputs])
            for k, gap in zip(inputs, gaps, strict=True):
                rows = cells[j][0] & gap & (gaps.sum(axis=0) == 1)
                if not rows.any():
                    continue
                others = {i: dense[i][rows] for i in inputs if i != k}
                found = column.formula.solve(k, dense[j][rows], others)
                rows[rows] = there = np.isfinite(found)  # not what a product with 0 was made of
                dense[k][rows] = self.columns[k].rounded(found[there])
                known = cells[k][0] | rows
                values = dense[k][known]
                family = self.columns[k].family
                whole = np.rint(values).astype(np.int64) if family == "int" else values
                cells[k] = (known, whole, family)

    def known_numbers(self, n: int, cells: PartCells) -> tuple[np.ndarray, np.ndarray]:
        """Numbers of the columns with a coordinate, NaN where not known, and what is known.

        A date that is counted from another is known where both are.

        Args:
            n: number of rows.
            cells: as :meth:`known_cells` gives them.

        Returns:
            float64 and boolean, both of shape (n, D).
        """
        raw = np.full((n, len(self._modelled)), np.nan)
        known = np.zeros(raw.shape, dtype=bool)
        for j in dict.fromkeys(self._modelled):
            if j not in cells:
                continue
            column, (own, values, family) = self.columns[j], cells[j]
            if others := column.counted_from:
                if not all(k in cells for k in others):
                    continue
                rows = np.logical_and.reduce([own, *(cells[k][0] for k in others)])
                begin = {k: cells[k][1][rows[cells[k][0]]] for k in others}
                passed = values[rows[own]]
                if rows.any():
                    passed = _passed(column, passed, since(self.columns, j, begin))
                own, values = rows, passed
            if own.any():
                numbers = column.coordinate_numbers(values, family, self.layout.labels[j])
                for i, part in enumerate(numbers, self._modelled.index(j)):
                    raw[own, i], known[:, i] = part, own
        return raw, known

    def gaps(self, sheet: Sheet, places: Places) -> np.ndarray:
        """Mark the cells (n, p) that are missing; none of columns that are left out."""
        return missing_cells(sheet, places, self.columns, sheet.missing())

    def cells(self, sheet: Sheet, places: Places) -> Cells:
        """Return the values (n,) and their family, of each column that is there and not left out.

        Raises:
            DataError: for missing or infinite cells, text for numbers.
        """
        labels = self.layout.labels
        gaps = self.gaps(sheet, places)
        if gaps.any():
            refuse_missing(labels, gaps, fitting=False)
        cells = {
            j: read(sheet, place, self.columns[j], labels[j])
            for j, place in enumerate(places)
            if place is not None and not self.columns[j].left_out
        }
        _refuse_infinite_cells(labels, cells)
        return cells

    def numbers(self, sheet: Sheet, cells: Cells) -> np.ndarray:
        """Return the numbers of the columns with a coordinate, float64 of shape (n, D)."""
        matrix = sheet.matrix
        copied = matrix is not None and matrix.dtype.kind in "biuf"
        if matrix is not None and copied:
            modelled = np.array(self._modelled, dtype=np.intp)
            raw = np.take(matrix, modelled, axis=1).astype(np.float64, copy=False)
        else:
            raw = np.empty((sheet.n_rows, len(self._modelled)))
        for j in dict.fromkeys(self._modelled):
            column = self.columns[j]
            # The copy of an array holds its plain columns already, at a pass for all of them.
            plain = column.kind == "continuous" and not column.counted_from
            if not copied or not plain or column.transform.bounded:
                values, family = cells[j]
                if others := column.counted_from:
                    start = since(self.columns, j, {k: cells[k][0] for k in others})
                    values = _passed(column, values, start)
                numbers = column.coordinate_numbers(values, family, self.layout.labels[j])
                for i, part in enumerate(numbers, self._modelled.index(j)):
                    raw[:, i] = part
        return raw


def _passed(column: Column, values: np.ndarray, start: np.ndarray) -> np.ndarray:
    """Values (n,) counted from others, without what sums leave in the last bits."""
    passed = values - start
    if passed.dtype.kind == "f" and column.digits is not None:
        return column.digits.round(passed)
    return passed


def dense_numbers(cell: tuple[np.ndarray, np.ndarray, str], n: int) -> np.ndarray:
    """The numbers of a column, (n,) float64, NaN where they are not known."""
    known, values, _ = cell
    dense = np.full(n, np.nan)
    dense[known] = values
    return dense


def read_known(
    sheet: Sheet, places: Sequence[int | None], columns: Sequence[Column], gaps: np.ndarray
) -> PartCells:
    """Read the cells of a table that are not missing.

    Args:
        sheet: the table.
        places: where each of the p columns is in it; None where it is absent.
        columns: the p columns.
        gaps: boolean of shape (n, p), the missing cells.

    Returns:
        As of :meth:`TableReader.known_cells`.

    Raises:
        DataError: for infinite cells.
    """
    cells: PartCells = {}
    infinite = np.zeros(gaps.shape, dtype=bool)
    for j, (place, column) in enumerate(zip(places, columns, strict=True)):
        if place is None or column.left_out:
            continue
        known = ~gaps[:, j]
        if not known.any():
            cells[j] = (known, np.zeros(0), column.family)
            continue
        rows = sheet if known.all() else sheet.take(known)
        values, family = read(rows, place, column, sheet.labels[place])
        if family == "float":
            infinite[known, j] = ~np.isfinite(values)
        cells[j] = (known, values, family)
    if infinite.any():
        refuse_infinite(sheet.labels, infinite)
    return cells


def _refuse_infinite_cells(labels: Sequence[str | int], cells: Cells) -> None:
    """Raise DataError where a number is infinite."""
    mask = {
        j: ~np.isfinite(values)
        for j, (values, family) in cells.items()
        if family == "float" and not np.isfinite(values).all()
    }
    if mask:
        whole = np.zeros((len(next(iter(mask.values()))), len(labels)), dtype=bool)
        for j, rows in mask.items():
            whole[:, j] = rows
        refuse_infinite(labels, whole)
