"""Tables to files: at constant memory, and under the final name only when whole."""

import gzip
import io
import os
import shutil
import tempfile
import zipfile
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import narwhals as nw
import numpy as np
import torch
from numpy.lib import format as npy

from ...errors import DataError
from ...storage.atomic import partial_folder
from ...validation import OneOf, check
from .arrow_files import need_pyarrow
from .formulas import FORMULAS, without_formulas
from .table_files import WRITTEN, suffix_of

__all__ = ["TableWriter", "write_table"]

_PARTIAL = "partial"


def write_table(
    path: str | os.PathLike, X: Any, overwrite: bool = True, *, formulas: str = "keep"
) -> None:
    """Write a frame, array or tensor to a file; see :class:`TableWriter`.

    Examples:
        >>> import tempfile, pathlib
        >>> from pushforward.data import open_table
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "X.npy"
        >>> write_table(path, np.eye(2))
        >>> open_table(path).read().tolist()
        [[1.0, 0.0], [0.0, 1.0]]
    """
    with TableWriter(path, overwrite, formulas=formulas) as writer:
        writer.write(X)


class TableWriter:
    """Writes a table batch by batch.

    Use it in a ``with`` statement. The rows go to a temporary file in the same folder, which is
    synced and renamed at the end. If anything fails before, it is removed and a file that had the
    name is left as it was; what a killed process left is removed by the next that writes there.

    Args:
        path: file to write; the ending decides the format, as in :func:`open_table`. Arrays get
            the columns column_0, column_1, ... in formats that have names; npy and npz take
            tables of one numeric dtype only.
        overwrite: whether a file of this name may be replaced.
        formulas: what becomes of names and texts that a spreadsheet would take for formulas, such
            as "=cmd()", in csv and tsv: "keep", "escape" or "refuse"; other formats have none.

    Raises:
        ParameterError: for another word.
        DataError: for an unknown ending, a folder that does not exist, batches that do not fit
            together, and a ``with`` block that wrote nothing.
    """

    def __init__(
        self, path: str | os.PathLike, overwrite: bool = True, *, formulas: str = "keep"
    ) -> None:
        check({"formulas": OneOf(*FORMULAS)}, {"formulas": formulas})
        self._formulas = formulas
        self.path = Path(os.path.realpath(path))
        self.overwrite = overwrite
        self._suffix = suffix_of(self.path, WRITTEN)
        self._sink: _TextSink | _ArrowSink | _ArraySink | None = None
        self._broken = False

    def __enter__(self) -> "TableWriter":
        self._refuse_existing()
        if not self.path.parent.is_dir():
            raise DataError(f"Folder {self.path.parent} does not exist. Create it first.")
        self._stack = ExitStack()
        try:
            folder = self._stack.enter_context(partial_folder(self.path, [_PARTIAL]))
            # open() rather than tempfile: the file gets the permissions that the user's files get
            self._temporary = folder / _PARTIAL
            self._file = open(self._temporary, "xb+")
        except OSError as error:
            self._stack.close()
            raise self._unwritable(error) from error
        return self

    def write(self, X: Any) -> None:
        """Append the rows of a frame, array or tensor; columns as in the first batch."""
        if isinstance(X, torch.Tensor):
            X = X.detach().cpu().numpy()
        try:
            if self._sink is None:
                self._sink = self._make_sink()
            self._sink.append(X)
        except OSError as error:
            self._broken = True
            raise self._unwritable(error) from error
        except BaseException:
            self._broken = True
            raise

    def describe(self, values: dict[str, str]) -> None:
        """Keep texts by name in the file, beside the rows; of parquet, after the first batch.

        Raises:
            DataError: for a file that is not parquet, or has no rows yet.
        """
        if not isinstance(self._sink, _ArrowSink) or self._suffix != ".parquet":
            raise DataError(f"{self.path} keeps no texts. Expected a parquet file with rows.")
        self._sink.describe(values)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            if kind is None:
                self._finish()
            elif self._sink is not None:
                with suppress(Exception):  # the error that got us here is the one to report
                    self._sink.abort()
        except OSError as problem:
            raise self._unwritable(problem) from problem
        finally:
            with suppress(OSError):  # a full disk refuses once more what is still to be written
                self._file.close()
            self._stack.close()

    def _unwritable(self, error: OSError) -> DataError:
        return DataError(
            f"{self.path} cannot be written: {error.strerror or error}. Expected a folder you may "
            "write to, with room for the file."
        )

    def _finish(self) -> None:
        if self._sink is None or self._broken:
            raise DataError(
                f"No whole table was written to {self.path}. Expected at least one batch, and "
                "none that failed."
            )
        self._sink.close()
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._refuse_existing()
        os.replace(self._temporary, self.path)

    def _refuse_existing(self) -> None:
        if self.path.is_dir() or (self.path.exists() and not self.overwrite):
            raise DataError(f"{self.path} exists already. Choose another name, or overwrite it.")

    def _make_sink(self) -> "_TextSink | _ArrowSink | _ArraySink":
        if self._suffix in (".npy", ".npz"):
            return _ArraySink(self._file, zipped=self._suffix == ".npz")
        if self._suffix in (".parquet", ".feather", ".arrow"):
            return _ArrowSink(self._file, self.path, self._suffix == ".parquet")
        return _TextSink(self._file, self._suffix, self._formulas)


