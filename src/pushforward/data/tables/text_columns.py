"""What the cells of a column of text are: whole numbers, numbers, truth values or text.

A column is made of numbers only where nothing is lost by it: zip codes with leading zeros and
numbers too long for 64 bits stay the text they are.
"""

import re
from collections import Counter
from collections.abc import Sequence

__all__ = ["NUMBER_WORDS", "TEXT_WORDS", "TextColumn"]

#: What a missing cell is called in a column of numbers, in lower case.
NUMBER_WORDS = frozenset(
    [
        *("", "?", "??", ".", "..", "...", "-", "--", "---", "\N{EN DASH}", "\N{EM DASH}"),
        *("na", "n/a", "n.a.", "<na>", "nan", "-nan", "+nan", "null", "nil", "none", "no data"),
        *("missing", "unknown", "undefined", "not available", "#n/a", "#n/a n/a", "#na", "#null!"),
        *("#value!", "#div/0!", "#ref!", "#num!", "1.#ind", "-1.#ind", "1.#qnan", "-1.#qnan"),
    ]
)
#: What it is called in a column of text: "None", "?" and "-" may be values there.
TEXT_WORDS = frozenset(
    ["", "NA", "N/A", "n/a", "#N/A", "#NA", "<NA>", "NaN", "nan", "-nan", "NULL", "null"]
)
_PARTS = (
    r"\s*(?:(?P<padded>[+-]?0\d+)|(?P<whole>[+-]?\d+)|"
    r"(?P<real>[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|(?:inf|Inf|INF)(?:inity)?))|"
    r"(?P<truth>True|TRUE|true|False|FALSE|false))\s*"
)
_CELL = {
    ".": re.compile(_PARTS, re.ASCII),
    # where commas are decimal, dots before every three digits separate thousands
    ",": re.compile(
        _PARTS.replace(r"\.", ",").replace(
            r"(?P<whole>", r"(?P<grouped>[+-]?[1-9]\d{0,2}(?:\.\d{3})+)|(?P<whole>"
        ),
        re.ASCII,
    ),
}
_EXACT = 2**53  # whole numbers up to here are exact in float64


class TextColumn:
    """Learns from a column's cells, chunk by chunk, by which dtype they are read.

    Args:
        decimal: the decimal mark.
        words: texts that mean a missing cell here, besides those of numbers; None stands for
            :data:`TEXT_WORDS`.
        family: what a fitted model knows this column as, or None.

    Attributes:
        missing: the missing cells by how they are written, counted.
        grouped: whether whole numbers have dots that separate thousands.
    """

    def __init__(self, decimal: str, words: Sequence[str] | None, family: str | None) -> None:
        self._decimal, self._match = decimal, _CELL[decimal].fullmatch
        self._given = frozenset(words or ())
        self._words = TEXT_WORDS if words is None else self._given | {""}
        self._family = family
        self._kinds: set[str] = set() if family in (None, "bool", "int", "float") else {"text"}
        self._gaps = self._any_cells = self.grouped = False
        self._low = self._high = 0
        self.missing: Counter[str] = Counter()

    def add(self, cells: Sequence[str]) -> None:
        """See some more cells."""
        distinct = set(cells)
        if self._plainly_real(distinct - {""}):
            self._kinds.add("real")
            self._any_cells = True
            distinct &= {""}
        for cell in distinct:
            kind = self._kind(cell)
            if kind == "missing":
                self.missing[cell] += cells.count(cell)
            else:
                self._kinds.add(kind)
                self._any_cells = True

    def _plainly_real(self, cells: set[str]) -> bool:
        """Whether all cells are numbers, one of them with a point: seen fast, most often so."""
        text = "".join(cells)
        if self._decimal == ",":
            if "." in text:
                return False
            cells, text = {cell.replace(",", ".") for cell in cells}, text.replace(",", ".")
        if "." not in text or self._given or "text" in self._kinds or not text.isascii():
            return False
        if any(mark in text for mark in "_nN"):  # float knows 1_000, nan and inf
            return False
        try:
            for cell in cells:
                float(cell)
        except ValueError:
            return False
        return True

    def add_gap(self) -> None:
        """See a record that ends before this column."""
        self._gaps = True

    def _kind(self, cell: str) -> str:
        word = cell.strip()
        if not word or word in self._given:
            return "missing"
        if "text" in self._kinds:
            return "missing" if word in self._words else "text"
        if found := self._match(cell):
            kind = str(found.lastgroup)
            if kind == "grouped":
                self.grouped, kind, word = True, "whole", word.replace(".", "")
            if kind in ("whole", "padded"):
                number = int(word) if len(word) < 40 else 10**40
                self._low, self._high = min(self._low, number), max(self._high, number)
            return kind
        return "missing" if word in self._words or word.lower() in NUMBER_WORDS else "text"

    @property
    def empty(self) -> bool:
        """Whether no cell holds anything."""
        return not self._any_cells and self.dtype == "float64"

    @property
    def dtype(self) -> str:
        """The dtype of pandas that holds all cells seen."""
        kinds = self._kinds
        if not kinds:  # words alone are text: a column of numbers has some
            return "float64" if all(c.strip() in self._words for c in self.missing) else "str"
        if "text" in kinds or (len(kinds) > 1 and "truth" in kinds):
            return "str"
        gaps = self._gaps or bool(self.missing)
        if kinds == {"truth"}:
            return "boolean" if gaps else "bool"
        if "real" in kinds:
            return "float64"
        if "padded" in kinds and self._family is None:
            return "str"
        if self._low < -(2**63) or self._high >= (2**64 if self._low >= 0 else 2**63):
            return "str"
        signed = self._high < 2**63
        if not gaps:
            return "int64" if signed else "uint64"
        if max(-self._low, self._high) <= _EXACT:
            return "float64"
        return "Int64" if signed else "UInt64"

    def missing_as_read(self) -> list[str]:
        """The texts that are missing cells under :attr:`dtype`, as they stand in the file."""
        if self.dtype != "str":
            return list(self.missing)
        return [cell for cell in self.missing if cell.strip() in self._words]
