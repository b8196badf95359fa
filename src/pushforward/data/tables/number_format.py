"""Numbers written as text: decimal commas, groups of thousands, currencies, percent, units."""

import re
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["GROUPS", "NumberFormat", "is_blank", "too_odd"]

# What people write where a number is missing; compared without case and outer blanks.
MISSING_WORDS = frozenset(
    (
        *("", "?", "-", "--", "---", ".", "..", "*", "n/a", "na", "#n/a", "n.a.", "nan"),
        *("null", "none", "nil", "missing", "unknown", "not available", "tbd", "#value!"),
        *("#div/0!", "\\n"),
    )
)
ODD = 0.05  # share of cells that are neither numbers nor such words, at most
FEW_WORDS, ODD_WORDS = 3, 0.25  # or this share, where they are the same few words without a digit
MANY = 20  # beside at least so many different numbers
MOST_GAPS = 0.9  # share of cells that are no numbers at all, at most
SPACES = " \u00a0\u202f"
CURRENCY = "$€£¥₹"
# thousands, millions, billions: of money only, for "12B" may be a door
SCALES = {"K": 3, "M": 6, "B": 9, "k": 3, "m": 6, "b": 9}
# kg, °C, km/h, m², bhp: read where all numbers of a column have the same one
UNIT = r"(?:°[^\W\d_]?|[^\W\d_]{1,12})(?:/[^\W\d_]{1,4})?[²³]?"
CODES = "USD|EUR|GBP|JPY|CNY|CHF|INR|CAD|AUD|NZD|SEK|NOK|DKK|PLN|CZK|BRL|MXN|ZAR|KRW|SGD|HKD|kr|Rs"
CELL = re.compile(
    rf"^(?P<open>\()?(?P<sign>[-+\u2212])?(?P<prefix>[A-Z]{{0,2}}[{CURRENCY}]|{CODES})?"
    rf"(?P<left>[{SPACES}]*)(?P<inner>[-\u2212])?"
    rf"(?P<body>(?:\d[\d.,'{SPACES}]*\d|\d)\.?|[.,]\d+)(?P<power>[eE][-+]?\d+)?"
    rf"(?P<right>[{SPACES}]*)(?P<suffix>%|[{CURRENCY}]|{CODES}|[{''.join(SCALES)}]|{UNIT})?(?P<close>\))?$"
)
GROUPS = {
    "": re.compile(r"^\d+$"),
    ",": re.compile(r"^\d{1,3}(,\d{3})+$"),
    ".": re.compile(r"^\d{1,3}(\.\d{3})+$"),
    "'": re.compile(r"^\d{1,3}('\d{3})+$"),
    **{space: re.compile(rf"^\d{{1,3}}({space}\d{{3}})+$") for space in SPACES},
}


