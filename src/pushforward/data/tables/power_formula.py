"""Columns that are products of powers of others, or their logarithms, found by fitting."""

import itertools
import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from .column_formula import EXACT, ColumnFormula
from .linear_formula import beyond_chance, tolerances

__all__ = ["find_powers"]

_LOOKED_AT = 500  # rows by which formulas are sought; those found are checked on all
_FEWEST = 20  # rows that have all columns of a formula
_MOST_COLUMNS = 100  # among which formulas of one column are sought
_MOST_SETS = 5000  # of two columns, and of three, that a product is sought among
_MOST_HOLES = 0.6  # share of the cells of a column that are missing or 0
_HALVES = 6  # exponents are halves up to this many
_NEAR = 0.05  # what a fitted exponent may be off by
_GATE = 10.0  # times the tolerance, that rows looked at may be off by on average
_USED_UP = 0.95  # of half a step, by what is rounded to it
_SHORTEST = 12  # significant digits of factors that are written shortly


@np.errstate(all="ignore")  # of numbers beyond all sizes, which no formula holds for
def find_powers(
    columns: Mapping[int, np.ndarray],
    steps: Mapping[int, float],
    fixed: Collection[int] = (),
) -> dict[int, ColumnFormula]:
    """Which columns are powers, products, ratios or logarithms of others in all rows.

    An amount is price times number, a body mass index weight by the square of height, ``lwage``
    the logarithm of ``wage``: ``y = b product of x ** c`` of up to three columns, with halves as
    exponents, or ``y = c log(x) + b``, or ``y = c log(1 + x) + b``. Of the columns that a product
    ties together the one is computed that is rounded to what the others make it, else the one
    without divisions.

    Args:
        columns: values of shape (n,) by the number of the column, NaN where they are missing.
        steps: to what each column is rounded, 0 for not at all, by its number.
        fixed: numbers of columns that are not to be computed, but others may be from them.

    Returns:
        A formula for each column that is computed. None is made of another that is.
    """
    if len(columns) < 2:
        return {}
    search = _Search.of(columns, steps)
    found: dict[int, ColumnFormula] = {}
    kept = {*fixed}  # what is not computed
    products = (search.products(2), search.pairs_with_holes(), search.products(3))
    for guesses in (search.ones("product"), *products, search.ones("logarithm", "log1p")):
        fine = []
        for target, guess in guesses:
            if target in kept or target in found:
                continue
            formula = search.checked(target, guess)
            if formula is not None:
                fine.append((search.rank(target, formula), target, formula))
        for _, target, formula in sorted(fine, key=lambda one: one[:2]):
            formula = search.of_inputs(target, formula, found)
            if formula is not None and target not in kept and target not in found:
                found[target] = search.rounded(target, formula)
                kept |= {*formula.places}
    return found


