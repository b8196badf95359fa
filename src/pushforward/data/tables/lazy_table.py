"""A table that is read when asked, whole or in batches."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from narwhals.dependencies import is_into_dataframe

from ...errors import DataError
from ...validation import COUNT, check
from .reading_options import ReadingOptions

__all__ = ["CHUNK", "Table", "column_labels", "unreadable"]

CHUNK = 65_536


def column_labels(X: Any) -> list[str | int]:
    """The columns of a frame by name and of an array (n, p) by position; none of anything else.

    >>> import numpy as np
    >>> column_labels(np.zeros((5, 2))), column_labels(["a", "b"])
    ([0, 1], [])
    """
    if is_into_dataframe(X):
        return list(X.columns)
    axes = np.shape(X) if isinstance(X, np.ndarray) else ()
    return list(range(axes[1])) if len(axes) == 2 else []


class Table:
    """A table that is read when asked.

    Attributes:
        path: where it is.
        columns: its column names; positions for arrays, none for arrays that are not 2-D.
        n_rows: number of rows, None if it is unknown before reading.
        in_memory: whether the rows are in memory already.
        divisible: whether a share of the rows can be read without reading the others.
        note: what a reader should know about how the file was understood, a line each, or None.
        reading: options of how the file is written.

    A table already in memory, such as a built-in set, is ``Table.of(frame)``.
    """

    path: Path | None = None
    n_rows: int | None = None
    in_memory = False
    divisible = False
    note: str | None = None
    reading: ReadingOptions = ReadingOptions()

    @classmethod
    def of(cls, X: Any) -> "Table":
        """Wrap a DataFrame or array."""
        return MemoryTable(X)

    @property
    def columns(self) -> list[str | int]:
        """Names of the columns."""
        raise NotImplementedError

    def read(self) -> Any:
        """Return all rows: a pandas frame, or an array for npy and npz."""
        raise NotImplementedError

    def batches(self, n_rows: int = CHUNK) -> Iterator[Any]:
        """Yield the rows in order, at most ``n_rows`` at a time, with equal dtypes.

        An empty table yields nothing. Memory stays constant, except for npz. A csv is read twice:
        first to learn the dtypes that hold all its rows.
        """
        check({"n_rows": COUNT}, {"n_rows": n_rows})
        return self._batches(n_rows)

    def _batches(self, n_rows: int) -> Iterator[Any]:
        raise NotImplementedError

    def numbered(
        self, n_rows: int = CHUNK, share: tuple[int, int] = (0, 1)
    ) -> Iterator[tuple[int, Any]]:
        """Yield batches with the number of their first row.

        Args:
            n_rows: of a batch, at most.
            share: ``(i, n)`` for the i-th of n shares, which have no row in common and together
                have all; of tables that are not ``divisible`` only (0, 1).
        """
        check({"n_rows": COUNT}, {"n_rows": n_rows})
        return self._numbered(n_rows, *share)

    def _numbered(self, n_rows: int, own: int, of: int) -> Iterator[tuple[int, Any]]:
        start = 0
        for batch in self._batches(n_rows):
            yield start, batch
            start += len(batch)

    def pack(self, X: Any) -> bytes:
        """Rows of this table as bytes, for another process; of tables that are divisible."""
        raise NotImplementedError

    def unpack(self, data: bytes) -> Any:
        """The rows that :meth:`pack` made bytes of."""
        raise NotImplementedError

    def __repr__(self) -> str:
        rows = "unknown" if self.n_rows is None else self.n_rows
        return f"Table({str(self.path or 'in memory')!r}, rows={rows}, columns={self.columns})"


class MemoryTable(Table):
    in_memory = True

    def __init__(self, X: Any) -> None:
        self.X = X
        self.n_rows = len(X)

    @property
    def columns(self) -> list[str | int]:
        return column_labels(self.X)

    def read(self) -> Any:
        return self.X

    def _batches(self, n_rows: int) -> Iterator[Any]:
        for start in range(0, len(self.X), n_rows):
            yield self.X[start : start + n_rows]


def unreadable(path: Path, error: Exception) -> DataError:
    """Return the error for a file that a reader gave up on."""
    return DataError(
        f"{path} cannot be read: {error}. Expected a whole {path.suffix} file of plain values: "
        "write it again."
    )
