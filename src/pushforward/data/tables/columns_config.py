"""What :class:`Columns` learned, as JSON values and back, strictly checked."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from .column import Column
from .column_config import column_entry, read_column, whole_entry
from .column_formula import COMPUTED
from .config_checks import CELL, check_entry, expect, fields_of
from .constraints import Constraint
from .containers import ELEMENTS, FRAMES, TENSORS, Layout, Storage, is_moment
from .date_order import by_origin, is_origin
from .dates import DateFormat

__all__ = ["read", "write"]

TOP = {
    **{"container": str, "estimator": str, "n_rows": int, "n_left_out": int, "columns": list},
    "constraints": list,
}
RULE = {
    **{"text": str, "relation": str, "places": list, "names": list, "coefficients": list},
    **{"intercept": float, "tolerance": float, "built": bool, "values": list},
}


def write(
    layout: Layout,
    columns: tuple[Column, ...],
    n_rows: int,
    estimator: str,
    n_left_out: int,
    constraints: tuple[Constraint, ...] = (),
) -> dict[str, Any]:
    """Return the JSON values that :func:`read` reads."""
    learned = zip(layout.labels, layout.storage, columns, strict=True)
    return {
        "container": layout.container,
        "estimator": estimator,
        "n_rows": n_rows,
        "n_left_out": n_left_out,
        "columns": [column_entry(*one) for one in learned],
        "constraints": [fields_of(rule, RULE) for rule in constraints],
    }


def read(
    values: Any,
) -> tuple[Layout, tuple[Column, ...], int, str, int, tuple[Constraint, ...]]:
    """Check JSON values and return the arguments of :class:`Columns`.

    Raises:
        ModelFileError: naming the entry that is unknown, missing or wrong.
    """
    if isinstance(values, dict):  # folders of before 2026-12 have none
        values = {"constraints": []} | values
    check_entry(values, TOP, "columns")
    container = values["container"]
    expect(container in (*FRAMES, "numpy", "torch"), "container", container)
    expect(1 <= values["n_rows"] < 2**63, "n_rows", values["n_rows"])
    expect(0 <= values["n_left_out"] < 2**63, "n_left_out", values["n_left_out"])
    entries = values["columns"]
    expect(bool(entries), "columns", entries)
    storage, columns = [], []
    for number, entry in enumerate(entries):
        where = f"columns[{number}]"
        entry = whole_entry(entry, where)
        storage.append(_read_storage(entry, container, where))
        columns.append(read_column(entry, where))
    for number, column in enumerate(columns):
        if column.formula is not None:
            parts = [columns[j] for j in column.formula.places if j < len(columns)]
            fine = len(parts) == len(column.formula.places) and all(
                part.has_coordinate and part.kind in COMPUTED for part in parts
            )
            expect(fine, f"columns[{number}].formula.places", column.formula.places)
    _check_origins(columns)
    labels = tuple(entry["name"] for entry in entries)
    expect(len(set(labels)) == len(labels), "columns", f"repeated names {labels}")
    if container not in FRAMES:
        expect(labels == tuple(range(len(labels))), "columns", f"names {labels}")
        expect(len(set(storage)) == 1, "columns", "different dtypes in one array")
    layout = Layout(container, labels, tuple(storage))
    rules = tuple(
        _read_rule(entry, columns, f"constraints[{number}]")
        for number, entry in enumerate(values["constraints"])
    )
    facts = values["n_rows"], values["estimator"], values["n_left_out"]
    return layout, tuple(columns), *facts, rules


def _read_rule(entry: Any, columns: Sequence[Column], where: str) -> Constraint:
    check_entry(entry, RULE, where)
    places, coefficients, values = entry["places"], entry["coefficients"], entry["values"]
    fine = all(type(j) is int and 0 <= j < len(columns) for j in places)
    fine = fine and len(set(places)) == len(places) > 1
    fine = fine and not any(columns[j].left_out for j in places)
    fine = fine and [type(name) for name in entry["names"]] == [str] * len(places)
    fixes = entry["relation"] == "->"
    fine = fine and entry["relation"] in ("->", "<=", "<", "==")
    fine = fine and len(coefficients) == (0 if fixes else len(places))
    fine = fine and all(type(c) is float and math.isfinite(c) and c for c in coefficients)
    fine = fine and (not fixes or len(places) == 2) and entry["tolerance"] >= 0
    pairs = all(isinstance(p, list) and [type(x) in CELL for x in p] == [True] * 2 for p in values)
    expect(fine and pairs and (fixes or not values), where, entry)
    dates = [isinstance(columns[j].format, DateFormat) for j in places]
    expect(fixes or not any(dates) or (all(dates) and len(dates) == 2), where, entry)
    words = [columns[j].family == "text" or columns[j].kind == "category" for j in places]
    expect(fixes or not any(words), where, entry)
    rule: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in entry.items()}
    rule["values"] = tuple((key, value) for key, value in values)
    return Constraint(**rule)


def _check_origins(columns: Sequence[Column]) -> None:
    for number, column in enumerate(columns):
        others = column.counted_from
        fine = all(type(j) is int and 0 <= j < len(columns) for j in others)
        fine = fine and len(set(others)) == len(others)
        fine = fine and all(is_origin(columns[j], column) for j in others)
        fine = fine and (not column.addends or (column.origin is None and column.kind != "date"))
        expect(fine, f"columns[{number}].origin", others)
    fine = sum(bool(column.counted_from) for column in columns) == len(by_origin(columns))
    expect(fine, "columns", "dates that are counted from each other in a circle")


def _read_storage(entry: dict[str, Any], container: str, where: str) -> Storage:
    dtype, levels = entry["dtype"], entry["levels"]
    if levels is not None:
        expect(all(type(level) in CELL for level in levels), f"{where}.levels", levels)
        expect(len(set(levels)) == len(levels), f"{where}.levels", levels)
    if container == "pandas":
        fine = _is_pandas_dtype(dtype) and (levels is not None) == (dtype == "category")
    elif container in FRAMES:
        fine = dtype in ELEMENTS or dtype == "Enum" or is_moment(dtype)
        fine = fine and (levels is not None) == (dtype == "Enum")
    elif container == "torch":
        fine = dtype in TENSORS and levels is None
    else:
        fine = _is_numpy_dtype(dtype) and levels is None
    expect(fine, f"{where}.dtype", dtype)
    return Storage(dtype, None if levels is None else tuple(levels), entry["ordered"])


def _is_pandas_dtype(name: str) -> bool:
    import pandas as pd

    try:
        pd.api.types.pandas_dtype(name)
    except (TypeError, ValueError, ImportError):
        return False
    return True


def _is_numpy_dtype(name: str) -> bool:
    try:
        return np.dtype(name).kind in "biufOUSMm"
    except TypeError:
        return False
