"""How finely the numbers of a column are written: in decimals, steps of these, or digits."""

from dataclasses import dataclass

import numpy as np

__all__ = ["Digits"]

FEWEST = 20
EPSILON = float(np.finfo(np.float64).eps)
MOST_DECIMALS = 12
MOST_DIGITS = 15
MOST_SIGNIFICANT = 12
_FEW, _SOME = 32, 1000  # first values, which most precisions that do not fit change already
MOST_STEPS = 2**53  # between the smallest value and the largest, so that gaps are exact


@dataclass(frozen=True)
class Digits:
    """The precision that all numbers of a column have.

    Attributes:
        decimals: places after the point; -3 for whole thousands. None with significant digits.
        significant: significant digits. None with decimals.
        multiple: steps of the last decimal that values lie apart, such as 25 of quarters in two
            decimals; 1 where they are any.
        remainder: of the values by the multiple, in the last decimal: 99 of prices such as 4.99.

    Examples:
        >>> Digits(decimals=2).round(np.array([24.31697, 8.0])).tolist()
        [24.32, 8.0]
        >>> Digits(significant=3).round(np.array([24.31697, 0.0123456])).tolist()
        [24.3, 0.0123]
        >>> Digits(decimals=2, multiple=25).round(np.array([24.31697, 8.0])).tolist()
        [24.25, 8.0]
    """

    decimals: int | None = None
    significant: int | None = None
    multiple: int = 1
    remainder: int = 0

    @property
    def step(self) -> float:
        """Distance of neighbouring numbers; 0 with significant digits."""
        return 0.0 if self.decimals is None else self.multiple * 10.0**-self.decimals

    @classmethod
    def learn(cls, values: np.ndarray) -> "Digits | None":
        """Find the precision of finite values of shape (n,); None where there is none.

        Significant digits describe a column better where they leave its large values fewer digits
        than its decimals would.
        """
        if len(values) < FEWEST:
            return None
        with np.errstate(over="ignore", invalid="ignore"):
            places = _coarsest([cls(decimals=d) for d in range(-6, MOST_DECIMALS + 1)], values)
            leading = _coarsest(
                [cls(significant=s) for s in range(1, MOST_SIGNIFICANT + 1)], values
            )
        decimals = places and places.decimals
        significant = leading and leading.significant
        largest = float(np.abs(values).max())
        if decimals is not None and largest > 0:
            digits = int(np.floor(np.log10(largest))) + 1 + decimals
            if digits > MOST_DIGITS:
                decimals = None
        if significant is not None and decimals is not None:
            finer = np.abs(values) >= 10.0 ** (significant - decimals)
            if finer.sum() < 5:
                significant = None
        if significant is not None:
            return cls(significant=significant)
        if decimals is None:
            return None
        steps = cls(decimals, None, *_steps(values, decimals))
        return steps if steps._keeps(values) else cls(decimals=decimals)

    def within(self, values: np.ndarray, low: float | None, high: float | None) -> np.ndarray:
        """Numbers of this precision, moved by steps to those from low to high, where given."""
        if self.multiple > 1:
            for end, sign in ((low, 1.0), (high, -1.0)):
                if end is not None:
                    beyond = np.maximum(sign * (end - values) / self.step - 1e-9, 0.0)
                    values = self.round(values + sign * np.ceil(beyond) * self.step)
        return values

    def _keeps(self, values: np.ndarray) -> bool:
        """Whether rounding leaves values what they are, of float32 where they all are that."""
        single = values.astype(np.float32)
        rounded = self.round(values)
        if (single == values).all():
            return bool((rounded.astype(np.float32) == single).all())
        # Sums and products leave errors in the last bits, such as 186.63400000000001.
        return bool((np.abs(rounded - values) <= 4 * EPSILON * np.abs(values)).all())

    def round(self, values: np.ndarray) -> np.ndarray:
        """Round values, of any shape, to this precision."""
        if self.decimals is not None:
            if self.multiple > 1:
                first = self.remainder * 10.0**-self.decimals
                values = np.round((values - first) / self.step) * self.step + first
            return np.round(values, self.decimals)
        assert self.significant is not None
        size = np.where(values == 0, 1.0, np.abs(values))
        place = self.significant - 1 - np.floor(np.log10(size)).astype(np.int64)
        return _round_each(values, place)


def _coarsest(finer: list[Digits], values: np.ndarray) -> Digits | None:
    """The first of ever finer precisions that leaves values what they are; None if none does."""
    few, some = values[:_FEW], values[:_SOME]
    if not finer[-1]._keeps(few):  # most columns of measurements, in one look
        return None
    kept = (one for one in finer if one._keeps(few) and one._keeps(some))
    return next((one for one in kept if one._keeps(values)), None)


def _steps(values: np.ndarray, decimals: int) -> tuple[int, int]:
    """The multiple of the last decimal that values lie apart, and their remainder by it.

    That is the greatest common divisor of their distances. It may be one by chance, of few values
    that need the last decimal, as 0 and 5 are multiples of 5 and say nothing of a step of it. Each
    such value has one of nine digits there, of which four at most suit a multiple: of twenty
    different values all do with a probability of less than one in a million.
    """
    places = np.round(np.unique(values) * 10.0**decimals)
    if places[-1] - places[0] >= MOST_STEPS or np.abs(places).max() >= MOST_STEPS:
        return 1, 0
    whole = np.unique(places.astype(np.int64))
    if np.count_nonzero(whole % 10) < FEWEST:
        return 1, 0
    multiple = int(np.gcd.reduce(np.diff(whole)))
    # powers of ten are decimals: prices such as 4.99 alone have a step of more
    return (multiple, int(whole[0] % multiple)) if multiple > 1 else (1, 0)


def _round_each(values: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Round each value to its own number of decimals."""
    out = np.array(values, dtype=np.float64)
    for place in np.unique(places):
        at = places == place
        if abs(int(place)) < 300:
            out[at] = np.round(out[at], int(place))
    return out
