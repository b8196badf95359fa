"""Dates as their place in the day, the week and the year, and the days, weeks or years counted."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .dates import UNITS

__all__ = ["PERIODS", "Calendar"]

#: Of the places that a date is divided into, the shortest first.
PERIODS = ("day", "week", "year")
_WORDS = {"day": "time of day", "week": "day of the week", "year": "time of year"}
_DAY = UNITS["day"]
_MONDAY = 4  # days from 1 January 1970, a Thursday, to the first Monday


@dataclass(frozen=True)
class Calendar:
    """Counts of a unit of time as places in periods, and the number of the longest period.

    The count is divided by the day, what is left by the week, and what is left of that by the
    year of the calendar, as far as each is among the periods: one to one, so that a probability of
    the parts is one of the date.

    Attributes:
        unit: what dates count, a key of ``UNITS`` that is shorter than the periods.
        periods: some of ``PERIODS``, in their order.
        start: counts from the beginning of a day of the calendar in UTC to where days begin here:
            less for zones east of it, and more where they begin in the quiet of the night.

    Examples:
        >>> calendar = Calendar("day", ("week", "year"))
        >>> weekday, week, year = calendar.divide(np.array([19754]))  # Thursday, 1 February 2024
        >>> int(weekday[0]), int(week[0]), int(year[0])
        (3, 4, 2024)
        >>> calendar.join([weekday, week, year]).tolist()
        [19754]
    """

    unit: str
    periods: tuple[str, ...]
    start: int = 0

    @property
    def words(self) -> tuple[str, ...]:
        """What each of the parts is called."""
        return (*(_WORDS[period] for period in self.periods), self.periods[-1])

    def divide(self, counts: np.ndarray) -> list[np.ndarray]:
        """Counts (n,) as places in the periods and the number of the longest one, int64 each."""
        left = counts.astype(np.int64) - self._origin
        found, length = [], 1  # counts of the unit that one of what is left stands for
        for period in self.periods:
            if period == "year":
                year = self._year(left, length)
                found.append(left - self._first(year, length))
                left = year
            else:
                size = self._size(period) // length
                found.append(left % size)
                left, length = left // size, length * size
        return [*found, left]

    def join(self, parts: Sequence[np.ndarray]) -> np.ndarray:
        """The counts (n,) of parts as :meth:`divide` gives them.

        A place that a year does not have is its last one.
        """
        *places, left = (part.astype(np.int64) for part in parts)
        lengths = [1]
        for period in self.periods:
            lengths.append(lengths[-1] if period == "year" else self._size(period))
        for period, place, length in zip(
            self.periods[::-1], places[::-1], lengths[-2::-1], strict=True
        ):
            if period == "year":
                first, after = (self._first(year, length) for year in (left, left + 1))
                left = np.minimum(first + place, after - 1)
            else:
                left = left * (self._size(period) // length) + place
        return left + self._origin

    def within(self, parts: Sequence[np.ndarray], low: int, high: int) -> np.ndarray:
        """The counts of parts, those out of a range moved by a period into it: (n,)."""
        counts = self.join(parts)
        move = (counts < low).astype(np.int64) - (counts > high)
        return np.clip(self.join([*parts[:-1], parts[-1] + move]), low, high)

    @property
    def _origin(self) -> int:
        """The count at which places are 0: a Monday where there are weeks."""
        if self.unit == "month":
            return 0
        return self.start + (_MONDAY * self._size("day") if "week" in self.periods else 0)

    def _size(self, period: str) -> int:
        """Counts of the unit in a day or a week."""
        return (7 if period == "week" else 1) * (_DAY // UNITS[self.unit])

    def _first(self, year: np.ndarray, length: int) -> np.ndarray:
        """The first of what is left after days and weeks that begins in a year."""
        if self.unit == "month":
            return 12 * (year - 1970)
        days = (year - 1970).astype("M8[Y]").astype("M8[D]").astype(np.int64)
        begins = days * self._size("day") + self.start - self._origin
        return -(-begins // length)

    def _year(self, left: np.ndarray, length: int) -> np.ndarray:
        """The year of the calendar in which each of what is left begins."""
        if self.unit == "month":
            return left // 12 + 1970
        days = (left * length + self._origin - self.start) // self._size("day")
        return days.astype("M8[D]").astype("M8[Y]").astype(np.int64) + 1970
