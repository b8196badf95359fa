"""The container of a table: which one it is, and a new one of the same names, order and dtypes."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import narwhals as nw
import numpy as np
import torch

from ...errors import DataError
from .cells import cast

__all__ = ["Layout", "Storage", "has_zone", "is_moment", "zone_of"]

FRAMES = ("pandas", "polars", "pyarrow", "modin", "cudf")
TENSORS = {
    str(dtype).removeprefix("torch."): dtype
    for dtype in (
        *(torch.int8, torch.int16, torch.int32, torch.int64, torch.bool),
        *(torch.uint8, torch.uint16, torch.uint32, torch.uint64),
        *(torch.bfloat16, torch.float16, torch.float32, torch.float64),
    )
}
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


ZONE = re.compile(r"^(?:datetime64|timestamp)\[\w+, (?:tz=)?([^\]]+)\]|^Datetime:\w+:(.+)$")


def zone_of(dtype: str) -> str | None:
    """The time zone in the name of a dtype; None where there is none.

    >>> zone_of("datetime64[ns, Europe/Berlin]"), zone_of("Datetime:us:UTC"), zone_of("int64")
    ('Europe/Berlin', 'UTC', None)
    """
    found = ZONE.search(dtype)
    return None if found is None else found[1] or found[2]


def has_zone(dtype: Any) -> bool:
    """Whether a dtype of pandas is one of moments with a time zone, its own or of arrow."""
    import pandas as pd

    if isinstance(dtype, pd.ArrowDtype):
        return getattr(dtype.pyarrow_dtype, "tz", None) is not None  # only timestamps have one
    return isinstance(dtype, pd.DatetimeTZDtype)


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
            if has_zone(dtype):
                moments = pd.DatetimeIndex(values).tz_localize("UTC")
                series[label] = pd.Series(moments).astype(dtype)
                continue
            # pandas' own dtypes of numbers that may be missing say what they hold
            numpy_dtype = getattr(dtype, "numpy_dtype", dtype)
            if isinstance(numpy_dtype, np.dtype):
                values = _cast_known(values, numpy_dtype)
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
            if kind in np.sctypeDict or kind == "boolean":
                values = _cast_known(values, np.dtype("bool" if kind == "boolean" else kind))
            try:
                series.append(nw.new_series(str(label), values.tolist(), dtype, backend=backend))
            except ImportError as error:
                raise DataError(
                    f"The model was fitted on a {self.container} frame and {self.container} is "
                    f"not installed here. Install it: pip install {self.container}"
                ) from error
        return nw.concat([one.to_frame() for one in series], how="horizontal").to_native()


def _cast_known(values: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Values (n,) in a dtype; where some are None they stay it, among objects."""
    gaps = values == None if values.dtype.kind == "O" else np.zeros(1, dtype=bool)  # noqa: E711
    if not gaps.any():
        return cast(values, dtype)
    found = np.full(len(values), None, dtype=object)
    if not gaps.all():
        found[~gaps] = cast(values[~gaps], dtype).tolist()
    return found


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
    cells = [None if gap else x for gap, x in zip(pd.isna(values), values, strict=True)]
    values = np.array(cells, dtype=object)
    made = {
        "Date": nw.Date,
        "Duration": lambda: nw.Duration(unit),
        "Datetime": lambda: nw.Datetime(unit, zone or None),
    }[name]()
    return made, values
