"""Decides what the columns of a table are, and which rows and columns a fit leaves out."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ...errors import DataError, ParameterError
from ...validation import OneOf, check
from ..checks import MISSING, check_weights, refuse_missing
from .column import Column
from .column_contents import ColumnContents, survey
from .column_formula import COMPUTED
from .column_kinds import check_declared, recognise
from .column_reader import PartCells, dense_numbers, read_known
from .constraints import Constraint, parse
from .date_order import find_origins, since
from .dates import DateFormat
from .decimals import Digits
from .dequantisation import row_keys
from .keep_constraints import as_bounds, build_differences, build_sums, can_count, checked
from .linear_formula import find_formulas
from .missing_cells import MOST_MISSING, complete_rows, missing_cells, without_sparse
from .power_formula import find_powers
from .seasons import find_calendar
from .sheet import Sheet
from .straight_relations import bent_relations
from .sums import note_sums
from .unmodelled_columns import LEFT_OUT

__all__ = ["Decided", "decide"]

_FEWEST = 30  # rows with all of some columns that say what these have to do with each other


@dataclass(frozen=True)
class Decided:
    """What a fit makes of a table, before its numbers are standardised.

    Attributes:
        sheet: the rows that were kept.
        columns: the p columns.
        cells: of each column that is not left out, by its number: the mask (n_kept,) of its cells
            that are known, their values and the family of these.
        weights: float64 of shape (n_kept,), or None.
        kept: boolean of shape (n,).
        n_left_out: how many rows were left out for missing cells.
        constraints: what rows keep to.
    """

    sheet: Sheet
    columns: list[Column]
    cells: PartCells
    weights: np.ndarray | None
    kept: np.ndarray
    n_left_out: int
    constraints: tuple[Constraint, ...] = ()


def decide(
    X: Any,
    *,
    columns: dict | None,
    bounds: dict | None,
    missing: str,
    sample_weight: Any,
    estimator: str,
    min_rows: int,
    smooth: bool,
    seasons: bool,
    beside: np.ndarray | None = None,
    constraints: Sequence[str] | None = None,
    most_missing: float = MOST_MISSING,
) -> Decided:
    """Decide what the columns of a table are; see :meth:`Columns.learn` for the arguments.

    Raises:
        DataError: for data that cannot be used; the text names the columns and rows.
        ParameterError: for columns, bounds or missing that are not usable.
    """
    check({"missing": OneOf(*MISSING)}, {"missing": missing})
    sheet = Sheet.open(X, estimator, min_rows)
    if missing == "auto" and not sheet.layout.named:
        missing = "model"  # a column without a name stays: the others would change their places
    declared, intervals = check_declared(columns, bounds, sheet.labels)
    rules, intervals = as_bounds(parse(constraints or (), sheet.labels), intervals, sheet.labels)
    _refuse_dropped_positions(sheet, declared)
    weights = check_weights(sample_weight, sheet.n_rows)
    kept = np.ones(sheet.n_rows, dtype=bool) if weights is None else weights > 0
    blank = sheet.missing()
    holdings = _surveyed(sheet, kept[:, None] & ~blank, declared)
    found = [_undecided(holding) for holding in holdings]
    bare = np.array([column.kind == "empty" for column in found])
    if bare.all() or (bare.any() and not sheet.layout.named):
        refuse_missing(sheet.labels, blank & bare, fitting=True)
    gaps = missing_cells(sheet, range(len(found)), found, blank)
    shares = np.where(bare, 1.0, gaps[kept].mean(axis=0))
    if missing == "auto":
        stay = [label in declared for label in sheet.labels]
        found = without_sparse(found, gaps[kept], stay, most_missing)
        gaps &= np.array([not column.left_out for column in found])
    counted = int(kept.sum())
    modelled = [not column.left_out for column in found]
    kept = complete_rows(sheet.labels, gaps, kept, missing, modelled)
    if not kept.all():
        sheet = sheet.take(kept)
        weights = None if weights is None else weights[kept]
        _refuse_too_few(sheet.n_rows, len(kept), min_rows, estimator)
        gaps = gaps[kept]
    cells = read_known(sheet, range(len(found)), found, gaps)
    distinct_rows = _distinct_rows(cells, sheet.n_rows)
    for j, label in enumerate(sheet.labels):
        if j in cells:
            known, values, family = cells[j]
            found[j] = recognise(
                values,
                family,
                label,
                holding=holdings[j],
                declared=declared.get(label),
                categorical=sheet.layout.storage[j].levels is not None,
                bounds=intervals.get(label),
                weights=None if weights is None else weights[known],
                distinct_rows=None if distinct_rows is None else distinct_rows[known],
                smooth=smooth,
            )
        found[j] = replace(found[j], missing=float(shares[j]))
    stated = {*declared, *intervals}
    fixed = [j for j, label in enumerate(sheet.labels) if label in stated]
    rules = _relate(rules, found, cells, fixed, sheet.labels, weights, distinct_rows, smooth)
    _straighten(found, cells, weights)
    if seasons:
        _divide_dates(found, cells, weights, smooth, None if beside is None else beside[kept])
    return Decided(sheet, found, cells, weights, kept, counted - sheet.n_rows, tuple(rules))


def _surveyed(sheet: Sheet, known: np.ndarray, declared: dict) -> list[ColumnContents]:
    """What each column holds, by the cells that are known, (n, p)."""
    return [
        survey(
            sheet.raw(j)[known[:, j]],
            label,
            declared=declared.get(label),
            categorical=sheet.layout.storage[j].levels is not None,
            alone=len(sheet.labels) == 1,
            zone=sheet.zone(j),
        )
        for j, label in enumerate(sheet.labels)
    ]


def _relate(
    rules: list[Constraint],
    found: list[Column],
    cells: PartCells,
    fixed: list[int],
    labels: Sequence[str | int],
    weights: np.ndarray | None,
    distinct_rows: np.ndarray | None,
    smooth: bool,
) -> list[Constraint]:
    """Have columns follow from others, by constraints and by what the rows show.

    Returns:
        The constraints, verified, with which of them are kept by that.
    """
    rules = checked(rules, found, cells, labels)
    rules, inputs = build_sums(rules, found, cells, fixed, labels)
    _compute(found, cells, [*fixed, *inputs], labels)
    rules = build_differences(rules, found, cells, fixed, labels, weights, distinct_rows, smooth)
    taken = {*fixed, *inputs, *(j for rule in rules for j in rule.places)}
    values = _together(cells, _numbers(found, cells))
    if values is not None:
        note_sums(found, values, taken, labels)
    _count_from_others(found, cells, weights, distinct_rows, labels)
    return rules


def _compute(
    found: list[Column], cells: PartCells, fixed: list[int], labels: Sequence[str | int]
) -> None:
    """Mark the columns that are computed from others; what was declared stays."""
    places = _numbers(found, cells)
    digits = {j: _digits(found[j], *cells[j][1:]) for j in places}
    steps = {j: _step(found[j], digits[j]) for j in places}
    values = _together(cells, places)
    formulas = {} if values is None else find_formulas(values, steps, fixed)
    inputs = {k for formula in formulas.values() for k in formula.places}
    rest = {
        j: dense_numbers(cells[j], len(cells[j][0]))
        for j in places
        if j not in formulas and found[j].kind != "date" and len(cells[j][1])
    }
    steps = {j: steps[j] or _last_digit(found[j], digits[j], cells[j][1]) for j in rest}
    formulas |= find_powers(rest, steps, {*fixed, *inputs})
    for j, formula in formulas.items():
        why = f"{formula.text(labels)} in all rows: computed from it"
        found[j] = replace(found[j], formula=formula, digits=digits[j], why=why)


def _straighten(found: list[Column], cells: PartCells, weights: np.ndarray | None) -> None:
    """Take the logarithmic scale from columns that are straight functions of others."""
    places = [j for j in _numbers(found, cells) if not found[j].counted_from]
    values = _together(cells, places)
    if not values:
        return
    rows = np.logical_and.reduce([cells[j][0] for j in places])
    numbers = {j: own.astype(np.float64) for j, own in values.items()}
    scaled = {j: found[j].on_scale(numbers[j]) for j in places if found[j].logarithm is not None}
    for j in bent_relations(numbers, scaled, None if weights is None else weights[rows]):
        found[j] = found[j].straight(
            cells[j][1], None if weights is None else weights[cells[j][0]]
        )


def _digits(column: Column, values: np.ndarray, family: str) -> Digits | None:
    """The digits of a column, of one too that has a list of values, which are kept as read."""
    known = column.digits is not None or family != "float"
    return column.digits if known else Digits.learn(values)


def _numbers(found: Sequence[Column], cells: PartCells) -> list[int]:
    """Which columns are of numbers or dates, and not computed."""
    return [
        j
        for j in cells
        if found[j].kind in COMPUTED
        and found[j].formula is None
        and cells[j][2] in ("int", "float")
    ]


def _together(cells: PartCells, places: Sequence[int]) -> dict[int, np.ndarray] | None:
    """Values of some columns in the rows that have all of them; None if these are too few."""
    if not places:
        return {}
    rows = np.logical_and.reduce([cells[j][0] for j in places])
    if not rows.all() and rows.sum() < max(_FEWEST, 3 * len(places)):
        return None
    return {j: cells[j][1][rows[cells[j][0]]] for j in places}


def _count_from_others(
    found: list[Column],
    cells: PartCells,
    weights: np.ndarray | None,
    distinct_rows: np.ndarray | None,
    labels: Sequence[str | int],
) -> None:
    """Count the dates that never precede another date of their row from that one."""
    places = [j for j in cells if found[j].kind == "date" and found[j].formula is None]
    formats = {j: how for j in places if isinstance(how := found[j].format, DateFormat)}
    units = {j: how.unit for j, how in formats.items()}
    together = _together(cells, list(formats))
    origins = {} if together is None else find_origins(together, units)
    for j, origin in origins.items():
        if found[j].origin is not None or not can_count(found, origin, j):
            continue
        rows = cells[j][0] & cells[origin][0]
        own, other = (cells[k][1][rows[cells[k][0]]] for k in (j, origin))
        found[j] = replace(found[j], origin=origin)
        counted = recognise(
            own - since(found, j, {origin: other}),
            "int",
            labels[j],
            holding=ColumnContents("date"),
            weights=None if weights is None else weights[rows],
            distinct_rows=None if distinct_rows is None else distinct_rows[rows],
        )
        found[j] = replace(
            counted,
            origin=origin,
            format=found[j].format,
            missing=found[j].missing,
            why=f"counted from {labels[origin]}, {found[j].why}",
            note=found[j].note,
        )


def _divide_dates(
    found: list[Column],
    cells: PartCells,
    weights: np.ndarray | None,
    smooth: bool,
    beside: np.ndarray | None,
) -> None:
    """Divide the dates that show a season, in the values beside the table too, by the calendar."""
    for j, (known, values, _) in cells.items():
        how = found[j].format
        alone = found[j].formula is None and not found[j].counted_from
        if found[j].kind != "date" or not alone or not isinstance(how, DateFormat):
            continue
        others = {
            i: (there[known], own[known[there]])
            for i, (there, own, _) in cells.items()
            if i != j and not found[i].counted_from and found[i].has_coordinate
        }
        if beside is not None:
            others[-1] = (known[known], beside[known])
        calendar = find_calendar(values, how, others)
        if calendar is None:
            continue
        own = None if weights is None else weights[known]
        parts = [
            recognise(
                part, "int", word, smooth=smooth, weights=own,
                declared="category" if word == "day of the week" else None,
            )
            for part, word in zip(calendar.divide(values), calendar.words, strict=True)
        ]  # fmt: skip
        if any(part.kind == "constant" for part in parts):
            continue
        found[j] = replace(
            found[j],
            calendar=calendar,
            parts=tuple(parts),
            note="; ".join(
                filter(None, (found[j].note, f"a season by the {_and(calendar.words[:-1])}"))
            ),
        )


def _and(words: Sequence[str]) -> str:
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last


def _step(column: Column, digits: Digits | None) -> float:
    """To what the numbers of a column are rounded; 0 for not at all."""
    if digits is not None and digits.decimals is not None:
        return 10.0**-digits.decimals
    return column.step if column.kind in ("integer", "grid") else 0.0


def _last_digit(column: Column, digits: Digits | None, values: np.ndarray) -> float:
    """The last digit of the largest number of a column without decimals; 0 where it has all."""
    largest = float(np.abs(values).max())
    if column.family == "int":
        return 1.0
    if digits is None or digits.significant is None or not 0 < largest < math.inf:
        return 0.0
    return 10.0 ** (math.floor(math.log10(largest)) + 1 - digits.significant)


def _undecided(holding: ColumnContents) -> Column:
    """The column that reads the cells of a holding; whole where it is left out."""
    if holding.kind in LEFT_OUT:
        first = holding.first if holding.kind == "identifier" else None
        why, note = holding.why, holding.note
        return Column(holding.kind, holding.family, low=first, why=why, note=note)
    return Column("undecided", "text", format=holding.format)


def _refuse_too_few(left: int, of: int, min_rows: int, estimator: str) -> None:
    if left < min_rows:
        raise DataError(
            f"Only {left} sample(s) of {of} are left without missing values and zero weights, "
            f"while a minimum of {min_rows} is required by {estimator}. Fill the missing values "
            "in, or leave out the columns that have most of them."
        )


def _refuse_dropped_positions(sheet: Sheet, declared: dict) -> None:
    if not sheet.layout.named and "drop" in declared.values():
        raise ParameterError(
            'columns says "drop" of a column that has a position and no name. Expected a frame: '
            "the others would change their positions. Leave the column out before the fit."
        )


def _distinct_rows(cells: PartCells, n: int) -> np.ndarray | None:
    """Mark the first of equal rows, shape (n,), so that copies count like weights; or None.

    In a table of one column a value that comes again is a repeat of the value, and all rows count.
    """
    import pandas as pd

    if len(cells) < 2:
        return None
    codes = np.full((n, len(cells)), np.nan)
    for i, (known, values, family) in enumerate(cells.values()):
        codes[known, i] = pd.factorize(values)[0] if family == "text" else values
    _, places = np.unique(row_keys(codes), return_index=True)
    first = np.zeros(n, dtype=bool)
    first[places] = True
    return first