@dataclass(frozen=True)
class _Search:
    """Columns, some of their rows, and the logarithms of their sizes there.

    Attributes:
        whole: values (n,) of every column, by number.
        places: numbers of the columns, in the order of the following.
        few: (m, p) values in some rows, NaN where they are missing.
        logs: (m, p) logarithms of their sizes, NaN where there is none.
        steps: what columns are rounded to.
        gates: (p,) how far columns may be from a guess, and their logarithms from that of a
            product, by the form.
    """

    whole: Mapping[int, np.ndarray]
    places: list[int]
    few: np.ndarray
    logs: np.ndarray
    steps: Mapping[int, float]
    gates: Mapping[str, np.ndarray]

    @classmethod
    def of(cls, columns: Mapping[int, np.ndarray], steps: Mapping[int, float]) -> "_Search":
        places = [j for j, x in columns.items() if np.nanmax(np.abs(x)) < 2.0**53]
        places = [j for j in places if np.nanmin(columns[j]) < np.nanmax(columns[j])]
        n = len(next(iter(columns.values())))
        some = np.unique(np.linspace(0, n - 1, min(n, _LOOKED_AT)).astype(np.int64))
        few = np.stack([columns[j][some] for j in places], axis=1) if places else np.empty((0, 0))
        logs = np.log(np.abs(few))
        logs = np.where(np.isfinite(logs), logs, np.nan)
        each = [_gates(own, steps[j]) for j, own in zip(places, few.T, strict=True)]
        gates = np.array(each).reshape(-1, 2).T
        gates = {"product": gates[0], "logarithm": gates[1], "log1p": gates[1]}
        return cls(columns, places, few, logs, steps, gates)

    def ones(self, *forms: str) -> Iterator[tuple[int, ColumnFormula]]:
        """Columns that may be powers or logarithms of one other, each with the first guess."""
        if len(self.places) > _MOST_COLUMNS:
            return
        least = np.array([float(np.nanmin(self.whole[j])) for j in self.places])
        # of numbers from 0 on statisticians take the logarithm of one more
        more = np.log1p(np.where(self.few > -1, self.few, np.nan))
        for i, target in enumerate(self.places):
            own, its = self.few[:, i], self.logs[:, i]
            for form, x, y, fit in (
                ("product", self.logs, its, least > -math.inf),
                ("logarithm", self.logs, own, least > 0),
                ("log1p", more, own, least == 0),
            ):
                if form not in forms:
                    continue
                slope, middle, apart, count = _lines(x, y)
                fine = (apart <= self.gates[form][i]) & (count >= _FEWEST) & (slope != 0) & fit
                for k in np.flatnonzero(fine):
                    if k != i:
                        terms = (self.places[k],), (float(slope[k]),), float(middle[k])
                        yield target, ColumnFormula(*terms, 0.0, form)

    def products(self, size: int) -> Iterator[tuple[int, ColumnFormula]]:
        """Columns that may be products of so many others, in rows that have all columns."""
        chosen = self._dense()
        if not 0 < math.comb(len(chosen), size) <= _MOST_SETS or len(chosen) <= size:
            return
        rows = np.isfinite(self.logs[:, chosen]).all(axis=1)
        logs = self.logs[rows][:, chosen]
        if len(logs) < max(_FEWEST, 4 * size):
            return
        centred = logs - logs.mean(axis=0)
        scatter = centred.T @ centred / len(logs)
        sets = np.array([*itertools.combinations(range(len(chosen)), size)])
        weight, left = _regressed(scatter[sets[:, :, None], sets[:, None, :]], scatter[sets])
        left = np.diag(scatter) - left
        near = left <= self._fit(chosen, np.diag(scatter))
        for s, own in enumerate(sets):
            yield from self._guesses([chosen[k] for k in own], chosen, weight[s], near[s])

    def pairs_with_holes(self) -> Iterator[tuple[int, ColumnFormula]]:
        """Columns that may be products of two others, in rows that have these three."""
        p, some = len(self.places), self._dense(_MOST_HOLES)
        if self._dense() == some or math.comb(len(some), 2) > _MOST_SETS:
            return
        for pair in itertools.combinations(some, 2):
            y = self.logs[np.isfinite(self.logs[:, list(pair)]).all(axis=1)]
            both = np.isfinite(y)
            count = both.sum(axis=0)
            y = np.where(both, y, 0.0)
            n = np.maximum(count, 1)
            # of each column the rows that have it too
            x = y[:, None, list(pair)] * both[:, :, None]
            x = np.where(both[:, :, None], x - x.sum(axis=0) / n[:, None], 0.0)
            y = np.where(both, y - y.sum(axis=0) / n, 0.0)
            inner = np.einsum("mti,mtj->tij", x, x) / n[:, None, None]
            cross = np.einsum("mti,mt->ti", x, y) / n[:, None]
            weight, left = _regressed(inner, cross[..., None])
            size = np.square(y).sum(axis=0) / n
            near = size - left[..., 0] <= self._fit([*range(p)], size)
            near &= count >= _FEWEST
            yield from self._guesses([*pair], [*range(p)], weight[..., 0].T, near)

    def _fit(self, chosen: Sequence[int], variance: np.ndarray) -> np.ndarray:
        """How far logarithms of columns may be from products, squared: what cancels at least."""
        return np.maximum(self.gates["product"][chosen] ** 2, 1e-12 * variance)

    def _guesses(
        self, bases: Sequence[int], targets: Sequence[int], weight: np.ndarray, near: np.ndarray
    ) -> Iterator[tuple[int, ColumnFormula]]:
        """Products of some columns, by weights (K, T) of their logarithms in those of targets."""
        halves = np.round(2 * weight) / 2
        fine = near & (np.abs(weight - halves) <= _NEAR).all(axis=0) & (halves != 0).all(axis=0)
        order = np.argsort([self.places[i] for i in bases])
        places = tuple(self.places[bases[int(k)]] for k in order)
        for t in np.flatnonzero(fine):
            target = targets[int(t)]
            powers = tuple(float(halves[k, t]) for k in order)
            if target not in bases:
                yield self.places[target], ColumnFormula(places, powers, 0.0, 0.0, "product")

    def checked(self, target: int, guess: ColumnFormula) -> ColumnFormula | None:
        """The formula that all rows follow, with short numbers where these do; None if none."""
        y = self.whole[target]
        x = {k: self.whole[k] for k in guess.places}
        rows = np.isfinite(y) & np.logical_and.reduce([np.isfinite(own) for own in x.values()])
        y, x = y[rows], {k: own[rows] for k, own in x.items()}
        deviation = float(y.std()) if len(y) else 0.0
        if len(y) < _FEWEST or not 0 < deviation < math.inf:
            return None
        for tolerance in tolerances(y, self.steps[target], deviation):
            tries = _products if guess.form == "product" else _logarithms
            for formula in tries(guess, y, x, tolerance):
                if not bool(formula.holds(y, x).all()):
                    continue
                few = {target: y[:_LOOKED_AT], **{k: own[:_LOOKED_AT] for k, own in x.items()}}
                terms = [*guess.places]
                return formula if beyond_chance(target, terms, few, tolerance) else None
        return None

    def of_inputs(
        self, target: int, formula: ColumnFormula, found: Mapping[int, ColumnFormula]
    ) -> ColumnFormula | None:
        """The formula made of columns that are not computed; None where there is none.

        The logarithm of a product is a sum of logarithms.
        """
        if not {*formula.places} & found.keys():
            return formula
        (k, *others), (c, *_) = formula.places, formula.coefficients
        inner = found.get(k, formula)
        if others or formula.form != "logarithm" or inner.form != "product":
            return None
        x = {j: self.whole[j] for j in inner.places}
        if inner.intercept <= 0 or min(float(np.nanmin(own)) for own in x.values()) <= 0:
            return None
        whole = ColumnFormula(
            *(inner.places, tuple(c * power for power in inner.coefficients)),
            *(formula.intercept + c * math.log(inner.intercept), formula.tolerance),
            "logarithm",
        )
        y = self.whole[target]
        off = np.abs(y - whole.compute(x))
        return whole if bool((np.isnan(off) | (off <= whole.tolerance)).all()) else None

    def rounded(self, target: int, formula: ColumnFormula) -> ColumnFormula:
        """The formula with what rounding in samples may put its column off by."""
        half = 0.5 * self.steps[target]
        if formula.tolerance >= half or self._on_grid(target, formula):
            return formula
        return replace(formula, tolerance=half * (1 + 1e-6) + formula.tolerance)

    def rank(self, target: int, formula: ColumnFormula) -> tuple:
        """Of formulas that tie the same columns together the first is taken."""
        y = self.whole[target]
        made = formula.compute({k: self.whole[k] for k in formula.places})
        off = float(np.nanmax(np.abs(y - made)))
        # only what is rounded to what the others make it uses up its rounding
        half = 0.5 * self.steps[target]
        rounded = formula.tolerance > half > 0 and off > _USED_UP * half
        # what follows exactly though it is rounded would be rounded away from it in samples
        apart = formula.tolerance < half and not self._on_grid(target, formula)
        divisions = sum(c < 0 for c in formula.coefficients)
        halves = sum(c % 1 != 0 for c in formula.coefficients)
        if formula.form != "product":  # of what is left: a square is no column to begin with
            return apart, 1, not rounded, 0, 0
        return apart, 0, not rounded, divisions + halves, -len(np.unique(y[np.isfinite(y)]))

    def _on_grid(self, target: int, formula: ColumnFormula) -> bool:
        """Whether a product of rounded numbers has the decimals of its column, always."""
        step = abs(formula.intercept)
        for k, c in zip(formula.places, formula.coefficients, strict=True):
            step *= self.steps[k] ** c if c > 0 and c % 1 == 0 else 0.0
        steps = step / self.steps[target]
        return formula.form == "product" and steps > 0.5 and abs(steps - round(steps)) < 1e-6

    def _dense(self, holes: float = 0.1) -> list[int]:
        """Places in order of columns of which at most a share of the cells is missing or 0."""
        there = np.isfinite(self.logs).mean(axis=0) if self.logs.size else np.zeros(0)
        return [i for i in range(len(self.places)) if there[i] >= 1 - holes]


