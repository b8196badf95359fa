"""The patterns that dates and times are written in, found in texts and parsed."""

import re
from collections import Counter
from collections.abc import Collection
from datetime import date
from functools import cache
from typing import Any

import numpy as np

from .durations import is_duration

__all__ = [
    "CALENDAR",
    "OFFSETS",
    "TIMES",
    "century_of",
    "dates_of",
    "fractions_of",
    "known_pattern",
    "letters_of",
    "moments_of",
    "moved_to",
    "offset_of",
    "patterns_of",
    "shape_of",
]

DAYS = (
    *("%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y"),
    *("%m-%d-%Y", "%d.%m.%y", "%d/%m/%y", "%m/%d/%y", "%d %b %Y", "%d %B %Y", "%b %d, %Y"),
    *("%B %d, %Y", "%b %d %Y", "%d-%b-%Y", "%d-%b-%y", "%a %b %d %Y", "%Y%m%d"),
)
CLOCKS = ("", *(f"{gap}{clock}{zone}" for gap in (" ", "T") for clock in (
    "%H:%M:%S.%f", "%H:%M:%S", "%H:%M", "%I:%M:%S %p", "%I:%M %p", "%I:%M:%S%p", "%I:%M%p"
) for zone in ("", "Z", " UTC", " GMT", "%z", " %z")))  # fmt: skip
_AHEAD = 20  # years from now that dates of two-digit years may lie in the future
MONTHS = ("%Y-%m", "%Y/%m", "%m/%Y", "%b %Y", "%B %Y", "%b-%Y", "%b-%y")
TIMES = ("%H:%M:%S.%f", "%H:%M:%S", "%H:%M", "%I:%M %p", "%I:%M:%S %p", "%I:%M%p", "%I:%M:%S%p")
PARTS = {
    "%Y": r"[12]\d{3}", "%m": r"(?:0?[1-9]|1[0-2])", "%d": r"(?:0?[1-9]|[12]\d|3[01])",
    "%y": r"\d{2}", "%b": r"(?:[A-Za-z]{3}|[Ss][Ee][Pp][Tt])\.?", "%B": r"[A-Za-z]{3,9}\.?",
    "%a": r"[A-Za-z]{3}",
    "%H": r"(?:[01]?\d|2[0-3])", "%I": r"(?:0?[1-9]|1[0-2])", "%M": r"[0-5]\d", "%S": r"[0-5]\d",
    "%f": r"\d{1,9}", "%z": r"[+-]\d{2}(?::?\d{2})?", "%p": r"[AaPp][Mm]",
}  # fmt: skip
# March, Mar. and Sept. beside each other: the names of months by their first three letters
NAMED = re.compile(
    r"\b(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)"
    r"(?:uary|ruary|ch|il|e|y|ust|t|tember|ober|ember)?\b\.?",
    re.IGNORECASE,
)
OFFSETS = {"+00:00": "{:02d}:{:02d}", "+0000": "{:02d}{:02d}", "+00": "{:02d}"}
CALENDAR = {"%Y%m%d": (19_000_101, 22_001_231), "%Y%m": (190_001, 220_012)}


def letters_of(texts: list[str], pattern: str) -> str:
    """Whether names are written in small letters or in capitals; AM and PM are so anyway."""
    if all(text == text.lower() for text in texts):
        return "small" if re.search("%[abBp]", pattern) else "mixed"
    capital = all(text == text.upper() for text in texts)
    return "capital" if capital and re.search("%[abB]", pattern) else "mixed"


def offset_of(texts: list[str]) -> tuple[int, str]:
    """Minutes from UTC that most texts end in, and which of ``OFFSETS`` writes it."""
    found = Counter(text[max(text.rfind("+"), text.rfind("-")) :] for text in texts)
    text = found.most_common(1)[0][0]
    form = re.sub(r"\d", "0", text).replace("-", "+")
    digits = text[1:].replace(":", "").ljust(4, "0")
    minutes = int(digits[:2]) * 60 + int(digits[2:])
    return -minutes if text[0] == "-" else minutes, form


def known_pattern(pattern: str) -> bool:
    """Whether a pattern is one that texts or whole numbers are read by."""
    return pattern in CALENDAR or pattern in _every_pattern() or is_duration(pattern)


