"""Decides what the columns of a table are, and which rows and columns a fit leaves out."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ...errors import DataError, ParameterError
from ...validation import OneOf, check
from ..checks import MISSING, check_weights, refuse_missing
from .column import Column
from .column_contents import ColumnContents, read, survey
from .column_kinds import check_declared, recognise
from .column_reader import refuse_infinite_cells
from .date_order import find_origins, since
from .dates import DateFormat
from .decimals import Digits
from .dequantisation import row_keys
from .linear_formula import COMPUTED, find_formulas
from .missing_cells import complete_rows, missing_cells, without_sparse
from .sheet import Sheet
from .unmodelled_columns import LEFT_OUT

__all__ = ["Decided", "decide"]


@dataclass(frozen=True)
class Decided:
    """What a fit makes of a table, before its numbers are standardised.

    Attributes:
        sheet: the rows that were kept.
        columns: the p columns.
        cells: of each column that is not left out, by its number: values of shape (n_kept,) and
            their family.
        weights: float64 of shape (n_kept,), or None.
        kept: boolean of shape (n,).
        n_left_out: how many rows were left out for missing cells.
    """

    sheet: Sheet
    columns: list[Column]
    cells: dict[int, tuple[np.ndarray, str]]
    weights: np.ndarray | None
    kept: np.ndarray
    n_left_out: int


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
) -> Decided:
    """Decide what the columns of a table are; see :meth:`Columns.learn` for the arguments.

    Raises:
        DataError: for data that cannot be used; the text names the columns and rows.
        ParameterError: for columns, bounds or missing that are not usable.
    """
    check({"missing": OneOf(*MISSING)}, {"missing": missing})
    sheet = Sheet.open(X, estimator, min_rows)
    if missing == "auto" and not sheet.layout.named:
        missing = "error"  # as scikit-learn has it of arrays; a column without a name stays
    declared, intervals = check_declared(columns, bounds, sheet.labels)
    _refuse_dropped_positions(sheet, declared)
    weights = check_weights(sample_weight, sheet.n_rows)
    kept = np.ones(sheet.n_rows, dtype=bool) if weights is None else weights > 0
    blank = sheet.missing()
    holdings = [
        survey(
            sheet.raw(j)[kept & ~blank[:, j]],
            label,
            declared=declared.get(label),
            categorical=sheet.layout.storage[j].levels is not None,
            alone=len(sheet.labels) == 1,
        )
        for j, label in enumerate(sheet.labels)
    ]
    found = [_undecided(holding) for holding in holdings]
    bare = np.array([column.kind == "empty" for column in found])
    if bare.all() or (bare.any() and not sheet.layout.named):
        refuse_missing(sheet.labels, blank & bare, fitting=True)
    gaps = missing_cells(sheet, range(len(found)), found, blank)
    shares = np.where(bare, 1.0, gaps[kept].mean(axis=0))
    if missing == "auto":
        found = without_sparse(found, gaps[kept], [label in declared for label in sheet.labels])
        gaps &= np.array([not column.left_out for column in found])
    counted = int(kept.sum())
    kept = complete_rows(sheet.labels, gaps, kept, missing)
    if not kept.all():
        sheet = sheet.take(kept)
        weights = None if weights is None else weights[kept]
        _refuse_too_few(sheet.n_rows, len(kept), min_rows, estimator)
    cells = {
        j: read(sheet, j, column, sheet.labels[j])
        for j, column in enumerate(found)
        if not column.left_out
    }
    refuse_infinite_cells(sheet.labels, cells)
    distinct_rows = _distinct_rows(cells, sheet.n_rows)
    for j, label in enumerate(sheet.labels):
        if j in cells:
            found[j] = recognise(
                *cells[j],
                label,
                holding=holdings[j],
                declared=declared.get(label),
                categorical=sheet.layout.storage[j].levels is not None,
                bounds=intervals.get(label),
                weights=weights,
                distinct_rows=distinct_rows,
                smooth=smooth,
            )
        found[j] = replace(found[j], missing=float(shares[j]))
    stated = {*declared, *intervals}
    fixed = [j for j, label in enumerate(sheet.labels) if label in stated]
    _compute(found, cells, fixed, sheet.labels)
    _count_from_others(found, cells, weights, distinct_rows, sheet.labels)
    return Decided(sheet, found, cells, weights, kept, counted - sheet.n_rows)


def _compute(
    found: list[Column],
    cells: dict[int, tuple[np.ndarray, str]],
    fixed: list[int],
    labels: Sequence[str | int],
) -> None:
    """Mark the columns that are linear functions of others; what was declared stays."""
    places = [j for j in cells if found[j].kind in COMPUTED and cells[j][1] in ("int", "float")]
    steps = {j: _step(found[j]) for j in places}
    formulas = find_formulas({j: cells[j][0] for j in places}, steps, fixed)
    for j, formula in formulas.items():
        why = f"{formula.text(labels)} in all rows: computed from it"
        digits = found[j].digits
        if digits is None and cells[j][1] == "float":  # of lists, whose values are kept as read
            digits = Digits.learn(cells[j][0])
        found[j] = replace(found[j], formula=formula, digits=digits, why=why)


def _count_from_others(
    found: list[Column],
    cells: dict[int, tuple[np.ndarray, str]],
    weights: np.ndarray | None,
    distinct_rows: np.ndarray | None,
    labels: Sequence[str | int],
) -> None:
    """Count the dates that never precede another date of their row from that one."""
    places = [j for j in cells if found[j].kind == "date" and found[j].formula is None]
    formats = {j: how for j in places if isinstance(how := found[j].format, DateFormat)}
    units = {j: how.unit for j, how in formats.items()}
    origins = find_origins({j: cells[j][0] for j in formats}, units)
    for j, origin in origins.items():
        found[j] = replace(found[j], origin=origin)
        elapsed = cells[j][0] - since(found, j, {origin: cells[origin][0]})
        counted = recognise(
            elapsed, "int", labels[j], holding=ColumnContents("date"), weights=weights,
            distinct_rows=distinct_rows,
        )  # fmt: skip
        found[j] = replace(
            counted,
            origin=origin,
            format=found[j].format,
            missing=found[j].missing,
            why=f"counted from {labels[origin]}, {found[j].why}",
            note=found[j].note,
        )


def _step(column: Column) -> float:
    """To what the numbers of a column are rounded; 0 for not at all."""
    if column.digits is not None and column.digits.decimals is not None:
        return 10.0**-column.digits.decimals
    if column.kind in ("integer", "grid"):
        return column.step
    return 0.0


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


def _distinct_rows(cells: dict[int, tuple[np.ndarray, str]], n: int) -> np.ndarray | None:
    """Mark the first of equal rows, shape (n,), so that copies count like weights; or None.

    In a table of one column a value that comes again is a repeat of the value, and all rows count.
    """
    import pandas as pd

    if len(cells) < 2:
        return None
    codes = np.empty((n, len(cells)))
    for i, (values, family) in enumerate(cells.values()):
        codes[:, i] = pd.factorize(values)[0] if family == "text" else values
    _, places = np.unique(row_keys(codes), return_index=True)
    first = np.zeros(n, dtype=bool)
    first[places] = True
    return first
