"""What rows of a table keep to: inequalities and sums of columns, and columns that fix others."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ...errors import DataError, ParameterError
from ...wording import did_you_mean, setting
from ..checks import rows_text
from .column import Column
from .column_formula import COMPUTED
from .dates import DateFormat

__all__ = ["Constraint", "check_kinds", "parse"]

_RELATIONS = ("->", "<=", ">=", "==", "<", ">", "=")
_NUMBER = re.compile(r"\d+(\.\d*)?([eE][+-]?\d+)?|\.\d+([eE][+-]?\d+)?")
_HOW = (
    'Expected sums of columns on both sides of <=, <, >=, > or ==, such as "start <= end" or '
    '"a + 2 b == total", or "city -> country" where one column fixes another; `names` in '
    "backticks where they could be misread"
)


@dataclass(frozen=True)
class Constraint:
    """A rule that rows keep to: ``sum of coefficient * column + intercept`` is at most 0.

    Attributes:
        text: as the user wrote it.
        relation: "<=", "<", "==", or "->" where the second column is a function of the first.
        places: numbers of the columns.
        names: of these.
        coefficients: of these; none for "->".
        intercept: what is added.
        tolerance: by how much rounding may break it.
        built: whether all rows keep to it by the way they are made.
        values: for "->" the value of the second column by the first.
    """

    text: str
    relation: str
    places: tuple[int, ...]
    names: tuple[str, ...]
    coefficients: tuple[float, ...] = ()
    intercept: float = 0.0
    tolerance: float = 0.0
    built: bool = False
    values: tuple[tuple[object, object], ...] = ()

    def holds(self, values: Mapping[int, np.ndarray], columns: Sequence[Column]) -> np.ndarray:
        """Whether rows keep to it, bool of shape (n,).

        Args:
            values: (n,) of the columns by their number; dates are counts of their unit.
            columns: the p columns.
        """
        if self.relation == "->":
            known = dict(self.values)
            key, value = (values[j].tolist() for j in self.places)
            pairs = zip(key, value, strict=True)
            return np.array([known.get(k, v) == v for k, v in pairs], dtype=bool)
        left = self.left(values, columns)
        if self.relation == "==":
            return np.abs(left) <= self.tolerance
        return left < 0 if self.relation == "<" else left <= self.tolerance

    def left(self, values: Mapping[int, np.ndarray], columns: Sequence[Column]) -> np.ndarray:
        """What has to be at most 0, or 0: (n,); of two dates the nanoseconds between them."""
        if isinstance(columns[self.places[0]].format, DateFormat):
            first, other = (_nanoseconds(values[j], columns[j]) for j in self.places)
            return (first - other) * (1 if self.coefficients[0] > 0 else -1)
        total = np.full(len(values[self.places[0]]), self.intercept)
        for j, coefficient in zip(self.places, self.coefficients, strict=True):
            total += coefficient * values[j].astype(np.float64)
        return total

    @property
    def ordered(self) -> bool:
        """Whether it says that one column is at most another, a number aside."""
        return self.relation in ("<=", "<") and sorted(self.coefficients) == [-1.0, 1.0]

    @property
    def of_a_total(self) -> bool:
        """Whether it says that a sum of columns is at most another one, a number aside."""
        ends = sorted(self.coefficients)
        below = self.relation in ("<=", "<") and len(ends) > 2
        return below and ends[0] == -1.0 and all(c == 1.0 for c in ends[1:])

    def check(
        self,
        values: Mapping[int, np.ndarray],
        columns: Sequence[Column],
        known: np.ndarray | None = None,
    ) -> None:
        """Refuse rows that break it.

        Args:
            values: (m,) of the columns by their number.
            columns: the p columns.
            known: (n,) bool, the m rows of n that have the values; None for all.

        Raises:
            DataError: counting them.
        """
        broken = ~self.holds(values, columns)
        if not broken.any():
            return
        rows = broken
        if known is not None:
            rows = np.zeros(len(known), dtype=bool)
            rows[np.flatnonzero(known)[broken]] = True
        i = int(np.flatnonzero(broken)[0])
        shown = ", ".join(
            f"{name} {_shown(values[j][i], columns[j])}"
            for j, name in zip(self.places, self.names, strict=True)
        )
        raise DataError(
            f"The constraint {self.text!r} does not hold in {int(broken.sum()):,} of "
            f"{len(broken):,} rows: {rows_text(rows)}. The first has {shown}. Expected rows that "
            "keep to it: correct them, leave them out, or leave the constraint out."
        )


def _shown(value: object, column: Column) -> str:
    if isinstance(column.format, DateFormat):
        return column.format.text(int(value))  # pyright: ignore[reportArgumentType]
    return f"{value:.10g}" if isinstance(value, (float, np.floating)) else str(value)


def _nanoseconds(counts: np.ndarray, column: Column) -> np.ndarray:
    assert isinstance(column.format, DateFormat)
    return column.format.moments(counts.astype(np.int64)).astype(np.int64)


def parse(texts: Sequence[str], labels: Sequence[str | int]) -> list[Constraint]:
    """Read constraints of a table.

    Args:
        texts: such as "start <= end", "a + 2 b == total", "city -> country".
        labels: names of the columns; positions are written x0, x1, ...

    Raises:
        ParameterError: for what cannot be read, and unknown columns.

    Examples:
        >>> labels = ["start date", "end", *"abc"]
        >>> one, other = parse(["start date <= end", "a + b == 2 c + 1"], labels)
        >>> one.relation, one.places, one.coefficients
        ('<=', (0, 1), (1.0, -1.0))
        >>> other.places, other.coefficients, other.intercept
        ((2, 3, 4), (1.0, 1.0, -2.0), -1.0)
    """
    for text in texts:
        if not isinstance(text, str):
            raise ParameterError(f"{setting('constraints')} has {text!r}. {_HOW}.")
    return [_parsed(text, labels) for text in texts]


def _parsed(text: str, labels: Sequence[str | int]) -> Constraint:
    tokens = _tokens(text, labels)
    relations = [i for i, (kind, _) in enumerate(tokens) if kind == "relation"]
    if len(relations) != 1:
        raise _unreadable(text, f"it has {len(relations)} of {', '.join(_RELATIONS)}")
    (at,) = relations
    relation = str(tokens[at][1])
    if relation == "->":
        sides = tokens[:at], tokens[at + 1 :]
        if any(len(side) != 1 or side[0][0] != "column" for side in sides):
            raise _unreadable(text, 'each side of "->" is one column')
        key, value = (int(side[0][1]) for side in sides)
        if key == value:
            raise _unreadable(text, "a column fixes itself")
        return Constraint(text, "->", (key, value), _named((key, value), labels))
    total, intercept = _sum(tokens[:at], text)
    other, constant = _sum(tokens[at + 1 :], text)
    for j, coefficient in other.items():
        total[j] = total.get(j, 0.0) - coefficient
    intercept -= constant
    total = {j: c for j, c in total.items() if c}
    if relation in (">=", ">"):
        total, intercept = {j: -c for j, c in total.items()}, -intercept
    if not total:
        raise _unreadable(text, "no column is left in it")
    relation = {">=": "<=", ">": "<", "=": "=="}.get(relation, relation)
    names = _named(tuple(total), labels)
    return Constraint(text, relation, tuple(total), names, tuple(total.values()), intercept + 0.0)


def _named(places: tuple[int, ...], labels: Sequence[str | int]) -> tuple[str, ...]:
    return tuple(x if isinstance(x := labels[j], str) else f"x{x}" for j in places)


def _tokens(text: str, labels: Sequence[str | int]) -> list[tuple[str, str | float | int]]:
    """The words of a constraint: columns by number, numbers, signs and relations."""
    names = {label if isinstance(label, str) else f"x{label}": j for j, label in enumerate(labels)}
    longest = sorted(names, key=len, reverse=True)
    tokens: list[tuple[str, str | float | int]] = []
    i = 0
    while i < len(text):
        rest = text[i:]
        if rest[0].isspace():
            i += 1
            continue
        if rest[0] == "`" and "`" in rest[1:]:
            name = rest[1 : rest.index("`", 1)]
            if name not in names:
                raise _unreadable(text, f"there is no column {name!r}{did_you_mean(name, names)}")
            tokens.append(("column", names[name]))
            i += len(name) + 2
            continue
        found = next((n for n in longest if n and rest.startswith(n) and _ends(rest, n)), None)
        relation = next((r for r in _RELATIONS if rest.startswith(r)), None)
        number = _NUMBER.match(rest)
        if found is not None:
            tokens.append(("column", names[found]))
            i += len(found)
        elif relation is not None:
            tokens.append(("relation", relation))
            i += len(relation)
        elif rest[0] in "+-*":
            tokens.append(("sign", rest[0]))
            i += 1
        elif number is not None:
            tokens.append(("number", float(number[0])))
            i += len(number[0])
        else:
            word = re.split(r"[\s+*<>=-]", rest)[0] or rest[0]
            raise _unreadable(
                text, f"there is no column {word!r}{did_you_mean(word, names)}", names
            )
    return tokens


def _ends(rest: str, name: str) -> bool:
    """Whether a name that a text begins with ends there."""
    after = rest[len(name) : len(name) + 1]
    return not (
        after and (after.isalnum() or after == "_") and (name[-1].isalnum() or name[-1] == "_")
    )


def _sum(
    tokens: Sequence[tuple[str, str | float | int]], text: str
) -> tuple[dict[int, float], float]:
    """Coefficients by column, and the constant of one side."""
    total: dict[int, float] = {}
    constant, i = 0.0, 0
    while i < len(tokens):
        sign = 1.0
        while i < len(tokens) and tokens[i] in (("sign", "+"), ("sign", "-")):
            sign, i = -sign if tokens[i][1] == "-" else sign, i + 1
        factor, column, begun = 1.0, None, i
        while i < len(tokens) and tokens[i][0] in ("number", "column"):
            kind, value = tokens[i]
            if kind == "number":
                factor *= float(value)
            elif column is not None:
                raise _unreadable(text, "two columns stand together without a sign")
            else:
                column = int(value)
            i += 1
            if i < len(tokens) and tokens[i] == ("sign", "*"):
                i += 1
        if i == begun:
            raise _unreadable(text, "a sign has nothing after it")
        if column is None:
            constant += sign * factor
        else:
            total[column] = total.get(column, 0.0) + sign * factor
        if i < len(tokens) and tokens[i] not in (("sign", "+"), ("sign", "-")):
            raise _unreadable(text, f"{tokens[i][1]!r} stands where a sign should be")
    if not tokens:
        raise _unreadable(text, "one side is empty")
    return total, constant


def _unreadable(text: str, why: str, names: Mapping[str, int] | None = None) -> ParameterError:
    known = "" if names is None else f" The columns are {', '.join(list(names)[:20])}."
    return ParameterError(f"{setting('constraints')} has {text!r}, and {why}. {_HOW}.{known}")


def check_kinds(constraint: Constraint, columns: Sequence[Column], labels: Sequence) -> None:
    """Refuse columns that cannot be compared or added.

    Raises:
        ParameterError: naming the first.
    """
    listed = ("category", "boolean", "integer", "discrete", "grid", "date", "constant")
    dates = [j for j in constraint.places if isinstance(columns[j].format, DateFormat)]
    for j in constraint.places:
        kind = columns[j].kind
        fine = kind in (listed if constraint.relation == "->" else (*COMPUTED, "constant"))
        if not fine or (kind == "constant" and columns[j].family == "text"):
            raise ParameterError(
                f"The constraint {constraint.text!r} is about {labels[j]!r}, which is {kind}. "
                "Expected columns of numbers or dates, and of values that repeat for ->."
            )
    if dates and constraint.relation != "->":
        pair = constraint.ordered and constraint.intercept == 0
        if not pair or len(dates) < len(constraint.places):
            raise ParameterError(
                f"The constraint {constraint.text!r} adds dates. Expected two dates, one "
                "not after the other."
            )