@cache
def _every_pattern() -> tuple[str, ...]:
    return (*(f"{day}{clock}" for day in DAYS for clock in CLOCKS), *MONTHS, *TIMES)


@cache
def shape_of(pattern: str) -> re.Pattern:
    """The regular expression of texts that a pattern may parse."""
    if pattern == "%Y%m%d":
        return re.compile(r"^(?:19|20|21)\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])$")
    expression = re.escape(pattern).replace(re.escape(".%f"), "(?:" + re.escape(".%f") + ")?")
    for mark, part in PARTS.items():
        expression = expression.replace(re.escape(mark), part)
    return re.compile(f"^{expression}$")


def patterns_of(texts: list[str]) -> list[str]:
    """The patterns whose shape most of a few texts have."""
    digits = [text for text in texts if any(map(str.isdigit, text))]
    if len(digits) < len(texts) / 2 or not texts:
        return []
    some = digits[:: max(1, len(digits) // 10)]  # spread: odd cells stand together in sorted rows
    shapes = ((pattern, shape_of(pattern)) for pattern in _every_pattern())
    return [
        pattern
        for pattern, shape in shapes
        if any(shape.match(text) for text in some)
        and sum(shape.match(text) is not None for text in texts) >= len(texts) / 2
    ]


def moments_of(cells: Any, pattern: str) -> Any:
    """Text as moments in UTC; NaT for what does not have the pattern."""
    import pandas as pd

    # A file of dates like 20240131 alone is read as whole numbers.
    texts = cells.map(lambda cell: str(cell) if isinstance(cell, (str, int, np.integer)) else None)
    stripped = texts.astype(object).str.strip()
    if "%b" in pattern or "%B" in pattern:
        stripped = stripped.str.replace(NAMED, r"\1", regex=True)
        pattern = pattern.replace("%B", "%b")
    if pattern in TIMES:
        stripped, pattern = "1970-01-01 " + stripped, f"%Y-%m-%d {pattern}"
    moments = pd.to_datetime(stripped, format=pattern, errors="coerce", utc=True)
    if ".%f" in pattern and moments.isna().any():
        whole = pattern.replace(".%f", "")
        return moments.fillna(pd.to_datetime(stripped, format=whole, errors="coerce", utc=True))
    return moments


def century_of(years: Any) -> int:
    """First of the hundred years in which years, known by two digits, lie closest together.

    >>> century_of(np.array([2048, 2068, 1969, 2004])), century_of(np.array([2020, 2031]))
    (1948, 2020)
    """
    last = np.unique(np.asarray(years) % 100)
    gaps = np.diff(last, append=last[0] + 100)
    first = int(last[(int(gaps.argmax()) + 1) % len(last)])
    span = 100 - int(gaps.max())
    latest = date.today().year + _AHEAD - span
    return latest - (latest - first) % 100


def moved_to(since: int, moments: Any) -> Any:
    """Moments of 1969 to 2068 in the hundred years from another."""
    import pandas as pd

    years = moments.dt.year
    away = since + (years - since) % 100 - years
    for century in away.dropna().unique():
        if century:
            there = away == century
            moved = moments + pd.DateOffset(years=int(century))
            moved = moved.where(moved.dt.day == moments.dt.day)  # 1900 had no 29 February
            moments = moments.where(~there, moved)
    return moments


def fractions_of(texts: list[str], pattern: str = r"\.(\d+)") -> tuple[int, str]:
    """Digits of fractions of a second at most, and which of ``FRACTIONS`` writes such texts."""
    found = [re.search(pattern, text) for text in texts]
    digits = [match[1] if match else "" for match in found]
    places = max(map(len, digits))
    if all(len(part) == places for part in digits):
        return places, "full"
    if all(len(part) in (0, places) for part in digits):
        return places, "whole"
    return places, "short"


def dates_of(pattern: str, texts: Collection[str]) -> list[str]:
    """Those of the texts that are dates in a pattern."""
    import pandas as pd

    shaped = [text for text in texts if shape_of(pattern).match(text)]
    good = moments_of(pd.Series(shaped, dtype=object), pattern).notna()
    return [text for text, fine in zip(shaped, good, strict=True) if fine]
