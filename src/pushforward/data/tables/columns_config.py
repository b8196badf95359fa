"""What :class:`Columns` learned, as JSON values and back, strictly checked."""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from ...errors import ModelFileError
from .bounded_transform import BoundedTransform
from .calendar import PERIODS, Calendar
from .column import Column
from .column_kinds import KINDS
from .constraints import Constraint
from .containers import ELEMENTS, FRAMES, TENSORS, Layout, Storage, is_moment
from .date_order import by_origin, is_origin
from .dates import FRACTIONS, SOURCES, UNITS, DateFormat, known_pattern
from .decimals import Digits
from .durations import is_duration
from .linear_formula import COMPUTED, LinearFormula
from .number_format import GROUPS, NumberFormat
from .point_masses import Atoms
from .rare_levels import RareLevels
from .unmodelled_columns import LEFT_OUT

__all__ = ["read", "write"]

CELL = (str, int, float, bool)
TOP = {
    **{"container": str, "estimator": str, "n_rows": int, "n_left_out": int, "columns": list},
    "constraints": list,
}
RULE = {
    **{"text": str, "relation": str, "places": list, "names": list, "coefficients": list},
    **{"intercept": float, "tolerance": float, "built": bool, "values": list},
}
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
    "digits": (dict, type(None)),
    "natural": list,
    "format": (dict, type(None)),
    "missing": float,
    "why": str,
    "note": str,
    "formula": (dict, type(None)),
    "origin": (int, type(None)),
    "calendar": (dict, type(None)),
}
CALENDAR = {"periods": list, "start": int, "parts": list}
#: What the parts of dates have no entries of.
_WHOLE = {
    **{"name": "", "dtype": "int64", "levels": None, "ordered": False, "calendar": None},
    **{"addends": [], "rare": None},
}
#: What entries of older folders lack, and later ones that have nothing to say.
_NONE = {"formula": None, "origin": None, "calendar": None, "addends": [], "rare": None}
FORMULA = {"places": list, "coefficients": list, "intercept": float, "tolerance": float}
DIGITS = {"decimals": (int, type(None)), "significant": (int, type(None))}
#: What columns have besides that are counted from sums of others, or have texts of many levels.
MORE = {"addends": list, "rare": (dict, type(None))}
#: What digits have besides, where their decimals are in steps.
STEPS = {"multiple": int, "remainder": int}
NUMBERS = {
    "decimal": str,
    "thousands": str,
    "prefix": str,
    "suffix": str,
    "parentheses": bool,
    "places": (int, type(None)),
    "scaled": bool,
}
DATES = {
    "source": str,
    "unit": str,
    "pattern": str,
    "padded": bool,
    "offset": (int, type(None)),
    "places": int,
    "fraction": str,
    "since": (int, type(None)),
}
ATOMS = {"values": list, "widths": list, "step": float}
RARE = {"first": int, "shares": list, "unseen": float}
TRANSFORM = {
    "low": (float, type(None)),
    "high": (float, type(None)),
    "unit": float,
    "reach": float,
}
_NUMBERS = ("continuous", "mixed", "integer", "grid", "discrete", "category")
OBJECTS = ("object", "Object", "|O")
FAMILIES = {"text": str, "bool": bool, "int": int, "float": float}


def write(
    layout: Layout,
    columns: tuple[Column, ...],
    n_rows: int,
    estimator: str,
    n_left_out: int,
    constraints: tuple[Constraint, ...] = (),
) -> dict[str, Any]:
    """Return the JSON values that :func:`read` reads."""
    entries = []
    for name, storage, column in zip(layout.labels, layout.storage, columns, strict=True):
        entries.append(
            {
                "name": name,
                "dtype": storage.dtype,
                "levels": None if storage.levels is None else list(storage.levels),
                "ordered": storage.ordered,
                **_learned(column),
                "calendar": _write_calendar(column),
            }
        )
    return {
        "container": layout.container,
        "estimator": estimator,
        "n_rows": n_rows,
        "n_left_out": n_left_out,
        "columns": entries,
        "constraints": [_write(rule, RULE) for rule in constraints],
    }


