"""The user's table, read column by column and built again.

A :class:`Sheet` is any table that came in: a pandas, polars or pyarrow frame, a NumPy array, a
list of rows or a torch tensor. A :class:`Layout` is what has to be remembered of it so that
values go back into the same container with the same names, order and dtypes.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import narwhals as nw
import numpy as np
import torch

from ...errors import DataError
from ..checks import check_shape
from .cells import cast, convert_text, plain

__all__ = ["Layout", "Sheet", "Storage", "is_moment"]

FRAMES = ("pandas", "polars", "pyarrow", "modin", "cudf")
TENSORS = {
    str(dtype).removeprefix("torch."): dtype
    for dtype in (
        *(torch.int8, torch.int16, torch.int32, torch.int64, torch.bool),
        *(torch.uint8, torch.uint16, torch.uint32, torch.uint64),
        *(torch.bfloat16, torch.float16, torch.float32, torch.float64),
    )
}
AS_IT_IS: dict[str, Any] = {"dtype": None, "ensure_all_finite": False, "input_name": "X"}
ELEMENTS = {
    str(dtype): dtype
    for dtype in (
        *(nw.Int8, nw.Int16, nw.Int32, nw.Int64, nw.UInt8, nw.UInt16, nw.UInt32, nw.UInt64),
        *(nw.Float32, nw.Float64, nw.Boolean, nw.String, nw.Categorical, nw.Object),
    )
}


MOMENT = re.compile(
    r"(datetime64|timedelta64)\[|[<>=]?[Mm]8\[|(Datetime|Duration):(ns|us|ms|s)(:[\w/+-]+)?$|Date$"
)


@dataclass(frozen=True)
class Storage:
    """How one column is stored: its dtype by name, and the levels of a categorical dtype."""

    dtype: str
    levels: tuple | None = None
    ordered: bool = False


@dataclass(frozen=True)
class Layout:
    """The container of a table: which one, its column labels and their storage."""

    container: str
    labels: tuple[str | int, ...]
    storage: tuple[Storage, ...]

    @property
    def named(self) -> bool:
        """Whether the columns have names; those of an array have only positions.

        Nor has a pandas frame made from an array without naming its columns.
        """
        return self.container in FRAMES and self.labels != tuple(range(len(self.labels)))

    def take(self, places: Sequence[int]) -> "Layout":
        """The layout of some of the columns."""
        labels = tuple(self.labels[j] for j in places)
        return Layout(self.container, labels, tuple(self.storage[j] for j in places))

    def build(self, columns: Sequence[np.ndarray]) -> Any:
        """Put columns of values, each of shape (n,), back into the user's container."""
        if self.container == "pandas":
            return self._build_pandas(columns)
        if self.container in FRAMES:
            return self._build_frame(columns)
        if self.container == "torch":
            dtype = TENSORS[self.storage[0].dtype]
            array = np.float64 if dtype.is_floating_point else self.storage[0].dtype
            matrix = torch.from_numpy(np.column_stack([cast(c, np.dtype(array)) for c in columns]))
            if dtype.is_floating_point:
                info = torch.finfo(dtype)
                matrix = matrix.clamp(info.min, info.max)
            return matrix.to(dtype)
        dtype = np.dtype(self.storage[0].dtype)
        matrix = np.empty((len(columns[0]), len(columns)), dtype=dtype)
        for j, values in enumerate(columns):
            matrix[:, j] = cast(values, dtype)
        return matrix

    def _build_pandas(self, columns: Sequence[np.ndarray]) -> Any:
        import pandas as pd

        series = {}
        for label, storage, values in zip(self.labels, self.storage, columns, strict=True):
            if storage.levels is not None:
                data = pd.Categorical(
                    values, categories=list(storage.levels), ordered=storage.ordered
                )
                series[label] = pd.Series(data)
                continue
            dtype = pd.api.types.pandas_dtype(storage.dtype)
            if isinstance(dtype, pd.DatetimeTZDtype):
                moments = pd.DatetimeIndex(values).tz_localize("UTC")
                series[label] = pd.Series(moments).astype(dtype)
                continue
            # pandas' own dtypes of numbers that may be missing say what they hold
            numpy_dtype = getattr(dtype, "numpy_dtype", dtype)
            if len(values) and all(value is None for value in values):
                numpy_dtype = None  # an empty column has no values to convert
            if isinstance(numpy_dtype, np.dtype):
                values = cast(values, numpy_dtype)
            series[label] = pd.Series(values, dtype=dtype)
        return pd.DataFrame(series, columns=list(self.labels))

    def _build_frame(self, columns: Sequence[np.ndarray]) -> Any:
        backend: Any = self.container
        series = []
        for label, storage, values in zip(self.labels, self.storage, columns, strict=True):
            if storage.dtype == "Enum":
                dtype: Any = nw.Enum(storage.levels or ())
            elif is_moment(storage.dtype):
                dtype, values = _python_moments(storage.dtype, values)
            else:
                dtype = ELEMENTS[storage.dtype]
            kind = storage.dtype.lower()
            empty = values.dtype.kind == "O" and all(value is None for value in values)
            if not empty and (kind in np.sctypeDict or kind == "boolean"):
                values = cast(values, np.dtype("bool" if kind == "boolean" else kind))
            try:
                series.append(nw.new_series(str(label), values.tolist(), dtype, backend=backend))
            except ImportError as error:
                raise DataError(
                    f"The model was fitted on a {self.container} frame and {self.container} is "
                    f"not installed here. Install it: pip install {self.container}"
                ) from error
        return nw.concat([one.to_frame() for one in series], how="horizontal").to_native()


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

    def raw(self, j: int) -> np.ndarray:
        """Return the cells of column j as they came, shape (n,), gaps among them."""
        if self.matrix is not None:
            return np.asarray(self.matrix[:, j])
        if self.layout.container != "pandas":
            return self.frame[self.layout.labels[j]].to_numpy()
        import pandas as pd

        series = self.native.iloc[:, j]
        if isinstance(series.dtype, pd.DatetimeTZDtype):
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


def is_moment(dtype: str) -> bool:
    """Whether a dtype, by the name of its storage, is one of dates, times or durations.

    >>> is_moment("datetime64[ns, UTC]"), is_moment("Datetime:us"), is_moment("int64")
    (True, True, False)
    """
    return MOMENT.match(dtype) is not None


def _python_moments(dtype: str, values: np.ndarray) -> tuple[Any, np.ndarray]:
    """The narwhals dtype of a storage, and moments as the Python objects it takes."""
    import pandas as pd

    parts: list[Any] = [*dtype.split(":", 2), "", ""]
    name, unit, zone = parts[:3]
    if pd.isna(values).all():
        values = np.full(len(values), None, dtype=object)
    elif name == "Duration":
        values = pd.TimedeltaIndex(values).to_pytimedelta()
    elif name == "Date":
        values = pd.DatetimeIndex(values).date
    else:
        index = pd.DatetimeIndex(values)
        values = (index.tz_localize("UTC").tz_convert(zone) if zone else index).to_pydatetime()
    made = {
        "Date": nw.Date,
        "Duration": lambda: nw.Duration(unit),
        "Datetime": lambda: nw.Datetime(unit, zone or None),
    }[name]()
    return made, values


def _rows(rows: Sequence) -> np.ndarray:
    """Turn a list of rows into an array in which numbers stay numbers beside text."""
    try:
        array = np.asarray(rows)
    except ValueError as error:
        raise DataError(f"X is no table: {error}. Expected rows of one length.") from error
    return np.asarray(rows, dtype=object) if array.dtype.kind in "US" else array
