"""Rows of a stream that show what its columns range over: extremes, levels, missing cells."""

from typing import Any

import numpy as np

from .containers import has_zone
from .row_sample import Block, joined

__all__ = ["RangeRows"]

_MOST = 8192  # rows held
_PLAIN = {"b": np.bool_, "i": np.int64, "u": np.uint64, "f": np.float64}


class RangeRows:
    """For each column the first rows with its lowest and highest value, each level, and a gap.

    What :meth:`~pushforward.data.Columns.learn` finds of a sample with these rows holds for the
    whole stream: no number lies beyond the range of its column, no level of a category is new.
    The rows are the same however the stream is divided, and joined by adding those of each part.

    Args:
        most_levels: different texts of a column up to which there is a row for each.

    Attributes:
        open_text: positions of the columns with more of them, of which the first have a row.
    """

    def __init__(self, most_levels: int) -> None:
        self.most_levels = most_levels
        self.open_text: set[int] = set()
        self._marks: dict[tuple[int, Any], tuple[Any, int]] = {}  # value and row of each mark
        self._levels: dict[int, set] = {}
        self._blocks: list[Block] = []

    def add(self, block: Block) -> None:
        """Look at rows, which come after those before."""
        found: set[int] = set()
        if isinstance(block.X, np.ndarray):
            groups = [(range(block.X.shape[1]), block.X)]
        else:
            groups = _groups(block.X)
        for places, values in groups:
            if isinstance(values, np.ndarray) and values.dtype.kind in "biuf":
                self._numbers(places, values, block.numbers, found)
            else:
                self._others(places[0], values, block.numbers, found)
        if found:
            self._blocks.append(block.take(np.array(sorted(found))))
            if sum(len(b.numbers) for b in self._blocks) > 2 * _MOST:
                self._blocks = [b for b in [self.rows()] if b is not None]

    def rows(self) -> Block | None:
        """The rows that show a range, in their order; None of none."""
        wanted = {row for _, row in self._marks.values()}
        numbers = np.array(sorted(wanted)[:_MOST], dtype=np.int64)
        held = joined([b.take(np.isin(b.numbers, numbers)) for b in self._blocks])
        if held is None:
            return None
        _, first = np.unique(held.numbers, return_index=True)
        return held.take(first)

    def _mark(self, key: tuple[int, Any], value: Any, row: int) -> None:
        self._marks[key] = (value, row)

    def _numbers(self, places: Any, values: np.ndarray, numbers: np.ndarray, found: set) -> None:
        """Extremes and gaps of columns of one dtype, (n, p)."""
        below = above = values
        if values.dtype.kind == "f" and bool((gap := np.isnan(values)).any()):
            for at in np.flatnonzero(gap.any(axis=0)).tolist():
                self._gap(places[at], int(gap[:, at].argmax()), numbers, found)
            below, above = np.where(gap, np.inf, values), np.where(gap, -np.inf, values)
        for side, rows, better in (
            ("low", below.argmin(axis=0), np.less),
            ("high", above.argmax(axis=0), np.greater),
        ):
            ends = (below if side == "low" else above)[rows, np.arange(values.shape[1])]
            for at, place in enumerate(places):
                before = self._marks.get((place, side))
                if before is None or better(ends[at], before[0]):
                    self._mark((place, side), ends[at], int(numbers[rows[at]]))
                    found.add(int(rows[at]))

    def _gap(self, place: int, at: int, numbers: np.ndarray, found: set) -> None:
        if (place, "gap") not in self._marks:
            self._mark((place, "gap"), None, int(numbers[at]))
            found.add(at)

    def _others(self, place: int, series: Any, numbers: np.ndarray, found: set) -> None:
        """Extremes of dates and nullable numbers, or levels of texts and categories."""
        if isinstance(series, np.ndarray):
            import pandas as pd

            for j in range(series.shape[1]):  # an array of objects, texts or dates
                self._others(j, pd.Series(series[:, j]), numbers, found)
            return
        gap = series.isna().to_numpy(dtype=bool)
        if gap.any():
            self._gap(place, int(gap.argmax()), numbers, found)
        there = np.flatnonzero(~gap)
        if not len(there):
            return
        known = series.iloc[there]
        if series.dtype.kind not in "biufmM":
            self._texts(place, known, there, numbers, found)
            return
        known = known.dt.tz_convert("UTC").dt.tz_localize(None) if has_zone(known.dtype) else known
        kind = series.dtype.kind
        values = known.to_numpy() if kind in "mM" else known.to_numpy(dtype=_PLAIN[kind])
        for side, at, better in (
            ("low", int(values.argmin()), np.less),
            ("high", int(values.argmax()), np.greater),
        ):
            before = self._marks.get((place, side))
            if before is None or better(values[at], before[0]):
                self._mark((place, side), values[at], int(numbers[there[at]]))
                found.add(int(there[at]))

    def _texts(
        self, place: int, known: Any, there: np.ndarray, numbers: np.ndarray, found: set
    ) -> None:
        if place in self.open_text:
            return
        seen = self._levels.setdefault(place, set())
        try:
            levels = set(known.unique().tolist()) - seen
        except TypeError:  # lists and the like, which the codec refuses by name
            levels = set()
        if not levels:
            return
        first = known.drop_duplicates()
        places = np.flatnonzero(~known.duplicated().to_numpy())
        for at, level in zip(there[places].tolist(), first.tolist(), strict=True):
            if level not in levels:
                continue
            if len(seen) == self.most_levels:  # those that any process has seen first are kept
                self.open_text.add(place)
                return
            seen.add(level)
            self._mark((place, ("level", level)), None, int(numbers[at]))
            found.add(at)


def _groups(frame: Any) -> list[tuple[Any, Any]]:
    """The columns of a frame: those of plain numbers together, of one dtype each, others alone."""
    alike: dict[Any, list[int]] = {}
    alone = []
    for place, dtype in enumerate(frame.dtypes):
        if isinstance(dtype, np.dtype) and dtype.kind in "biuf":
            alike.setdefault(dtype, []).append(place)
        else:
            alone.append(([place], frame.iloc[:, place]))
    return [(places, frame.iloc[:, places].to_numpy()) for places in alike.values()] + alone
