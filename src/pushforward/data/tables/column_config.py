"""What was learned of one column, as JSON values and back, strictly checked."""

import math
from typing import Any

from .bounded_transform import BoundedTransform
from .calendar import PERIODS, Calendar
from .column import Column
from .column_formula import COMPUTED, FORMS, ColumnFormula
from .column_kinds import KINDS
from .config_checks import check_entry, expect, fields_of, rising
from .containers import Storage, is_moment, zone_of
from .date_patterns import OFFSETS, known_pattern
from .dates import FRACTIONS, LETTERS, SOURCES, UNITS, DateFormat
from .decimals import Digits
from .durations import is_duration
from .log_transform import LogTransform
from .number_format import GROUPS, NumberFormat
from .point_masses import Atoms
from .rare_levels import RareLevels
from .unmodelled_columns import LEFT_OUT

__all__ = ["column_entry", "read_column", "whole_entry"]

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
    **{"addends": [], "rare": None, "logarithm": None},
}
#: What entries of older folders lack, and later ones that have nothing to say.
_NONE = {
    **{"formula": None, "origin": None, "calendar": None},
    **{"addends": [], "rare": None, "logarithm": None},
}
FORMULA = {"places": list, "coefficients": list, "intercept": float, "tolerance": float}
DIGITS = {"decimals": (int, type(None)), "significant": (int, type(None))}
#: What columns have besides that are counted from sums of others, have texts of many levels, or
#: are on a logarithmic scale.
MORE = {"addends": list, "rare": (dict, type(None)), "logarithm": (dict, type(None))}
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
    "zone": (str, type(None)),
    "padded_hours": bool,
    "letters": str,
    "offset_form": str,
}
#: What the formats of dates in older folders lack.
_OLDER_DATES = {
    **{"fraction": "full", "since": None, "zone": None},
    **{"padded_hours": True, "letters": "mixed", "offset_form": "+00:00"},
}
ATOMS = {"values": list, "widths": list, "step": float, "kernel_width": float}
LOGARITHM = {"low": float, "high": float, "shift": float, "last": (float, type(None))}
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


def column_entry(name: str | int, storage: Storage, column: Column) -> dict[str, Any]:
    """The JSON values of a column, which :func:`whole_entry` checks and :func:`read_column` reads.

    Args:
        name: of the column, or its number.
        storage: how its container holds it.
        column: what was learned of it.
    """
    return {
        "name": name,
        "dtype": storage.dtype,
        "levels": None if storage.levels is None else list(storage.levels),
        "ordered": storage.ordered,
        **_learned(column),
        "calendar": _write_calendar(column),
    }


def whole_entry(entry: Any, where: str, others: dict[str, Any] = _NONE) -> dict[str, Any]:
    """The entry of a column, checked to have all keys with values of their types.

    Args:
        entry: of a folder.
        where: it is, for errors.
        others: values of the keys that it may lack.

    Raises:
        ModelFileError: naming the key that is unknown, missing or wrong.
    """
    if isinstance(entry, dict):
        entry = others | entry
    check_entry(entry, ENTRY | MORE, where)
    check_entry(entry["bend"], TRANSFORM, f"{where}.bend")
    return entry


def read_column(entry: dict[str, Any], where: str) -> Column:
    """The column of an entry that :func:`whole_entry` has checked.

    Raises:
        ModelFileError: naming the value that no version has.
    """
    kind, family = entry["kind"], entry["family"]
    expect(kind in (*KINDS, *LEFT_OUT, "constant"), f"{where}.kind", kind)
    expect(family in FAMILIES, f"{where}.family", family)
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
            fine = rising(cells, (int, float)) and len(cells) > 1 and fine
            cells_fit = fine and (cells[0], cells[-1]) == (low, high)
        else:
            cells_fit = not cells
        ranged = type(low) is number and type(high) is number and low <= high
        fine = cells_fit and ranged and low >= -(2**63) and high < 2**64 and family != "text"
    if levels is not None:
        fine = fine and bool(cells) != (kind in LEFT_OUT) and set(cells) <= set(levels)
    expect(fine, where, {key: entry[key] for key in ("kind", "family", "values", "low", "high")})
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


