"""Distributions of numbers that are even in pieces: a histogram for each of many rows."""

from typing import NamedTuple

import numpy as np

__all__ = ["Pieces"]

_BISECTIONS = 60


class Pieces(NamedTuple):
    """One distribution a row, even in each of its pieces.

    Attributes:
        low, high: (n, R) ends of the pieces; equal ends are a value with a probability.
        weight: (n, R) probabilities of the pieces, which sum to one a row.

    Examples:
        >>> half = Pieces(np.array([[0.0, 1.0]]), np.array([[1.0, 3.0]]), np.array([[0.5, 0.5]]))
        >>> half.quantile(0.75)
        array([2.])
        >>> half.cdf(np.array([2.0]))
        array([0.75])
    """

    low: np.ndarray
    high: np.ndarray
    weight: np.ndarray

    def mean(self) -> np.ndarray:
        """Means, (n,)."""
        return (0.5 * (self.low + self.high) * self.weight).sum(1)

    def std(self) -> np.ndarray:
        """Standard deviations, (n,)."""
        off = 0.5 * (self.low + self.high) - self.mean()[:, None]
        within = (self.high - self.low) ** 2 / 12
        return np.sqrt(((off * off + within) * self.weight).sum(1))

    def cdf(self, at: np.ndarray) -> np.ndarray:
        """Probabilities up to a value for each row, (n,)."""
        width = self.high - self.low
        with np.errstate(invalid="ignore", divide="ignore"):
            inside = np.clip((at[:, None] - self.low) / width, 0.0, 1.0)
        share = np.where(width > 0, inside, (self.low <= at[:, None]).astype(float))
        return (share * self.weight).sum(1) / self.weight.sum(1)

    def quantile(self, q: float) -> np.ndarray:
        """Quantiles (n,) of pieces that do not overlap.

        Args:
            q: share of the probability below.
        """
        order = self.low.argsort(axis=1, kind="stable")
        total = np.take_along_axis(self.weight, order, 1).cumsum(1)
        asked = q * total[:, -1:]
        place = (total < asked).sum(1).clip(max=self.low.shape[1] - 1)[:, None]
        piece = np.take_along_axis(order, place, 1)
        begin, end, own = (np.take_along_axis(x, piece, 1) for x in self)
        below = np.take_along_axis(total, place, 1) - own
        share = np.clip((asked - below) / np.maximum(own, 1e-300), 0.0, 1.0)
        return (begin + (end - begin) * share)[:, 0]

    def quantile_of_mixture(self, q: float) -> np.ndarray:
        """Quantiles (n,) of pieces that may overlap, by bisection.

        Args:
            q: share of the probability below.
        """
        begin, end = self.low.min(1), self.high.max(1)
        below_all = self.cdf(begin) >= q
        left, right = begin, end
        for _ in range(_BISECTIONS):
            middle = 0.5 * (left + right)
            enough = self.cdf(middle) >= q
            left, right = np.where(enough, left, middle), np.where(enough, middle, right)
        # a value with a probability of its own is found exactly
        off = np.abs(self.low - right[:, None])
        nearest = np.take_along_axis(self.low, off.argmin(1)[:, None], 1)[:, 0]
        point = np.abs(nearest - right) <= 1e-12 * (1 + np.abs(right))
        return np.where(below_all, begin, np.where(point, nearest, right))

    def sample(self, n_samples: int, rng: np.random.Generator) -> np.ndarray:
        """Draws, (n, n_samples)."""
        total = self.weight.cumsum(1)
        u = rng.random((len(total), n_samples)) * total[:, -1:]
        place = np.stack([np.searchsorted(t, v) for t, v in zip(total, u, strict=True)])
        place = place.clip(max=self.weight.shape[1] - 1)
        begin, end = (np.take_along_axis(x, place, 1) for x in (self.low, self.high))
        return begin + (end - begin) * rng.random(begin.shape)