def _write_calendar(column: Column) -> dict[str, Any] | None:
    if column.calendar is None:
        return None
    periods, start = list(column.calendar.periods), column.calendar.start
    return {"periods": periods, "start": start, "parts": [_learned(one) for one in column.parts]}


def _learned(column: Column) -> dict[str, Any]:
    """What was learned of a column but for the parts of its dates, as JSON values."""
    return {
        "kind": column.kind,
        "family": column.family,
        "values": list(column.values),
        "low": column.low,
        "high": column.high,
        "distinct": column.distinct,
        "bounds": list(column.bounds),
        "bend": _write(column.transform, TRANSFORM),
        "loc": column.loc,
        "scale": column.scale,
        "step": column.step,
        "atoms": _write(column.atoms, ATOMS),
        "digits": _write_digits(column.digits),
        "natural": list(column.natural),
        "format": _write(
            column.format, DATES if isinstance(column.format, DateFormat) else NUMBERS
        ),
        "missing": column.missing,
        "why": column.why,
        "note": column.note,
        "formula": _write(column.formula, FORMULA),
        "origin": column.origin,
        **({"addends": list(column.addends)} if column.addends else {}),
        **({"rare": _write(column.rare, RARE)} if column.rare is not None else {}),
    }


def _write_digits(digits: Digits | None) -> dict[str, Any] | None:
    stepped = digits is not None and digits.multiple > 1
    return _write(digits, DIGITS | STEPS if stepped else DIGITS)


def read(
    values: Any,
) -> tuple[Layout, tuple[Column, ...], int, str, int, tuple[Constraint, ...]]:
    """Check JSON values and return the arguments of :class:`Columns`.

    Raises:
        ModelFileError: naming the entry that is unknown, missing or wrong.
    """
    if isinstance(values, dict):  # folders of before 2026-12 have none
        values = {"constraints": []} | values
    _check_entry(values, TOP, "columns")
    container = values["container"]
    _expect(container in (*FRAMES, "numpy", "torch"), "container", container)
    _expect(1 <= values["n_rows"] < 2**63, "n_rows", values["n_rows"])
    _expect(0 <= values["n_left_out"] < 2**63, "n_left_out", values["n_left_out"])
    entries = values["columns"]
    _expect(bool(entries), "columns", entries)
    storage, columns = [], []
    for number, entry in enumerate(entries):
        where = f"columns[{number}]"
        if isinstance(entry, dict):
            entry = _NONE | entry
        _check_entry(entry, ENTRY | MORE, where)
        _check_entry(entry["bend"], TRANSFORM, f"{where}.bend")
        storage.append(_read_storage(entry, container, where))
        columns.append(_read_column(entry, where))
    for number, column in enumerate(columns):
        if column.formula is not None:
            parts = [columns[j] for j in column.formula.places if j < len(columns)]
            fine = len(parts) == len(column.formula.places) and all(
                part.has_coordinate and part.kind in COMPUTED for part in parts
            )
            _expect(fine, f"columns[{number}].formula.places", column.formula.places)
    _check_origins(columns)
    labels = tuple(entry["name"] for entry in entries)
    _expect(len(set(labels)) == len(labels), "columns", f"repeated names {labels}")
    if container not in FRAMES:
        _expect(labels == tuple(range(len(labels))), "columns", f"names {labels}")
        _expect(len(set(storage)) == 1, "columns", "different dtypes in one array")
    layout = Layout(container, labels, tuple(storage))
    rules = tuple(
        _read_rule(entry, columns, f"constraints[{number}]")
        for number, entry in enumerate(values["constraints"])
    )
    facts = values["n_rows"], values["estimator"], values["n_left_out"]
    return layout, tuple(columns), *facts, rules