def _read_transform(entry: dict[str, Any], where: str) -> BoundedTransform | LogTransform:
    transform = BoundedTransform(**entry["bend"])
    if transform.low is not None and transform.high is not None:
        expect(transform.low < transform.high, f"{where}.bend", entry["bend"])
    for key, value in (
        *(("bend.unit", transform.unit), ("bend.reach", transform.reach)),
        *(("scale", entry["scale"]), ("step", entry["step"])),
    ):
        expect(value > 0, f"{where}.{key}", value)
    if (logarithm := _read_logarithm(entry, where)) is None or entry["kind"] == "mixed":
        return transform
    expect(transform.identity, f"{where}.bend", entry["bend"])
    return logarithm


def _read_logarithm(entry: dict[str, Any], where: str) -> LogTransform | None:
    logarithm, where = entry["logarithm"], f"{where}.logarithm"
    if logarithm is None:
        return None
    if isinstance(logarithm, dict):
        logarithm = {"last": None, **logarithm}  # folders of before 2026-12 do not say
    check_entry(logarithm, LOGARITHM, where)
    fine = entry["kind"] in ("continuous", "integer", "grid", "mixed")
    fine = fine and 1e-100 < logarithm["low"] < logarithm["high"] < 1e100
    fine = fine and (logarithm["last"] is None or logarithm["high"] <= logarithm["last"] < 1e100)
    expect(fine and 0 <= logarithm["shift"] < 1e100, where, logarithm)
    return LogTransform(**logarithm)


def _read_atoms(entry: dict[str, Any], where: str) -> Atoms | None:
    atoms = entry["atoms"]
    expect((atoms is not None) == (entry["kind"] == "mixed"), f"{where}.atoms", atoms)
    if atoms is None:
        return None
    atoms = {"kernel_width": 0.0, **atoms}  # which older folders lack
    check_entry(atoms, ATOMS, f"{where}.atoms")
    values, widths, kernel = atoms["values"], atoms["widths"], atoms["kernel_width"]
    expect(rising(values) and len(values) > 0, f"{where}.atoms.values", values)
    fine = len(widths) == len(values) and all(type(w) is float and w > 0 for w in widths)
    expect(fine and math.isfinite(sum(widths)), f"{where}.atoms.widths", widths)
    expect(kernel >= 0, f"{where}.atoms.kernel_width", kernel)
    logarithm = _read_logarithm(entry, where)
    most = math.inf if logarithm else min(widths) * (1 + 1e-9)
    fits = 0 <= atoms["step"] <= most
    expect(fits, f"{where}.atoms.step", atoms["step"])
    expect(logarithm is None or values[0] >= 0, f"{where}.atoms.values", values)
    return Atoms(tuple(values), tuple(widths), atoms["step"], kernel, logarithm)


def _read_rare(entry: dict[str, Any], where: str) -> RareLevels | None:
    rare, where = entry["rare"], f"{where}.rare"
    if rare is None:
        return None
    check_entry(rare, RARE, where)
    first, shares = rare["first"], rare["shares"]
    fine = entry["kind"] == "category" and first > 0 and len(shares) > 1
    fine = fine and first + len(shares) == len(entry["values"])
    fine = fine and all(type(share) is float and 0 < share < 1 for share in shares)
    expect(fine and abs(sum(shares) - 1) < 1e-6, where, (first, shares[:5]))
    expect(0 < rare["unseen"] < 1, f"{where}.unseen", rare["unseen"])
    return RareLevels(first, tuple(shares), rare["unseen"])


