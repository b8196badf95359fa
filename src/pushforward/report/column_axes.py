"""Columns of a table as positions on an axis: numbers or their logarithms, categories in a row."""

import math
import zlib
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..data import Columns
from ..data.tables.column import Column
from ..data.tables.dates import DateFormat
from ..data.tables.number_format import NumberFormat

__all__ = ["PlottedColumn", "draw_columns", "format_cell", "shortened"]

MOST_TICKS = 8  # categories that get a place of their own; the others share one
_WIDE = 100.0  # times the fifth percentile that the 95th is where an axis is logarithmic
_ZERO = 0.5  # orders of magnitude below the smallest number, where zero is drawn


def shortened(text: Any, length: int) -> str:
    """A text on one line of at most ``length`` characters, all of them printable."""
    line = " ".join(str(text).split())
    line = "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in line)
    return line if len(line) <= length else line[: length - 1].rstrip() + "…"


def is_missing(value: Any) -> bool:
    """Whether a cell is None, NaN, or what pandas has for these."""
    import pandas as pd

    return value is None or value is pd.NA or value is pd.NaT or value != value


def format_cell(value: Any) -> str:
    """A cell as short text: four digits of a fraction, whole numbers in full.

    >>> format_cell(0.0081734), format_cell(567.7), format_cell(12), format_cell("red")
    ('0.008173', '567.7', '12', 'red')
    >>> format_cell(None)
    'missing'
    """
    if is_missing(value):
        return "missing"
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, float, np.number)):
        return shortened(value, 18)
    if float(value) == round(float(value)) and abs(float(value)) < 1e6:
        return f"{round(float(value))}"
    return f"{float(value):.4g}"


