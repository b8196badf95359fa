"""Principal components of the real training data as features, for images and for tables."""

import hashlib
from typing import Any

import numpy as np

from ...deprecation import renamed
from ...errors import DataError
from ...validation import COUNT, as_seed, check
from .pixels import flattened
from .sources import as_source

__all__ = ["PCAFeatures"]

_MOST_ROWS = 10_000


@renamed(seed="random_state")
class PCAFeatures:
    """Coordinates along the leading principal components of real training data, not whitened.

    Columns of a table are standardised first; pixels are divided by 255. At most 10,000 rows,
    drawn at random, are looked at.

    Args:
        train: real training data: images as :func:`pushforward.data.as_images` takes them, or
            rows of numbers (n, d).
        components: how many; never more than there are rows or numbers in a row.
        random_state: draws the rows, and starts the randomised solver where the data are large.

    Raises:
        ParameterError: ``components`` is not a positive whole number.
        DataError: Fewer than two rows, or all the same.

    Example:
        >>> rows = np.random.default_rng(0).normal(size=(50, 6))
        >>> PCAFeatures(rows, components=2)(rows).shape
        (50, 2)
    """

    preprocessing = "flattened; pixels / 255, columns of tables standardised; centred"
    precision = "float32"

    def __init__(self, train: Any, components: int = 64, *, random_state: Any = 0) -> None:
        seed = as_seed(random_state)
        from sklearn.decomposition import PCA

        check({"components": COUNT}, {"components": components})
        train = as_source(train)
        chosen: Any = slice(None)
        if len(train) > _MOST_ROWS:
            rng = np.random.default_rng(seed)
            chosen = np.sort(rng.choice(len(train), _MOST_ROWS, replace=False))
        batch = np.asarray(train[chosen])
        rows = flattened(batch)
        if len(rows) < 2 or not np.ptp(rows, axis=0).any():
            raise DataError(
                f"train has {len(rows)} rows, all the same; expected at least two different."
            )
        self._scale = np.ones(rows.shape[1], dtype=np.float32)
        if batch.ndim == 2:
            self._scale = np.where(np.ptp(rows, axis=0) > 0, rows.std(axis=0), 1)
        fitted = PCA(min(components, *rows.shape), random_state=seed).fit(rows / self._scale)
        self._mean = np.asarray(fitted.mean_).astype(np.float32)
        self._axes = np.asarray(fitted.components_, dtype=np.float32).T
        self.dimension = self._axes.shape[1]
        self.explained = float(np.sum(fitted.explained_variance_ratio_))
        parts = (self._scale, self._mean, self._axes)
        self.digest = hashlib.sha256(b"".join(p.tobytes() for p in parts)).hexdigest()
        self.name = f"pca-{self.dimension}"

    def __call__(self, batch: np.ndarray) -> np.ndarray:
        """Features (n, dimension), float32, of rows of the shape that was learned from.

        Raises:
            DataError: The rows are of another width.
        """
        rows = flattened(batch)
        if rows.shape[1] != len(self._mean):
            raise DataError(
                f"The data have {rows.shape[1]} numbers a row; the principal components were "
                f"learned from {len(self._mean)}."
            )
        return (rows / self._scale - self._mean) @ self._axes