def _read_rule(entry: Any, columns: Sequence[Column], where: str) -> Constraint:
    _check_entry(entry, RULE, where)
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
    _expect(fine and pairs and (fixes or not values), where, entry)
    dates = [isinstance(columns[j].format, DateFormat) for j in places]
    _expect(fixes or not any(dates) or (all(dates) and len(dates) == 2), where, entry)
    words = [columns[j].family == "text" or columns[j].kind == "category" for j in places]
    _expect(fixes or not any(words), where, entry)
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
        _expect(fine, f"columns[{number}].origin", others)
    fine = sum(bool(column.counted_from) for column in columns) == len(by_origin(columns))
    _expect(fine, "columns", "dates that are counted from each other in a circle")


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
        fine = dtype in ELEMENTS or dtype == "Enum" or is_moment(dtype)
        fine = fine and (levels is not None) == (dtype == "Enum")
    elif container == "torch":
        fine = dtype in TENSORS and levels is None
    else:
        fine = _is_numpy_dtype(dtype) and levels is None
    _expect(fine, f"{where}.dtype", dtype)
    return Storage(dtype, None if levels is None else tuple(levels), entry["ordered"])


def _write(part: Any, schema: dict[str, Any]) -> dict[str, Any] | None:
    """The attributes of a part of a column that a schema names; None for no part."""
    if part is None:
        return None
    values = {key: vars(part)[key] for key in schema}
    return {k: list(v) if isinstance(v, tuple) else v for k, v in values.items()}


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
    fits = 0 <= atoms["step"] <= min(widths) * (1 + 1e-9)
    _expect(fits, f"{where}.atoms.step", atoms["step"])
    return Atoms(tuple(values), tuple(widths), atoms["step"])


def _read_rare(entry: dict[str, Any], where: str) -> RareLevels | None:
    rare, where = entry["rare"], f"{where}.rare"
    if rare is None:
        return None
    _check_entry(rare, RARE, where)
    first, shares = rare["first"], rare["shares"]
    fine = entry["kind"] == "category" and first > 0 and len(shares) > 1
    fine = fine and first + len(shares) == len(entry["values"])
    fine = fine and all(type(share) is float and 0 < share < 1 for share in shares)
    _expect(fine and abs(sum(shares) - 1) < 1e-6, where, (first, shares[:5]))
    _expect(0 < rare["unseen"] < 1, f"{where}.unseen", rare["unseen"])
    return RareLevels(first, tuple(shares), rare["unseen"])


def _read_formula(entry: dict[str, Any], where: str) -> LinearFormula | None:
    formula, where = entry["formula"], f"{where}.formula"
    if formula is None:
        return None
    _check_entry(formula, FORMULA, where)
    places, coefficients = formula["places"], formula["coefficients"]
    fine = entry["kind"] in COMPUTED and 0 < len(places) == len(coefficients)
    fine = fine and _rising(places, (int,)) and places[0] >= 0
    fine = fine and all(type(c) is float and math.isfinite(c) for c in coefficients)
    _expect(fine and formula["tolerance"] >= 0, where, formula)
    return LinearFormula(
        tuple(places), tuple(coefficients), formula["intercept"], formula["tolerance"]
    )


def _read_digits(entry: dict[str, Any], where: str) -> Digits | None:
    digits = entry["digits"]
    if digits is None:
        return None
    # folders of before 2026-12 have no steps, nor have columns without
    digits = {"multiple": 1, "remainder": 0} | digits if isinstance(digits, dict) else digits
    _check_entry(digits, DIGITS | STEPS, f"{where}.digits")
    decimals, significant = digits["decimals"], digits["significant"]
    multiple, remainder = digits["multiple"], digits["remainder"]
    fine = (decimals is None) != (significant is None)
    fine = fine and (decimals is None or -20 <= decimals <= 20)
    fine = fine and (significant is None or 1 <= significant <= 20)
    fine = fine and 1 <= multiple <= 2**53 and 0 <= remainder < multiple
    fine = fine and (multiple == 1 or decimals is not None)
    _expect(fine, f"{where}.digits", digits)
    return Digits(decimals, significant, multiple, remainder)


