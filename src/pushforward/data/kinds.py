"""What each column of a table is: recognised from its values, or declared by the user."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import DataError, ParameterError
from .bend import Bend
from .checks import column_text, rows_text

__all__ = ["KINDS", "Column", "recognise"]

KINDS = ("continuous", "integer", "grid", "category", "boolean")  # those a user can declare
MAX_CATEGORIES = 1000
MAX_CELLS = 100_000  # of a grid: a finer one is continuous to all purposes
IDENTITY = Bend()
EXACT = 2**53  # whole numbers up to here are exact in float64


@dataclass(frozen=True)
class Column:
    """What was learned about one column.

    Attributes:
        kind: "continuous", "integer", "grid", "category", "boolean" or "constant".
        family: what the cells are: "bool", "int", "float" or "text".
        values: the categories in the order of their cells, or the one value of a constant.
        low: smallest value seen; None without an order.
        high: largest value seen; None without an order.
        distinct: how many different values were seen; None where they were not counted.
        bounds: (low, high) declared by the user, either may be None.
        bend: the map of the column's numbers to the whole line.
        loc: mean on that line, subtracted to standardise.
        scale: standard deviation on that line, divided by to standardise.
        step: distance of neighbouring values of a grid; 1 for every other kind.
    """

    kind: str
    family: str
    values: tuple = ()
    low: float | int | None = None
    high: float | int | None = None
    distinct: int | None = None
    bounds: tuple[float | None, float | None] = (None, None)
    bend: Bend = IDENTITY
    loc: float = 0.0
    scale: float = 1.0
    step: float = 1.0

    @property
    def discrete(self) -> bool:
        """Whether the column's coordinate is a dequantised cell number."""
        return self.kind in ("integer", "grid", "category", "boolean")

    @property
    def n_cells(self) -> int:
        """How many cells were seen: integers or grid values from low to high, or categories."""
        if self.kind == "grid":
            return round((float(self.high or 0) - float(self.low or 0)) / self.step) + 1
        if self.kind == "integer":
            return int(self.high or 0) - int(self.low or 0) + 1
        return len(self.values)

    def numbers(self, values: np.ndarray, family: str, label: str | int) -> np.ndarray:
        """Turn the cells of a column into float64: x as it is, or the number of its cell.

        Args:
            values: shape (n,), as :meth:`Sheet.column` gives it.
            family: the family of these values.
            label: name of the column, for errors.

        Raises:
            DataError: for text where numbers were seen in fit (or the other way round), values
                outside the bounds and fractions in an integer column.
        """
        if (family == "text") != (self.family == "text"):
            held = {True: "text", False: "numbers"}
            raise DataError(
                f"{column_text(label)} holds {held[family == 'text']}, and held "
                f"{held[self.family == 'text']} in fit. Expected the same type: convert it."
            )
        if self.kind in ("category", "boolean"):
            return self._index(values)
        self._refuse_outside(values, label)
        if self.kind == "continuous":
            return values.astype(np.float64)
        if self.kind == "grid":
            return np.floor((values.astype(np.float64) - float(self.low or 0)) / self.step + 0.5)
        if family == "float":
            whole = values == np.floor(values)
            if not whole.all():
                raise DataError(
                    f"{column_text(label)} was learned as integer and holds fractions in "
                    f"{rows_text(~whole)}. Expected whole numbers: round them, or fit with "
                    f'columns={{{label!r}: "continuous"}}.'
                )
        return _offset(values, int(self.low or 0))

    def _index(self, values: np.ndarray) -> np.ndarray:
        import pandas as pd

        index = pd.Index(list(self.values), dtype=object)
        found = index.get_indexer(pd.Index(values, dtype=object))
        return np.where(found < 0, len(self.values), found).astype(np.float64)

    def _refuse_outside(self, values: np.ndarray, label: str | int) -> None:
        low, high = self.bounds
        outside = np.zeros(len(values), dtype=bool)
        if low is not None:
            outside |= values < low
        if high is not None:
            outside |= values > high
        if outside.any():
            raise DataError(
                f"{column_text(label)} leaves its bounds {self.bounds} in {rows_text(outside)}. "
                "Expected values inside: correct these rows, or fit with wider bounds."
            )

    def cells_to_values(self, cells: np.ndarray) -> np.ndarray:
        """Turn float cell numbers, clipped to those seen, into the values of the column."""
        last = min(float(self.n_cells - 1), np.nextafter(2.0**64, 0.0))
        cells = np.clip(cells, 0.0, last)
        if self.kind == "grid":
            values = float(self.low or 0) + cells * self.step
            digits = 10 - int(np.floor(np.log10(self.step)))
            if abs(digits) < 300:  # 3.3 as it was recorded, not 3.3000000000000003
                values = np.round(values, digits)
            return np.where(cells == last, float(self.high or 0), values)
        if self.kind != "integer":
            table = np.array(self.values, dtype=object)
            return table[cells.astype(np.int64)]
        low = int(self.low or 0)
        if self.family == "float":
            return cells + low
        steps = np.minimum(cells.astype(np.uint64), np.uint64(self.n_cells - 1))
        total = steps + np.uint64(low % 2**64)
        return total if int(self.high or 0) >= 2**63 else total.view(np.int64)


