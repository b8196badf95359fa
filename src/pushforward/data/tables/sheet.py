"""A table that came in, read column by column: a frame, an array, a list of rows or a tensor."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import narwhals as nw
import numpy as np
import torch

from ...errors import DataError
from ..checks import check_shape
from .cells import convert_text, plain
from .containers import ELEMENTS, TENSORS, Layout, Storage, has_zone, zone_of
from .dates import in_utc

__all__ = ["Sheet"]

AS_IT_IS: dict[str, Any] = {"dtype": None, "ensure_all_finite": False, "input_name": "X"}


@dataclass
class Sheet:
    """A table that came in, checked for its shape, to be read column by column.

    ``matrix`` is the (n, p) array of a container that has one (array, list, tensor), else None.
    """

    native: Any
    layout: Layout
    n_rows: int
    matrix: np.ndarray | None = None
    frame: Any = None
    _columns: dict[int, tuple[np.ndarray, str]] = field(default_factory=dict)

    @property
    def labels(self) -> tuple[str | int, ...]:
        """Names of the columns of a frame, positions in an array."""
        return self.layout.labels

    @classmethod
    def open(cls, X: Any, estimator: str, min_rows: int = 1) -> "Sheet":
        """Read a table of any container; the caller's data are neither copied nor written to.

        Raises:
            DataError: for anything that is no table of ``min_rows`` rows and a column.
            TypeError: for sparse matrices, with scikit-learn's text.
        """
        if isinstance(X, torch.Tensor):
            return cls._open_tensor(X, estimator, min_rows)
        try:
            frame = nw.from_native(X, pass_through=True)
        except nw.exceptions.DuplicateError as error:
            raise DataError(
                f"Column names occur twice: {error}. Expected unique names: rename the columns."
            ) from error
        if isinstance(frame, nw.LazyFrame):
            raise DataError("Got a lazy frame. Expected rows: call .collect() on it first.")
        if isinstance(frame, nw.DataFrame):
            return cls._open_frame(X, frame, estimator, min_rows)
        return cls._open_array(X, estimator, min_rows)

    @classmethod
    def _open_tensor(cls, X: torch.Tensor, estimator: str, min_rows: int) -> "Sheet":
        if X.layout != torch.strided:
            raise TypeError("Sparse data was passed for X, but dense data is required.")
        name = str(X.dtype).removeprefix("torch.")
        if X.is_complex():
            raise DataError(f"Complex data not supported\n{name} tensor")
        if name not in TENSORS:
            raise DataError(f"X is a {name} tensor. Expected one of {', '.join(TENSORS)}.")
        dense = X.detach().cpu()
        array = dense.float().numpy() if dense.dtype == torch.bfloat16 else dense.numpy()
        sheet = cls._open_array(array, estimator, min_rows)
        storage = Storage(name)
        labels = sheet.layout.labels
        layout = Layout("torch", labels, (storage,) * len(labels))
        return cls(X, layout, sheet.n_rows, sheet.matrix)

    @classmethod
    def _open_array(cls, X: Any, estimator: str, min_rows: int) -> "Sheet":
        if isinstance(X, np.ma.MaskedArray) and np.ma.is_masked(X):
            X = np.ma.filled(X.astype(np.float64), np.nan)
        elif isinstance(X, (list, tuple)):
            X = _rows(X)
        from sklearn.utils.validation import check_array  # a second, which images need not wait

        try:
            array = check_array(X, ensure_min_samples=min_rows, estimator=estimator, **AS_IT_IS)
        except ValueError as error:
            raise DataError(str(error)) from error
        if array.dtype.kind not in "biufOUSMm":
            raise DataError(
                f"X has dtype {array.dtype}. Expected numbers, booleans, text, dates or durations."
            )
        n, p = array.shape
        layout = Layout("numpy", tuple(range(p)), (Storage(array.dtype.str),) * p)
        return cls(array, layout, n, array)

    @classmethod
    def _open_frame(cls, X: Any, frame: Any, estimator: str, min_rows: int) -> "Sheet":
        n, p = frame.shape
        check_shape(n, p, min_rows, estimator)
        container = str(frame.implementation)
        if container == "pandas":
            labels = [_label(label) for label in X.columns]
            storage = [_pandas_storage(dtype) for dtype in X.dtypes]
        else:
            labels = list(frame.columns)
            storage = [_frame_storage(frame[label]) for label in labels]
        return cls(X, Layout(container, tuple(labels), tuple(storage)), n, frame=frame)

    def take(self, keep: np.ndarray) -> "Sheet":
        """Return the sheet of the rows where the (n,) mask is set."""
        rows = int(keep.sum())
        if self.frame is not None:
            frame = self.frame.filter(keep.tolist())
            return Sheet(nw.to_native(frame), self.layout, rows, frame=frame)
        mask = torch.from_numpy(keep) if isinstance(self.native, torch.Tensor) else keep
        matrix = None if self.matrix is None else self.matrix[keep]
        return Sheet(self.native[mask], self.layout, rows, matrix)

    def missing(self) -> np.ndarray:
        """Return the (n, p) mask of cells that are NaN, None, NaT, NA or null."""
        import pandas as pd

        if self.matrix is not None:
            return np.asarray(pd.isna(self.matrix))
        if self.layout.container == "pandas":
            return self.native.isna().to_numpy()
        masks = []
        for label in self.frame.columns:
            column = self.frame[label]
            null = column.is_null()
            if column.dtype.is_float():
                null = null | column.is_nan().fill_null(True)
            masks.append(null.to_numpy())
        return np.column_stack(masks)

    def plain_numbers(self, j: int) -> bool:
        """Whether the dtype of column j holds numbers or booleans and nothing else."""
        if self.matrix is not None:
            return self.matrix.dtype.kind in "biuf"
        if self.layout.container == "pandas":
            return self.native.dtypes.iloc[j].kind in "biuf"
        dtype = self.frame[self.layout.labels[j]].dtype
        return dtype.is_numeric() or dtype == nw.Boolean

    def zone(self, j: int) -> str | None:
        """The time zone of the dtype of column j; None for UTC and for none."""
        zone = zone_of(self.layout.storage[j].dtype)
        return None if zone in ("UTC", "Etc/UTC") else zone

    def raw(self, j: int, zone: str | None = None) -> np.ndarray:
        """Return the cells of column j as they came, shape (n,), gaps among them.

        Args:
            j: the column.
            zone: by whose clock moments of a dtype without a zone are; None for UTC, which those
                of a dtype with one come in.
        """
        cells = self._cells(j)
        if zone is None or cells.dtype.kind != "M" or zone_of(self.layout.storage[j].dtype):
            return cells
        return in_utc(cells.astype("M8[ns]"), zone)

    def _cells(self, j: int) -> np.ndarray:
        if self.matrix is not None:
            return np.asarray(self.matrix[:, j])
        if self.layout.container != "pandas":
            return self.frame[self.layout.labels[j]].to_numpy()
        series = self.native.iloc[:, j]
        if has_zone(series.dtype):
            return series.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy()
        if series.dtype.kind in "Mm":
            return series.to_numpy()
        return series.to_numpy(dtype=object)

    def column(self, j: int) -> tuple[np.ndarray, str]:
        """Return the values of column j, shape (n,), and their family.

        The table must not have missing cells. The family is "bool", "int" (int64 or uint64),
        "float" (float64) or "text" (object array of str).

        Raises:
            DataError: for dates, mixed or unknown types.
        """
        if j not in self._columns:
            self._columns[j] = self._read(j)
        return self._columns[j]

    def _read(self, j: int) -> tuple[np.ndarray, str]:
        import pandas as pd

        label, storage = self.layout.labels[j], self.layout.storage[j]
        if self.matrix is not None:
            return plain(np.asarray(self.matrix[:, j]), label)
        if self.layout.container != "pandas":
            column = self.frame[label]
            if storage.dtype == "Float64":
                column = column.cast(nw.Float64)  # decimals come as Python objects otherwise
            return plain(column.to_numpy(), label)
        series = self.native.iloc[:, j]
        dtype = series.dtype
        if isinstance(dtype, pd.CategoricalDtype):
            return plain(np.asarray(dtype.categories, dtype=object)[series.cat.codes], label)
        if pd.api.types.is_bool_dtype(dtype):
            return series.to_numpy(dtype=bool), "bool"
        if pd.api.types.is_unsigned_integer_dtype(dtype):
            return series.to_numpy(dtype=np.uint64), "int"
        if pd.api.types.is_integer_dtype(dtype):
            return series.to_numpy(dtype=np.int64), "int"
        if pd.api.types.is_float_dtype(dtype):
            return series.to_numpy(dtype=np.float64), "float"
        return plain(series.to_numpy(dtype=object), label)


def _label(label: Any) -> str | int:
    """Return a pandas column label as a plain str or int."""
    if isinstance(label, str):
        return str(label)
    if isinstance(label, (int, np.integer)) and not isinstance(label, bool):
        return int(label)
    raise DataError(
        f"Column label {label!r} is a {type(label).__name__}. Expected text or whole numbers: "
        "rename the columns (several levels of names have to be joined to one)."
    )


def _pandas_storage(dtype: Any) -> Storage:
    import pandas as pd

    if isinstance(dtype, pd.CategoricalDtype):
        return Storage("category", tuple(dtype.categories.tolist()), bool(dtype.ordered))
    return Storage(str(dtype))


def _frame_storage(series: Any) -> Storage:
    dtype = series.dtype
    if isinstance(dtype, nw.Enum):
        return Storage("Enum", tuple(dtype.categories), True)
    if isinstance(dtype, nw.Decimal):
        return Storage("Float64")
    if isinstance(dtype, (nw.Date, nw.Datetime, nw.Duration)):
        if isinstance(dtype, nw.Date):
            return Storage("Date")
        zone = dtype.time_zone or "" if isinstance(dtype, nw.Datetime) else ""
        return Storage(f"{type(dtype).__name__}:{dtype.time_unit}:{zone}".rstrip(":"))
    if str(dtype) not in ELEMENTS:
        raise DataError(convert_text(series.name, str(dtype)))
    return Storage(str(dtype))


def _rows(rows: Sequence) -> np.ndarray:
    """Turn a list of rows into an array in which numbers stay numbers beside text."""
    try:
        array = np.asarray(rows)
    except ValueError as error:
        raise DataError(f"X is no table: {error}. Expected rows of one length.") from error
    return np.asarray(rows, dtype=object) if array.dtype.kind in "US" else array