def _read_formula(entry: dict[str, Any], where: str) -> ColumnFormula | None:
    formula, where = entry["formula"], f"{where}.formula"
    if formula is None:
        return None
    formula = {"form": "sum"} | formula  # sums and older folders do not say
    check_entry(formula, FORMULA | {"form": str}, where)
    places, coefficients = formula["places"], formula["coefficients"]
    fine = entry["kind"] in COMPUTED and 0 < len(places) == len(coefficients)
    fine = fine and rising(places, (int,)) and places[0] >= 0
    fine = fine and all(type(c) is float and math.isfinite(c) for c in coefficients)
    fine = fine and formula["form"] in FORMS and formula["tolerance"] >= 0
    fine = fine and (formula["form"] == "sum" or all(coefficients))
    expect(fine and (formula["form"] != "product" or formula["intercept"]), where, formula)
    return ColumnFormula(
        *(tuple(places), tuple(coefficients), formula["intercept"], formula["tolerance"]),
        formula["form"],
    )


def _read_digits(entry: dict[str, Any], where: str) -> Digits | None:
    digits = entry["digits"]
    if digits is None:
        return None
    # folders of before 2026-12 have no steps, nor have columns without
    digits = {"multiple": 1, "remainder": 0} | digits if isinstance(digits, dict) else digits
    check_entry(digits, DIGITS | STEPS, f"{where}.digits")
    decimals, significant = digits["decimals"], digits["significant"]
    multiple, remainder = digits["multiple"], digits["remainder"]
    fine = (decimals is None) != (significant is None)
    fine = fine and (decimals is None or -20 <= decimals <= 20)
    fine = fine and (significant is None or 1 <= significant <= 20)
    fine = fine and 1 <= multiple <= 2**53 and 0 <= remainder < multiple
    fine = fine and (multiple == 1 or decimals is not None)
    expect(fine, f"{where}.digits", digits)
    return Digits(decimals, significant, multiple, remainder)


def _read_format(entry: dict[str, Any], where: str) -> NumberFormat | DateFormat | None:
    """Read how cells are written; a date is always written in some way."""
    how, where = entry["format"], f"{where}.format"
    if how is None:
        expect(entry["kind"] != "date", where, how)
        readable = entry["kind"] in LEFT_OUT or not is_moment(entry["dtype"])
        expect(readable, where.replace(".format", ".dtype"), entry["dtype"])
        return None
    if "source" in how:
        how = _OLDER_DATES | how
        check_entry(how, DATES, where)
        dates = DateFormat(**how)
        expect(dates.source in SOURCES and dates.unit in UNITS, where, how)
        moments = dates.source in ("moment", "duration") and entry["dtype"] not in OBJECTS
        fine = moments == is_moment(entry["dtype"]) and entry["kind"] in ("date", "constant")
        fine = fine and entry["family"] == "int" and 0 <= dates.places <= 9
        fine = fine and dates.fraction in FRACTIONS and dates.letters in LETTERS
        fine = fine and dates.offset_form in OFFSETS
        fine = fine and (dates.since is None or 1800 <= dates.since <= 2200)
        fine = fine and (dates.offset is None or abs(dates.offset) < 1440)
        fine = fine and dates.zone in (None, zone_of(entry["dtype"]))
        fine = fine and (dates.source not in ("text", "integer") or known_pattern(dates.pattern))
        no_moments = dates.source == "integer" or dates.unit == "month"
        fine = fine and not (no_moments and (dates.is_duration or is_duration(dates.pattern)))
        expect(fine, where, how)
        return dates
    how = {"scaled": False} | how  # older folders do not say
    check_entry(how, NUMBERS, where)
    numbers = NumberFormat(**how)
    marks = numbers.decimal in (".", ",") and numbers.thousands in GROUPS
    fine = marks and numbers.decimal != numbers.thousands
    fine = fine and (numbers.places is None or 0 <= numbers.places <= 30)
    fine = fine and max(len(numbers.prefix), len(numbers.suffix)) < 24
    numeric = entry["kind"] not in ("category", "boolean", "date") and entry["family"] != "text"
    expect(fine and numeric and not is_moment(entry["dtype"]), where, how)
    return numbers


def _read_ends(ends: list, where: str) -> tuple[float | None, float | None]:
    fine = all(end is None or (type(end) is float and math.isfinite(end)) for end in ends)
    expect(len(ends) == 2 and fine, where, ends)
    return ends[0], ends[1]