@dataclass(frozen=True)
class NumberFormat:
    """How the numbers of a text column are written.

    Attributes:
        decimal: the decimal mark, "." or ",".
        thousands: what groups of three digits are separated by, "" for nothing.
        prefix: text before a number, such as "$".
        suffix: text after a number, such as "%" or " kg", or "M" of "$1.5M", whose number is 1.5.
        parentheses: whether negative numbers stand in parentheses.
        places: decimals of every number, None where they vary.
        scaled: whether K, M and B after a number multiply it, as in "$617K" beside "$1.5M".

    Examples:
        >>> cells = np.array(["$1,234.50", "$7.25", "n/a"], dtype=object)
        >>> how = NumberFormat.learn(cells)
        >>> how.parse(cells).tolist()
        [1234.5, 7.25, nan]
        >>> how.write(np.array([1e6])).tolist()
        ['$1,000,000.00']
    """

    decimal: str = "."
    thousands: str = ""
    prefix: str = ""
    suffix: str = ""
    parentheses: bool = False
    places: int | None = None
    scaled: bool = False

    @classmethod
    def learn(cls, cells: np.ndarray, *, declared: bool = False) -> "NumberFormat | None":
        """Find the format of text cells, shape (n,) and none missing; None if they are no numbers.

        Nearly all cells have to be numbers in one format. Codes stay text: whole numbers with a
        leading zero or more than 15 digits, and those of few values or of one length without
        anything that only a number has.
        """
        texts = [str(cell).strip() for cell in cells]
        counted = Counter(texts)
        few = list(counted)[:200]
        if sum(_matched(text) is not None for text in few) < (1 - MOST_GAPS) / 2 * len(few):
            return None
        found = {text: match for text in counted if (match := _matched(text))}
        if not found:
            return None
        n_numbers = sum(counted[text] for text in found)
        odd = len(texts) - n_numbers
        if odd > MOST_GAPS * len(texts) or (not declared and too_odd(counted, found)):
            return None
        how = cls._of(list(found.values()))
        if how is None:
            return None
        bodies = [match["body"] for match in found.values()]
        if not declared and any(
            len(body) > 1 and body[0] == "0" and body[1].isdigit() for body in bodies
        ):
            return None
        plain = how == cls() or how == cls(places=0)
        digits = [body for body in bodies if body.isdigit()]
        if not declared and plain and len(digits) == len(bodies):
            if any(len(body) > 15 for body in bodies):
                return None
            lengths = {len(body) for body in bodies}
            codes = len(bodies) <= 30 or (len(lengths) == 1 and lengths != {1, 2, 3})
            if not odd and codes:
                return None
        parsed = how.parse(cells)
        kept = int(np.isfinite(parsed).sum())
        return how if kept and kept >= n_numbers - ODD * len(texts) else None

    @classmethod
    def _of(cls, matches: list[re.Match]) -> "NumberFormat | None":
        def common(part: str) -> str:
            held = Counter(match[part] or "" for match in matches)
            word, count = held.most_common(1)[0]
            return word if count >= (1 - ODD) * len(matches) else "\0"

        scales = {(match["suffix"] or "").upper() for match in matches}
        scaled = len(scales) > 1 and scales <= {*SCALES, ""}
        prefix, suffix = common("prefix"), "" if scaled else common("suffix")
        prefix += Counter(match["left"] for match in matches).most_common(1)[0][0] * bool(prefix)
        suffix = Counter(match["right"] for match in matches).most_common(1)[0][0] + suffix
        if "\0" in prefix + suffix:
            return None
        bodies = [match["body"] for match in matches]
        marks = _marks(bodies)
        if marks is None:
            return None
        decimal, thousands = marks
        places = {len(body.partition(decimal)[2]) for body in bodies}
        powers = any(match["power"] for match in matches)
        return cls(
            decimal,
            thousands,
            prefix,
            suffix,
            any(match["open"] and match["close"] for match in matches),
            places.pop() if len(places) == 1 and not powers and not scaled else None,
            scaled,
        )

    def parse(self, cells: np.ndarray) -> np.ndarray:
        """Return float64 of shape (n,), NaN for cells that are no numbers in this format."""
        known: dict[Any, float] = {}
        out = np.full(len(cells), np.nan)
        for i, cell in enumerate(cells):
            if not isinstance(cell, (str, int, float, np.number)):
                continue
            if cell not in known:
                known[cell] = self._number(cell)
            out[i] = known[cell]
        return out

    def _number(self, cell: Any) -> float:
        if isinstance(cell, (int, float, np.number)) and not isinstance(cell, bool):
            return float(cell)
        match = _matched(str(cell).strip()) if isinstance(cell, str) else None
        if match is None or bool(match["open"]) != bool(match["close"]):
            return np.nan
        suffix, own, power = self.suffix.strip(), match["suffix"] or "", match["power"] or ""
        if self.scaled and own in SCALES and not power:
            power = f"e{SCALES[own]}"
        # without its letter, a number of millions would be another number
        elif own not in ((suffix,) if suffix in SCALES else (suffix, "")):
            return np.nan
        if (match["prefix"] or "") not in (self.prefix.strip(), ""):
            return np.nan
        whole, mark, rest = match["body"].partition(self.decimal)
        grouped = not whole or whole.isdigit() or bool(GROUPS[self.thousands].match(whole))
        if not grouped or (mark and rest and not rest.isdigit()):
            return np.nan
        whole = whole.replace(self.thousands, "") if self.thousands else whole
        value = float(f"{whole or '0'}.{rest or '0'}{power}")
        negative = bool(match["open"]) or bool(match["inner"]) or match["sign"] in ("-", "\u2212")
        return -value if negative else value

    def write(self, values: np.ndarray) -> np.ndarray:
        """Return the numbers as text: objects of shape (n,)."""
        return np.array([self._text(float(value)) for value in values], dtype=object)

    def _text(self, value: float) -> str:
        size, scale = abs(value), ""
        if self.scaled and size >= 1000:
            scale = next(letter for letter in "BMK" if size >= 10 ** SCALES[letter])
            size = float(f"{size / 10 ** SCALES[scale]:.12g}")
        if self.places is not None:
            text = f"{size:,.{self.places}f}"
        elif size == round(size) and size < 1e15:
            text = f"{size:,.0f}"
        else:
            digits = np.format_float_positional(size, trim="-")
            text = f"{int(digits.partition('.')[0]):,}.{digits.partition('.')[2]}"
        whole, mark, rest = text.partition(".")
        text = whole.replace(",", self.thousands) + (self.decimal if mark else "") + rest
        text = f"{self.prefix}{text}{scale}{self.suffix}"
        negative = value < 0 and any(digit in text for digit in "123456789")
        if not negative:
            return text
        return f"({text})" if self.parentheses else f"-{text}"