def _read_format(entry: dict[str, Any], where: str) -> NumberFormat | DateFormat | None:
    """Read how cells are written; a date is always written in some way."""
    how, where = entry["format"], f"{where}.format"
    if how is None:
        _expect(entry["kind"] != "date", where, how)
        readable = entry["kind"] in LEFT_OUT or not is_moment(entry["dtype"])
        _expect(readable, where.replace(".format", ".dtype"), entry["dtype"])
        return None
    if "source" in how:
        how = {"fraction": "full", "since": None} | how  # older folders do not say
        _check_entry(how, DATES, where)
        dates = DateFormat(**how)
        _expect(dates.source in SOURCES and dates.unit in UNITS, where, how)
        moments = dates.source in ("moment", "duration") and entry["dtype"] not in OBJECTS
        fine = moments == is_moment(entry["dtype"]) and entry["kind"] in ("date", "constant")
        fine = fine and entry["family"] == "int" and 0 <= dates.places <= 9
        fine = fine and dates.fraction in FRACTIONS
        fine = fine and (dates.since is None or 1800 <= dates.since <= 2200)
        fine = fine and (dates.offset is None or abs(dates.offset) < 1440)
        fine = fine and (dates.source not in ("text", "integer") or known_pattern(dates.pattern))
        no_moments = dates.source == "integer" or dates.unit == "month"
        fine = fine and not (no_moments and (dates.is_duration or is_duration(dates.pattern)))
        _expect(fine, where, how)
        return dates
    how = {"scaled": False} | how  # older folders do not say
    _check_entry(how, NUMBERS, where)
    numbers = NumberFormat(**how)
    marks = numbers.decimal in (".", ",") and numbers.thousands in GROUPS
    fine = marks and numbers.decimal != numbers.thousands
    fine = fine and (numbers.places is None or 0 <= numbers.places <= 30)
    fine = fine and max(len(numbers.prefix), len(numbers.suffix)) < 24
    numeric = entry["kind"] not in ("category", "boolean", "date") and entry["family"] != "text"
    _expect(fine and numeric and not is_moment(entry["dtype"]), where, how)
    return numbers


def _read_ends(ends: list, where: str) -> tuple[float | None, float | None]:
    fine = all(end is None or (type(end) is float and math.isfinite(end)) for end in ends)
    _expect(len(ends) == 2 and fine, where, ends)
    return ends[0], ends[1]


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
        return np.dtype(name).kind in "biufOUSMm"
    except TypeError:
        return False


