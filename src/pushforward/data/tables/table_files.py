"""Tables in files: which reader opens which file."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from ...errors import DataError
from ...wording import near_file
from ..array_files import Archive, read_npy
from ..files import check_regular
from .arrow_files import FeatherTable, ParquetTable
from .csv_files import TextTable
from .excel_files import ExcelTable
from .lazy_table import Table
from .reading_options import Expected, ReadingOptions

__all__ = ["SUFFIXES", "WRITTEN", "open_table", "suffix_of"]

ARRAYS = (".parquet", ".feather", ".arrow", ".npy", ".npz")
TEXT = tuple(f"{s}{z}" for s in (".csv", ".tsv", ".tab", ".dat", ".data") for z in ("", ".gz"))
SUFFIXES = (*TEXT, ".xlsx", *ARRAYS)
WRITTEN = (".csv", ".csv.gz", ".tsv", ".tsv.gz", *ARRAYS)


def suffix_of(path: str | os.PathLike, known: Sequence[str] = SUFFIXES) -> str:
    """Return the known ending of a file name.

    Raises:
        DataError: listing the known endings.

    >>> suffix_of("people.csv.gz")
    '.csv.gz'
    """
    name = Path(path).name.lower()
    for suffix in sorted(known, key=len, reverse=True):
        if name.endswith(suffix):
            return suffix
    raise DataError(f"{path} has no known ending. Expected one of {', '.join(known)}.")


def open_table(
    source: str | os.PathLike,
    reading: ReadingOptions | None = None,
    expected: Expected | None = None,
) -> "Table":
    """Open a file, or a folder of parquet files, without reading its rows.

    Args:
        source: path of a csv or tsv (also gzipped), xlsx, parquet, feather or arrow, npy or npz
            file, or of a folder whose parquet files are the parts of one table, in order of name.
        reading: how a file of text is written, as far as it is known.
        expected: what the model that will get the table knows of its columns.

    Raises:
        DataError: for a path that does not exist, is empty, has an unknown ending, or cannot be
            read; and where pyarrow or openpyxl is needed and not installed.
    """
    path = Path(source)
    if path.is_dir():
        parts = sorted(p for p in path.rglob("*.parquet") if not p.name.startswith("."))
        if not parts:
            raise DataError(f"Folder {path} has no parquet files. Expected parts of a table.")
        return ParquetTable(path, parts)
    if not path.exists():
        raise DataError(
            f"{path} does not exist{near_file(path)}. Expected a file or folder: check the path."
        )
    check_regular(path)
    suffix = suffix_of(path)
    if path.stat().st_size == 0:
        raise DataError(f"{path} is an empty file. Expected a table: write it again.")
    if suffix in TEXT:
        return TextTable(path, reading, expected, tabs=suffix.startswith((".tsv", ".tab")))
    if suffix == ".xlsx":
        return ExcelTable(path, reading, expected)
    if suffix == ".parquet":
        return ParquetTable(path, [path])
    if suffix in (".feather", ".arrow"):
        return FeatherTable(path)
    return ArrayTable(path)


class ArrayTable(Table):
    """An npy file, memory-mapped, or the array of an npz file."""

    path: Path

    def __init__(self, path: Path) -> None:
        self.path = path
        array = self._load()
        if array.ndim == 0:
            raise DataError(f"{path} holds one number. Expected an array of rows.")
        self.n_rows, self._shape = array.shape[0], array.shape

    def _load(self) -> np.ndarray:
        """Open the array; pickled objects are never read."""
        if self.path.suffix.lower() == ".npy":
            return read_npy(self.path)
        archive = Archive(self.path)
        names = archive.names
        if "X" not in names and len(names) != 1:
            raise DataError(
                f"{self.path} holds the arrays {list(names)}. Expected one called X, or one array "
                "only: save it as np.savez(path, X=array)."
            )
        return archive.read("X" if "X" in names else names[0])

    @property
    def columns(self) -> list[str | int]:
        return list(range(self._shape[1])) if len(self._shape) == 2 else []

    def read(self) -> np.ndarray:
        return np.array(self._load())

    def _batches(self, n_rows: int) -> Iterator[np.ndarray]:
        array = self._load()
        for start in range(0, len(array), n_rows):
            yield np.array(array[start : start + n_rows])