def _matched(text: str) -> re.Match | None:
    """The parts of a number, or None for what is none."""
    match = CELL.match(text)
    if match is None or (match["suffix"] or "%") not in SCALES:
        return match
    return match if match["prefix"] else None


def is_blank(text: str) -> bool:
    """Whether a cell says in a common word that its number is missing.

    >>> is_blank(" N/A "), is_blank("12")
    (True, False)
    """
    return text.strip().lower() in MISSING_WORDS


def too_odd(counted: Mapping[str, int], found: Collection[str]) -> bool:
    """Whether a column has too many cells that are neither values nor say that one is missing.

    Args:
        counted: how often each text stands in the column.
        found: the texts that are values: numbers or dates.

    >>> days = {f"2024-01-{day:02d}": 4 for day in range(1, 32)}
    >>> too_odd(days | {"still open": 20}, days), too_odd(days | {"32nd": 20}, days)
    (False, True)
    """
    found = set(found)
    odd = {text: k for text, k in counted.items() if text not in found and not is_blank(text)}
    words = len(odd) <= FEW_WORDS and not any(map(str.isdigit, "".join(odd)))
    most = ODD_WORDS if words and len(found) >= MANY else ODD
    return sum(odd.values()) > most * sum(counted.values())


def _marks(bodies: list[str]) -> tuple[str, str] | None:
    """Decimal mark and separator of thousands of numbers without their signs; None if unclear."""
    dots, commas = (sum(mark in body for body in bodies) for mark in ".,")
    spaced = [mark for mark in ("'", *SPACES) if any(mark in body for body in bodies)]
    if len(spaced) > 1:
        return None
    if spaced:
        decimal = "," if commas >= dots and commas else "."
        return decimal, spaced[0]
    if dots and commas:
        both = [body for body in bodies if "." in body and "," in body]
        if both:
            last = Counter(
                max(body.rfind("."), body.rfind(",")) == body.rfind(".") for body in both
            )
            decimal = "." if last.most_common(1)[0][0] else ","
        else:  # 1,234 and 5.5: the mark that only separates groups of three is not decimal
            grouped = all(GROUPS[","].match(body) for body in bodies if "," in body)
            decimal = "." if grouped else ","
        return decimal, "," if decimal == "." else "."
    mark = "," if commas else "."
    held = [body for body in bodies if mark in body]
    if not held:
        return ".", ""
    grouped = all(GROUPS[mark].match(body) and body[0] != "0" for body in held)
    several = any(body.count(mark) > 1 for body in held)
    if grouped and (several or mark == ","):
        return (".", ",") if mark == "," else (",", ".")
    return (mark, "") if not several else None
