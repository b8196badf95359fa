"""The logarithm of positive numbers that spread over orders of magnitude."""

import math
from dataclasses import dataclass

import numpy as np

__all__ = ["LogTransform"]

_GAIN = 0.25  # nats a number by which a normal distribution of the images has to be better
_FEWEST = 10  # numbers that show it
_BEGINS, _ENDS = (0.25, 0.1, 0.0), (0.75, 1.0)  # quantiles between which the logarithm may be
_ALIKE = 0.03  # nats a number that are no difference between these
_STEEPEST = 4.0  # slopes of the tangent that are the most beyond the largest number


@dataclass(frozen=True)
class LogTransform:
    """An increasing map of the line to the line: the logarithm, and straight beyond its ends.

    It is log(x + shift) where that is between low and high, and goes on by the tangents, beyond
    the largest number by the slope of the chord from low to there.

    Amounts, populations and concentrations differ by factors: of a hundred numbers between 10 and
    10^9 the smaller half is one point beside the largest. Behind the logarithm each order of
    magnitude has its room. Above three quarters of the numbers it goes on straight where they are
    as near to a normal distribution then; and below the smallest, so that zero and negative
    numbers have a place. Beyond the largest, a range of the images is a range of the numbers: what
    a model of the images puts a little further out is so in the numbers, too. By the tangent it
    would be several ranges; but where the chord is more than four times as steep, fresh numbers
    twice the largest would be as good as impossible, so that is the most.

    Attributes:
        low: smallest number seen above 0, the shift added.
        high: where the logarithm ends, the shift added.
        shift: what is added to numbers, which may be counted from another number than 0.
        last: largest number seen, the shift added; None in folders of before 2026-12, where the
            tangent goes on.
    """

    low: float
    high: float
    shift: float = 0.0
    last: float | None = None

    bounded = False
    unit = 1.0
    identity = False

    @classmethod
    def learn(
        cls,
        numbers: np.ndarray,
        weights: np.ndarray | None = None,
        *,
        shift: float = 0.0,
        gain: float = _GAIN,
    ) -> "LogTransform | None":
        """The map for numbers of shape (n,), or None where they are as well without.

        A normal distribution of the logarithms has to be far better than one of the numbers: the
        likelihoods of the power transformations to 0 and to 1 of Box and Cox, *An analysis of
        transformations*, 1964.

        Args:
            numbers: none of which has to be below 0 with the shift.
            weights: of them, or None.
            shift: to count them from 0.
            gain: nats a number by which a normal distribution of the images has to be better.

        >>> LogTransform.learn(np.geomspace(1.0, 1e6, 50))
        LogTransform(low=1.0, high=1000000.0, shift=0.0, last=1000000.0)
        >>> LogTransform.learn(np.linspace(1.0, 1e6, 50)) is None
        True
        """
        x = numbers.astype(np.float64) + shift
        distinct = np.unique(x)  # copies of rows count like weights
        above = distinct[distinct > 0]
        if len(distinct) < _FEWEST or distinct[0] < 0 or not np.isfinite(distinct[-1]):
            return None
        low, largest = float(above[0]), float(above[-1])
        if not 1e-100 < low < largest < 1e100:
            return None
        begins, ends = np.quantile(above, _BEGINS).tolist(), np.quantile(above[1:], _ENDS).tolist()
        tried = [
            cls(begin, end, shift, largest) for end in ends for begin in begins if begin < end
        ]
        without = _log_likelihood(x / largest, np.zeros_like(x), weights) - math.log(largest)
        values = [_log_likelihood(*one.forward(numbers), weights) for one in tried]
        # the less is bent, the less samples go beyond the largest number, or gather at the least
        first = next(i for i, value in enumerate(values) if value >= max(values) - _ALIKE)
        return tried[first] if values[first] - without > gain else None

    @property
    def rise(self) -> float:
        """The numbers for a unit of the image beyond the largest seen."""
        if self.last is None:
            return self.high
        chord = (self.last - self.low) / (self._straight(self.last) - math.log(self.low))
        return max(chord, self.high / _STEEPEST)

    def _straight(self, x: float) -> float:
        """Image of a number at or above where the logarithm ends, by the tangent there."""
        return math.log(self.high) + (x - self.high) / self.high

    def forward(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Map numbers to the line; returns (y, log |dy/dx|), both of the shape of x.

        >>> y, log_slope = LogTransform(2.0, 8.0).forward(np.array([0.0, 4.0, 16.0]))
        >>> y.round(3).tolist(), log_slope.round(3).tolist()
        ([-0.307, 1.386, 3.079], [-0.693, -1.386, -2.079])
        """
        x = x + self.shift
        seen = np.minimum(x, np.inf if self.last is None else self.last)
        near = np.clip(seen, self.low, self.high)
        y = np.log(near)
        image = y + (seen - near) / near + (x - seen) / self.rise
        return image, np.where(x > seen, -math.log(self.rise), -y)

    def inverse(self, y: np.ndarray) -> np.ndarray:
        """Map the line back to numbers."""
        seen = np.minimum(y, np.inf if self.last is None else self._straight(self.last))
        near = np.clip(seen, math.log(self.low), math.log(self.high))
        x = np.clip(np.exp(near), self.low, self.high)
        return x + (seen - near) * x + (y - seen) * self.rise - self.shift


def _log_likelihood(y: np.ndarray, log_slope: np.ndarray, weights: np.ndarray | None) -> float:
    """Mean log density of numbers whose images y have a normal distribution, but a constant."""
    off = y - np.average(y, weights=weights)
    variance = float(np.average(off**2, weights=weights))
    if variance <= 0:
        return -math.inf
    return float(np.average(log_slope, weights=weights)) - 0.5 * math.log(variance)