def _read_calendar(
    entry: dict[str, Any], how: Any, where: str
) -> tuple[Calendar | None, tuple[Column, ...]]:
    """What dates are divided by, and the columns of the parts."""
    found, where = entry["calendar"], f"{where}.calendar"
    if found is None:
        return None, ()
    check_entry(found, CALENDAR, where)
    periods, start = found["periods"], found["start"]
    fine = entry["kind"] == "date" and entry["formula"] is None and entry["origin"] is None
    fine = fine and len(periods) > 0 and [p for p in PERIODS if p in periods] == periods
    expect(fine, f"{where}.periods", periods)
    fine = isinstance(how, DateFormat) and not (how.is_duration or how.timed)
    fine = fine and (how.unit != "month" or periods == ["year"])
    expect(fine and not (how.unit == periods[0] == "day"), f"{where}.periods", periods)
    expect(abs(start) <= UNITS["day"] // max(1, UNITS[how.unit]) * 2, f"{where}.start", start)
    parts = []
    expect(len(found["parts"]) == len(periods) + 1, f"{where}.parts", found["parts"])
    for number, part in enumerate(found["parts"]):
        place = f"{where}.parts[{number}]"
        part = whole_entry(part, place, _WHOLE)
        parts.append(read_column(part, place))
        fine = parts[-1].kind in _NUMBERS and parts[-1].family == "int"
        fine = fine and parts[-1].formula is None and parts[-1].origin is None
        expect(fine and all(part[key] == value for key, value in _WHOLE.items()), place, part)
        ends = [abs(end) for end in (parts[-1].low, parts[-1].high, *parts[-1].values) if end]
        expect(all(end < 2**62 for end in ends), place, part)
    year = parts[-1]
    if periods[-1] == "year":
        ends = [end for end in (year.low, year.high, *year.values) if end is not None]
        expect(all(1600 <= end <= 2300 for end in ends), f"{where}.parts", found["parts"])
    return Calendar(how.unit, tuple(periods), start), tuple(parts)


def _write_calendar(column: Column) -> dict[str, Any] | None:
    if column.calendar is None:
        return None
    periods, start = list(column.calendar.periods), column.calendar.start
    return {"periods": periods, "start": start, "parts": [_learned(one) for one in column.parts]}


def _learned(column: Column) -> dict[str, Any]:
    """What was learned of a column but for the parts of its dates, as JSON values."""
    bend, logarithm = column.transform, column.logarithm
    if isinstance(bend, LogTransform):
        bend = BoundedTransform()
    return {
        "kind": column.kind,
        "family": column.family,
        "values": list(column.values),
        "low": column.low,
        "high": column.high,
        "distinct": column.distinct,
        "bounds": list(column.bounds),
        "bend": fields_of(bend, TRANSFORM),
        "loc": column.loc,
        "scale": column.scale,
        "step": column.step,
        "atoms": fields_of(column.atoms, ATOMS),
        "digits": _write_digits(column.digits),
        "natural": list(column.natural),
        "format": fields_of(
            column.format, DATES if isinstance(column.format, DateFormat) else NUMBERS
        ),
        "missing": column.missing,
        "why": column.why,
        "note": column.note,
        "formula": _write_formula(column.formula),
        "origin": column.origin,
        **({"addends": list(column.addends)} if column.addends else {}),
        **({"rare": fields_of(column.rare, RARE)} if column.rare is not None else {}),
        **({} if logarithm is None else {"logarithm": fields_of(logarithm, LOGARITHM)}),
    }


def _write_formula(formula: ColumnFormula | None) -> dict[str, Any] | None:
    form = {} if formula is None or formula.form == "sum" else {"form": str}
    return fields_of(formula, FORMULA | form)


def _write_digits(digits: Digits | None) -> dict[str, Any] | None:
    stepped = digits is not None and digits.multiple > 1
    return fields_of(digits, DIGITS | STEPS if stepped else DIGITS)
