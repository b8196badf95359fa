"""How finely the numbers of a column are written: in decimals, or in significant digits."""

from dataclasses import dataclass

import numpy as np

__all__ = ["Digits"]

FEWEST = 20
EPSILON = float(np.finfo(np.float64).eps)
MOST_DECIMALS = 12
MOST_DIGITS = 15
MOST_SIGNIFICANT = 12


@dataclass(frozen=True)
class Digits:
    """The precision that all numbers of a column have.

    Attributes:
        decimals: places after the point; -3 for whole thousands. None with significant digits.
        significant: significant digits. None with decimals.

    Examples:
        >>> Digits(decimals=2).round(np.array([24.31697, 8.0])).tolist()
        [24.32, 8.0]
        >>> Digits(significant=3).round(np.array([24.31697, 0.0123456])).tolist()
        [24.3, 0.0123]
    """

    decimals: int | None = None
    significant: int | None = None

    @classmethod
    def learn(cls, values: np.ndarray) -> "Digits | None":
        """Find the precision of finite values of shape (n,); None where there is none.

        Significant digits describe a column better where they leave its large values fewer digits
        than its decimals would.
        """
        if len(values) < FEWEST:
            return None
        head = values[:1000]

        def fits(digits: "Digits") -> bool:
            return digits._keeps(head) and digits._keeps(values)

        with np.errstate(over="ignore", invalid="ignore"):
            decimals = next(
                (d for d in range(-6, MOST_DECIMALS + 1) if fits(cls(decimals=d))), None
            )
            significant = next(
                (s for s in range(1, MOST_SIGNIFICANT + 1) if fits(cls(significant=s))), None
            )
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
        return None if decimals is None else cls(decimals=decimals)

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
            return np.round(values, self.decimals)
        assert self.significant is not None
        size = np.where(values == 0, 1.0, np.abs(values))
        place = self.significant - 1 - np.floor(np.log10(size)).astype(np.int64)
        return _round_each(values, place)


def _round_each(values: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Round each value to its own number of decimals."""
    out = np.array(values, dtype=np.float64)
    for place in np.unique(places):
        at = places == place
        if abs(int(place)) < 300:
            out[at] = np.round(out[at], int(place))
    return out
