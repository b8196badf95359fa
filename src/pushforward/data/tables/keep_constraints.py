"""Makes columns keep to constraints: totals computed, later values counted from earlier ones."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ...errors import ParameterError
from .column import Column
from .column_contents import ColumnContents
from .column_formula import COMPUTED, ColumnFormula
from .column_kinds import recognise
from .column_reader import PartCells
from .constraints import Constraint, check_kinds
from .date_order import is_origin, since
from .decimals import Digits
from .sums import common_digits as common
from .sums import few_values

__all__ = ["as_bounds", "build_differences", "build_sums", "can_count", "checked"]

Interval = tuple[float | None, float | None]
_EXACT = 1e-9  # of the largest term of a sum: what its last bits are off by


def as_bounds(
    rules: Sequence[Constraint], bounds: Mapping[str | int, Interval], labels: Sequence[str | int]
) -> tuple[list[Constraint], dict[str | int, Interval]]:
    """The constraints of more than one column, and bounds to which those of one are added."""
    kept, found = [], dict(bounds)
    for rule in rules:
        if len(rule.places) > 1:
            kept.append(rule)
            continue
        if rule.relation == "==":
            raise ParameterError(
                f"The constraint {rule.text!r} says that a column is constant. Leave it out."
            )
        coefficient = float(sum(rule.coefficients))
        label = next(labels[j] for j in rule.places)
        low, high = found.get(label, (None, None))
        end = -rule.intercept / coefficient
        if coefficient > 0:
            high = end if high is None else min(high, end)
        else:
            low = end if low is None else max(low, end)
        found[label] = low, high
    return kept, found


def checked(
    rules: Sequence[Constraint],
    columns: Sequence[Column],
    cells: PartCells,
    labels: Sequence[str | int],
) -> list[Constraint]:
    """The constraints with what rounding may break them by, verified on the rows of a fit.

    Raises:
        DataError: counting the rows that break one.
        ParameterError: for columns that cannot be compared.
    """
    found = []
    for rule in rules:
        check_kinds(rule, columns, labels)
        rows = np.logical_and.reduce([cells[j][0] for j in rule.places])
        values = {j: cells[j][1][rows[cells[j][0]]] for j in rule.places}
        if rule.relation == "->":
            counted = Counter(zip(*(values[j].tolist() for j in rule.places), strict=True))
            pairs = dict(sorted(counted, key=lambda pair: (counted[pair], str(pair))))
            rule = replace(rule, values=tuple(pairs.items()))  # the most frequent comes last
        elif rule.coefficients:
            largest = max(
                float(np.abs(c * values[j].astype(np.float64)).max(initial=0.0))
                for j, c in zip(rule.places, rule.coefficients, strict=True)
            )
            step = max((_step(columns[j]) for j in rule.places), default=0.0)
            dates = columns[rule.places[0]].kind == "date"
            rounding = 0.5 * step * (1 + 1e-6) if rule.relation == "==" else 0.0
            rule = replace(rule, tolerance=0.0 if dates else rounding + _EXACT * largest)
        rule.check(values, columns, rows)
        found.append(rule)
    return found


def _step(column: Column) -> float:
    """To what the numbers of a column are rounded where they have fractions; 0 for not at all."""
    if column.family == "int" or column.kind == "constant":
        return 0.0
    return _precision(column.digits)


def build_sums(
    rules: Sequence[Constraint],
    columns: list[Column],
    cells: PartCells,
    stated: Sequence[int],
    labels: Sequence[str | int],
) -> tuple[list[Constraint], set[int]]:
    """Have the total of each sum computed from its parts.

    Args:
        rules: constraints.
        columns: the p columns, which are changed.
        cells: those that are known.
        stated: columns whose kind or bounds the user has declared, which are modelled themselves.
        labels: names of the columns.

    Returns:
        The constraints, and the columns that others are computed from.

    Raises:
        ParameterError: where no column is left to be computed.
    """
    found, inputs = [], set()
    for rule in rules:
        if rule.relation != "==":
            found.append(rule)
            continue
        free = [
            j
            for j, c in zip(rule.places, rule.coefficients, strict=True)
            if abs(c) == 1
            and j not in stated
            and j not in inputs
            and columns[j].kind in COMPUTED
            and columns[j].formula is None
        ]
        if not free:
            raise ParameterError(
                f"The constraint {rule.text!r} has no column that could be computed from the "
                "others: they are declared, constant, computed by another sum, or have factors."
            )
        j = _total(rule, free)
        formula = _formula(rule, j, columns)
        inputs |= set(formula.places)
        digits = columns[j].digits
        if digits is None and cells[j][2] == "float":
            digits = Digits.learn(cells[j][1])
        columns[j] = replace(
            columns[j],
            formula=formula,
            digits=digits,
            why=f"{rule.text}: computed from the others",
        )
        found.append(replace(rule, built=True))
    return found, inputs


def _total(rule: Constraint, free: Sequence[int]) -> int:
    """Of columns that could be computed, the one that is alone on its side, else the last."""
    sign = dict(zip(rule.places, np.sign(rule.coefficients), strict=True))
    alone = [j for j in free if list(sign.values()).count(sign[j]) == 1]
    return (alone or free)[-1]


def _formula(rule: Constraint, j: int, columns: Sequence[Column]) -> ColumnFormula:
    """Column ``j`` from the others, none of which is computed itself."""
    own = rule.coefficients[rule.places.index(j)]
    intercept, terms = -rule.intercept / own, defaultdict[int, float](float)
    for k, coefficient in zip(rule.places, rule.coefficients, strict=True):
        if k == j:
            continue
        factor, column = -coefficient / own, columns[k]
        if column.kind == "constant":
            intercept += factor * float(column.values[0])
        elif column.formula is None:
            terms[k] += factor
        else:
            intercept += factor * column.formula.intercept
            for i, c in zip(column.formula.places, column.formula.coefficients, strict=True):
                terms[i] += factor * c
    places = sorted(k for k, c in terms.items() if c)
    if not places or j in places:
        raise ParameterError(
            f"The constraint {rule.text!r} says nothing that is not said already."
        )
    coefficients = tuple(float(terms[k]) for k in places)
    return ColumnFormula(tuple(places), coefficients, intercept, rule.tolerance)


def build_differences(
    rules: Sequence[Constraint],
    columns: list[Column],
    cells: PartCells,
    stated: Sequence[int],
    labels: Sequence[str | int],
    weights: np.ndarray | None,
    distinct_rows: np.ndarray | None,
    smooth: bool,
) -> list[Constraint]:
    """Have one column of each ordered pair counted from the other, with a positive difference.

    So is a total from its parts. What cannot be made so is left to be kept by rejection.
    """
    found = []
    for rule in rules:
        built = False
        if rule.of_a_total:
            j = rule.places[rule.coefficients.index(-1.0)]
            parts = tuple(k for k in rule.places if k != j)
            if j not in stated and all(can_count(columns, k, j) for k in parts):
                made = _counted(
                    rule, columns, cells, parts, j, labels, weights, distinct_rows, smooth
                )
                if made is not None:
                    columns[j], built = made, made.digits is not None or rule.relation == "<="
        elif rule.ordered and not rule.built:
            first, second = rule.places
            pair = (first, second) if rule.coefficients[0] > 0 else (second, first)
            for origin, j in (pair, pair[::-1]):
                if j in stated or not can_count(columns, origin, j):
                    continue
                made = _counted(
                    rule, columns, cells, (origin,), j, labels, weights, distinct_rows, smooth
                )
                if made is not None:
                    # the rounding of sums may make two numbers of no known precision the same
                    exact = made.family == "int" or made.digits is not None
                    columns[j], built = made, exact or rule.relation == "<="
                    break
        found.append(replace(rule, built=rule.built or built))
    return found


def can_count(columns: Sequence[Column], origin: int, j: int) -> bool:
    """Whether a column can be counted from another, and is not counted from any yet."""
    if columns[j].counted_from or not is_origin(columns[origin], columns[j]):
        return False
    before = [origin]
    while before:
        at = before.pop()
        if at == j:
            return False
        before += columns[at].counted_from
    return True


def _counted(
    rule: Constraint,
    columns: Sequence[Column],
    cells: PartCells,
    others: tuple[int, ...],
    j: int,
    labels: Sequence[str | int],
    weights: np.ndarray | None,
    distinct_rows: np.ndarray | None,
    smooth: bool,
) -> Column | None:
    """The column as it is counted from others; None where the difference is one number."""
    rows = np.logical_and.reduce([cells[k][0] for k in (j, *others)])
    own, *begin = (cells[k][1][rows[cells[k][0]]] for k in (j, *others))
    dates = columns[j].kind == "date"
    single = len(others) == 1
    place: dict[str, Any] = {"origin": others[0]} if single else {"addends": others}
    column = replace(columns[j], **place)
    passed = own - since(
        [column if k == j else c for k, c in enumerate(columns)],
        j,
        dict(zip(others, begin, strict=True)),
    )
    family, digits, bounds = cells[j][2], None, (None, None)
    if family == "float":
        digits = _finer(columns[j], columns[others[0]]) if single else common([own, *begin])
        passed = passed if digits is None else digits.round(passed)
    if not dates:
        least = rule.intercept  # of what is later, or how much less what is earlier is at least
        if rule.relation == "<":
            step = 1.0 if family == "int" else _precision(digits)
            least = float(np.floor(least / step + 1e-9) + 1) * step if step else least
        later = rule.coefficients[rule.places.index(j)] < 0
        bounds = (least, None) if later else (None, -least)
    if len(passed) < 2 or bool((passed == passed[0]).all()):
        return None
    listed = not single and few_values(np.unique(passed), len(passed))  # which are in bounds
    counted = recognise(
        passed,
        "int" if dates else family,
        labels[j],
        holding=ColumnContents("date") if dates else None,
        declared="discrete" if listed else None,
        bounds=None if dates or listed else bounds,
        weights=None if weights is None else weights[rows],
        distinct_rows=None if distinct_rows is None else distinct_rows[rows],
        smooth=smooth,
    )
    return replace(
        counted,
        **place,
        digits=digits,
        format=columns[j].format,
        missing=columns[j].missing,
        why=f"{rule.text}: counted from {' + '.join(str(labels[k]) for k in others)}",
        note=columns[j].note if dates else "",
    )


def _precision(digits: Digits | None) -> float:
    """The unit in the last place of numbers; 0 where they have none."""
    return 0.0 if digits is None or digits.decimals is None else 10.0**-digits.decimals


def _finer(column: Column, origin: Column) -> Digits | None:
    """The decimals that hold the values of both columns; None where they have none."""
    places = [
        0 if c.family == "int" else None if c.digits is None else c.digits.decimals
        for c in (column, origin)
    ]
    known = [place for place in places if place is not None]
    return Digits(decimals=max(known)) if len(known) == len(places) else None
