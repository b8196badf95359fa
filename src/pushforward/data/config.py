"""What :class:`Columns` learned, as JSON values and back, strictly checked."""

import math
from itertools import pairwise
from typing import Any

import numpy as np

from ..errors import ModelFileError
from .atoms import Atoms
from .bend import Bend
from .column import Column
from .containers import ELEMENTS, FRAMES, TENSORS, Layout, Storage
from .kinds import KINDS

__all__ = ["read", "write"]

CELL = (str, int, float, bool)
TOP = {"container": str, "estimator": str, "n_rows": int, "columns": list}
ENTRY = {
    "name": (str, int),
    "dtype": str,
    "levels": (list, type(None)),
    "ordered": bool,
    "kind": str,
    "family": str,
    "values": list,
    "low": (int, float, type(None)),
    "high": (int, float, type(None)),
    "distinct": (int, type(None)),
    "bounds": list,
    "bend": dict,
    "loc": float,
    "scale": float,
    "step": float,
    "atoms": (dict, type(None)),
}
ATOMS = {"values": list, "widths": list, "step": float}
BEND = {
    "low": (float, type(None)),
    "high": (float, type(None)),
    "unit": float,
    "reach": float,
}
FAMILIES = {"text": str, "bool": bool, "int": int, "float": float}


def write(
    layout: Layout, columns: tuple[Column, ...], n_rows: int, estimator: str
) -> dict[str, Any]:
    """Return the JSON values that :func:`read` reads."""
    entries = []
    for name, storage, column in zip(layout.labels, layout.storage, columns, strict=True):
        bend = column.bend
        entries.append(
            {
                "name": name,
                "dtype": storage.dtype,
                "levels": None if storage.levels is None else list(storage.levels),
                "ordered": storage.ordered,
                "kind": column.kind,
                "family": column.family,
                "values": list(column.values),
                "low": column.low,
                "high": column.high,
                "distinct": column.distinct,
                "bounds": list(column.bounds),
                "bend": {key: getattr(bend, key) for key in BEND},
                "loc": column.loc,
                "scale": column.scale,
                "step": column.step,
                "atoms": None if column.atoms is None else _write_atoms(column.atoms),
            }
        )
    return {
        "container": layout.container,
        "estimator": estimator,
        "n_rows": n_rows,
        "columns": entries,
    }


def read(values: Any) -> tuple[Layout, tuple[Column, ...], int, str]:
    """Check JSON values and return the arguments of :class:`Columns`.

    Raises:
        ModelFileError: naming the entry that is unknown, missing or wrong.
    """
    _check_entry(values, TOP, "columns")
    container = values["container"]
    _expect(container in (*FRAMES, "numpy", "torch"), "container", container)
    _expect(1 <= values["n_rows"] < 2**63, "n_rows", values["n_rows"])
    entries = values["columns"]
    _expect(bool(entries), "columns", entries)
    storage, columns = [], []
    for number, entry in enumerate(entries):
        where = f"columns[{number}]"
        _check_entry(entry, ENTRY, where)
        _check_entry(entry["bend"], BEND, f"{where}.bend")
        storage.append(_read_storage(entry, container, where))
        columns.append(_read_column(entry, where))
    labels = tuple(entry["name"] for entry in entries)
    _expect(len(set(labels)) == len(labels), "columns", f"repeated names {labels}")
    if container not in FRAMES:
        _expect(labels == tuple(range(len(labels))), "columns", f"names {labels}")
        _expect(len(set(storage)) == 1, "columns", "different dtypes in one array")
    layout = Layout(container, labels, tuple(storage))
    return layout, tuple(columns), values["n_rows"], values["estimator"]


def _expect(fine: bool, where: str, value: object) -> None:
    if not fine:
        raise ModelFileError(
            f"The data description has {value!r} in {where}, which no version of it has. The "
            "model folder is damaged or was altered: fit the model again or fetch a fresh copy."
        )


def _check_entry(entry: Any, schema: dict[str, Any], where: str) -> None:
    """Check that a dict has exactly the keys of a schema, with values of their types."""
    _expect(isinstance(entry, dict), where, entry)
    unknown, missing = sorted(map(str, set(entry) - set(schema))), sorted(set(schema) - set(entry))
    if unknown or missing:
        raise ModelFileError(
            f"The data description has unknown entries {unknown} and lacks {missing} in {where}. "
            f"Expected {sorted(schema)}: the folder was altered or is from another version."
        )
    for key, types in schema.items():
        value = entry[key]
        types = types if isinstance(types, tuple) else (types,)
        # bool is an int to Python, and it is never meant where a number is.
        fine = isinstance(value, types) and (bool in types or not isinstance(value, bool))
        _expect(fine, f"{where}.{key}", value)
        if isinstance(value, float):
            _expect(math.isfinite(value), f"{where}.{key}", value)


