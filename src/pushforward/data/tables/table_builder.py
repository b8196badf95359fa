"""Builds tables from coordinates: the way back from what models see to the user's container."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
import torch

from ...errors import DataError
from ..checks import rows_text
from .column import Column
from .column_contents import write
from .column_formula import ColumnFormula
from .containers import Layout
from .coordinates import Coordinates
from .date_order import by_origin, since
from .dates import DateFormat
from .sheet import Sheet
from .unmodelled_columns import replacement_cells

__all__ = ["TableBuilder"]


class TableBuilder:
    """Builds tables of the p columns that were learned, as :class:`.TableReader` reads them.

    Args:
        layout: names, container and types of the columns.
        columns: what was learned of them.
        coordinates: of those that have one.
    """

    def __init__(
        self, layout: Layout, columns: Sequence[Column], coordinates: Coordinates
    ) -> None:
        self.layout = layout
        self.columns = columns
        self.coordinates = coordinates
        modelled = [j for j, column in enumerate(columns) for _ in column.coordinates]
        self._place = {j: modelled.index(j) for j in modelled}  # the first of a column

    def build(
        self,
        z: torch.Tensor,
        *,
        exact: bool = False,
        gaps: Mapping[int, np.ndarray] | None = None,
    ) -> Any:
        """The table of coordinates (n, D), as of :meth:`pushforward.data.Columns.decode`.

        Raises:
            DataError: for another shape, and for NaN or infinite coordinates.
        """
        line = self._line(z)
        return self.table(self._numbers(line, exact), len(line), gaps or {})

    def possible(self, values: Mapping[int, np.ndarray]) -> dict[int, np.ndarray]:
        """Values (n,) by the number of the column, brought to values it can have.

        Args:
            values: of the modelled columns: numbers of any size, categories, counts of dates.
        """
        numbers = {j: self._possible(self.columns[j], found) for j, found in values.items()}
        for j, column in enumerate(self.columns):
            if column.formula is not None:
                numbers[j] = column.rounded(_computed(column, column.formula, numbers))
        return numbers

    def _possible(self, column: Column, values: np.ndarray) -> np.ndarray:
        """Values of a column that are nearest to others."""
        if column.kind in ("category", "boolean"):
            return values
        if column.counted_from and column.kind != "date":
            return column.rounded(values)
        if column.kind in ("continuous", "mixed"):
            return column.finish(np.rint(values) if column.family == "int" else values)
        if column.origin is not None:
            return np.rint(values).astype(np.int64)
        whole = np.rint(values) if column.kind in ("integer", "date") else values
        return column.cells_to_values(column.numbers(whole, "float", ""))

    def table(
        self,
        numbers: Mapping[int, np.ndarray],
        n: int,
        gaps: Mapping[int, np.ndarray] = MappingProxyType({}),
    ) -> Any:
        """The table of values (n,) of the modelled and the computed columns, with gaps (n,)."""
        out = []
        for j, column in enumerate(self.columns):
            if column.kind == "drop":
                continue
            if column.left_out:
                first = int(column.low or 0) if column.low is not None else 1
                out.append(replacement_cells(column.kind, column.family, first, n))
            elif column.kind == "constant":
                value = column.values[0]
                same = np.full(n, value, dtype=None if column.format else object)
                out.append(write(column, same))
            else:
                out.append(write(column, numbers[j]))
            if j in gaps:
                out[-1] = _with_gaps(out[-1], gaps[j])
        kept = [j for j, column in enumerate(self.columns) if column.kind != "drop"]
        layout = self.layout if len(kept) == len(self.columns) else self.layout.take(kept)
        return layout.build(out)

    def values(self, z: torch.Tensor) -> dict[int, np.ndarray]:
        """Values (n,) of coordinates (n, D), by the number of the column.

        They are those of the modelled and the computed columns; dates are counts of their unit.
        """
        return self._numbers(self._line(z), exact=False)

    def _line(self, z: torch.Tensor) -> np.ndarray:
        """Coordinates as an array.

        Raises:
            DataError: for another shape, and for NaN or infinite coordinates.
        """
        line = np.array(torch.as_tensor(z).detach().cpu().double().numpy())
        width = len(self.coordinates)
        if line.ndim != 2 or line.shape[1] != width:
            raise DataError(f"z has shape {line.shape}. Expected (n, {width}).")
        bad = np.logical_not(np.isfinite(line)).any(axis=1)
        if bad.any():
            raise DataError(f"z is NaN or infinite in {rows_text(bad)}. Expected finite numbers.")
        return line

    def _numbers(self, line: np.ndarray, exact: bool) -> dict[int, np.ndarray]:
        """Values (n,) of the modelled and the computed columns, by the number of the column."""
        numbers = {}
        limit = np.finfo(np.float64).max
        for j, first in self._place.items():
            column, parts = self.columns[j], []
            for i, part in enumerate(column.coordinates, first):
                with np.errstate(over="ignore"):
                    values = self.coordinates.inverse(line[:, i], i)
                if part.discrete:
                    values = part.cells_to_values(values)
                else:
                    values = np.rint(values) if part.family == "int" else values
                    values = part.clip(values) if exact else part.finish(values)
                values = np.clip(values, -limit, limit) if values.dtype.kind == "f" else values
                parts.append(values)
            if column.calendar is None:
                (numbers[j],) = parts
            else:
                low, high = int(column.low or 0), int(column.high or 0)
                numbers[j] = column.calendar.within(parts, low, high)
        for j in by_origin(self.columns):
            numbers[j] = numbers[j] + since(self.columns, j, numbers)
            if self.columns[j].kind != "date":
                numbers[j] = self.columns[j].rounded(numbers[j])
        for j, column in enumerate(self.columns):
            if column.formula is not None:
                numbers[j] = column.rounded(_computed(column, column.formula, numbers))
        return numbers

    def filled(
        self,
        sheet: Sheet,
        places: Sequence[int | None],
        gaps: np.ndarray,
        made: Any,
        of: np.ndarray,
    ) -> Any:
        """A table that was built, with the cells of another where these are not missing.

        Args:
            sheet: the other table.
            places: where each of the p columns is in it; None for one that is not there.
            gaps: (n, p) its missing cells, words among numbers too.
            made: table of :meth:`build`.
            of: (n,) for each row of it, the number of the row in the other table.
        """
        made = Sheet.open(made, "Columns")
        missing = sheet.missing()
        kept = [j for j, column in enumerate(self.columns) if column.kind != "drop"]
        columns = []
        for i, j in enumerate(kept):
            cells, place, how = made.raw(i), places[j], self.columns[j].format
            dtype = cells.dtype
            if place is not None:
                known = ~(missing[of, place] | gaps[of, j])
                cells = cells.astype(object) if known.any() and not known.all() else cells
                if known.any():
                    own = sheet.raw(place, self.columns[j].zone)[of]
                    if isinstance(how, DateFormat) and dtype.kind == "M":
                        own = how.read_moments(own).astype(dtype)
                    cells = own if known.all() else np.where(known, own, cells)
            columns.append(cells)
        return self.layout.take(kept).build(columns)

    def renumbered(self, sheet: Sheet, places: Sequence[int | None], before: int) -> Any:
        """A table that was built, with its identifiers counted on from ``before`` rows.

        Args:
            sheet: the table.
            places: where each of the p columns is in it; None for one that is not there.
            before: rows that were built before these.
        """
        columns = []
        for column, place in zip(self.columns, places, strict=True):
            if place is None:
                continue
            if column.kind == "identifier":
                first = before + (1 if column.low is None else int(column.low))
                cells = replacement_cells(column.kind, column.family, first, sheet.n_rows)
                columns.append(_with_gaps(cells, sheet.missing()[:, place]))
            else:
                columns.append(sheet.raw(place))
        kept = [j for j, place in enumerate(places) if place is not None]
        return self.layout.take(kept).build(columns)


def _computed(
    column: Column, formula: ColumnFormula, numbers: Mapping[int, np.ndarray]
) -> np.ndarray:
    """A computed column (n,): at its ends in the data where it has no value, as a share of 0."""
    values = formula.compute(numbers)
    if formula.form == "sum":
        limit = float(np.finfo(np.float64).max)
    else:
        limit = 2.0**53  # of which products are sought, and which every integer holds
        low = -limit if column.low is None else float(column.low)
        high = limit if column.high is None else float(column.high)
        values = np.where(np.isnan(values), low, values)
        values = np.where(np.isinf(values), np.clip(values, low, high), values)
    return np.clip(values, -limit, limit)


def _with_gaps(cells: Any, gaps: np.ndarray) -> np.ndarray:
    """Cells (n,) of which some are missing."""
    cells = np.asarray(cells)
    if cells.dtype.kind in "Mm":
        return np.where(gaps, np.array("NaT", dtype=cells.dtype), cells)
    cells = cells.astype(object)
    cells[gaps] = None
    return cells
