"""One-dimensional maps of a column's numbers to the whole line, with their derivative."""

import math
from dataclasses import dataclass

import numpy as np

__all__ = ["SQUEEZE", "BoundedTransform"]

SQUEEZE = 1e-5


@dataclass(frozen=True)
class BoundedTransform:
    """An increasing map from an interval, possibly the whole line, to the whole line.

    * no bound: x / unit;
    * both bounds: logit(λ + (1 - 2λ) t) with t = (x - low) / (high - low);
    * one bound: the inverse softplus log(exp(d) - 1) of d = λ + distance to the bound / reach,
      with its sign changed for an upper bound.

    λ = 1e-5 (``SQUEEZE``) keeps values that lie exactly on a bound finite, at about ±11.5. The
    squeeze is affine, hence inverted exactly, and it is part of the derivative. What a model puts
    beyond the image of the bound is returned as the bound itself.

    Attributes:
        low: lower bound or None.
        high: upper bound or None.
        unit: a power of two that divides every value first; 1 unless the values are so large or
            small that their squares overflow or vanish.
        reach: mean distance to the bound, in units; 1 unless there is exactly one bound.
    """

    low: float | None = None
    high: float | None = None
    unit: float = 1.0
    reach: float = 1.0

    @classmethod
    def learn(
        cls,
        values: np.ndarray,
        bounds: tuple[float | None, float | None],
        weights: np.ndarray | None = None,
    ) -> "BoundedTransform":
        """Fit unit and reach to values of shape (n,) that lie within the bounds."""
        low, high = bounds
        largest = max(abs(float(v)) for v in (values.min(), values.max(), low or 0, high or 0))
        # A division by a power of two is exact, so this costs no precision.
        unit = 1.0 if 1e-100 < largest < 1e100 else math.ldexp(0.5, math.frexp(largest)[1])
        if (low is None) == (high is None):
            return cls(low, high, unit)
        bound = low if low is not None else high
        distance = np.abs(values / unit - np.float64(bound) / unit)
        return cls(low, high, unit, float(np.average(distance, weights=weights)))

    @property
    def bounded(self) -> bool:
        """Whether there is a bound on either side."""
        return self.low is not None or self.high is not None

    @property
    def identity(self) -> bool:
        """Whether numbers stay as they are."""
        return not self.bounded and self.unit == 1.0

    def forward(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Map values to the line; returns (y, log |dy/dx|), both of the shape of x.

        >>> y, log_slope = BoundedTransform(low=0.0, high=1.0).forward(np.array([0.5]))
        >>> y.tolist(), log_slope.round(3).tolist()
        ([0.0], [1.386])
        """
        y = x / self.unit
        log_unit = math.log(self.unit)
        if not self.bounded:
            return y, np.full_like(y, -log_unit)
        if self.low is not None and self.high is not None:
            low, width = self.low / self.unit, self.high / self.unit - self.low / self.unit
            t = SQUEEZE + (1.0 - 2.0 * SQUEEZE) * (y - low) / width
            y = np.log(t) - np.log1p(-t)
            constant = math.log1p(-2.0 * SQUEEZE) - math.log(width) - log_unit
            return y, constant - np.log(t) - np.log1p(-t)
        d = SQUEEZE + self._distance(y) / self.reach
        log_share = np.log(-np.expm1(-d))
        sign = 1.0 if self.low is not None else -1.0
        return sign * (d + log_share), -log_share - math.log(self.reach) - log_unit

    def inverse(self, y: np.ndarray) -> np.ndarray:
        """Map the line back to values, clipped to the bounds."""
        if not self.bounded:
            return y * self.unit
        if self.low is not None and self.high is not None:
            low, high = self.low / self.unit, self.high / self.unit
            t = 0.5 * (1.0 + np.tanh(0.5 * y))
            x = low + (high - low) * (t - SQUEEZE) / (1.0 - 2.0 * SQUEEZE)
            return np.clip(x * self.unit, self.low, self.high)
        sign = 1.0 if self.low is not None else -1.0
        bound = self.low if self.low is not None else self.high
        distance = np.maximum(np.logaddexp(0.0, sign * y) - SQUEEZE, 0.0) * self.reach
        return (np.float64(bound) / self.unit + sign * distance) * self.unit

    def _distance(self, y: np.ndarray) -> np.ndarray:
        """Distance in units to the one bound."""
        if self.low is not None:
            return y - self.low / self.unit
        return np.float64(self.high) / self.unit - y