@dataclass
class PlottedColumn:
    """One column of the real rows and of the sampled ones, ready to be drawn.

    Attributes:
        label: the column in the table.
        name: what the axis says.
        discrete: whether values stand on whole positions, and are jittered in scatter plots.
        real, sampled: positions, float64 of shapes (n,) and (m,); NaN where a cell is missing.
        ticks: positions and texts of categories; None for numbers.
        how: how the numbers are written in the cells, where they are text or dates.
        smallest: smallest number above 0, where positions are decimal logarithms; None else.
        limits: ends of the axis; a few values may lie beyond them.
    """

    label: Any
    name: str
    discrete: bool
    real: np.ndarray
    sampled: np.ndarray
    ticks: tuple[list[float], list[str]] | None = None
    how: NumberFormat | DateFormat | None = None
    smallest: float | None = None
    limits: tuple[float, float] = field(init=False)

    def __post_init__(self) -> None:
        if self.ticks is not None:
            self.limits = (-0.6, len(self.ticks[0]) - 0.4)
            return
        real, sampled = self.known, self.sampled[~np.isnan(self.sampled)]
        sampled = sampled if len(sampled) else real
        low, high = np.quantile(real, [0.05, 0.95])
        wide = self.discrete and np.ptp(real) <= 40
        reach = np.inf if wide else 2.5 * (high - low)
        least = min(real.min(), np.quantile(sampled, 0.01))
        most = max(real.max(), np.quantile(sampled, 0.99))
        low, high = (max(least, low - reach), min(most, high + reach)) if reach else (least, most)
        pad = (0.04 * (high - low) or abs(high) * 0.1 or 1.0) + 0.5 * self.discrete
        self.limits = (float(low - pad), float(high + pad))

    @property
    def known(self) -> np.ndarray:
        """Positions of the cells of real rows that are not missing."""
        return self.real[~np.isnan(self.real)]

    @property
    def few(self) -> bool:
        """Whether each value can have a bar of its own."""
        return self.discrete and self.limits[1] - self.limits[0] < 31

    def positions(self, which: str) -> np.ndarray:
        """The positions of the "real" rows, (n,), or of the "sampled" ones, (m,)."""
        return self.real if which == "real" else self.sampled

    def scattered(self, which: str, rows: Any, *, apart: bool = True) -> np.ndarray:
        """Positions of some rows for a scatter plot, moved into view; discrete ones jittered.

        Args:
            which: "real" or "sampled".
            rows: which rows.
            apart: whether to draw the two sorts of rows of a category beside each other.
        """
        x = self.positions(which)[rows]
        if self.few:
            seed = zlib.crc32(f"{self.label} {which}".encode())  # its own jitter on each axis
            x = x + np.random.default_rng(seed).uniform(-0.15, 0.15, x.shape)
        if self.ticks is not None and apart:
            x = x + (-0.19 if which == "real" else 0.19)
        return self.clipped(x)

    def clipped(self, x: Any) -> Any:
        """Positions moved into view."""
        low, high = self.limits
        edge = 0.008 * (high - low)
        return np.clip(x, low + edge, high - edge)

    def beyond(self, which: str, rows: Any) -> bool:
        """Whether some of the rows lie outside the axis."""
        x = self.positions(which)[rows]
        return bool(((x < self.limits[0]) | (x > self.limits[1])).any())

    def bins(self) -> np.ndarray:
        """Edges of histogram bins over the axis."""
        low, high = self.limits
        if self.few:
            return np.arange(np.ceil(low) - 0.5, np.floor(high) + 1.0)
        spread = np.subtract(*np.quantile(self.known, [0.75, 0.25]))
        width = 2 * spread / len(self.known) ** (1 / 3)  # Freedman & Diaconis
        count = int(np.clip((high - low) / width if width > 0 else 10, 10, 36))
        return np.linspace(low, high, count + 1)

    def place(self, value: Any) -> float:
        """Position of one cell value."""
        if self.ticks is None and self.how is not None:
            parsed: Any = self.how.parse(np.array([value], dtype=object))
            value = parsed[0][0] if isinstance(self.how, DateFormat) else parsed[0]
        if self.ticks is None:
            return float(_scaled(np.array(float(value)), self.smallest))
        texts = self.ticks[1]
        return float(
            texts.index(text) if (text := format_cell(value)) in texts else len(texts) - 1
        )

    def orders(self, limits: tuple[float, float]) -> tuple[list[float], list[str]]:
        """Positions and texts of the ticks of a logarithmic axis between limits."""
        assert self.smallest is not None
        steps: Any = range(math.ceil(limits[0]), math.floor(limits[1]) + 1)
        zero = math.log10(self.smallest) - _ZERO
        places = [float(k) for k in steps[:: max(1, -(-len(steps) // 4))] if k > zero + 0.8]
        texts = [f"{10.0**k:g}" if -4 <= k <= 5 else f"1e{k:.0f}" for k in places]
        if self.ticks is None and bool((self.known == zero).any()) and limits[0] < zero:
            places, texts = [zero, *places], ["0", *texts]
        return places, texts

    def window(self, center: float, share: float) -> tuple[float, float]:
        """A part of the axis around a position; all of it for categories."""
        if self.ticks is not None or share >= 1:
            return self.limits
        low, high = self.limits
        width = share * (high - low)
        low = min(max(low, center - 0.5 * width), high - width)
        return low, low + width


def draw_columns(columns: Columns, real: Any, sampled: Any) -> list[PlottedColumn]:
    """The columns that are not constant and have a cell, of a table and of sampled rows."""
    tables = [columns.known_cells(X) for X in (real, sampled)]
    drawn = []
    for j, entry in enumerate(columns.describe()):
        if not columns.columns[j].has_coordinate:
            continue
        label = entry["name"]
        name = shortened(label if isinstance(label, str) else f"column {label}", 26)
        known = [table[j][0] for table in tables]
        cells = [table[j][1] for table in tables]
        if not len(cells[0]):
            continue
        if entry["categories"] is None:
            numbers = [
                _spread(values.astype(np.float64), k)
                for k, values in zip(known, cells, strict=True)
            ]
            whole, how = entry["kind"] == "integer", columns.columns[j].format
            smallest = _smallest(columns.columns[j], cells[0])
            real, sampled = (_scaled(values, smallest) for values in numbers)
            whole = whole and smallest is None
            drawn.append(
                PlottedColumn(label, name, whole, real, sampled, how=how, smallest=smallest)
            )
            continue
        texts = [format_cell(value) for value in entry["categories"]]
        if len(texts) > MOST_TICKS or any(format_cell(v) not in texts for v in cells[0]):
            texts = [*texts[: MOST_TICKS - 1], "rest"]
        where = {text: float(i) for i, text in enumerate(texts)}
        last = float(len(texts) - 1)
        places = [
            _spread(np.array([where.get(format_cell(v), last) for v in values]), k)
            for k, values in zip(known, cells, strict=True)
        ]
        ticks = ([float(i) for i in range(len(texts))], texts)
        drawn.append(PlottedColumn(label, name, True, places[0], places[1], ticks))
    return drawn


def _smallest(column: Column, values: np.ndarray) -> float | None:
    """The smallest number above 0 where a column of numbers needs a logarithmic axis, or None."""
    if column.logarithm is None:
        return None
    above = values[values > 0].astype(np.float64)
    if not len(above):
        return None
    low, high = np.quantile(above, [0.05, 0.95])
    return float(above.min()) if high > _WIDE * low else None


def _scaled(values: np.ndarray, smallest: float | None) -> np.ndarray:
    """Positions of numbers: themselves, or logarithms where there is a smallest above 0."""
    if smallest is None:
        return values
    above = np.log10(np.maximum(values, 1e-3 * smallest))
    return np.where(values > 0, above, math.log10(smallest) - _ZERO)


def _spread(values: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Values of the cells that are known, in their rows: (n,), NaN elsewhere."""
    places = np.full(len(known), np.nan)
    places[known] = values
    return places
