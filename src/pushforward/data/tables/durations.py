"""Durations as text: 37:15:20, 28:39, 0 days 07:57:15, PT28M39S, 7h 57m.

A pattern says how a column writes them, such as ``[{h}h ][{m}m]``: a field in braces for each
number (D, h, m or s, doubled where it has two digits at least, as it always has after a colon),
``.{f}`` for fractions of a second, brackets around what is left out where it is zero, ``(s)`` for
a plural. The first field counts as far as it has to: hours beyond 24, minutes beyond 60.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import cache

import numpy as np

__all__ = ["is_duration", "learn_duration", "read_durations", "write_durations"]

SIZES = {"D": 86_400 * 10**9, "h": 3_600 * 10**9, "m": 60 * 10**9, "s": 10**9}  # nanoseconds
WORDS = {
    "D": "d|[Dd]ays?",
    "h": "h|[Hh]rs?|[Hh]ours?",
    "m": "m|[Mm]ins?|[Mm]inutes?",
    "s": "s|[Ss]ecs?|[Ss]econds?",
}
DIGITS = r"\d{1,12}"  # more are no duration of this world
FRACTION = r"(?P<f>\.\d{1,9})?"
CLOCK = rf"(?P<h>{DIGITS}):(?P<m>[0-5]\d):(?P<s>[0-5]\d){FRACTION}"
STYLES = {
    "hours": re.compile(rf"(?P<sign>-?){CLOCK}"),
    "minutes": re.compile(
        rf"(?P<sign>-?)(?:(?P<h>{DIGITS}):(?=[0-5]\d:))?(?P<m>{DIGITS}):(?P<s>[0-5]\d){FRACTION}"
    ),
    "days": re.compile(
        r"(?=.)(?:(?P<D>[+-]?\d{1,12})(?P<D_word> days?)(?:(?P<D_gap>,? )(?=[-+\d])|$))?"
        rf"(?:(?P<sign>[+-]?){CLOCK})?"
    ),
    "iso": re.compile(
        r"(?P<sign>-?)P(?=[\dT])(?:(?P<D>\d{1,12})(?P<D_word>D))?"
        rf"(?:T(?=\d)(?:(?P<h>{DIGITS})(?P<h_word>H))?(?:(?P<m>{DIGITS})(?P<m_word>M))?"
        rf"(?:(?P<s>{DIGITS}){FRACTION}(?P<s_word>S))?)?"
    ),
    "words": re.compile(
        r"(?P<sign>-?)(?=\d)"
        + "".join(
            rf"(?:(?P<{unit}>{DIGITS}){FRACTION if unit == 's' else ''}"
            rf"(?P<{unit}_word> ?(?:{words}))(?P<{unit}_gap>,? ?(?:and )?(?=\d)|$))?"
            for unit, words in WORDS.items()
        )
    ),
}
FIELD = re.compile(
    r"(?P<before>P?T?)(?P<optional>\[)?\{(?P<unit>[Dhms])(?P<double>(?P=unit)?)\}"
    r"(?P<fraction>(?:\.\{f\})?)(?P<word>[^]\[{}T]*)(?(optional)\])"
)


def learn_duration(
    counted: Mapping[str, int], few: Sequence[str], least: int = 0
) -> tuple[str, list[str]] | None:
    """Find the pattern of texts, and those that are durations; None where hardly any are.

    Clock times up to 24 hours alone, or numbers of one unit, are no durations. Two parts are
    minutes and seconds, if some are above 24:00 or have fractions of a second.

    Args:
        counted: how often each text stands in the column.
        few: some of the texts: half of them have to be durations.
        least: cells that are something else; durations have to be more.

    >>> learn_duration({"7h 57m": 3, "26h": 1, "n/a": 1}, ["7h 57m", "26h"])
    ('[{h}h ][{m}m]', ['7h 57m', '26h'])
    """
    best = None
    for style, shape in STYLES.items():
        if sum(map(bool, map(shape.fullmatch, few))) < max(1, len(few) / 2):
            continue
        texts = [text for text in counted if _span(style, text) is not None]
        hits = sum(counted[text] for text in texts)
        if hits > least and _evident(style, found := [_parts(style, text) for text in texts]):
            weights = [counted[text] for text in texts]
            best, least = (_pattern(style, found, weights), texts), hits
    return best


def is_duration(pattern: str) -> bool:
    """Whether a pattern is one of durations.

    >>> is_duration("{D} days {hh}:{mm}:{ss}"), is_duration("%H:%M"), is_duration("{h}x")
    (True, False, False)
    """
    return _style(pattern) is not None


def read_durations(cells: Iterable, pattern: str) -> tuple[np.ndarray, np.ndarray]:
    """Return (int64 nanoseconds, mask of cells that are no durations), shape (n,) each.

    >>> read_durations(["0:45", "1:02:03", "soon"], "[{h}:]{m}:{ss}")[0] // 10**9
    array([  45, 3723,    0])
    """
    style = _style(pattern)
    assert style is not None
    texts = [cell.strip() if isinstance(cell, str) else "" for cell in cells]
    spans = {text: _span(style, text) for text in set(texts)}
    found = [spans[text] for text in texts]
    bad = np.array([span is None for span in found], dtype=bool)
    return np.array([span or 0 for span in found], dtype=np.int64), bad


def write_durations(spans: np.ndarray, pattern: str, places: int, fraction: str) -> np.ndarray:
    """Return nanoseconds, shape (n,), as texts; what the pattern has no field for is cut off.

    Args:
        spans: int64 nanoseconds.
        pattern: one that :func:`is_duration`.
        places: digits of fractions of a second, at most.
        fraction: how these are written, one of ``FRACTIONS`` of :mod:`.dates`.

    >>> write_durations(np.array([134_120 * 10**9]), "{h}:{mm}:{ss}", 6, "full").tolist()
    ['37:15:20']
    """
    distinct, place = np.unique(spans, return_inverse=True)
    texts = [_write(int(span), pattern, places, fraction) for span in distinct]
    return np.array(texts, dtype=object)[place]


def _span(style: str, text: str) -> int | None:
    """Nanoseconds of a text; None where it is no duration of a style, or above 292 years."""
    match = STYLES[style].fullmatch(text)
    if match is None:
        return None
    part = match.groupdict()
    days, *others = (int(part.get(unit) or 0) * size for unit, size in SIZES.items())
    rest = sum(others) + int((part["f"] or ".")[1:].ljust(9, "0"))
    sign = -1 if part["sign"] == "-" else 1
    total = days + sign * rest if style == "days" else sign * (days + rest)
    return total if abs(total) < 2**63 else None


def _parts(style: str, text: str) -> dict[str, str]:
    """The numbers of a duration, their words and gaps; only those that it has."""
    match = STYLES[style].fullmatch(text)
    assert match is not None
    return {name: part for name, part in match.groupdict().items() if part is not None}


def _evident(style: str, found: Sequence[Mapping[str, str]]) -> bool:
    """Whether some are no times of the day, not even 24:00, and no numbers of one unit."""
    if style == "hours":
        return any((int(part["h"]), part["m"], part["s"]) > (24, "00", "00") for part in found)
    if style == "minutes":
        two = [part for part in found if "h" not in part]
        return any((int(part["m"]), part["s"]) > (24, "00") or "f" in part for part in two)
    if style == "days":
        return any("D" in part for part in found) and any("h" in part for part in found)
    if style == "iso":
        return any(part.keys() & {"h", "m", "s"} for part in found)
    return any(len(part.keys() & SIZES.keys()) > 1 for part in found)


def _pattern(style: str, found: Sequence[Mapping[str, str]], weights: Sequence[int]) -> str:
    """The pattern that durations are written in, given their parts and how often each is there."""
    pattern = "P" if style == "iso" else ""
    units = {unit for part in found for unit in part.keys() & SIZES.keys()}
    some_lack = any(not units <= part.keys() for part in found)
    for unit in SIZES:
        having = [(part, k) for part, k in zip(found, weights, strict=True) if unit in part]
        if not having:
            continue
        numbers = [part[unit] for part, _ in having]
        double = min(map(len, numbers)) > 1 and any(number[0] == "0" for number in numbers)
        field = f"{{{unit * 2 if double else unit}}}"
        if unit == "s" and any("f" in part for part in found):
            field += ".{f}"
        lacking = len(having) < len(found)
        if style in ("iso", "words"):  # where others are left out, one that was never zero is too
            lacking = lacking or (some_lack and all(map(int, numbers)))
        optional = lacking and (style != "days" or unit == "D")
        if f"{unit}_word" in having[0][0]:
            field += _word(unit, having, style == "days" and not optional)
        elif unit != "s":
            field += ":"
        if style == "iso" and unit != "D" and "T" not in pattern:
            pattern += "T"
        pattern += f"[{field}]" if optional else field
    return pattern


def _word(unit: str, having: Sequence[tuple[Mapping[str, str], int]], always: bool) -> str:
    """The word after the numbers of a unit, and the gap that follows.

    Args:
        unit: the unit.
        having: the parts of durations that have it, and how often each is there.
        always: whether the word is the same for 1, unless the durations show that it is not.
    """
    one, more, gaps = Counter[str](), Counter[str](), Counter[str]()
    for part, count in having:
        (one if abs(int(part[unit])) == 1 else more)[part[f"{unit}_word"]] += count
        if gap := part.get(f"{unit}_gap"):
            gaps[gap] += count
    word = (more or one).most_common(1)[0][0]
    if len(word.strip()) > 1:
        singular = word.removesuffix("s")
        changes = not one.keys() - {singular} if one else not always
        if (word != singular or not more) and changes:
            word = f"{singular}(s)"
    return word + (gaps.most_common(1)[0][0] if gaps else "")


@cache
def _fields(pattern: str) -> tuple[re.Match, ...]:
    return tuple(FIELD.finditer(pattern))


@cache
def _style(pattern: str) -> str | None:
    """The style of a pattern, which reads what it writes; None for other texts."""
    fields = _fields(pattern)
    units = "".join(field["unit"] for field in fields)
    if "".join(field[0] for field in fields) != pattern or not re.fullmatch("D?h?m?s?", units):
        return None
    if not units:
        return None
    sizes = [SIZES[unit] for unit in units]
    spans = [0, sizes[-1], 11 * sizes[-1], sum(sizes), 11 * sum(sizes)]
    texts = [_write(span, pattern, 6, "full") for span in spans]
    return next((s for s in STYLES if [_span(s, text) for text in texts] == spans), None)


def _write(span: int, pattern: str, places: int, fraction: str) -> str:
    """A duration of a number of nanoseconds as text."""
    fields = _fields(pattern)
    clocked = ":" in pattern and fields[0]["unit"] == "D"  # -1 days +23:59:00
    text, rest = "" if clocked or span >= 0 else "-", span if clocked else abs(span)
    written = False
    for field in fields:
        number, rest = divmod(rest, SIZES[field["unit"]])
        text += field["before"]
        last = field is fields[-1]
        decimals = field["fraction"] and _decimals(rest, places, fraction)
        zero = number == 0 and not (field["fraction"] and rest)
        if field["optional"] and zero and not (last and not written):
            continue
        written = True
        digits = f"{number:02d}" if field["double"] or text.endswith(":") else str(number)
        word = field["word"].replace("(s)", "" if abs(number) == 1 else "s")
        text += digits + decimals + word
        if number < 0 and word.endswith("s "):
            text += "+"
    return re.sub(r"(?:T|(?<=\w),? ?(?:and )?)$", "", text)


def _decimals(rest: int, places: int, fraction: str) -> str:
    """Nanoseconds below a second as text, with the mark before them; "" for none."""
    digits = f"{rest:09d}"[:places]
    if fraction == "short":
        digits = digits.rstrip("0")
    zero = not digits.strip("0") and fraction != "full"
    return "" if zero or not digits else f".{digits}"
