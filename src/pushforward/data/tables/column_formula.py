"""Columns that are computed from others: a sum, a product of powers, or a sum of logarithms."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

__all__ = ["COMPUTED", "EXACT", "FORMS", "ColumnFormula"]

#: Kinds of columns that formulas may be of, and made of.
COMPUTED = ("continuous", "mixed", "integer", "grid", "discrete", "date")
#: What the last bits of sums and products are off by, of the largest.
EXACT = 1e-10
#: ``sum of c x + b``, ``b product of x ** c``, ``sum of c log(x) + b`` and of ``c log(1 + x)``.
FORMS = ("sum", "product", "logarithm", "log1p")


_OF: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "sum": lambda x: x,
    "logarithm": np.log,
    "log1p": np.log1p,
}


@dataclass(frozen=True)
class ColumnFormula:
    """One column of a table as a function of others.

    Attributes:
        places: numbers of the columns that it is computed from, rising.
        coefficients: one for each of them; exponents, of a product.
        intercept: what is added; what a product is multiplied by.
        tolerance: how far the cells of a row that follows the formula may be from it: half a
            step of the column's rounding, or the last bits of a sum.
        form: one of ``FORMS``.

    Examples:
        >>> total = ColumnFormula((0, 2), (1.0, 2.0), 0.0, 1e-9)
        >>> total.compute({0: np.array([1.0, 2.0]), 2: np.array([0.5, 3.0])}).tolist()
        [2.0, 8.0]
        >>> total.text(["price", "note", "fee"])
        'price + 2 fee'
        >>> index = ColumnFormula((0, 1), (1.0, -2.0), 703.0, 0.05, "product")
        >>> index.compute({0: np.array([154.0]), 1: np.array([70.0])}).round(1).tolist()
        [22.1]
        >>> index.text(["weight", "height"])
        '703 weight / height^2'
    """

    places: tuple[int, ...]
    coefficients: tuple[float, ...]
    intercept: float
    tolerance: float
    form: str = "sum"

    def compute(self, values: Mapping[int, np.ndarray]) -> np.ndarray:
        """The column, float64 of shape (n,), from values (n,) of the columns by their numbers.

        Where it has none, as the logarithm of 0, it is infinite or NaN.
        """
        terms = zip(self.places, self.coefficients, strict=True)
        result = np.full(len(values[self.places[0]]), self.intercept)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            for place, coefficient in terms:
                own = values[place].astype(np.float64)
                if self.form == "product":
                    result *= own**coefficient
                else:
                    result += coefficient * _OF[self.form](own)
        return result

    def solve(self, k: int, column: np.ndarray, values: Mapping[int, np.ndarray]) -> np.ndarray:
        """Column ``k``, one of those it is computed from, from it and the others: (n,).

        Args:
            k: number of the column.
            column: (n,) the computed column.
            values: (n,) of the other columns by their numbers.

        Returns:
            Its values; NaN where there is none, or more than one.
        """
        one = 1.0 if self.form in ("product", "logarithm") else 0.0  # what says nothing
        others = self.compute({**values, k: np.full(len(column), one)})
        coefficient = self.coefficients[self.places.index(k)]
        column = column.astype(np.float64)
        if self.form == "sum":
            return (column - others) / coefficient
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            if self.form == "logarithm":
                result = np.exp((column - others) / coefficient)
            elif self.form == "log1p":
                result = np.expm1((column - others) / coefficient)
            else:
                power = column / others
                result = np.abs(power) ** (1 / coefficient)
                if coefficient % 2 == 1:
                    result *= np.sign(power)
                else:  # of two numbers, of which columns have the positive
                    result = np.where(power < 0, np.nan, result)
        return np.where(np.isfinite(result), result, np.nan)

    def log_slope(self, k: int, column: np.ndarray, own: np.ndarray) -> np.ndarray:
        """Logarithm of how far column ``k`` moves for a unit of the computed one: (n,).

        Args:
            k: number of the column.
            column: (n,) the computed column.
            own: (n,) of column ``k``.
        """
        coefficient = abs(self.coefficients[self.places.index(k)])
        column, own = column.astype(np.float64), own.astype(np.float64)
        with np.errstate(divide="ignore", invalid="ignore"):
            rate = {
                "sum": lambda: np.ones(len(own)),
                "product": lambda: np.abs(own / column),
                "logarithm": lambda: np.abs(own),
                "log1p": lambda: np.abs(1 + own),
            }[self.form]()
            slope = np.log(rate / coefficient)
        return np.where(np.isfinite(slope), slope, -np.inf)

    def holds(self, column: np.ndarray, values: Mapping[int, np.ndarray]) -> np.ndarray:
        """Whether each row follows the formula: bool of shape (n,)."""
        return np.abs(column.astype(np.float64) - self.compute(values)) <= self.tolerance

    def among(self, places: Mapping[int, int]) -> "ColumnFormula":
        """The formula where columns have other numbers, given by the numbers that they had."""
        return replace(self, places=tuple(places[j] for j in self.places))

    def text(self, labels: Sequence[str | int]) -> str:
        """The formula as people write it."""
        names = [labels[j] if isinstance(labels[j], str) else f"x{labels[j]}" for j in self.places]
        terms = [*zip(map(str, names), self.coefficients, strict=True)]
        return _product(self.intercept, terms) if self.form == "product" else self._sum(terms)

    def _sum(self, terms: list[tuple[str, float]]) -> str:
        if self.form != "sum":
            terms = [(name if self.form == "logarithm" else f"1 + {name}", c) for name, c in terms]
            tens = [c * math.log(10) for _, c in terms]
            if all(abs(c - round(c, 3)) < 1e-6 for c in tens):
                terms = [
                    (f"log10({name})", round(c, 3))
                    for (name, _), c in zip(terms, tens, strict=True)
                ]
            else:
                terms = [(f"log({name})", c) for name, c in terms]
        parts = [(c, f"{abs(c):.6g} {name}" if abs(c) != 1 else name) for name, c in terms]
        if self.intercept:
            parts.append((self.intercept, f"{abs(self.intercept):.6g}"))
        parts.sort(key=lambda part: part[0] < 0)  # what is subtracted comes last
        first, *rest = parts
        words = [f"-{first[1]}" if first[0] < 0 else first[1]]
        return " ".join(words + [f"{'-' if sign < 0 else '+'} {part}" for sign, part in rest])


def _product(factor: float, terms: list[tuple[str, float]]) -> str:
    """Such as ``0.5 price number / area^2``."""

    def power(name: str, exponent: float) -> str:
        return name if exponent == 1 else f"{name}^{exponent:g}"

    above = [power(name, c) for name, c in terms if c > 0]
    if factor != 1 or not above:
        above.insert(0, f"{factor:.6g}")
    below = [power(name, -c) for name, c in terms if c < 0]
    return " / ".join([" ".join(above), *below])