def _read_calendar(
    entry: dict[str, Any], how: Any, where: str
) -> tuple[Calendar | None, tuple[Column, ...]]:
    """What dates are divided by, and the columns of the parts."""
    found, where = entry["calendar"], f"{where}.calendar"
    if found is None:
        return None, ()
    _check_entry(found, CALENDAR, where)
    periods, start = found["periods"], found["start"]
    fine = entry["kind"] == "date" and entry["formula"] is None and entry["origin"] is None
    fine = fine and len(periods) > 0 and [p for p in PERIODS if p in periods] == periods
    _expect(fine, f"{where}.periods", periods)
    fine = isinstance(how, DateFormat) and not (how.is_duration or how.timed)
    fine = fine and (how.unit != "month" or periods == ["year"])
    _expect(fine and not (how.unit == periods[0] == "day"), f"{where}.periods", periods)
    _expect(abs(start) <= UNITS["day"] // max(1, UNITS[how.unit]) * 2, f"{where}.start", start)
    parts = []
    _expect(len(found["parts"]) == len(periods) + 1, f"{where}.parts", found["parts"])
    for number, part in enumerate(found["parts"]):
        place = f"{where}.parts[{number}]"
        part = _WHOLE | part if isinstance(part, dict) else part
        _check_entry(part, ENTRY | MORE, place)
        _check_entry(part["bend"], TRANSFORM, f"{place}.bend")
        parts.append(_read_column(part, place))
        fine = parts[-1].kind in _NUMBERS and parts[-1].family == "int"
        fine = fine and parts[-1].formula is None and parts[-1].origin is None
        _expect(fine and all(part[key] == value for key, value in _WHOLE.items()), place, part)
        ends = [abs(end) for end in (parts[-1].low, parts[-1].high, *parts[-1].values) if end]
        _expect(all(end < 2**62 for end in ends), place, part)
    year = parts[-1]
    if periods[-1] == "year":
        ends = [end for end in (year.low, year.high, *year.values) if end is not None]
        _expect(all(1600 <= end <= 2300 for end in ends), f"{where}.parts", found["parts"])
    return Calendar(how.unit, tuple(periods), start), tuple(parts)


def _read_transform(entry: dict[str, Any], where: str) -> BoundedTransform:
    transform = BoundedTransform(**entry["bend"])
    if transform.low is not None and transform.high is not None:
        _expect(transform.low < transform.high, f"{where}.bend", entry["bend"])
    for key, value in (
        *(("bend.unit", transform.unit), ("bend.reach", transform.reach)),
        *(("scale", entry["scale"]), ("step", entry["step"])),
    ):
        _expect(value > 0, f"{where}.{key}", value)
    return transform


def _read_column(entry: dict[str, Any], where: str) -> Column:
    kind, family = entry["kind"], entry["family"]
    _expect(kind in (*KINDS, *LEFT_OUT, "constant"), f"{where}.kind", kind)
    _expect(family in FAMILIES, f"{where}.family", family)
    cells, levels = entry["values"], entry["levels"]
    fine = all(type(value) is FAMILIES[family] for value in cells)
    if kind == "constant":
        fine = fine and len(cells) == 1
    elif kind in ("category", "boolean"):
        fine = fine and len(cells) >= 2 and len(set(cells)) == len(cells)
    elif kind in LEFT_OUT:
        low = entry["low"]
        number = type(low) is int and kind == "identifier" and abs(low) < 2**62
        fine = not cells and (low is None or number)
    else:
        low, high = entry["low"], entry["high"]
        number = int if kind in ("integer", "date") else float
        if kind in ("discrete", "mixed"):
            number = FAMILIES[family]
        if kind == "discrete" or (kind == "date" and cells):
            fine = _rising(cells, (int, float)) and len(cells) > 1 and fine
            cells_fit = fine and (cells[0], cells[-1]) == (low, high)
        else:
            cells_fit = not cells
        ranged = type(low) is number and type(high) is number and low <= high
        fine = cells_fit and ranged and low >= -(2**63) and high < 2**64 and family != "text"
    if levels is not None:
        fine = fine and bool(cells) != (kind in LEFT_OUT) and set(cells) <= set(levels)
    _expect(fine, where, {key: entry[key] for key in ("kind", "family", "values", "low", "high")})
    bounds = _read_ends(entry["bounds"], f"{where}.bounds")
    transform = _read_transform(entry, where)
    how = _read_format(entry, where)
    calendar, parts = _read_calendar(entry, how, where)
    return Column(
        kind,
        family,
        tuple(cells),
        entry["low"],
        entry["high"],
        entry["distinct"],
        bounds,
        transform,
        entry["loc"],
        entry["scale"],
        entry["step"],
        _read_atoms(entry, where),
        _read_digits(entry, where),
        _read_ends(entry["natural"], f"{where}.natural"),
        how,
        entry["missing"],
        entry["why"],
        entry["note"],
        _read_formula(entry, where),
        entry["origin"],
        tuple(entry["addends"]),
        calendar,
        parts,
        _read_rare(entry, where),
    )