def _gates(y: np.ndarray, step: float) -> tuple[float, float]:
    """How far the logarithms of values may be from those of a product, and they from a guess."""
    y = y[np.isfinite(y)]
    deviation = float(y.std()) if len(y) else 0.0
    largest = _GATE * tolerances(y, step, deviation)[-1] if deviation else 0.0
    size = np.abs(y[y != 0])
    relative = float(np.sqrt(np.mean((largest / size) ** 2))) if len(size) else 0.0
    return relative, largest


def _regressed(inner: np.ndarray, cross: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Regressions on few columns: weights (..., K, T), and the variance they explain (..., T).

    Args:
        inner: (..., K, K) covariances of the columns.
        cross: (..., K, T) with those that are regressed.
    """
    size = inner.shape[-1]
    # a ridge that is lost in the last bits: two columns may be proportional
    scale = np.trace(inner, axis1=-2, axis2=-1)[..., None, None]
    weight = np.linalg.solve(inner + (1e-13 * scale + 1e-300) * np.eye(size), cross)
    return weight, (cross * weight).sum(axis=-2)


def _lines(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, ...]:
    """Regressions of y (m,) by each column of x (m, p), of what is not NaN.

    Returns:
        Slopes, intercepts, root mean squared residuals, and numbers of rows, each (p,).
    """
    both = np.isfinite(x) & np.isfinite(y)[:, None]
    count = both.sum(axis=0)
    n = np.maximum(count, 1)
    u, v = np.where(both, x, 0.0), np.where(both, y[:, None], 0.0)
    mean_u, mean_v = u.sum(axis=0) / n, v.sum(axis=0) / n
    u, v = np.where(both, u - mean_u, 0.0), np.where(both, v - mean_v, 0.0)
    size = (u * u).sum(axis=0)
    slope = (u * v).sum(axis=0) / np.where(size > 0, size, 1.0)
    apart = np.sqrt(np.square(v - slope * u).sum(axis=0) / n)
    return slope, mean_v - slope * mean_u, np.where(size > 0, apart, np.inf), count


def _products(
    guess: ColumnFormula, y: np.ndarray, x: Mapping[int, np.ndarray], tolerance: float
) -> Iterator[ColumnFormula]:
    """Products that may be meant by a guess: with halves as exponents, and a short factor."""
    powers = tuple(round(2 * c) / 2 for c in guess.coefficients)
    near = all(
        0 < abs(c) <= _HALVES / 2 and abs(c - own) <= _NEAR
        for c, own in zip(powers, guess.coefficients, strict=True)
    )
    # what has no value, or is of two numbers, cannot be asked for
    fit = near and all(
        (c > 0 or bool((x[k] != 0).all())) and (c % 2 == 1 or bool((x[k] >= 0).all()))
        for k, c in zip(guess.places, powers, strict=True)
    )
    if not fit:
        return
    tolerance += EXACT * float(np.abs(y).max())
    made = ColumnFormula(guess.places, powers, 1.0, tolerance, "product")
    yield made
    base = made.compute(x)
    there = np.isfinite(base) & (base != 0)
    if not there.any():
        return
    # the middle of the factors that all rows allow
    low = float(np.max((y[there] - np.sign(base[there]) * tolerance) / base[there]))
    high = float(np.min((y[there] + np.sign(base[there]) * tolerance) / base[there]))
    for factor in _short(low, high):
        yield ColumnFormula(guess.places, powers, factor, tolerance, "product")


def _logarithms(
    guess: ColumnFormula, y: np.ndarray, x: Mapping[int, np.ndarray], tolerance: float
) -> Iterator[ColumnFormula]:
    """Logarithms that may be meant by a guess, of base e or 10 first."""
    (k,) = guess.places
    tolerance += EXACT * float(np.abs(y).max())
    u = np.log(x[k]) if guess.form == "logarithm" else np.log1p(x[k])
    slope = float(np.polyfit(u - u.mean(), y, 1)[0])
    tens = slope * math.log(10)
    for c in (float(round(slope)), round(tens) / math.log(10), round(slope, 6), slope):
        if not c:
            continue
        rest = y - c * u
        for b in (0.0, round(float(np.median(rest)), 6), 0.5 * float(rest.max() + rest.min())):
            yield ColumnFormula((k,), (c,), b, tolerance, guess.form)


def _short(low: float, high: float) -> Sequence[float]:
    """The shortest number between two, and their middle."""
    middle = 0.5 * (low + high)
    if not math.isfinite(middle) or low > high or middle == 0:
        return []
    rounded = (float(f"{middle:.{digits}g}") for digits in range(1, _SHORTEST + 1))
    return [next((f for f in rounded if low <= f <= high), middle), middle]
