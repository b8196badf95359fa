"""Rows of which some cells are known: their coordinates, and tables with the others filled in."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from ...errors import DataError
from ...wording import did_you_mean
from ..checks import cell_text, column_text
from .agreement import agree_with_known
from .column import Column
from .column_contents import write
from .column_formula import COMPUTED
from .column_reader import PartCells, TableReader
from .constraints import Constraint
from .containers import Layout, zone_of
from .coordinate_info import CoordinateInfo
from .dates import DateFormat
from .number_format import is_blank
from .table_builder import TableBuilder
from .tied_cells import TiedCells

__all__ = ["PartialRows"]


class PartialRows(CoordinateInfo):
    """What models ask of rows with missing cells, and of single values of columns.

    A mixin of :class:`~pushforward.data.Columns`, which has the columns.
    """

    layout: Layout
    columns: tuple[Column, ...]
    constraints: tuple[Constraint, ...]
    n_rows: int
    _reader: TableReader
    _builder: TableBuilder
    _modelled: list[int]

    def encode_known(
        self, X: Any, draw: int | np.random.Generator = 0
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Map a table with missing cells or without some of its columns to coordinates.

        Args:
            X: table of shape (n, p) with missing cells; a frame may lack columns.
            draw: as of :meth:`encode`.

        Returns:
            ``(z, log_det, known)`` of shapes (n, D), (n,) and (n, D), the last boolean. ``z`` is 0
            where it is not known, and ``log_det`` carries the log density of what is known.

        Raises:
            DataError: for columns that were not there in fit, infinite cells, values outside
                declared bounds.
        """
        sheet, places = self._reader.find_some(X)
        cells = self._reader.known_cells(sheet, places)
        self._check_known(cells, sheet.n_rows)
        numbers, known = self._reader.known_numbers(sheet.n_rows, cells)
        z, log_det = self._coordinates.forward_known(numbers, known, draw)
        log_det += self._certain_known(cells, sheet.n_rows)
        return torch.from_numpy(z), torch.from_numpy(log_det), torch.from_numpy(known)

    def missing_cells(self, X: Any) -> np.ndarray:
        """Which cells of a table that may lack columns are missing, bool of shape (n, p).

        Args:
            X: table of shape (n, p); cells of columns that a frame lacks, and of those that were
                left out in the fit, are not missing here.
        """
        sheet, places = self._reader.find_some(X)
        found = np.zeros((sheet.n_rows, len(self.columns)), dtype=bool)
        for j, (known, _, _) in self._reader.known_cells(sheet, places).items():
            found[:, j] = ~known
        return found

    def whole(self, X: Any) -> bool:
        """Whether a table has all columns that were not left out in the fit, and all cells."""
        sheet, places = self._reader.find_some(X)
        cells = self._reader.known_cells(sheet, places)
        return all(
            column.left_out or (j in cells and bool(cells[j][0].all()))
            for j, column in enumerate(self.columns)
        )

    def _check_known(self, cells: PartCells, n: int) -> None:
        """Refuse rows whose known cells break a constraint."""
        for rule in self.constraints:
            if not all(j in cells for j in rule.places):
                continue
            rows = np.logical_and.reduce([cells[j][0] for j in rule.places])
            if rows.any():
                values = {j: cells[j][1][rows[cells[j][0]]] for j in rule.places}
                rule.check(values, self.columns, rows)

    @property
    def rejecting(self) -> bool:
        """Whether some constraints are kept by leaving out rows that break them."""
        return not all(rule.built for rule in self.constraints)

    def allowed(self, z: torch.Tensor) -> torch.Tensor:
        """Which rows of coordinates (n, D) keep to the constraints, bool of shape (n,)."""
        result = np.ones(len(z), dtype=bool)
        values = self._builder.values(z) if self.rejecting else {}
        for j in {j for rule in self.constraints for j in rule.places} - values.keys():
            if self.rejecting:  # a constant
                values[j] = np.full(len(z), self.columns[j].values[0])
        for rule in self.constraints:
            if not rule.built:
                result &= rule.holds(values, self.columns)
        return torch.from_numpy(result)

    def values(self, z: torch.Tensor) -> dict[str | int, np.ndarray]:
        """What coordinates (n, D) mean, of each column with a coordinate or a formula, by label.

        Returns:
            Arrays of shape (n,): numbers as :meth:`decode` gives them, categories as they are
            called, and dates as counts of their unit.
        """
        found = self._builder.values(z)
        return {self.layout.labels[j]: values for j, values in found.items()}

    @property
    def modelled(self) -> tuple[str | int, ...]:
        """Labels of the columns that have a coordinate, once for each of these."""
        return tuple(self.layout.labels[j] for j in self._modelled)

    @property
    def numeric(self) -> tuple[str | int, ...]:
        """Labels of the columns of numbers, dates and booleans that are modelled or computed."""
        return tuple(
            label
            for label, column in zip(self.layout.labels, self.columns, strict=True)
            if column.kind in (*COMPUTED, "boolean")
        )

    def number(
        self, label: str | int, value: Any, *, last: bool = False, unseen: bool = False
    ) -> Any:
        """One value of a column as :meth:`values` has it: a number, a category, a date's count.

        Args:
            label: of the column.
            value: as its cells hold it; dates in ISO 8601 too.
            last: whether a day among times is its end, as of :meth:`DateFormat.count`.
            unseen: whether a level that the fit has not seen is a value of a column that gives
                such levels a probability.

        Raises:
            DataError: for what is no value of the column.
        """
        sheet, places = self._reader.find_some(self.row({label: value}))
        j = self.layout.labels.index(label)
        known, values, family = self._reader.known_cells(sheet, places)[j]
        column = self.columns[j]
        if known.all() and (family == "text") != (column.family == "text"):
            known = ~known
        if (last or not known.all()) and isinstance(column.format, DateFormat):
            count = column.format.count(value, last=last)
            if count is not None:
                return count
        if not known.all():
            raise DataError(
                f"{column_text(label)}: got {cell_text(value)}. Expected a value of a column "
                f"that is {column.kind}."
            )
        listed = column.kind in ("category", "boolean") and not (unseen and column.rare)
        if listed and values[0] not in column.values:
            hint = did_you_mean(value, column.values)
            raise DataError(
                f"{column_text(label)} had no {value!r} in fit{hint}. Expected one of "
                f"{', '.join(map(repr, column.values[:20]))}{' ...' * (len(column.values) > 20)}."
            )
        return values[0]

    def row(self, values: Mapping[str | int, Any]) -> Any:
        """A table of one row with some values, by label, and the other cells missing."""
        import pandas as pd

        if self.layout.named:
            frame = pd.DataFrame(index=range(1))
            for label, value in values.items():
                frame[label] = pd.Series([value], dtype=None if value is not None else object)
            if not len(values):
                frame = pd.DataFrame({self.layout.labels[0]: pd.Series([None], dtype=object)})
            return frame
        row = np.full((1, len(self.columns)), np.nan, dtype=object)
        for label, value in values.items():
            row[0, self.layout.labels.index(label)] = value
        return row

    def write_numbers(self, label: str | int, values: np.ndarray) -> Any:
        """Numbers (n,) of a column as its cells hold them; dates as dates, in their time zone."""
        import pandas as pd

        place = self.layout.labels.index(label)
        column, zone = self.columns[place], zone_of(self.layout.storage[place].dtype)
        if column.kind != "date":
            return values
        cells = write(column, np.rint(values).astype(np.int64))
        return cells if zone is None else pd.DatetimeIndex(cells, tz="UTC").tz_convert(zone)

    def open_labels(self, known: np.ndarray) -> tuple[str | int, ...]:
        """Columns that are open in any row of ``known`` (n, D); computed ones with theirs."""
        partly = {j for i, j in enumerate(self._modelled) if not known[:, i].all()}
        for j, column in enumerate(self.columns):
            if column.formula is not None and partly & set(column.formula.places):
                partly.add(j)
        return tuple(self.layout.labels[j] for j in sorted(partly))

    def missing(self, X: Any, *, identifiers: bool = False) -> dict[str | int, np.ndarray]:
        """Which cells of a table are missing, (n,) bool by label; those of lacking columns are.

        Cells of columns that are left out do not count.

        Args:
            X: the table.
            identifiers: whether cells of identifiers count nevertheless, where X has these.
        """
        sheet, places = self._reader.find_some(X)
        gaps = self._reader.gaps(sheet, places)
        blank = sheet.missing() if identifiers else gaps
        for j, place in enumerate(places):
            column = self.columns[j]
            gaps[:, j] |= place is None and not column.left_out
            if identifiers and column.kind == "identifier" and place is not None:
                gaps[:, j] = blank[:, place]
        return dict(zip(self.layout.labels, gaps.T, strict=True))

    def tied_cells(self, X: Any, known: np.ndarray) -> TiedCells:
        """Cells of a table that :meth:`encode_known` could not use and that tie open ones.

        Args:
            X: the table.
            known: what it said, boolean of shape (n, D).
        """
        cells = self._reader.known_cells(*self._reader.find_some(X))
        places = {j: self._modelled.index(j) for j in dict.fromkeys(self._modelled)}
        builder, labels = self._builder, self.layout.labels
        return TiedCells(self.columns, labels, builder, self._coordinates, places, cells, known)

    def unused_cells(
        self, X: Any, known: np.ndarray, ties: TiedCells
    ) -> dict[str | int, tuple[int, str]]:
        """Cells of a table that are there, and that nothing can be made of.

        Args:
            X: the table.
            known: what :meth:`encode_known` said, boolean of shape (n, D).
            ties: of the table, which make something of cells too.

        Returns:
            For each column with such cells the first row of them, and why.
        """
        sheet, places = self._reader.find_some(X)
        missing, found = sheet.missing(), {}
        modelled = {j: i for i, j in enumerate(self._modelled)}
        for j, (label, column) in enumerate(zip(self.layout.labels, self.columns, strict=True)):
            place = places[j]
            if place is None:
                continue
            there = ~missing[:, place]
            if j in modelled:
                lost = there & ~known[:, modelled[j]] & ~ties.used(j)
                if column.kind != "category":  # a cell such as "-" says that there is none
                    lost[lost] = [not is_blank(str(cell)) for cell in sheet.raw(place)[lost]]
                why = f"got {cell_text(sheet.raw(place)[lost][0])}. " if lost.any() else ""
                if not column.counted_from:
                    why += f"Expected a value of a column that is {column.kind}."
                else:
                    names = " and ".join(repr(self.layout.labels[k]) for k in column.counted_from)
                    these = "that too" if column.addends == () else "these too, or a range of it"
                    why += f"The column is counted from {names}: give {these}."
            elif column.formula is not None:
                inputs = [modelled[k] for k in column.formula.places]
                lost = there & ~known[:, inputs].all(axis=1) & ~ties.used(j)
                names = [self.layout.labels[k] for k in column.formula.places]
                why = f"It is computed from {names}: give all of these instead, or a range of it."
            else:
                continue
            if lost.any():
                found[label] = (int(np.flatnonzero(lost)[0]), why)
        return found

    def agree(self, given: Any, X: Any) -> np.ndarray:
        """Whether rows have the cells that are given: boolean of shape (n,).

        Args:
            given: table of one row or as many as ``X``, with missing cells or columns.
            X: complete table.
        """
        z, _, known = self.encode_known(given)
        own, _, _ = self.encode_known(X)
        theirs, ours = self.values(z), self.values(own)
        result = np.ones(len(own), dtype=bool)
        for i, label in enumerate(self.modelled):
            a, b = theirs[label], ours[label]
            same = a == b
            if a.dtype.kind == "f":
                same |= np.isclose(a, b, rtol=1e-9, atol=1e-9 * self._coordinates.scale[i])
            result &= same | ~known[:, i].numpy()
        return result

    def completed(self, X: Any, z: torch.Tensor) -> Any:
        """A table with its missing cells as coordinates say, in which all cells agree.

        Known cells stay what they are, but for those of columns that are computed or counted from
        others: these follow from the others.

        Args:
            X: table of shape (n, p) with missing cells.
            z: (n, D) coordinates; those of known cells are what :meth:`encode_known` says.
        """
        sheet, places = self._reader.find_some(X)
        own = [
            place if column.formula is None and not column.counted_from else None
            for place, column in zip(places, self.columns, strict=True)
        ]
        gaps = self._reader.gaps(sheet, places)
        made = self._builder.build(z)
        return self._builder.filled(sheet, own, gaps, made, np.arange(len(z)))

    def fill(
        self, X: Any, z: torch.Tensor | Mapping[str | int, np.ndarray], of: np.ndarray
    ) -> Any:
        """A table in which the known cells of another stay what they are.

        Args:
            X: table with missing cells, or without some of the columns.
            z: (n, D) coordinates, or values (n,) of the modelled columns by label, which are
                brought to the nearest that a column can have.
            of: (n,) for each of them, the number of its row in ``X``.
        """
        sheet, places = self._reader.find_some(X)
        if isinstance(z, torch.Tensor):
            numbers = self._builder.values(z)
        else:
            values = {self.layout.labels.index(label): found for label, found in z.items()}
            numbers = self._builder.possible(values)
        if any(c.formula is not None or c.counted_from for c in self.columns):
            known, given = {}, {}
            for j, cell in self._reader.known_cells(sheet, places).items():
                if j in numbers and cell[2] in ("int", "float"):
                    dense = np.zeros(sheet.n_rows, dtype=cell[1].dtype)
                    dense[cell[0]] = cell[1]
                    known[j], given[j] = cell[0][of], dense[of]
            agree_with_known(self.columns, numbers, known, given)
        made = self._builder.table(numbers, len(of))
        return self._builder.filled(sheet, places, self._reader.gaps(sheet, places), made, of)

    def _certain_known(self, cells: PartCells, n: int) -> np.ndarray:
        """Log-probability of the constant and the computed columns that are known whole: (n,)."""
        whole = {
            j: (values, family) for j, (known, values, family) in cells.items() if known.all()
        }
        log_probability = np.zeros(n)
        for j, column in enumerate(self.columns):
            inputs = () if column.formula is None else column.formula.places
            if not {j, *inputs} <= whole.keys():
                continue
            values = {i: whole[i][0] for i in (j, *inputs)}
            if column.kind == "constant":
                broken = np.not_equal(values[j], column.values[0])
            elif column.formula is not None:
                broken = ~column.formula.holds(values[j], values)
            else:
                continue
            log_probability += np.log(
                np.where(broken, 1.0, self.n_rows + 1.0) / (self.n_rows + 2.0)
            )
        return log_probability