def _pandas(X: Any) -> Any:
    """Return a batch as a pandas frame."""
    import pandas as pd

    if isinstance(X, pd.DataFrame):
        return X
    frame = nw.from_native(X, pass_through=True, eager_only=True)
    if isinstance(frame, nw.DataFrame):
        return pd.DataFrame({name: frame[name].to_numpy() for name in frame.columns})
    array = np.asarray(X)
    if array.ndim != 2:
        raise DataError(f"The rows to write have shape {array.shape}. Expected (n, p).")
    return pd.DataFrame(array, columns=[f"column_{j}" for j in range(array.shape[1])])


def _refuse_other(columns: list, first: list) -> None:
    if columns != first:
        raise DataError(
            f"The batch has the columns {columns}. Expected those of the first batch: {first}."
        )


class _TextSink:
    """Lines of csv or tsv, gzipped or not."""

    def __init__(self, file: BinaryIO, suffix: str, formulas: str) -> None:
        self._formulas = formulas
        packed = suffix.endswith(".gz")
        self._packed = gzip.GzipFile(fileobj=file, mode="wb", mtime=0) if packed else None
        self._text = io.TextIOWrapper(self._packed or file, encoding="utf-8", newline="")
        self._separator = "\t" if suffix.startswith(".tsv") else ","
        self._columns: list | None = None

    def append(self, X: Any) -> None:
        frame = without_formulas(_pandas(X), self._formulas)
        header = self._columns is None
        self._columns = self._columns or list(frame.columns)
        _refuse_other(list(frame.columns), self._columns)
        options: dict[str, Any] = {"sep": self._separator, "index": False, "lineterminator": "\n"}
        frame.to_csv(self._text, header=header, **options)

    def close(self) -> None:
        self._text.detach()  # after a flush
        if self._packed is not None:
            self._packed.close()

    def abort(self) -> None:
        self.close()


class _ArrowSink:
    """Row groups of parquet, or record batches of feather."""

    def __init__(self, file: BinaryIO, path: Path, parquet: bool) -> None:
        self._file, self._parquet = file, parquet
        self._arrow = need_pyarrow(path)
        self._writer: Any = None
        self._schema: Any = None

    def append(self, X: Any) -> None:
        frame = nw.from_native(X, pass_through=True, eager_only=True)
        if isinstance(frame, nw.DataFrame) and not frame.implementation.is_pandas():
            table = frame.to_arrow()
        else:
            table = self._arrow.Table.from_pandas(_pandas(X), preserve_index=False)
        if self._writer is None:
            self._schema = table.schema
            make = self._arrow.parquet.ParquetWriter if self._parquet else self._arrow.ipc.new_file
            self._writer = make(self._file, self._schema)
        _refuse_other(table.column_names, self._schema.names)
        try:
            self._writer.write_table(table.cast(self._schema))
        except self._arrow.ArrowException as error:
            raise DataError(f"The batch does not fit those before it: {error}.") from error

    def describe(self, values: dict[str, str]) -> None:
        self._writer.add_key_value_metadata(values)

    def close(self) -> None:
        self._writer.close()

    def abort(self) -> None:
        self.close()


class _ArraySink:
    """An npy file whose number of rows is filled in at the end; npz holds one such file, X.npy.

    NumPy leaves room in the header for a longer shape, so the header can be written twice.
    """

    def __init__(self, file: BinaryIO, zipped: bool) -> None:
        self._final = file
        self._file: Any = tempfile.TemporaryFile() if zipped else file  # noqa: SIM115
        self._zipped = zipped
        self._dtype = np.dtype(np.float64)  # until the first batch shows its own
        self._shape: tuple[int, ...] = ()

    def append(self, X: Any) -> None:
        frame = nw.from_native(X, pass_through=True, eager_only=True)
        array = frame.to_numpy() if isinstance(frame, nw.DataFrame) else np.asarray(X)
        if array.dtype.hasobject or array.ndim == 0:
            raise DataError(
                f"An array of {array.dtype} and shape {array.shape} cannot be written to npy or "
                "npz. Expected rows of numbers or booleans: write csv or parquet."
            )
        if not self._shape:
            self._dtype, self._shape = array.dtype, (0, *array.shape[1:])
            self._write_header()
        if array.shape[1:] != self._shape[1:] or not np.can_cast(array.dtype, self._dtype, "safe"):
            raise DataError(
                f"The batch has dtype {array.dtype} and rows of shape {array.shape[1:]}. Expected "
                f"those of the first batch: {self._dtype} and {self._shape[1:]}."
            )
        self._file.write(np.ascontiguousarray(array, dtype=self._dtype).data)
        self._shape = (self._shape[0] + len(array), *self._shape[1:])

    def _write_header(self) -> None:
        described = npy.dtype_to_descr(self._dtype)
        header = {"descr": described, "fortran_order": False, "shape": self._shape}
        npy.write_array_header_1_0(self._file, header)

    def close(self) -> None:
        self._file.seek(0)
        self._write_header()
        if self._zipped:
            self._file.seek(0)
            with (
                self._file,
                zipfile.ZipFile(self._final, "w", allowZip64=True) as archive,
                archive.open("X.npy", "w", force_zip64=True) as entry,
            ):
                shutil.copyfileobj(self._file, entry)

    def abort(self) -> None:
        self._file.close()
