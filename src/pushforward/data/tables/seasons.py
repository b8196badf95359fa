"""Whether rows, or what they hold, come with the time of day, the day of the week or the year."""

from collections.abc import Mapping

import numpy as np

from .calendar import PERIODS, Calendar
from .dates import UNITS, DateFormat

__all__ = ["find_calendar"]

_FEWEST = {"day": 6, "week": 6, "year": 3}  # periods by which to tell
_BINS = {"day": 24, "week": 7, "year": 12}
_FOLDS = 20  # parts of the time, of whole periods each, of which each is held out once
_GAIN = 0.01  # nats that a season adds to a held-out row, at least
_CHANCE = 0.01  # that one of the columns would show a season that is none
_MOST_LEVELS = 5  # of a category that are looked at
_A_PERIOD = 4.0  # rows of a period, on average, from which on its own mean is taken off


def find_calendar(
    counts: np.ndarray, how: DateFormat, others: Mapping[int, tuple[np.ndarray, np.ndarray]]
) -> Calendar | None:
    """The calendar by which a column of dates is to be divided; None where it shows no season.

    A period counts where what one part of the time says of it holds in the others: rows come more
    often at some of its places, or another column has other values there, by
    ``_GAIN`` nats a held-out row at least, and beyond chance over the parts. Each part has whole
    periods, so that what drifts slowly is no season.

    Args:
        counts: (n,) of the unit of the dates.
        how: how the dates are written.
        others: by column, which rows (n,) have a value and the values of these.
    """
    if how.timed or how.is_duration:
        return None
    zone = 0 if how.offset is None else how.offset * 60 * 10**9 // max(1, UNITS[how.unit])
    numbers = [part for known, values in others.values() for part in _numbers(known, values)]
    found = []
    for period in PERIODS:
        if not _finer(how.unit, period):
            continue
        place, number = Calendar(how.unit, (period,), -zone).divide(counts)
        width = place.max() + 1.0 if period == "year" else _length(how.unit, period)
        bins = np.minimum(place * _BINS[period] // width, _BINS[period] - 1).astype(np.int64)
        if _shows(bins, number, counts, numbers, period):
            found.append(period)
    if not found:
        return None
    start = -zone
    if found[0] == "day":
        start += _quiet_hour(Calendar(how.unit, ("day",), -zone).divide(counts)[0], how.unit)
    return Calendar(how.unit, tuple(found), start)


def _finer(unit: str, period: str) -> bool:
    """Whether dates of a unit have different places in a period."""
    return period == "year" or (unit != "month" and not (unit == period == "day"))


def _length(unit: str, period: str) -> float:
    """Counts of a unit in a day or a week."""
    return (7.0 if period == "week" else 1.0) * UNITS["day"] / UNITS[unit]


def _quiet_hour(place: np.ndarray, unit: str) -> int:
    """The count from midnight to the hour with the fewest rows, where a day is best cut."""
    hour = UNITS["day"] // 24 // UNITS[unit]
    rows = np.bincount(np.minimum(place // max(1, hour), 23).astype(np.int64), minlength=24)
    return int(np.argmin(rows + np.roll(rows, -1) + np.roll(rows, 1))) * int(hour)


def _numbers(known: np.ndarray, values: np.ndarray) -> list[np.ndarray]:
    """Numbers (n,) that a column is looked at by, NaN where they are missing."""
    import pandas as pd
    from scipy.stats import norm, rankdata

    n = len(known)

    def spread(own: np.ndarray) -> np.ndarray:
        full = np.full(n, np.nan)
        full[known] = own
        return full

    if values.dtype.kind in "iuf":
        return [spread(norm.ppf((rankdata(values) - 0.5) / max(1, len(values))))]
    codes, _ = pd.factorize(values)
    frequent = np.argsort(-np.bincount(codes), kind="stable")[:_MOST_LEVELS] if len(codes) else []
    indicators = [(codes == level) * 1.0 for level in frequent]
    return [spread((x - x.mean()) / x.std()) for x in indicators if x.std() > 0]


def _shows(
    bins: np.ndarray,
    number: np.ndarray,
    counts: np.ndarray,
    numbers: list[np.ndarray],
    period: str,
) -> bool:
    """Whether a period shows in how many rows there are, or in the numbers of other columns.

    Args:
        bins: (n,) place of each row in its period.
        number: (n,) of its period.
        counts: (n,) dates.
        numbers: (n,) of other columns each, about normal, NaN where missing.
        period: one of ``PERIODS``.
    """
    _, number = np.unique(number, return_inverse=True)
    periods = int(number.max()) + 1
    if periods < _FEWEST[period] or len(np.unique(bins)) < 2:
        return False
    fold = number * min(_FOLDS, periods) // periods
    whole = (number > 0) & (number < periods - 1)  # the first and the last may be cut off
    tested = len(numbers) + 1
    if _beyond_chance(_gain_of_rows(bins[whole], fold[whole], _BINS[period]), tested):
        return True
    line = (counts - counts.mean()) / max(1e-300, counts.std())
    for y in numbers:
        known = np.isfinite(y)
        if known.sum() < 2 * _BINS[period]:
            continue
        own, of = y[known], number[known]
        slope = line[known] - line[known].mean()
        own = own - own.mean() - slope * (slope @ own) / max(1e-300, float(slope @ slope))
        if known.sum() >= _A_PERIOD * periods:
            rows = np.bincount(of, minlength=periods)
            own = own - (np.bincount(of, own, periods) / np.maximum(rows, 1))[of]
        if _beyond_chance(_gain_of_values(own, bins[known], fold[known]), tested):
            return True
    return False


def _gain_of_rows(bins: np.ndarray, fold: np.ndarray, count: int) -> np.ndarray:
    """Nats a row that places are more probable by those of other folds than evenly, by fold."""
    rows = np.zeros((int(fold.max(initial=0)) + 1, count))
    np.add.at(rows, (fold, bins), 1.0)
    rows = rows[rows.sum(1) > 0]
    other = rows.sum(0) - rows + 1.0
    share = other / other.sum(1, keepdims=True)
    return (rows * np.log(share * count)).sum(1) / rows.sum(1)


def _gain_of_values(y: np.ndarray, bins: np.ndarray, fold: np.ndarray) -> np.ndarray:
    """Nats a row that values are more probable with means of their places in other folds."""
    folds, count = int(fold.max()) + 1, int(bins.max()) + 1
    total, rows = np.zeros((folds, count)), np.zeros((folds, count))
    np.add.at(total, (fold, bins), y)
    np.add.at(rows, (fold, bins), 1.0)
    mean = (total.sum(0) - total) / (rows.sum(0) - rows + 5.0)  # shrunk as by five more rows
    variance = max(float(y.var()), 1e-12)
    gain = (y**2 - (y - mean[fold, bins]) ** 2) / (2 * variance)
    there = np.bincount(fold, minlength=folds)
    return (np.bincount(fold, gain, folds) / np.maximum(there, 1))[there > 0]


def _beyond_chance(gain: np.ndarray, tested: int) -> bool:
    """Whether gains (F,) of as many folds are large enough, and beyond chance, one-sided."""
    from scipy.stats import t

    if len(gain) < 2 or gain.mean() < _GAIN:
        return False
    statistic = gain.mean() / max(1e-12, float(gain.std(ddof=1)) / len(gain) ** 0.5)
    return bool(t.sf(statistic, len(gain) - 1) < _CHANCE / tested)
