"""What each column of a table is: recognised from its values, or declared by the user."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ...errors import DataError, ParameterError
from ...validation import Instance, OneOf, check
from ...wording import setting
from ..checks import column_text, rows_text
from .bounded_transform import BoundedTransform
from .column import ON_SCALE, Column, offset
from .column_contents import ColumnContents
from .decimals import Digits
from .log_transform import LogTransform
from .point_masses import Atoms
from .rare_levels import RareLevels
from .repeated_values import EXACT, FEW_CELLS, FEWEST, MANY_CELLS, Repeats, grid_step, whole
from .unmodelled_columns import MAX_CATEGORIES

__all__ = ["KINDS", "check_declared", "recognise"]

KINDS = (  # those a user can declare
    *("continuous", "mixed", "integer", "grid", "discrete", "date", "category", "boolean"),
    *("identifier", "text", "drop"),
)
UNIQUE = 0.8  # share of different values from which a column tells rows apart
MANY_COPIES = 20  # of each row, on average: no accident of how rows were collected


def recognise(
    values: np.ndarray,
    family: str,
    label: str | int,
    *,
    holding: ColumnContents | None = None,
    declared: str | None = None,
    categorical: bool = False,
    bounds: tuple[float | None, float | None] | None = None,
    weights: np.ndarray | None = None,
    distinct_rows: np.ndarray | None = None,
    smooth: bool = False,
) -> Column:
    """Decide what a column is.

    Args:
        values: shape (n,), as :func:`read` gives it.
        family: the family of these values.
        label: name of the column, for errors.
        holding: what the column was found to hold.
        declared: the kind the user asked for, or None.
        categorical: whether the column is stored with a categorical dtype.
        bounds: (low, high) of the values the column can take; None where the values say it.
        weights: shape (n,), counted for the order of categories.
        distinct_rows: boolean of shape (n,), False for copies of an earlier row of the table,
            whose values may be no repeats; None where all rows count.
        smooth: as of :meth:`Columns.learn`.

    Raises:
        DataError: where a declared kind does not fit, or a value is out of bounds.
    """
    holding = holding or ColumnContents()
    interval = bounds or (None, None)
    if bool((values == values[0]).all()):
        cells = (_python(values[0], family),)
        column = Column("constant", family, cells, distinct=1, bounds=interval)
        if family != "text":
            column.check_bounds(values, label)
        return replace(column, format=holding.format, why="one value", note=holding.note)
    once = _without_copies(values, distinct_rows)
    if holding.kind == "date":
        column = _date(values, once, label, interval)
        return replace(column, format=holding.format, why=holding.why, note=holding.note)
    kind = declared or _kind(once, family, categorical, interval != (None, None), smooth)
    column = _of_kind(
        kind, values, family, label, categorical, interval, weights, declared is not None
    )
    why = "declared" if declared else _why(column, values)
    notes = [holding.note]
    if column.kind in ("continuous", "mixed") and family in ("int", "float"):
        numbers = values.astype(np.float64)
        natural = natural_bounds(numbers, column.atoms) if bounds is None else (None, None)
        column = replace(column, natural=natural)
        notes.append(_within(numbers, natural))
    if bounds is None:
        column = _scaled(column, values, weights)
    if column.logarithm is not None:
        above = values[values > 0].astype(np.float64)
        ratio = above.max() / above.min()
        notes.append(f"{ON_SCALE}: the largest is {ratio:.2g} times the smallest")
    if column.rare is not None:
        notes.append(
            f"the {len(column.rare.shares):,} rarest of {len(column.values):,} texts count as one"
        )
    if column.kind in ("continuous", "mixed", "grid") and family == "float":
        column = replace(column, digits=Digits.learn(values))
        column = column.on_even_steps(values) if column.kind == "grid" else column
        if column.kind != "grid" and column.digits is not None and column.digits.multiple > 1:
            notes.append(f"samples are in steps of {column.digits.step:g}")
    note = "; ".join(filter(None, notes))
    why = f"{why}, {holding.why}" if holding.why else why
    return replace(column, format=holding.format, why=why, note=note)


def _of_kind(
    kind: str,
    values: np.ndarray,
    family: str,
    label: str | int,
    categorical: bool,
    bounds: tuple[float | None, float | None],
    weights: np.ndarray | None,
    declared: bool,
) -> Column:
    if kind in ("category", "boolean", "grid") and bounds != (None, None):
        raise ParameterError(
            f"bounds were given for {column_text(label)}, a {kind} column. Bounds are for "
            "columns of numbers that are not a grid: leave them out."
        )
    if kind in ("category", "boolean"):
        return _categories(values, family, label, kind, declared, weights)
    if family == "text" or categorical:
        held = "has a categorical dtype" if categorical else "holds text"
        raise DataError(
            f"{column_text(label)} was declared {kind} and {held}. Expected numbers: convert it, "
            "or leave it as a category."
        )
    if family == "bool":
        values = values.astype(np.int64)
    column = Column(kind, family, bounds=bounds)
    column.check_bounds(values, label)
    distinct = len(np.unique(values))
    if kind in ("grid", "discrete", "mixed"):
        low, high = values.min(), values.max()
        column = replace(column, low=_python(low, family), high=_python(high, family))
        return _FINISH[kind](replace(column, distinct=distinct), values, label, weights)
    if kind == "continuous":
        low, high = float(values.min()), float(values.max())
        transform = BoundedTransform.learn(values.astype(np.float64), bounds, weights)
        return Column(kind, family, low=low, high=high, bounds=bounds, transform=transform)
    if family == "float" and not whole(values):
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
    transform = BoundedTransform.learn(offset(values, low) + 0.5, edges, weights)
    return Column(kind, family, (), low, high, distinct, bounds, transform)


def _scaled(column: Column, values: np.ndarray, weights: np.ndarray | None) -> Column:
    """The column, on a logarithmic scale if that suits its numbers.

    Whole numbers and grids have one where single cells do not show, and are a line then.
    """
    numbers, shift = values, 0.0
    if column.atoms is not None:
        masses, numbers = np.array(column.atoms.values), values.astype(np.float64)
        atoms = Atoms.learn(numbers, masses, column.atoms.step, weights, scaled=True)
        return replace(column, atoms=atoms)
    if column.kind in ("integer", "grid"):
        low = float(column.low or 0) / column.step
        if column.n_cells <= min(MANY_CELLS, max(len(values), 32)) or low < 0:
            return column
        numbers = column.numbers(values, column.family, "") + 0.5
        shift = low if low >= 1.0 else low + 1.0
    elif column.kind != "continuous" or column.family not in ("int", "float"):
        return column
    logarithm = LogTransform.learn(numbers, weights, shift=shift)
    return column if logarithm is None else replace(column, transform=logarithm)


def natural_bounds(values: np.ndarray, atoms: Atoms | None) -> tuple[float | None, float | None]:
    """Ends that the values show, None where they show none.

    Zero where no value lies beyond it: of prices from 50 on a flow has one in some thousands
    below zero, and that is a worse sample than none where one may be. 1 and 100 where twenty
    values or more, from zero on, come near them and none lies beyond; and the point masses at the
    ends of a mixed column.
    """
    low: float | None = None
    high: float | None = None
    least, most = float(values.min()), float(values.max())
    if least >= 0:
        low = 0.0
    elif most <= 0:
        high = 0.0
    for top in (1.0, 100.0):
        if len(values) >= FEWEST and least >= 0 and 0.98 * top <= most <= top:
            high = top
    if atoms is not None:
        low = least if atoms.values[0] == least else low
        high = most if atoms.values[-1] == most else high
    return low, high


def _within(values: np.ndarray, natural: tuple[float | None, float | None]) -> str:
    """What is said of ends that the values come near to."""
    with np.errstate(over="ignore", invalid="ignore"):  # huge values are near no end
        spread = float(values.std())
    low, high = (
        None if end is None or np.abs(values - end).min() >= spread else end for end in natural
    )
    if low is None and high is None:
        return ""
    if low is None or high is None:
        return (
            f"samples are not above {high:g}" if low is None else f"samples are not below {low:g}"
        )
    return f"samples are within {low:g} and {high:g}"


def _why(column: Column, values: np.ndarray) -> str:
    """What a kind was recognised by."""
    if column.atoms is not None:
        shares = [(float((values == atom).mean()), atom) for atom in column.atoms.values]
        shown = [f"{100 * share:.0f} % are {atom:g}" for share, atom in sorted(shares)[::-1][:3]]
        return "of the rows " + ", ".join(shown) + (", ..." if len(shares) > 3 else "")
    if column.kind == "category":
        return "text" if column.family == "text" else "categories"
    return {
        "boolean": "booleans",
        "integer": "whole numbers",
        "grid": f"numbers in steps of {column.step:.6g}",
        "discrete": f"{column.distinct or 0:,} different numbers in {len(values):,} rows",
    }.get(column.kind, "numbers")


def _date(
    values: np.ndarray,
    once: np.ndarray,
    label: str | int,
    bounds: tuple[float | None, float | None],
) -> Column:
    """A column of dates as counts of its unit: on its own steps, or a list of dates."""
    if bounds != (None, None):
        raise ParameterError(
            f"bounds were given for {column_text(label)}, a date column. Bounds are for columns "
            "of numbers: leave them out."
        )
    seen, counts = np.unique(once, return_counts=True)
    step = float(np.gcd.reduce(np.diff(np.unique(values))))
    listed = Repeats(seen, counts, step).listed
    cells = tuple(np.unique(values).tolist()) if listed else ()
    low, high, distinct = int(values.min()), int(values.max()), len(np.unique(values))
    return Column("date", "int", cells, low, high, distinct, step=1.0 if listed else step)


def _without_copies(values: np.ndarray, distinct_rows: np.ndarray | None) -> np.ndarray:
    """Leave copies of whole rows out where they alone make a column's values repeat.

    Where a row has many copies on average, the few that differ are all that there is: values.
    """
    if distinct_rows is None or values.dtype.kind not in "iuf":
        return values
    once = values[distinct_rows]
    if len(values) >= MANY_COPIES * len(once):
        return values
    return once if len(np.unique(once)) > UNIQUE * len(once) else values


def _kind(values: np.ndarray, family: str, categorical: bool, bounded: bool, smooth: bool) -> str:
    if family == "bool":
        return "boolean"
    if family == "text" or categorical:
        return "category"
    found = Repeats.of(values, family)
    if found.listed:
        return "discrete"
    spills = smooth and found.n_cells > FEW_CELLS and found.dominant.any()
    if (found.wide or spills) and found.atoms.any() and not found.atoms.all():
        return "mixed"
    if family == "int" or (found.step and whole(found.distinct)):
        return "integer" if found.step == 1.0 or bounded else "grid"
    return "grid" if found.step and not bounded else "continuous"


def _as_grid(
    column: Column, values: np.ndarray, label: str | int, weights: np.ndarray | None
) -> Column:
    step = grid_step(np.unique(values.astype(np.float64)))
    if step is None:
        raise DataError(
            f"{column_text(label)} was declared grid, and its values are not a fixed distance "
            "apart. Leave it continuous."
        )
    return replace(column, low=float(values.min()), high=float(values.max()), step=step)


def _as_discrete(
    column: Column, values: np.ndarray, label: str | int, weights: np.ndarray | None
) -> Column:
    listed = tuple(_python(value, column.family) for value in np.unique(values))
    return replace(column, values=listed)


def _as_mixed(
    column: Column, values: np.ndarray, label: str | int, weights: np.ndarray | None
) -> Column:
    found = Repeats.of(values, column.family)
    atoms = found.atoms if found.wide else found.dominant
    if not atoms.any():  # declared: the most frequent value, if there is one
        atoms = found.counts == found.counts.max()
        if atoms.sum() > 1 or found.counts.max() < 3:
            raise DataError(
                f"{column_text(label)} was declared mixed, and no value has more rows than the "
                "others. Leave it continuous."
            )
    numbers, masses = values.astype(np.float64), found.distinct[atoms].astype(np.float64)
    return replace(column, atoms=Atoms.learn(numbers, masses, found.step, weights))


_FINISH = {"grid": _as_grid, "discrete": _as_discrete, "mixed": _as_mixed}


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
    distinct = len(found)
    if kind == "boolean" and distinct != 2:
        raise DataError(
            f"{column_text(label)} was declared boolean and holds {distinct} different values. "
            'Expected two: declare it "category".'
        )
    categories = [_python(value, family) for value in found]
    counts = np.bincount(codes, weights=weights, minlength=distinct)
    order = sorted(range(distinct), key=lambda i: (-counts[i], categories[i]))
    ordered = tuple(categories[i] for i in order)
    column = Column(kind, family, ordered, distinct=distinct)
    if declared or distinct <= MAX_CATEGORIES:
        return column
    rows = np.bincount(codes, minlength=distinct)
    order = sorted(range(distinct), key=lambda i: (-rows[i], -counts[i], categories[i]))
    rare = RareLevels.learn(rows[order], counts[order], MAX_CATEGORIES)
    ordered = tuple(categories[i] for i in order)
    return column if rare is None else replace(column, values=ordered, rare=rare)


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
    by_column = Instance(Mapping, description="a dict from names (positions in an array)") | None
    check({"columns": by_column, "bounds": by_column}, {"columns": declared, "bounds": bounds})
    declared, bounds = dict(declared or {}), dict(bounds or {})
    for name, option in (("columns", declared), ("bounds", bounds)):
        unknown = [label for label in option if label not in labels]
        if unknown:
            raise ParameterError(
                f"{name} names {unknown}, and the table has the columns {list(labels)[:20]}. "
                "Expected names of a frame's columns, or positions in an array."
            )
    kinds = {f"columns[{label!r}]": kind for label, kind in declared.items()}
    check(dict.fromkeys(kinds, OneOf(*KINDS)), kinds)
    return declared, {label: _interval(label, pair) for label, pair in bounds.items()}


def _interval(label: str | int, pair: Any) -> tuple[float | None, float | None]:
    named = setting(f"bounds[{label!r}]")
    text = f"{named} is {pair!r}. Expected (low, high) with low < high, None for no end."
    try:
        low, high = (None if end is None else float(end) for end in pair)
    except (TypeError, ValueError) as error:
        raise ParameterError(text) from error
    if any(end is not None and not np.isfinite(end) for end in (low, high)):
        raise ParameterError(text)
    if low is not None and high is not None and not low < high:
        raise ParameterError(text)
    return low, high
