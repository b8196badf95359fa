"""Tables in csv and tsv files."""

import csv
import gzip
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DataError
from .table import CHUNK, Table

__all__ = ["TextTable"]


class TextTable(Table):
    """A csv or tsv file. Its dtypes are learned in a first pass, so all batches agree."""

    def __init__(self, path: Path, separator: str | None) -> None:
        self.path = path
        first = self._first_record(separator)
        self._options: dict[str, Any] = {"sep": self.separator, "encoding": "utf-8-sig"}
        numbers = [_is_number(cell) for cell in first if cell.strip()]
        if numbers and all(numbers):
            self._names = [f"column_{i}" for i in range(len(first))]
            self._options |= {"header": None, "names": self._names}
            self.note = (
                f"{path.name} has numbers in its first line, so it was read without a header; its "
                f"columns are called column_0 to column_{len(first) - 1}."
            )
            return
        doubled = sorted({name for name in first if name.strip() and first.count(name) > 1})
        if doubled:
            raise DataError(f"{path} has the columns {doubled} twice. Expected unique names.")
        self._names = [name or f"Unnamed: {i}" for i, name in enumerate(first)]

    def _first_record(self, separator: str | None) -> list[str]:
        opened = gzip.open if self.path and self.path.suffix.lower() == ".gz" else open
        try:
            with opened(str(self.path), "rt", encoding="utf-8-sig", newline="") as file:
                line = next((line for line in file if line.strip()), "")
                # A csv of a country with decimal commas has semicolons.
                self.separator = separator or max(",;\t", key=lambda mark: line.count(mark))
                file.seek(0)
                rows = csv.reader(file, delimiter=self.separator)
                first = next((row for row in rows if row), None)
        except (OSError, EOFError, UnicodeDecodeError, csv.Error) as error:
            raise DataError(
                f"{self.path} cannot be read: {error}. Expected text in UTF-8."
            ) from error
        if first is None:
            raise DataError(f"{self.path} has no lines. Expected a header and rows.")
        return first

    @property
    def columns(self) -> list[str | int]:
        return list(self._names)

    def read(self) -> Any:
        return next(iter(self._parse(None)))

    def _batches(self, n_rows: int) -> Iterator[Any]:
        return self._parse(n_rows, self.dtypes)

    @cached_property
    def dtypes(self) -> dict[str, Any]:
        """The dtype of each column over the whole file, found in a pass at constant memory."""
        seen: dict[str, set] = {name: set() for name in self._names}
        for chunk in self._parse(CHUNK):
            for name, found in seen.items():
                if chunk[name].notna().any():  # all gaps say nothing about the dtype
                    found.add(chunk[name].dtype)
        return {name: _common(found) if found else "float64" for name, found in seen.items()}

    def _parse(self, n_rows: int | None, dtypes: dict | None = None) -> Iterator[Any]:
        import pandas as pd

        options: dict[str, Any] = self._options | {"low_memory": False}
        if tuple(map(int, pd.__version__.split(".")[:2])) < (3, 1):
            options["float_precision"] = "round_trip"  # the default from 3.1: exact numbers
        try:
            if n_rows is None:
                yield self._tidy(pd.read_csv(str(self.path), **options))
                return
            opened: Any = pd.read_csv(str(self.path), chunksize=n_rows, dtype=dtypes, **options)
            with opened as chunks:
                for chunk in chunks:
                    if len(chunk):
                        yield self._tidy(chunk)
        except (OSError, EOFError, ValueError) as error:
            raise DataError(
                f"{self.path} cannot be read as a table: {error}. Expected lines of "
                f"{len(self._names)} cells separated by {self.separator!r}."
            ) from error

    def _tidy(self, frame: Any) -> Any:
        """Number the rows from 0; give booleans with gaps the dtype that has a place for gaps."""
        import pandas as pd

        if not isinstance(frame.index, pd.RangeIndex):  # pandas takes spare cells for an index
            raise ValueError("there are more cells in a line than names in the header")
        mixed = [name for name, dtype in frame.dtypes.items() if str(dtype) == "object"]
        found = [name for name in mixed if pd.api.types.infer_dtype(frame[name]) == "boolean"]
        return frame.astype(dict.fromkeys(found, "boolean")).reset_index(drop=True)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _common(dtypes: set) -> Any:
    """Return the dtype that holds what columns of all these dtypes hold."""
    import pandas as pd

    if len(dtypes) == 1:
        return next(iter(dtypes))
    if all(pd.api.types.is_bool_dtype(dtype) for dtype in dtypes):
        return "boolean"
    numeric = [d for d in dtypes if isinstance(d, np.dtype) and d.kind in "iuf"]
    return np.result_type(*numeric) if len(numeric) == len(dtypes) else "str"