def _offset(values: np.ndarray, low: int) -> np.ndarray:
    """Return values - low as float64, exact for every int64 and uint64 near low."""
    rough = values.astype(np.float64) - float(low)
    if values.dtype.kind == "f":
        return rough
    exact = (values.astype(np.uint64) - np.uint64(low % 2**64)).view(np.int64)
    return np.where(np.abs(rough) < 2.0**62, exact.astype(np.float64), rough)


def recognise(
    values: np.ndarray,
    family: str,
    label: str | int,
    *,
    declared: str | None = None,
    categorical: bool = False,
    bounds: tuple[float | None, float | None] = (None, None),
    weights: np.ndarray | None = None,
) -> Column:
    """Decide what a column is.

    Args:
        values: shape (n,), as :meth:`Sheet.column` gives it.
        family: the family of these values.
        label: name of the column, for errors.
        declared: the kind the user asked for, or None.
        categorical: whether the column is stored with a categorical dtype.
        bounds: (low, high) of the values the column can take.
        weights: shape (n,), counted for the order of categories.

    Raises:
        DataError: where a declared kind does not fit, a value is out of bounds, or a text
            column looks like an identifier.
    """
    first = values[0]
    if bool((values == first).all()):
        column = Column("constant", family, (_python(first, family),), distinct=1, bounds=bounds)
        if family != "text":
            column._refuse_outside(values, label)
        return column
    kind = declared or _kind(values, family, categorical, bounds != (None, None))
    if kind in ("category", "boolean", "grid") and bounds != (None, None):
        raise ParameterError(
            f"bounds were given for {column_text(label)}, a {kind} column. Bounds are for "
            "continuous and integer columns: leave them out."
        )
    if kind in ("category", "boolean"):
        return _categories(values, family, label, kind, declared is not None, weights)
    if family == "text" or categorical:
        held = "has a categorical dtype" if categorical else "holds text"
        raise DataError(
            f"{column_text(label)} was declared {kind} and {held}. Expected numbers: convert it, "
            "or leave it as a category."
        )
    if family == "bool":
        values = values.astype(np.int64)
    column = Column(kind, family, bounds=bounds)
    column._refuse_outside(values, label)
    if kind == "grid":
        if (step := _grid_step(values.astype(np.float64), declared is not None)) is None:
            raise DataError(
                f"{column_text(label)} was declared grid, and its values are not a fixed distance "
                "apart. Leave it continuous."
            )
        low, high = float(values.min()), float(values.max())
        distinct = len(np.unique(values))
        return Column(kind, family, low=low, high=high, distinct=distinct, step=step)
    if kind == "continuous":
        low, high = float(values.min()), float(values.max())
        bend = Bend.learn(values.astype(np.float64), bounds, weights)
        return Column(kind, family, low=low, high=high, bounds=bounds, bend=bend)
    if family == "float" and not _whole(values):
        raise DataError(
            f"{column_text(label)} was declared integer and holds fractions (or numbers beyond "
            f"2**53) in {rows_text((values != np.floor(values)) | (abs(values) >= EXACT))}. "
            "Expected whole numbers."
        )
    low, high = int(values.min()), int(values.max())
    edges = (
        None if bounds[0] is None else float(np.ceil(bounds[0])) - low,
        None if bounds[1] is None else float(np.floor(bounds[1])) + 1.0 - low,
    )
    bend = Bend.learn(_offset(values, low) + 0.5, edges, weights)
    distinct = len(np.unique(values))
    return Column(kind, family, (), low, high, distinct, bounds, bend)


