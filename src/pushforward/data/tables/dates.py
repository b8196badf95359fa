"""Dates, times and durations as whole numbers of a unit, and back to how they were written."""

import re
from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .date_patterns import (
    CALENDAR,
    OFFSETS,
    TIMES,
    century_of,
    dates_of,
    fractions_of,
    letters_of,
    moments_of,
    moved_to,
    offset_of,
    patterns_of,
    shape_of,
)
from .durations import is_duration, learn_duration, read_durations, write_durations
from .number_format import is_blank, too_odd

__all__ = ["FRACTIONS", "LETTERS", "SOURCES", "UNITS", "DateFormat", "in_utc"]

UNITS = {  # nanoseconds of each; months are counted by the calendar
    "month": 0,
    "day": 86_400 * 10**9,
    "second": 10**9,
    "millisecond": 10**6,
    "microsecond": 10**3,
    "nanosecond": 1,
}
SOURCES = ("text", "integer", "moment", "duration", "date")
DAY, MONTH, HOUR = "\x01", "\x02", "\x03"  # places of numbers without a leading zero
#: How fractions of a second are written: in all digits, in all or none (whole seconds, as
#: Python's ``isoformat``), or without zeros at the end.
FRACTIONS = ("full", "whole", "short")
LETTERS = ("mixed", "small", "capital")


