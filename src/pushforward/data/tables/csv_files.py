"""Tables in files of text: csv, tsv and their like."""

import codecs
import csv
import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from ...errors import DataError
from ..files import open_bytes
from .csv_dialect import SHOWN, Dialect, sniff
from .lazy_table import Table
from .reading_options import Expected, ReadingOptions
from .text_columns import TextColumn

__all__ = ["TextTable"]

SAMPLE_LINES, SAMPLE_CHARACTERS = 1000, 1 << 18  # that the dialect is found from
SURVEYED_CELLS = 1 << 19  # held at once while dtypes are learned
_MARKS = (  # UTF-32 before UTF-16, whose mark it begins with
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


@dataclass(frozen=True)
class _Survey:
    """What one pass over all rows found: dtypes, missing texts a column, rows, remarks."""

    dtypes: dict[str, str]
    missing: dict[str, list[str]]
    n_rows: int
    notes: list[str]


class TextTable(Table):
    """A csv or tsv file.

    How it is written is found from its first lines. Dtypes are learned in a pass over all rows at
    constant memory, when they are first needed, so all batches agree; a record with too many
    cells is an error there, and never shifts a row.
    """

    path: Path

    def __init__(
        self,
        path: Path,
        reading: ReadingOptions | None = None,
        expected: Expected | None = None,
        tabs: bool = False,
    ) -> None:
        self.path = path
        self.reading = reading or ReadingOptions()
        self._expected, self._tabs = expected or Expected(), tabs
        with self._reading():
            self._encodings = _encodings(self._start(), self.reading.encoding)
            self._dialect = self._sniff()

    def _bytes(self) -> Any:
        return open_bytes(self.path)

    def _start(self) -> bytes:
        """The first bytes, which show the encoding."""
        with self._bytes() as file:
            return file.read(1 << 16)

    def _text(self) -> Any:
        return io.TextIOWrapper(self._bytes(), encoding=self._encodings[0], newline="")

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """Turn what goes wrong while reading into one line that says what to do."""
        try:
            yield
        except UnicodeError as error:
            raise DataError(
                f"{self.path} cannot be read as {self._encodings[0]}: {error}. Expected text in "
                "one encoding: say which with encoding= (--encoding), such as cp1252 or utf-16."
            ) from error
        except OSError as error:
            raise DataError(
                f"{self.path} cannot be read: {error}. Expected a whole file: write it again."
            ) from error

    def _sniff(self) -> Dialect:
        while True:
            try:
                lines, whole = self._first_lines()
                break
            except UnicodeDecodeError:
                self._next_encoding()
        self._ascii = all(line.isascii() for line in lines)
        found = sniff(lines, whole, self.reading, self._expected, self._tabs)
        if found is None:
            raise DataError(f"{self.path} has no lines. Expected a header and rows.")
        return found

    def _first_lines(self) -> tuple[list[str], bool]:
        lines: list[str] = []
        size = 0
        with self._text() as file:
            while len(lines) < 3 or (len(lines) < SAMPLE_LINES and size < SAMPLE_CHARACTERS):
                if not (line := file.readline()):
                    return lines, True
                lines.append(line)
                size += len(line)
        return lines, False

    def _next_encoding(self) -> None:
        """Go on to the next guess, from within the handler of a decoding error."""
        if len(self._encodings) == 1:
            raise
        self._encodings.pop(0)

    @property
    def columns(self) -> list[str | int]:
        return list(self._dialect.names)

    @property
    def dtypes(self) -> dict[str, str]:
        """The dtype of each column over the whole file."""
        return self._survey.dtypes

    @property
    def note(self) -> str | None:
        """What was decided in reading the whole file, a line each; None if all is as usual."""
        found = self._survey.notes  # the encoding is sure only after it
        notes = [*self._encoding_note(), *self._dialect.notes, *found]
        return "\n".join(f"{self.path.name}: {note}." for note in notes) or None

    def _encoding_note(self) -> list[str]:
        used = self._encodings[0]
        if self.reading.encoding or used in ("utf-8", "utf-8-sig", "utf-16", "utf-32"):
            return []
        return [f"it is not UTF-8 and was read as {used} (encoding=, --encoding say otherwise)"]

    @cached_property
    def _survey(self) -> _Survey:
        with self._reading():
            while True:
                try:
                    found = self._scan()
                    self.n_rows = found.n_rows
                    return found
                except UnicodeDecodeError:
                    if not self._ascii:  # so far it was what it seemed, and here it is damaged
                        raise
                    self._next_encoding()

    def _scan(self) -> _Survey:
        """Read all cells once: see what they are, and that every record has its place."""
        names, families = self._dialect.names, self._expected.families
        words = self.reading.missing_values
        seen = [TextColumn(self._dialect.decimal, words, families.get(name)) for name in names]
        n_rows, short, blank_end = 0, [], 0
        for chunk, lines in self._chunks(max(8, SURVEYED_CELLS // len(names))):
            least = min(map(len, chunk))
            if least < len(names):
                gaps = [
                    (line, row)
                    for line, row in zip(lines, chunk, strict=True)
                    if len(row) < len(names)
                ]
                short += [line for line, _ in gaps[:1]]
                blank_end += len(gaps)
                for column in seen[least:]:
                    column.add_gap()
                chunk = [[*row, *[""] * (len(names) - len(row))] for row in chunk]
            for column, cells in zip(seen, zip(*chunk, strict=False), strict=False):
                column.add(cells)
            n_rows += len(chunk)
        notes = _remarks(names, seen, n_rows)
        if short:
            what = "record ends" if blank_end == 1 else f"{blank_end:,} records end"
            which = (
                f"in line {short[0] + 1}" if blank_end == 1 else f"first in line {short[0] + 1}"
            )
            notes.append(
                f"{'one ' if blank_end == 1 else ''}{what} before the last column ({which}), and "
                "the cells after it are missing ones"
            )
        return _Survey(
            {name: column.dtype for name, column in zip(names, seen, strict=True)},
            {name: column.missing_as_read() for name, column in zip(names, seen, strict=True)},
            n_rows,
            notes,
        )

    def _chunks(self, n_rows: int) -> Iterator[tuple[list[list[str]], list[int]]]:
        """Yield records and the numbers of their lines, at most ``n_rows`` at a time.

        Raises:
            DataError: for a record with more cells than there are columns.
        """
        width = len(self._dialect.names)
        chunk: list[list[str]] = []
        numbers: list[int] = []
        with self._rows() as file:
            records = self._dialect.format.records(file)
            number = 0
            try:
                for start, cells in records:
                    number = start + self._dialect.skip
                    if len(cells) > width:
                        self._check_width(cells, number)
                    chunk.append(cells)
                    numbers.append(number)
                    if len(chunk) == n_rows:
                        yield chunk, numbers
                        chunk, numbers = [], []
            except csv.Error as error:
                raise DataError(
                    f"{self.path} cannot be read after line {number + 1}: {error}. Expected cells "
                    "in closed quotes: correct the line, or say separator= (--separator)."
                ) from error
        if chunk:
            yield chunk, numbers

    def _check_width(self, cells: list[str], number: int) -> None:
        """Refuse more cells than there are columns, and empty ones at the end of every row.

        Raises:
            DataError: naming the line.
        """
        width, spare = len(self._dialect.names), self._dialect.spare
        if len(cells) == width + spare and not "".join(cells[width:]).strip():
            return
        raise DataError(
            f"{self.path} has more cells in a line than columns: {len(cells)} in line "
            f"{number + 1}, and the columns are {width}. Expected one cell for each, separated by "
            f"{self._dialect.format.mark}: name all columns in the header, row names too, "
            "correct the line, or quote a cell that holds the separator."
        )

    @contextmanager
    def _rows(self) -> Iterator[Any]:
        """The file as text, after what stands above the first row."""
        with self._text() as file:
            for _ in range(self._dialect.skip):
                file.readline()
            yield file

    def read(self) -> Any:
        frames = list(self._parse(None))
        return frames[0]

    def _batches(self, n_rows: int) -> Iterator[Any]:
        return self._parse(n_rows)

    def _parse(self, n_rows: int | None) -> Iterator[Any]:
        """Yield the rows as frames of the dtypes learned; all at once for None."""
        import pandas as pd

        survey, form = self._survey, self._dialect.format
        names = list(self._dialect.names)
        if survey.n_rows == 0:
            if n_rows is None:
                yield pd.DataFrame({name: pd.Series([], dtype=float) for name in names})
            return
        # Where there are more cells than names, pandas leaves cells out or shifts the row: they
        # would have been refused before, and one column more makes sure that there are none.
        spare = [f"spare {i}" for i in range(self._dialect.spare + 1)]
        while survey.dtypes.keys() & set(spare):
            spare = [f"{name}_" for name in spare]
        every = [*names, *spare]
        options: dict[str, Any] = {
            "sep": r"\s+" if form.separator == "whitespace" else form.separator,
            "quotechar": form.quote,
            "escapechar": form.escape,
            "skipinitialspace": form.spaced,
            "decimal": self._dialect.decimal,
            "thousands": "." if self._dialect.decimal == "," else None,
            "header": None,
            "names": every,
            "index_col": False,
            "dtype": _dtypes([*survey.dtypes.values()], every),
            "keep_default_na": False,
            "na_values": [""]
            if not any(survey.missing.values())
            else {name: ["", *survey.missing.get(name, [])] for name in every},
            "low_memory": False,
            "chunksize": n_rows,
        }
        if tuple(map(int, pd.__version__.split(".")[:2])) < (3, 1):
            options["float_precision"] = "round_trip"  # the default from 3.1: exact numbers
        read = 0
        try:
            with self._reading(), self._rows() as file:
                opened: Any = pd.read_csv(file, **options)
                for frame in [opened] if n_rows is None else opened:
                    read += len(frame)
                    if frame[spare[-1]].notna().any():
                        raise ValueError("there are more cells in a line than columns")
                    for name in spare:
                        del frame[name]
                    if len(frame):
                        yield frame.reset_index(drop=True)
        except ValueError as error:
            raise DataError(
                f"{self.path} cannot be read as a table: {str(error).strip()}. Expected lines of "
                f"{len(names)} cells separated by {form.mark}, with all quotes closed."
            ) from error
        if read != survey.n_rows:
            raise DataError(
                f"{self.path} had {survey.n_rows} rows when they were counted, and {read} were "
                "read. Expected a file that does not change, with all quotes closed."
            )


def _encodings(start: bytes, given: str | None) -> list[str]:
    """The encodings to try, in order: each is tried where the one before fails."""
    if given is not None:
        # a mark at the start is never part of the first name
        return ["utf-8-sig" if codecs.lookup(given).name == "utf-8" else given]
    for mark, name in _MARKS:
        if start.startswith(mark):
            return [name]
    if len(start) >= 4 and start.count(0) > 0.3 * len(start):  # UTF-16 without its mark
        return ["utf-16-le" if start[1::2].count(0) > start[::2].count(0) else "utf-16-be"]
    return ["utf-8", "cp1252", "latin-1"]


def _dtypes(found: list[str], names: list[str]) -> Any:
    """The dtypes as read_csv takes them fastest: made once each, one for all where it can be.

    Names beyond those found are of columns that have to be empty: text, or numbers where all are.
    """
    from pandas.api.types import pandas_dtype

    made = {name: pandas_dtype(name) for name in {*found, "str"}}
    if set(found) == {"float64"}:
        return made["float64"]
    every = [*found, *["str"] * (len(names) - len(found))]
    return {name: made[dtype] for name, dtype in zip(names, every, strict=True)}


def _remarks(names: tuple[str, ...], seen: list[TextColumn], n_rows: int) -> list[str]:
    """Notes about missing cells and empty columns."""
    if not n_rows:
        return []
    notes = []
    empty = [name for name, column in zip(names, seen, strict=True) if column.empty]
    if empty:
        several = len(empty) > 1
        notes.append(
            f"the column{'s' if several else ''} {_listed(empty)} "
            f"{'are' if several else 'is'} empty in all rows"
        )
    grouped = [
        name
        for name, column in zip(names, seen, strict=True)
        if column.grouped and column.dtype != "str"
    ]
    if grouped:
        notes.append(
            f"dots in the column{'s' if len(grouped) > 1 else ''} {_listed(grouped)} separate "
            "thousands, for its decimal mark is a comma"
        )
    for text in (False, True):
        found: dict[str, None] = {}
        where = []
        for name, column in zip(names, seen, strict=True):
            words = [w.strip() for w in column.missing_as_read() if w.strip()]
            if words and (column.dtype == "str") is text and not column.empty:
                where.append(name)
                found |= dict.fromkeys(sorted(words))
        if where:
            keep = '; missing_values=[] (--missing-values "") keeps such texts' if text else ""
            notes.append(
                f"{_listed(list(found))} in the column{'s' if len(where) > 1 else ''} "
                f"{_listed(where)} {'mean' if len(found) > 1 else 'means'} a missing cell{keep}"
            )
    return notes


def _listed(names: list[str]) -> str:
    shown = [name if len(name) <= SHOWN else f"{name[: SHOWN - 3]}..." for name in names[:5]]
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(map(repr, shown)) + more
