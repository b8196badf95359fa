"""Tables in Excel workbooks, through openpyxl."""

import csv
import io
import zipfile
from datetime import datetime, time
from pathlib import Path
from typing import Any

from ...errors import DataError
from ..files import check_expansion
from .csv_files import TextTable
from .lazy_table import unreadable
from .reading_options import Expected, ReadingOptions

__all__ = ["ExcelTable"]


class ExcelTable(TextTable):
    """The first sheet of a workbook that is not empty, read as the text that its cells hold.

    So names, titles above them, missing cells and dtypes are found as in a csv file. Numbers keep
    all their digits, dates are in ISO 8601. Formulas count as the values last computed.
    """

    def __init__(
        self, path: Path, reading: ReadingOptions | None = None, expected: Expected | None = None
    ) -> None:
        self._csv, self._sheet_note = _sheet(path)
        as_csv = ReadingOptions(encoding="utf-8", decimal=".", separator=",")
        super().__init__(path, as_csv.with_defaults(reading or ReadingOptions()), expected)
        self.reading = reading or ReadingOptions()

    def _start(self) -> bytes:
        return b""

    def _text(self) -> Any:
        return io.StringIO(self._csv, newline="")

    def _encoding_note(self) -> list[str]:
        return self._sheet_note


def _sheet(path: Path) -> tuple[str, list[str]]:
    """The first sheet with cells as csv, and a note about the others."""
    try:
        import openpyxl
    except ImportError as error:
        raise DataError(
            f"{path} needs openpyxl, which is not installed: "
            'pip install "pushforward[files]", or save the sheet as csv.'
        ) from error
    _check_sizes(path)
    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
        try:
            sheets = [(sheet.title, _filled(sheet)) for sheet in book.worksheets]
        finally:
            book.close()
    except Exception as error:  # readers of damaged XML raise whatever they meet
        raise unreadable(path, error) from error
    filled = [(title, rows) for title, rows in sheets if rows]
    if not filled:
        raise DataError(f"{path} has no cells in any sheet. Expected a header and rows.")
    title, rows = filled[0]
    notes = []
    if len(filled) > 1:
        others = ", ".join(repr(other) for other, _ in filled[1:])
        notes.append(f"the sheet {title!r} was read, and not {others}: save those as files")
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue(), notes


def _check_sizes(path: Path) -> None:
    """Refuse a workbook whose parts claim to hold far more than cells could.

    Raises:
        DataError: naming both sizes; also for what is no workbook.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            parts = archive.infolist()
    except (OSError, EOFError, ValueError, NotImplementedError, zipfile.BadZipFile) as error:
        raise unreadable(path, error) from error
    for part in parts:
        check_expansion(path, part.file_size, part.compress_size)


def _filled(sheet: Any) -> list[list[str]]:
    """The rows of a sheet with anything in them, without empty columns around the table."""
    sheet.reset_dimensions()  # what some programs write there is wrong
    rows = [[_text_of(cell) for cell in row] for row in sheet.iter_rows(values_only=True)]
    rows = [row for row in rows if any(row)]
    if not rows:
        return []
    first = min(next(j for j, cell in enumerate(row) if cell) for row in rows)
    last = max(max(j for j, cell in enumerate(row) if cell) for row in rows)
    return [[*row, *[""] * (last + 1 - len(row))][first : last + 1] for row in rows]


def _text_of(cell: Any) -> str:
    """A cell as csv files hold it."""
    if cell is None:
        return ""
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 2**53:
        return str(int(cell))
    if isinstance(cell, datetime):
        return str(cell.date() if cell.time() == time() else cell)
    return str(cell)
