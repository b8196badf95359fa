"""One column of a table: what was learned about it, and its cells as numbers and back."""

import warnings
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from ...errors import DataError, stacklevel_of_caller
from ..checks import column_text, rows_text
from .bounded_transform import BoundedTransform
from .calendar import Calendar
from .column_formula import ColumnFormula
from .dates import DateFormat
from .decimals import Digits
from .log_transform import LogTransform
from .number_format import NumberFormat
from .point_masses import Atoms
from .rare_levels import RareLevels
from .unmodelled_columns import LEFT_OUT
from .value_list import ValueList

__all__ = ["ON_SCALE", "Column", "offset"]

IDENTITY = BoundedTransform()
_ROUNDED = 0.4  # steps that a formula is off by at least where it is rounded to them
ON_SCALE = "on a logarithmic scale"  # how the note of a column that has one begins


@dataclass(frozen=True)
class Column:
    """What was learned about one column.

    Attributes:
        kind: "continuous", "mixed", "integer", "grid", "discrete", "date", "category", "boolean",
            "constant", or one that is left out: "identifier", "text", "empty", "drop".
        family: what the cells are: "bool", "int", "float" or "text".
        values: the categories in the order of their cells, the values of a discrete column in
            rising order (so those of dates that are a list), or the one value of a constant.
        low: smallest value seen, of a grid before it was rounded; None without an order.
        high: largest value seen; None without an order.
        distinct: how many different values were seen; None where they were not counted.
        bounds: (low, high) declared by the user, either may be None.
        transform: the map of the column's numbers to the whole line.
        loc: mean on that line, subtracted to standardise.
        scale: standard deviation on that line, divided by to standardise.
        step: distance of neighbouring values of a grid or of dates; 1 for every other kind.
        atoms: the point masses of a mixed column; None for every other kind.
        digits: how finely the fractions of a column are written; None for as they are.
        natural: (low, high) that samples stay within where the user gave no bounds.
        format: how numbers or dates are written in the cells; None where they are plain values.
        missing: share of the rows in which the cell was missing.
        why: what the kind was recognised by.
        note: what the user should know of it.
        formula: how the column is computed from others; None where it is modelled itself.
        origin: number of the column of dates that this one is counted from in each row; None
            where it is not. Values, lowest and highest are then the time that has passed.
        addends: numbers of the columns whose sum this one is counted from in each row, a total
            from its parts of which few values are left; () where it is not.
        calendar: what dates are divided by, where they have a coordinate for each part; None
            where they have one.
        parts: these coordinates, as columns of whole numbers.
        rare: the levels of a category that share its last cell; None where each has its own.
    """

    kind: str
    family: str
    values: tuple = ()
    low: float | int | None = None
    high: float | int | None = None
    distinct: int | None = None
    bounds: tuple[float | None, float | None] = (None, None)
    transform: BoundedTransform | LogTransform = IDENTITY
    loc: float = 0.0
    scale: float = 1.0
    step: float = 1.0
    atoms: Atoms | None = None
    digits: Digits | None = None
    natural: tuple[float | None, float | None] = (None, None)
    format: NumberFormat | DateFormat | None = None
    missing: float = 0.0
    why: str = ""
    note: str = ""
    formula: ColumnFormula | None = None
    origin: int | None = None
    addends: tuple[int, ...] = ()
    calendar: Calendar | None = None
    parts: tuple["Column", ...] = ()
    rare: RareLevels | None = None

    @property
    def counted_from(self) -> tuple[int, ...]:
        """Numbers of the columns that this one is counted from: one, the terms of a sum, or ()."""
        return self.addends if self.origin is None else (self.origin,)

    @property
    def zone(self) -> str | None:
        """The time zone by whose clock dates are; None where there is none, and for UTC."""
        return self.format.zone if isinstance(self.format, DateFormat) else None

    @property
    def discrete(self) -> bool:
        """Whether the column's coordinate is a dequantised cell number."""
        return self.kind in ("integer", "grid", "discrete", "date", "category", "boolean")

    @property
    def logarithm(self) -> LogTransform | None:
        """The logarithmic scale of the column's numbers; None where they have none."""
        if self.atoms is not None:
            return self.atoms.logarithm
        return self.transform if isinstance(self.transform, LogTransform) else None

    def on_scale(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Values (n,) on the column's logarithmic scale, and the log slope of that, (n,)."""
        assert self.logarithm is not None
        if not self.discrete:
            return self.logarithm.forward(values)
        places = (values - float(self.low or 0)) / self.step + 0.5
        y, log_slope = self.logarithm.forward(places)
        return y, log_slope - np.log(self.step)

    def straight(self, values: np.ndarray, weights: np.ndarray | None) -> "Column":
        """The column without its logarithmic scale.

        Args:
            values: of the column, (n,).
            weights: of them, or None.
        """
        note = "; ".join(part for part in self.note.split("; ") if not part.startswith(ON_SCALE))
        if self.atoms is None:
            return replace(self, transform=IDENTITY, note=note)
        masses, numbers = np.array(self.atoms.values), values.astype(np.float64)
        atoms = Atoms.learn(numbers, masses, self.atoms.step, weights)
        return replace(self, atoms=atoms, note=note)

    @property
    def in_cells(self) -> bool:
        """Whether models see these cells: on a logarithmic scale they are a line to them."""
        return self.discrete and self.logarithm is None

    @property
    def has_coordinate(self) -> bool:
        """Whether the column has a coordinate."""
        return self.kind != "constant" and not self.left_out and self.formula is None

    @property
    def coordinates(self) -> tuple["Column", ...]:
        """The coordinates of the column: none, itself, or the parts of its dates."""
        if not self.has_coordinate:
            return ()
        return (self,) if self.calendar is None else self.parts

    @property
    def words(self) -> tuple[str, ...]:
        """What each of the coordinates is called beside the name of the column."""
        if self.calendar is None or not self.has_coordinate:
            return ("",) * len(self.coordinates)
        return self.calendar.words

    @property
    def left_out(self) -> bool:
        """Whether models do not see the column at all."""
        return self.kind in LEFT_OUT

    @property
    def is_list(self) -> bool:
        """Whether the cells are those of a list of numbers."""
        return self.kind == "discrete" or (self.kind == "date" and bool(self.values))

    @property
    def nominal(self) -> bool:
        """Whether the order of the column's cells means nothing."""
        return self.kind == "category"

    @property
    def dequantised(self) -> bool:
        """Whether noise takes part in the column's coordinate."""
        return self.discrete or self.kind == "mixed"

    @cached_property
    def listed(self) -> ValueList:
        """The cells of a discrete column."""
        return ValueList(tuple(map(float, self.values)))

    @property
    def n_cells(self) -> int:
        """How many cells were seen: integers or steps from low to high, or listed values."""
        if self.rare is not None:
            return self.rare.first + 1
        if self.values:
            return len(self.values)
        if self.kind in ("grid", "date"):
            return round((float(self.high or 0) - float(self.low or 0)) / self.step) + 1
        if self.atoms is not None:
            step = self.atoms.step or float("inf")
            return round((float(self.high or 0) - float(self.low or 0)) / step) + 1
        if self.kind == "integer":
            return int(self.high or 0) - int(self.low or 0) + 1
        return len(self.values)

    def shown(self, value: float | int | None) -> float | int | str | None:
        """A value of the range as people read it: dates as dates; None for columns left out."""
        if value is None or self.left_out:
            return None
        if not isinstance(self.format, DateFormat):
            if self.kind != "grid" or self.digits is None:
                return value
            return float(self.digits.round(np.array(value)))
        return self.format.text(value) if self.origin is None else self.format.elapsed(int(value))

    def describe(self, label: str | int) -> dict[str, Any]:
        """The column by name, kind, range, categories and count; None for what does not apply."""
        return {
            "name": label,
            "kind": self.kind,
            "low": self.shown(self.low),
            "high": self.shown(self.high),
            "bounds": None if self.bounds == (None, None) else self.bounds,
            "categories": None if self.is_list else self.values or None,
            "distinct": self.distinct,
            "missing": self.missing,
            "why": self.why,
            "note": self.note,
        }

    def numbers(self, values: np.ndarray, family: str, label: str | int) -> np.ndarray:
        """Turn the cells of a column into float64: x as it is, or the number of its cell.

        Args:
            values: shape (n,), as :meth:`Sheet.column` gives it.
            family: the family of these values.
            label: name of the column, for errors.

        Raises:
            DataError: for text where numbers were seen in fit (or the other way round), values
                outside the bounds and fractions in an integer column.
        """
        if (family == "text") != (self.family == "text"):
            held = {True: "text", False: "numbers"}
            raise DataError(
                f"{column_text(label)} holds {held[family == 'text']}, and held "
                f"{held[self.family == 'text']} in fit. Expected the same type: convert it."
            )
        if self.kind in ("category", "boolean"):
            return self._index(values)
        self.check_bounds(values, label)
        if self.kind in ("continuous", "mixed"):
            return values.astype(np.float64)
        if self.is_list:
            return self.listed.index(values.astype(np.float64))
        if self.kind == "date":
            return np.floor(offset(values, int(self.low or 0)) / self.step + 0.5)
        if self.kind == "grid":
            return np.floor((values.astype(np.float64) - float(self.low or 0)) / self.step + 0.5)
        if family == "float":
            fractions = values != np.floor(values)
            if fractions.any():
                warnings.warn(
                    f"{column_text(label)} was learned as integer and holds fractions in "
                    f"{rows_text(fractions)}: they count as the nearest whole numbers.",
                    stacklevel=stacklevel_of_caller(),
                )
                values = np.floor(values + 0.5)
        return offset(values, int(self.low or 0))

    def coordinate_numbers(
        self, values: np.ndarray, family: str, label: str | int
    ) -> list[np.ndarray]:
        """The numbers (n,) of each of :attr:`coordinates`; see :meth:`numbers`."""
        if self.calendar is None:
            return [self.numbers(values, family, label)]
        places = zip(self.parts, self.calendar.divide(values), strict=True)
        return [part.numbers(place, "int", label) for part, place in places]

    def _index(self, values: np.ndarray) -> np.ndarray:
        import pandas as pd

        index = pd.Index(list(self.values), dtype=object)
        found = index.get_indexer(pd.Index(values, dtype=object))
        return np.where(found < 0, len(self.values), found).astype(np.float64)

    def check_bounds(self, values: np.ndarray, label: str | int) -> None:
        low, high = self.bounds
        outside = np.zeros(len(values), dtype=bool)
        if low is not None:
            outside |= values < low
        if high is not None:
            outside |= values > high
        if outside.any():
            raise DataError(
                f"{column_text(label)} leaves its bounds {self.bounds} in {rows_text(outside)}. "
                "Expected values inside: correct these rows, or fit with wider bounds."
            )

    def finish(self, values: np.ndarray) -> np.ndarray:
        """Bring values of shape (n,) within the bounds, in the precision of the column.

        What lies beyond a natural bound is reflected at it; a mixed column has an atom there.
        """
        low, high = self.natural
        if self.atoms is None:
            if low is not None:
                values = low + np.abs(values - low)
            if high is not None:
                values = high - np.abs(high - values)
        values = values if low is None and high is None else np.clip(values, low, high)
        if self.digits is not None:
            with np.errstate(over="ignore", invalid="ignore"):
                rounded = self.digits.round(values)
            values = np.where(np.isfinite(rounded), rounded, values)
            ends = zip(self.natural, self.bounds, strict=True)
            low, high = (own if given is None else given for own, given in ends)
            values = self.digits.within(values, low, high)
        return self.clip(values)

    def rounded(self, values: np.ndarray) -> np.ndarray:
        """Numbers of shape (n,) that a formula gave, in the precision of the column."""
        off = 0.0 if self.formula is None else self.formula.tolerance
        if self.kind == "grid" and off >= _ROUNDED * self.step:  # the formula is one of steps
            return self._on_grid(np.rint((values - float(self.low or 0)) / self.step))
        if self.digits is not None:
            values = self.digits.round(values)
        if self.kind in ("integer", "date") or self.family == "int":
            values = np.rint(values)
            return values.astype(np.int64) if self.family == "int" else values
        return values

    def on_even_steps(self, values: np.ndarray) -> "Column":
        """The grid whose places, rounded to the digits of the column, are its values, (n,).

        Where steps are thirds or averages of six, the smallest value and the distance of the
        nearest two are rounded as well: counted from 1.667 in steps of .1667, 7.167 is 7.168. The
        line through all values has half of their rounding.
        """
        if self.digits is None:
            return self
        seen = np.unique(values.astype(np.float64))
        cells = np.rint((seen - float(self.low or 0)) / self.step)
        if len(seen) < 3 or (self._on_grid(cells) == seen).all():
            return self
        step, low = np.polyfit(cells, seen, 1)
        if not step > 0:
            return self
        found = replace(self, low=float(low), step=float(step))
        kept = (found._on_grid(cells) == seen).sum() > (self._on_grid(cells) == seen).sum()
        return found if kept else self

    def _on_grid(self, cells: np.ndarray) -> np.ndarray:
        """The values at places of a grid, cells of shape (n,) above the lowest."""
        values = float(self.low or 0) + cells * self.step
        digits = 10 - int(np.floor(np.log10(self.step)))
        if abs(digits) < 300:  # 3.3 as it was recorded, not 3.3000000000000003
            values = np.round(values, digits)
        return values if self.digits is None else self.digits.round(values)

    def clip(self, values: np.ndarray) -> np.ndarray:
        """Clip values of shape (n,) to the declared bounds."""
        low, high = self.bounds
        return values if low is None and high is None else np.clip(values, low, high)

    def cells_to_values(self, places: np.ndarray) -> np.ndarray:
        """Turn float places in cells, clipped to those seen, into the values of the column."""
        if self.rare is not None:
            return np.array(self.values, dtype=object)[self.rare.level(places)]
        last = min(float(self.n_cells - 1), np.nextafter(2.0**64, 0.0))
        cells = np.clip(np.floor(places), 0.0, last)
        if self.kind == "grid":
            values = self._on_grid(cells)
            return np.where(cells == last, float(self.high or 0), values)
        if self.is_list:
            return np.array(self.values)[cells.astype(np.int64)]
        if self.kind == "date":
            steps = cells.astype(np.int64) * np.int64(self.step)
            return np.int64(self.low or 0) + steps
        if self.kind != "integer":
            table = np.array(self.values, dtype=object)
            return table[cells.astype(np.int64)]
        low = int(self.low or 0)
        if self.family == "float":
            return cells + low
        steps = np.minimum(cells.astype(np.uint64), np.uint64(self.n_cells - 1))
        total = steps + np.uint64(low % 2**64)
        return total if int(self.high or 0) >= 2**63 else total.view(np.int64)


def offset(values: np.ndarray, low: int) -> np.ndarray:
    """Return values - low as float64, exact for every int64 and uint64 near low."""
    rough = values.astype(np.float64) - float(low)
    if values.dtype.kind == "f":
        return rough
    exact = (values.astype(np.uint64) - np.uint64(low % 2**64)).view(np.int64)
    return np.where(np.abs(rough) < 2.0**62, exact.astype(np.float64), rough)
