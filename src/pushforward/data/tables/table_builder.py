"""Builds tables from coordinates: the way back from what models see to the user's container."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from ...errors import DataError
from ..checks import rows_text
from .column import Column
from .column_contents import write
from .containers import Layout
from .coordinates import Coordinates
from .date_order import by_origin, since
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
        modelled = [j for j, column in enumerate(columns) if column.has_coordinate]
        self._place = {j: i for i, j in enumerate(modelled)}

    def build(self, z: torch.Tensor, *, exact: bool = False) -> Any:
        """The table of coordinates (n, D), as of :meth:`pushforward.data.Columns.decode`.

        Raises:
            DataError: for another shape, and for NaN or infinite coordinates.
        """
        line = np.array(torch.as_tensor(z).detach().cpu().double().numpy())
        if line.ndim != 2 or line.shape[1] != len(self._place):
            raise DataError(f"z has shape {line.shape}. Expected (n, {len(self._place)}).")
        bad = np.logical_not(np.isfinite(line)).any(axis=1)
        if bad.any():
            raise DataError(f"z is NaN or infinite in {rows_text(bad)}. Expected finite numbers.")
        numbers = self._numbers(line, exact)
        out = []
        for j, column in enumerate(self.columns):
            if column.kind == "drop":
                continue
            if column.left_out:
                first = int(column.low or 0) if column.low is not None else 1
                out.append(replacement_cells(column.kind, column.family, first, len(line)))
            elif column.kind == "constant":
                value = column.values[0]
                same = np.full(len(line), value, dtype=None if column.format else object)
                out.append(write(column, same))
            else:
                out.append(write(column, numbers[j]))
        kept = [j for j, column in enumerate(self.columns) if column.kind != "drop"]
        layout = self.layout if len(kept) == len(self.columns) else self.layout.take(kept)
        return layout.build(out)

    def _numbers(self, line: np.ndarray, exact: bool) -> dict[int, np.ndarray]:
        """Values (n,) of the modelled and the computed columns, by the number of the column."""
        numbers = {}
        limit = np.finfo(np.float64).max
        for j, i in self._place.items():
            column = self.columns[j]
            with np.errstate(over="ignore"):
                values = self.coordinates.inverse(line[:, i], i)
            if column.discrete:
                values = column.cells_to_values(np.floor(values))
            else:
                values = np.rint(values) if column.family == "int" else values
                values = column.clip(values) if exact else column.finish(values)
            numbers[j] = np.clip(values, -limit, limit) if values.dtype.kind == "f" else values
        for j in by_origin(self.columns):
            numbers[j] = numbers[j] + since(self.columns, j, numbers)
        for j, column in enumerate(self.columns):
            if column.formula is not None:
                values = np.clip(column.formula.compute(numbers), -limit, limit)
                numbers[j] = column.rounded(values)
        return numbers

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
                columns.append(replacement_cells(column.kind, column.family, first, sheet.n_rows))
            else:
                columns.append(sheet.raw(place))
        kept = [j for j, place in enumerate(places) if place is not None]
        return self.layout.take(kept).build(columns)