def _kind(values: np.ndarray, family: str, categorical: bool, bounded: bool) -> str:
    if family == "bool":
        return "boolean"
    if family == "text" or categorical:
        return "category"
    if family == "int":
        return "integer"
    n = len(values)
    # Whole numbers that repeat are counts or codes stored as floats, like scikit-learn's digits.
    if n >= 10 and _whole(values[:1000]) and _whole(values) and len(np.unique(values)) <= n / 2:
        return "integer"
    if n >= 20 and not bounded and _grid_step(values.astype(np.float64), False) is not None:
        return "grid"
    return "continuous"


def _grid_step(values: np.ndarray, declared: bool) -> float | None:
    """Distance of the values if all lie a whole number of steps apart and repeat, or None.

    Measurements are recorded at a resolution. Where that makes rows share values, a density
    of the bare numbers is without bound on them; it has to be dequantised like a count.
    """
    seen = np.unique(values)
    if len(seen) < 2 or (not declared and len(seen) > len(values) / 2):
        return None
    with np.errstate(over="ignore"):
        gaps, width = np.diff(seen), seen[-1] - seen[0]
        if not np.isfinite(width) or width / gaps.min() > MAX_CELLS:
            return None
    step = float(width / round(width / gaps.min()))
    position = (seen - seen[0]) / step
    on_grid = np.abs(position - np.round(position)).max() < 0.05
    return step if on_grid and step > 0 else None


def _whole(values: np.ndarray) -> bool:
    return bool((values == np.floor(values)).all() and abs(values).max() < EXACT)


def _categories(
    values: np.ndarray,
    family: str,
    label: str | int,
    kind: str,
    declared: bool,
    weights: np.ndarray | None,
) -> Column:
    import pandas as pd

    codes, found = pd.factorize(values)
    n, distinct = len(values), len(found)
    if kind == "boolean" and distinct != 2:
        raise DataError(
            f"{column_text(label)} was declared boolean and holds {distinct} different values. "
            'Expected two: declare it "category".'
        )
    if not declared and (distinct > MAX_CATEGORIES or (distinct == n and n > 50)):
        raise DataError(
            f"{column_text(label)} has {distinct} different values in {n} rows: it looks like an "
            f'identifier. Drop it, or declare columns={{{label!r}: "category"}} to keep it.'
        )
    categories = [_python(value, family) for value in found]
    counts = np.bincount(codes, weights=weights, minlength=distinct)
    order = sorted(range(distinct), key=lambda i: (-counts[i], categories[i]))
    ordered = tuple(categories[i] for i in order)
    return Column(kind, family, ordered, distinct=distinct)


def _python(value: Any, family: str) -> str | int | float | bool:
    """Return a cell as the plain Python value that JSON keeps."""
    return {"text": str, "bool": bool, "int": int, "float": float}[family](value)


def check_declared(
    declared: dict | None, bounds: dict | None, labels: Sequence[str | int]
) -> tuple[dict, dict]:
    """Check the ``columns`` and ``bounds`` a user gave against the table's columns.

    Raises:
        ParameterError: for an unknown column, kind or interval.
    """
    for name, option in (("columns", declared), ("bounds", bounds)):
        if not (option is None or isinstance(option, Mapping)):
            raise ParameterError(
                f"{name} is {option!r}. Expected a dict from names (positions in an array)."
            )
    declared, bounds = dict(declared or {}), dict(bounds or {})
    for name, option in (("columns", declared), ("bounds", bounds)):
        unknown = [label for label in option if label not in labels]
        if unknown:
            raise ParameterError(
                f"{name} names {unknown}, and the table has the columns {list(labels)[:20]}. "
                "Expected names of a frame's columns, or positions in an array."
            )
    for label, kind in declared.items():
        if kind not in KINDS:
            raise ParameterError(f"columns[{label!r}] is {kind!r}. Expected one of {KINDS}.")
    return declared, {label: _interval(label, pair) for label, pair in bounds.items()}


def _interval(label: str | int, pair: Any) -> tuple[float | None, float | None]:
    text = f"bounds[{label!r}] is {pair!r}. Expected (low, high) with low < high, None for no end."
    try:
        low, high = (None if end is None else float(end) for end in pair)
    except (TypeError, ValueError) as error:
        raise ParameterError(text) from error
    if any(end is not None and not np.isfinite(end) for end in (low, high)):
        raise ParameterError(text)
    if low is not None and high is not None and not low < high:
        raise ParameterError(text)
    return low, high