def _read_storage(entry: dict[str, Any], container: str, where: str) -> Storage:
    dtype, levels = entry["dtype"], entry["levels"]
    if levels is not None:
        _expect(all(type(level) in CELL for level in levels), f"{where}.levels", levels)
        _expect(len(set(levels)) == len(levels), f"{where}.levels", levels)
    if container == "pandas":
        fine = _is_pandas_dtype(dtype) and (levels is not None) == (dtype == "category")
    elif container in FRAMES:
        fine = dtype in ELEMENTS or dtype == "Enum"
        fine = fine and (levels is not None) == (dtype == "Enum")
    elif container == "torch":
        fine = dtype in TENSORS and levels is None
    else:
        fine = _is_numpy_dtype(dtype) and levels is None
    _expect(fine, f"{where}.dtype", dtype)
    return Storage(dtype, None if levels is None else tuple(levels), entry["ordered"])


def _write_atoms(atoms: Atoms) -> dict[str, Any]:
    return {"values": list(atoms.values), "widths": list(atoms.widths), "step": atoms.step}


def _read_atoms(entry: dict[str, Any], where: str) -> Atoms | None:
    atoms = entry["atoms"]
    _expect((atoms is not None) == (entry["kind"] == "mixed"), f"{where}.atoms", atoms)
    if atoms is None:
        return None
    _check_entry(atoms, ATOMS, f"{where}.atoms")
    values, widths = atoms["values"], atoms["widths"]
    _expect(_rising(values) and len(values) > 0, f"{where}.atoms.values", values)
    fine = len(widths) == len(values) and all(type(w) is float and w > 0 for w in widths)
    fine = fine and math.isfinite(sum(widths))
    _expect(fine, f"{where}.atoms.widths", widths)
    _expect(0 <= atoms["step"] <= min(widths), f"{where}.atoms.step", atoms["step"])
    return Atoms(tuple(values), tuple(widths), atoms["step"])


def _rising(values: list, types: tuple[type, ...] = (float,)) -> bool:
    numbers = all(type(value) in types and math.isfinite(value) for value in values)
    return numbers and all(a < b for a, b in pairwise(values))


def _is_pandas_dtype(name: str) -> bool:
    import pandas as pd

    try:
        pd.api.types.pandas_dtype(name)
    except (TypeError, ValueError, ImportError):
        return False
    return True


def _is_numpy_dtype(name: str) -> bool:
    try:
        return np.dtype(name).kind in "biufOUS"
    except TypeError:
        return False


def _read_column(entry: dict[str, Any], where: str) -> Column:
    kind, family = entry["kind"], entry["family"]
    _expect(kind in (*KINDS, "constant"), f"{where}.kind", kind)
    _expect(family in FAMILIES, f"{where}.family", family)
    cells, levels = entry["values"], entry["levels"]
    fine = all(type(value) is FAMILIES[family] for value in cells)
    if kind == "constant":
        fine = fine and len(cells) == 1
    elif kind in ("category", "boolean"):
        fine = fine and len(cells) >= 2 and len(set(cells)) == len(cells)
    else:
        low, high = entry["low"], entry["high"]
        number = int if kind == "integer" else float
        if kind == "discrete":
            number = FAMILIES[family]
            fine = _rising(cells, (int, float)) and len(cells) > 1 and fine
            cells_fit = fine and (cells[0], cells[-1]) == (low, high)
        else:
            cells_fit = not cells
        ranged = type(low) is number and type(high) is number and low <= high
        fine = cells_fit and ranged and low >= -(2**63) and high < 2**64 and family != "text"
    if levels is not None:
        fine = fine and bool(cells) and set(cells) <= set(levels)
    _expect(fine, where, {key: entry[key] for key in ("kind", "family", "values", "low", "high")})
    bounds = entry["bounds"]
    ends = all(end is None or (type(end) is float and math.isfinite(end)) for end in bounds)
    _expect(len(bounds) == 2 and ends, f"{where}.bounds", bounds)
    bend = Bend(**entry["bend"])
    if bend.low is not None and bend.high is not None:
        _expect(bend.low < bend.high, f"{where}.bend", entry["bend"])
    for key, value in (
        *(("bend.unit", bend.unit), ("bend.reach", bend.reach)),
        *(("scale", entry["scale"]), ("step", entry["step"])),
    ):
        _expect(value > 0, f"{where}.{key}", value)
    return Column(
        kind,
        family,
        tuple(cells),
        entry["low"],
        entry["high"],
        entry["distinct"],
        (bounds[0], bounds[1]),
        bend,
        entry["loc"],
        entry["scale"],
        entry["step"],
        _read_atoms(entry, where),
    )