@dataclass(frozen=True)
class DateFormat:
    """How a column holds dates, times or durations.

    Attributes:
        source: "text", "integer" (such as 20240131), "moment" and "duration" for dtypes of those,
            "date" for Python's ``datetime.date``.
        unit: what the numbers count: months, days, seconds or parts of them, since 1970.
        pattern: of text and integers, in the words of ``strftime``, or of :mod:`.durations`; ""
            for dtypes.
        padded: whether days and months below ten have a leading zero in the text.
        offset: minutes from UTC that times of the text are written in; None without a zone.
        places: digits of fractions of a second in the text, at most.
        fraction: how fractions are written: "full" in all digits; "whole" the same, and whole
            seconds without any; "short" without zeros at the end.
        since: first of the hundred years that years of two digits are among; None for 1969, and
            where years have four.
        padded_hours: whether hours below ten have a leading zero in the text.
        letters: of names of months and days and of AM and PM: "mixed" as Mar and PM, "small" or
            "capital".
        offset_form: how ``offset`` is written: "+00:00", "+0000" or "+00".
        zone: of moments of a dtype with a time zone, by whose clock they are counted, so that days
            and hours are those people know; None for UTC. Of the hour that comes twice when summer
            ends the first is meant.

    Examples:
        >>> cells = np.array(["2024-01-31", "2024-02-01", "?"], dtype=object)
        >>> how = DateFormat.of_text(cells, declared=True)
        >>> how.parse(cells)
        (array([19753, 19754,     0]), array([False, False,  True]))
        >>> how.write(np.array([19755])).tolist()
        ['2024-02-02']
    """

    source: str
    unit: str
    pattern: str = ""
    padded: bool = True
    offset: int | None = None
    places: int = 6
    fraction: str = "full"
    since: int | None = None
    zone: str | None = None
    padded_hours: bool = True
    letters: str = "mixed"
    offset_form: str = "+00:00"

    @classmethod
    def of_text(cls, cells: np.ndarray, *, declared: bool = False) -> "DateFormat | None":
        """Find the format of text cells, shape (n,) and none missing; None if they are no dates.

        Nearly all cells have to be dates in one format. Where the day could be the month in every
        row, the day is taken to be first. Years of two digits are those that lie closest
        together, and none is far in the future.
        """
        import pandas as pd

        counted = Counter(str(cell).strip() for cell in cells)
        few = [text for text in list(counted)[:300] if not is_blank(text)]
        best, most = None, 0
        for pattern in patterns_of(few):
            shape = shape_of(pattern)
            hits = sum(count for text, count in counted.items() if shape.match(text))
            if hits > most:
                good = sum(counted[text] for text in dates_of(pattern, counted))
                best, most = (pattern, good) if good > most else (best, most)
        texts = [] if best is None else dates_of(best, counted)
        if best is None or best in TIMES:
            best, texts = learn_duration(counted, few, most) or (best, texts)
            most = sum(counted[text] for text in texts)
        words = sum(count for text, count in counted.items() if is_blank(text))
        if best is None or most < words / 9:
            return None
        if not declared and too_odd(counted, texts):
            return None
        if is_duration(best):
            how = cls("text", "nanosecond", best)
            if "{f}" in best:
                places, fraction = fractions_of(texts)
                how = replace(how, places=places, fraction=fraction)
            return how._with_unit(*how.parse(cells))
        ones = re.compile(r"(?<![\d:])\d(?=[/\-., ]|$)")
        padded = not any(ones.search(text) for text in texts)
        hours = not any(re.search(r"(?<![\d:])\d:", text) for text in texts)
        offset, offset_form = offset_of(texts) if best.endswith("%z") else (None, "+00:00")
        places = 6
        fraction = "full"
        if "%f" in best:
            places, fraction = fractions_of(texts, r":\d\d\.(\d+)")  # days may end in points too
            best = best if places else best.replace(".%f", "")
        since = century_of(moments_of(pd.Series(texts), best).dt.year) if "%y" in best else None
        how = cls("text", "nanosecond", best, padded, offset, places, fraction, since)
        how = replace(
            how, padded_hours=hours, letters=letters_of(texts, best), offset_form=offset_form
        )
        return how._with_unit(*how.parse(cells))

    @classmethod
    def of_integers(cls, values: np.ndarray) -> "DateFormat | None":
        """Recognise whole numbers such as 20240131 or 202401, shape (n,); None for others."""
        if len(values) < 5 or not (values == np.floor(values)).all():
            return None
        for pattern, (low, high) in CALENDAR.items():
            if values.min() < low or values.max() > high or len(np.unique(values)) < 3:
                continue
            how = cls("integer", "nanosecond", pattern)
            counts, bad = how.parse(values)
            if not bad.any():
                return how._with_unit(counts, bad)
        return None

    @classmethod
    def of_moments(cls, values: Any, source: str, zone: str | None = None) -> "DateFormat":
        """Choose the unit of a column of moments, dates or durations without gaps."""
        how = cls(source, "nanosecond", zone=zone)
        return how._with_unit(*how.parse(values))

    @property
    def timed(self) -> bool:
        """Whether these are times of a day without a date."""
        return self.pattern in TIMES

    @property
    def is_duration(self) -> bool:
        """Whether these are durations, by dtype or as text."""
        return self.source == "duration" or (self.source == "text" and is_duration(self.pattern))

    def _with_unit(self, counts: np.ndarray, bad: np.ndarray) -> "DateFormat":
        """The coarsest unit that all moments are whole numbers of."""
        good = counts[~bad]
        unit = next(u for u, size in UNITS.items() if size and (good % size == 0).all())
        if unit == "day" and not self.is_duration and len(good):
            days = good.astype("M8[ns]")
            months = days.astype("M8[M]")
            if (months.astype("M8[ns]") == days).all() and len(np.unique(months)) > 1:
                unit = "month"
        return replace(self, unit=unit)

    def parse(self, cells: Any) -> tuple[np.ndarray, np.ndarray]:
        """Return (int64 counts of the unit, mask of cells that are no dates), shape (n,) each.

        Counts round down to whole units.
        """
        import pandas as pd

        moments: Any
        arrays = (np.ndarray, pd.Series, pd.Index, pd.api.extensions.ExtensionArray)
        held = cells.dtype.kind if isinstance(cells, arrays) else "O"
        if self.is_duration and self.source == "text" and held != "m":
            counts, bad = read_durations(cells, self.pattern)
            return counts // UNITS[self.unit], bad
        if self.is_duration:
            spans: Any = pd.to_timedelta(pd.Series(cells), errors="coerce")
            counts = spans.fillna(pd.Timedelta(0)).to_numpy().astype("m8[ns]").astype(np.int64)
            return counts // UNITS[self.unit], spans.isna().to_numpy()
        if self.source == "integer" and held != "M":
            whole: Any = pd.to_numeric(pd.Series(np.asarray(cells)), errors="coerce")
            text = whole.fillna(0).astype(np.int64).astype(str)
            moments = pd.to_datetime(text, format=self.pattern, errors="coerce", utc=True)
        elif self.source == "text" and held != "M":
            moments = moments_of(pd.Series(np.asarray(cells, dtype=object)), self.pattern)
            if self.since is not None:
                moments = moved_to(self.since, moments)
        else:
            moments = pd.Series(self.read_moments(cells)).dt.tz_localize("UTC")
        bad = moments.isna().to_numpy()
        filled = moments.fillna(pd.Timestamp(0, tz="UTC")).dt.tz_localize(None)
        stamps = filled.to_numpy().astype("M8[ns]")
        if self.zone is not None:
            stamps = on_clock(stamps, self.zone)
        if self.unit == "month":
            return stamps.astype("M8[M]").astype(np.int64), bad
        return stamps.astype(np.int64) // UNITS[self.unit], bad

    def read_moments(self, cells: Any) -> np.ndarray:
        """Cells as datetime64[ns] in UTC, NaT for what is no moment.

        Args:
            cells: (n,) datetime64 in UTC, or objects: moments and texts, which are by the clock of
                the zone where they have none.
        """
        import pandas as pd

        moments = pd.to_datetime(pd.Series(cells), errors="coerce", utc=True)
        stamps = moments.dt.tz_localize(None).to_numpy().astype("M8[ns]")
        if self.zone is None:
            return stamps
        return np.where(_without_zone(cells), in_utc(stamps, self.zone), stamps)

    def count(self, value: Any, *, last: bool = False) -> int | None:
        """One date, or date and time, as people write it in ISO 8601; None for what is none.

        Args:
            value: text, or a date or time of Python, NumPy or pandas; without a zone, in that of
                the column.
            last: whether a day without a time, or a month without a day, is its last moment.

        >>> DateFormat("text", "second", "%d.%m.%Y %H:%M").count("2024-01-31")
        1706659200
        >>> DateFormat("text", "day", "%Y-%m-%d").count("2024-02", last=True)
        19782
        """
        import pandas as pd

        whole = re.fullmatch(r"\d{4}-\d{2}(-\d{2})?", value) if isinstance(value, str) else None
        if self.is_duration or self.timed or isinstance(value, (bool, int, float)):
            return None
        try:
            moment = pd.Timestamp(value)
        except (TypeError, ValueError, OverflowError):
            return None
        if moment is pd.NaT:
            return None
        if last and whole is not None:
            step = pd.DateOffset(days=1) if whole[1] else pd.DateOffset(months=1)
            moment = moment + step - pd.Timedelta(1, "ns")
        if moment.tzinfo is not None:
            moment = moment.tz_convert(self.zone).tz_localize(None)
        elif self.offset is not None:
            moment = moment - pd.Timedelta(minutes=self.offset)
        if self.unit == "month":
            return int(12 * (moment.year - 1970) + moment.month - 1)
        nanoseconds = moment.to_datetime64().astype("M8[ns]").astype(np.int64)
        return int(nanoseconds) // UNITS[self.unit]

    def moments(self, counts: np.ndarray) -> np.ndarray:
        """Return counts of the unit as datetime64[ns] in UTC (timedelta64[ns] of durations)."""
        stamps = self._stamps(counts)
        return stamps if self.zone is None else in_utc(stamps, self.zone)

    def _stamps(self, counts: np.ndarray) -> np.ndarray:
        """The same by the clock of the zone."""
        if self.unit == "month":
            return counts.astype("M8[M]").astype("M8[ns]")
        stamps = counts.astype(np.int64) * UNITS[self.unit]
        return stamps.astype("m8[ns]" if self.is_duration else "M8[ns]")

    def write(self, counts: np.ndarray) -> np.ndarray:
        """Return counts of the unit, shape (n,), as the column held them."""
        import pandas as pd

        moments = self.moments(counts)
        if self.source in ("moment", "duration"):
            return moments
        if self.is_duration:
            spans = moments.astype(np.int64)
            return write_durations(spans, self.pattern, self.places, self.fraction)
        if self.source == "date":
            return pd.DatetimeIndex(moments).date
        if self.source == "integer":
            return pd.DatetimeIndex(moments).strftime(self.pattern).to_numpy().astype(np.int64)
        index = pd.DatetimeIndex(moments)
        pattern = self.pattern
        if self.offset is not None:
            index = index + pd.Timedelta(minutes=self.offset)
            sign, size = "-" if self.offset < 0 else "+", abs(self.offset)
            written = OFFSETS[self.offset_form].format(size // 60, size % 60)
            pattern = pattern.replace("%z", sign + written)
        if not self.padded:
            pattern = pattern.replace("%d", DAY).replace("%m", MONTH)
        if not self.padded_hours:
            pattern = pattern.replace("%H", HOUR).replace("%I", HOUR)
        if "%f" in pattern:
            head, tail = pattern.split("%f")
            parts = (index.microsecond * 1000 + index.nanosecond).astype(str).str.zfill(9)
            parts = "." + parts.str[: self.places]
            if self.fraction == "short":
                parts = parts.str.rstrip("0")
            if self.fraction != "full":
                parts = parts.where(parts.str.strip(".0") != "", "")
            texts = index.strftime(head[:-1]) + parts + index.strftime(tail or " ")
            texts = texts if tail else texts.str[:-1]
        else:
            texts = index.strftime(pattern)
        if self.letters != "mixed":
            texts = texts.str.lower() if self.letters == "small" else texts.str.upper()
        if self.padded and self.padded_hours:
            return texts.to_numpy(dtype=object)
        hours = (index.hour - 1) % 12 + 1 if "%I" in self.pattern else index.hour
        parts = zip(texts, index.day, index.month, hours, strict=True)
        return np.array(
            [
                text.replace(DAY, str(d)).replace(MONTH, str(m)).replace(HOUR, str(h))
                for text, d, m, h in parts
            ],
            object,
        )

    def text(self, count: float) -> str:
        """One count of the unit as people read it.

        >>> DateFormat("integer", "day", "%Y%m%d").text(19753)
        '2024-01-31'
        >>> DateFormat("text", "second", "%I:%M %p").text(13 * 3600 + 900)
        '13:15:00'
        >>> DateFormat("text", "second", "{m}:{ss}").text(1719)
        '28:39'
        """
        if self.source == "text" and self.is_duration:
            return str(self.write(np.array([int(count)]))[0])
        moment = self._stamps(np.array([int(count)]))
        if self.source == "duration":
            import pandas as pd

            return str(pd.Timedelta(moment[0]))
        if self.timed:
            return str(moment[0].astype("M8[s]"))[11:]
        return str(moment[0].astype({"month": "M8[M]", "day": "M8[D]"}.get(self.unit, "M8[s]")))

    def elapsed(self, count: int) -> str:
        """A time that has passed, in the unit, as people read it.

        >>> DateFormat("text", "day", "%Y-%m-%d").elapsed(31)
        '31 days'
        """
        return f"{count:,} {self.unit}{'' if count == 1 else 's'}"


def on_clock(stamps: np.ndarray, zone: str) -> np.ndarray:
    """What the clocks of a zone show at moments in UTC, datetime64[ns] both."""
    import pandas as pd

    return (
        pd.DatetimeIndex(stamps).tz_localize("UTC").tz_convert(zone).tz_localize(None).to_numpy()
    )


def in_utc(stamps: np.ndarray, zone: str) -> np.ndarray:
    """Moments in UTC at which the clocks of a zone show this, datetime64[ns] both.

    A time that clocks leave out counts as the next that they show, and of an hour that comes
    twice the first is meant.

    >>> in_utc(np.array(["2024-03-31T02:30"], dtype="M8[ns]"), "Europe/Berlin").astype("M8[m]")
    array(['2024-03-31T01:00'], dtype='datetime64[m]')
    """
    import pandas as pd

    local = pd.DatetimeIndex(stamps)
    first = np.ones(len(local), dtype=bool)
    moments = local.tz_localize(zone, ambiguous=first, nonexistent="shift_forward")
    return moments.tz_convert("UTC").tz_localize(None).to_numpy()


def _without_zone(cells: Any) -> np.ndarray:
    """Which cells, among objects, are times of a clock: moments or texts without a zone, (n,)."""
    import pandas as pd

    cells = np.asarray(cells)
    if cells.dtype.kind == "M":
        return np.zeros(len(cells), dtype=bool)
    moments = [pd.to_datetime(cell, errors="coerce") for cell in cells]
    return np.array([moment.tzinfo is None for moment in moments], dtype=bool)
