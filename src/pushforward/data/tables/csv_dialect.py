"""How a file of text is written: found from its first lines.

Candidates are parsed by Python's csv module and compared by how even the records and how plain
the cells are that they give, as in van den Burg, Nazabal and Sutton, "Wrangling messy CSV files
by detecting row and type patterns", 2019.
"""

import csv
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from .header import blank, is_names
from .reading_options import Expected, ReadingOptions

__all__ = ["Dialect", "Format", "sniff"]

SEPARATORS = (",", ";", "\t", "|")
SHOWN = 40  # characters of a line that a note quotes
SAMPLED = 60  # records, and cells of each, that candidates are judged by
# blanks are spaces and tabs, as for pandas; other white space belongs to a cell
_TOKEN = re.compile(r'"(?:[^"]|"")*"(?![^ \t\r\n])|[^ \t\r\n]+')
_EITHER = re.compile(r"[+-]?(\d+[.,]?\d*|[.,]\d+)([eE][+-]?\d+)?%?", re.ASCII)
_THOUSANDS = r"(?![+-]?[1-9]\d{{0,2}}({0}\d{{3}})+$)"  # what may be groups of three says nothing
_COMMA = re.compile(rf"{_THOUSANDS.format(',')}[+-]?\d*,\d+([eE][+-]?\d+)?", re.ASCII)
_POINT = re.compile(rf"{_THOUSANDS.format('[.]')}[+-]?\d*\.\d+([eE][+-]?\d+)?", re.ASCII)
_THREE = re.compile(r"[+-]?\d{1,3},\d{3}", re.ASCII)  # a thousand or three decimals
_ENOUGH = 20  # such numbers, of which none has no comma
_DATE = re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}([T ]\d{1,2}:\d{2}.*)?|\d{1,2}:\d{2}(:\d{2})?")


@dataclass(frozen=True)
class Format:
    """What splits a line into cells."""

    separator: str = ","
    quote: str = '"'
    escape: str | None = None
    spaced: bool = False  # blanks after a separator belong to it

    @property
    def mark(self) -> str:
        """The separator in words."""
        return {"\t": "tabs", "whitespace": "blanks"}.get(self.separator, repr(self.separator))

    def records(self, lines: Iterable[str]) -> Iterator[tuple[int, list[str]]]:
        """Yield (number of its first line, cells) of each record; lines count from 0.

        Lines that are empty or blank are no records, as for pandas.
        """
        if self.separator == "whitespace":
            lines = ("\t".join(_TOKEN.findall(line)) + "\n" for line in lines)
        reader = csv.reader(
            lines,
            delimiter="\t" if self.separator == "whitespace" else self.separator,
            quotechar=self.quote,
            escapechar=self.escape,
            skipinitialspace=self.spaced,
        )
        start = 0
        for cells in reader:
            empty = not cells or (len(cells) == 1 and cells[0] and not cells[0].strip(" \t"))
            if not empty:
                yield start, cells
            start = reader.line_num


@dataclass(frozen=True)
class Dialect:
    """How a file is written.

    Attributes:
        format: what splits its lines.
        decimal: "." or ",".
        names: names of the columns.
        skip: lines before the first row.
        spare: how many empty cells without a name stand at the end of every row.
        notes: what was decided and is not usual.
    """

    format: Format
    decimal: str
    names: tuple[str, ...]
    skip: int
    spare: int
    notes: tuple[str, ...] = field(default=())


def sniff(
    lines: Sequence[str],
    whole: bool,
    given: ReadingOptions,
    expected: Expected,
    tabs: bool = False,
) -> Dialect | None:
    """Find how a file is written; None if there is no record in it.

    Args:
        lines: the first lines of the file, with their ends.
        whole: whether these are all lines, so that the last record is not cut.
        given: the user's options; the rest is found out.
        expected: what the model that will get the table knows of it.
        tabs: whether the ending of the file says that tabs separate cells.
    """
    comments = _comments(lines)
    comments = 0 if comments == len(lines) else comments
    form, records = _format(lines[comments:], whole, given, tabs)
    if not records:
        return None
    decimal = given.decimal or _decimal(form, records)
    notes = _format_notes(form, decimal, given, tabs)

    width = _usual_width(records)
    names = first = None
    if given.header is not False:
        names = _commented_names(lines[:comments], form, width)
        first = _preamble(records, width, decimal, expected, given.header is True)
        below = [cells for _, cells in records[first + 1 :]]
        found = records[first][1]
        if given.header or is_names(found, below, decimal, expected):
            names = found
        else:
            first = None
    above = comments + (0 if first is None else records[first][0])
    above -= first is None and names is not None  # a comment with the names was not left out
    if any(line.strip() for line in lines[:above]):
        notes.append(_above(lines, above))
    start = 0 if first is None else first + 1
    rows = [cells for _, cells in records[start:]]
    skip = comments + (records[start][0] if rows else len(lines) - comments)
    headed = names is not None
    names = [""] * width if names is None else list(names)
    names, spare = _without_spare(names, rows)
    if spare:
        notes.append(
            "every line ends in a separator: the empty column after it was left out"
            if spare == 1
            else f"every line ends in {spare} separators: the empty columns there were left out"
        )
    if headed:
        names, renamed = _unique(names)
        if renamed:
            notes.append(f"names that stand there twice were changed to {_listed(renamed)}")
    else:
        names = [f"column_{i}" for i in range(len(names))]
        if given.header is None:
            notes.append(
                "it was read without a header, since its first line is like those below; its "
                f"columns are called column_0 to column_{len(names) - 1}"
            )
    return Dialect(form, decimal, tuple(names), skip, spare, tuple(notes))


