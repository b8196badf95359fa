"""Mean and covariance of rows that arrive in batches."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from scipy.linalg import get_blas_funcs

from ..errors import DataError
from .arrays import blocks

__all__ = ["Moments"]

(_syrk,) = get_blas_funcs(("syrk",), dtype=np.float64)


@dataclass
class Moments:
    """Mean and scatter of rows that arrive in batches, in float64 and constant memory.

    Each batch enters by one symmetric rank-k update; the shift of the mean (Chan, Golub and
    LeVeque, "Algorithms for computing the sample variance", 1983, eq. 1.5) rides along as one
    more row. Moments of parts, from several processes, add up with :meth:`merge`.

    Attributes:
        n: rows seen.
        mean: (d,).
        scatter: (d, d), the lower triangle of the sum of squares about the mean.

    Examples:
        >>> X = np.random.default_rng(0).normal(size=(100, 3))
        >>> moments = Moments.empty(3).update(X[:40]).update(X[40:])
        >>> bool(np.allclose(np.cov(X.T), moments.covariance()))
        True
    """

    n: int
    mean: np.ndarray
    scatter: np.ndarray

    @classmethod
    def empty(cls, d: int) -> "Moments":
        """Moments of no rows yet."""
        return cls(0, np.zeros(d), np.zeros((d, d), order="F"))

    @classmethod
    def of(cls, batches: np.ndarray | Iterable[np.ndarray]) -> "Moments":
        """Moments of an array (n, d), or of all arrays that an iterable gives.

        Raises:
            DataError: for no rows at all.
        """
        moments = None
        for batch in [batches] if isinstance(batches, np.ndarray) else batches:
            moments = (moments or cls.empty(batch.shape[1])).update(batch)
        if moments is None:
            raise DataError("No batch of features came. Expected at least one of shape (n, d).")
        return moments

    def update(self, batch: np.ndarray) -> "Moments":
        """Add rows of shape (m, d); returns itself."""
        for rows in blocks(batch):
            m, mean = len(rows), rows.mean(axis=0, dtype=np.float64)
            stacked = np.empty((m + 1, len(mean)))
            np.subtract(rows, mean, out=stacked[:m])
            self._join(stacked, m, mean)
        return self

    def merge(self, other: "Moments") -> "Moments":
        """Add the rows of other moments; returns itself."""
        self.scatter += other.scatter
        self._join(np.empty((1, len(self.mean))), other.n, other.mean)
        return self

    def _join(self, stacked: np.ndarray, m: int, mean: np.ndarray) -> None:
        """Add m rows of that mean; ``stacked`` holds their deviations and a free last row."""
        total, shift = self.n + m, mean - self.mean
        stacked[-1] = math.sqrt(self.n * m / total) * shift
        self.scatter = _syrk(
            1.0, stacked.T, beta=1.0, c=self.scatter, lower=True, overwrite_c=True
        )
        self.mean = self.mean + shift * (m / total)
        self.n = total

    def variance(self) -> np.ndarray:
        """The unbiased variances (d,)."""
        return np.diag(self.scatter) / (self.n - 1)

    def covariance(self, overwrite: bool = False) -> np.ndarray:
        """The unbiased covariance (d, d); with ``overwrite`` in the place of the scatter."""
        whole = self.scatter if overwrite else self.scatter.copy(order="F")
        whole /= self.n - 1
        for start in range(0, len(whole), 64):
            stop = start + 64
            corner = whole[start:stop, start:stop]
            corner[:] = np.tril(corner) + np.tril(corner, -1).T
            whole[start:stop, stop:] = whole[stop:, start:stop].T
        return whole