def _format_notes(form: Format, decimal: str, given: ReadingOptions, tabs: bool) -> list[str]:
    notes = []
    if form.separator != ("\t" if tabs else ",") and given.separator is None:
        notes.append(f"its cells are separated by {form.mark}")
    if decimal == "," and given.decimal is None:
        notes.append("it has decimal commas")
    return notes


def _above(lines: Sequence[str], above: int) -> str:
    """Say which lines above the table were left out."""
    first = next(line.strip() for line in lines if line.strip())
    first = first if len(first) <= SHOWN else f"{first[: SHOWN - 3]}..."
    if above == 1:
        return f"the line above the table was left out: {first!r}"
    return f"{above} lines above the table were left out, the first of them {first!r}"


def _comments(lines: Sequence[str]) -> int:
    """How many lines at the start are comments, the blank ones after them included."""
    last = 0
    for i, line in enumerate(lines):
        if line.startswith(("#", "%")):
            last = i + 1
        elif line.strip():
            break
    return last


def _commented_names(comments: Sequence[str], form: Format, width: int) -> list[str] | None:
    """The names of the columns, where the last comment holds them."""
    if not comments or width < 2:
        return None
    found = [cells for _, cells in form.records([comments[-1]])]
    if not found or len(found[0]) != width:
        found = [cells for _, cells in form.records([comments[-1].lstrip("# ")])]
    if not found or len(found[0]) != width or all(map(blank, found[0])):
        return None
    first = found[0][0].lstrip("# ") or found[0][0]  # a name may be "#" itself
    return [name.strip() for name in (first, *found[0][1:])]


def _format(
    lines: Sequence[str], whole: bool, given: ReadingOptions, tabs: bool
) -> tuple[Format, list[tuple[int, list[str]]]]:
    """The candidate that splits the lines best, and what it makes of them."""
    marks: tuple[str, ...] = (given.separator,) if given.separator else SEPARATORS
    if tabs and not given.separator and any("\t" in line for line in lines):
        marks = ("\t",)
    text = "".join(lines)
    best: tuple[float, Format, list[tuple[int, list[str]]]] | None = None
    for mark in marks if given.separator or len(marks) == 1 else (*marks, "whitespace"):
        for form in _variants(mark, text):
            try:
                records = list(form.records(lines))
            except csv.Error:
                continue
            if not whole and len(records) > 1:
                records.pop()  # it may be cut
            score = _score(form, records)
            if best is None or score > best[0] + 1e-9:
                best = score, form, records
    if best is None:  # no candidate can parse it: say so where the whole file is read
        form = Format(given.separator or marks[0])
        return form, list(form.records(lines[:1]))
    return best[1], best[2]


def _variants(mark: str, text: str) -> Iterator[Format]:
    """Formats with one separator, the plainest first: others win only if they are better."""
    plain = Format(mark)
    if mark not in ("whitespace", "\t"):
        begins, spaced = text.count(mark), text.count(mark + " ")
        quoted = f'{mark} "' in text
        if quoted or (spaced and spaced >= 0.95 * begins):
            plain = replace(plain, spaced=True)
    yield plain
    if '\\"' in text:
        yield replace(plain, escape="\\")
    if "'" in text and '"' not in text:
        yield replace(plain, quote="'")


def _score(form: Format, records: list[tuple[int, list[str]]]) -> float:
    """How even the records and how plain the cells are, between 0 and 1."""
    if not records:
        return 0.0
    width = _usual_width(records)
    if width < 2:
        return 0.01  # a table of one column is the last thing to believe
    even = sum(len(cells) == width for _, cells in records) / len(records)
    if form.separator == "whitespace":
        if any(len(cells) != width for _, cells in records[1:]):
            return 0.0
        even *= 0.8  # words of a sentence are no cells
    shown = [cells[:SAMPLED] for _, cells in records[:SAMPLED]]
    plain = [_plainness(cell, form.separator) for cells in shown for cell in cells]
    score = even * sum(plain) / len(plain) * (1 - 1 / width)
    if form.separator == "whitespace":
        columns = list(
            zip(*(cells for cells in shown[1:] if len(cells) == len(shown[-1])), strict=True)
        )
        if not any(all(_EITHER.fullmatch(cell) for cell in column) for column in columns):
            return 0.0
    return score


def _plainness(cell: str, separator: str) -> float:
    cell = cell.strip()
    if not cell or _EITHER.fullmatch(cell) or _DATE.fullmatch(cell):
        return 1.0
    if len(cell) > 1 and cell[0] == cell[-1] and cell[0] in "'\"":
        return 0.5  # quotes that this candidate leaves on
    other = [mark for mark in SEPARATORS if mark != separator]
    crowded = any(mark in cell for mark in other if mark != ",") or (
        separator != "," and re.search(r",(\S|$)", cell) is not None
    )
    return 0.2 if crowded else 0.9


def _usual_width(records: Sequence[tuple[int, list[str]]]) -> int:
    """The most frequent number of cells; of equally frequent ones the larger."""
    counts = Counter(len(cells) for _, cells in records)
    return max(counts, key=lambda width: (counts[width], width))


def _preamble(
    records: list[tuple[int, list[str]]],
    width: int,
    decimal: str,
    expected: Expected,
    headed: bool,
) -> int:
    """How many records stand above the names: titles, which fill fewer cells than the table."""
    if width < 2:
        return 0
    first = 0
    while first < len(records) - 1:
        cells = records[first][1]
        filled = sum(not blank(cell) for cell in cells)
        short = len(cells) < width and filled <= max(1, width // 3)
        title = len(cells) == width and (filled == 0 or (filled == 1 and not blank(cells[0])))
        if not (short or title):
            break
        first += 1
    found, rows = records[first][1], [cells for _, cells in records[first + 1 :]]
    if not rows or len(found) < width - 1:
        return 0
    return first if headed or is_names(found, rows, decimal, expected) else 0


def _decimal(form: Format, records: list[tuple[int, list[str]]]) -> str:
    """A comma where more columns of numbers have such commas than have points.

    Commas and points that could mark thousands say nothing, but for a column of a file separated
    by semicolons in which every number has one comma: some thousands would be too small for one.
    """
    if form.separator == ",":
        return "."  # a comma in a quoted cell marks thousands as often
    commas = points = fixed = 0
    rows = [cells for _, cells in records[:1000]]
    for column in range(min(SAMPLED * 4, max(map(len, rows)))):
        cells = [row[column].strip() for row in rows if column < len(row)]
        numbers = [cell for cell in cells if _EITHER.fullmatch(cell)]
        commas += any(map(_COMMA.fullmatch, numbers))
        points += any(map(_POINT.fullmatch, numbers))
        fixed += len(numbers) >= _ENOUGH and all(map(_THREE.fullmatch, numbers))
    if commas == points == 0 and form.separator == ";":
        return "," if fixed else "."
    return "," if commas > points else "."


def _without_spare(names: list[str], rows: Sequence[Sequence[str]]) -> tuple[list[str], int]:
    """Names without those of empty columns at the end of every row, and how many these are."""
    widths = {len(row) for row in rows}
    if len(widths) != 1 or (width := widths.pop()) < len(names):
        return names, 0
    left = width
    while left > 1 and blank("".join(names[left - 1 :])):
        if not all(blank(row[left - 1]) for row in rows):
            break
        left -= 1
    return (names[:left], width - left) if left <= len(names) else (names, 0)


def _unique(names: Sequence[str]) -> tuple[list[str], list[str]]:
    """Names that differ, and those that were changed; what pandas makes of them."""
    taken, unique, changed = set(names), [], []
    seen: Counter[str] = Counter()
    for i, name in enumerate(names):
        name = name if name.strip() else f"Unnamed: {i}"
        new = name
        while seen[name] and new in taken:
            new = f"{name}.{seen[name]}"
            seen[name] += 1
        seen[name] += not seen[name]
        if new != name:
            changed.append(new)
        taken.add(new)
        unique.append(new)
    return unique, changed


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(map(repr, names[:5])) + more
