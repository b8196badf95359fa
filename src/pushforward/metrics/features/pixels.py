"""The data themselves as features: the pixels of images, the columns of rows of numbers."""

import numpy as np

from ...errors import DataError

__all__ = ["PixelFeatures", "flattened"]


def flattened(batch: np.ndarray) -> np.ndarray:
    """Images (n, C, H, W), uint8, as (n, C*H*W) in [0, 1]; rows (n, d) of numbers as they are.

    Raises:
        DataError: Neither of the two, or a number is not finite.

    Example:
        >>> flattened(np.full((2, 1, 3, 3), 255, dtype=np.uint8)).shape
        (2, 9)
    """
    batch = np.asarray(batch)
    if batch.ndim == 4 and batch.dtype == np.uint8:
        return batch.reshape(len(batch), -1).astype(np.float32) / 255
    if batch.ndim != 2 or batch.dtype.kind not in "fiub":
        raise DataError(
            f"The batch is {batch.dtype} of shape {batch.shape}; expected images, uint8 of shape "
            "(n, channels, height, width), or rows of numbers, (n, d)."
        )
    rows = batch.astype(np.float32)
    if not np.isfinite(rows).all():
        bad = np.flatnonzero(~np.isfinite(rows).all(axis=1))
        raise DataError(
            f"{len(bad)} of {len(rows)} rows have numbers that are not finite in float32, the "
            f"first being row {bad[0]} of its batch. Leave them out or repair them first."
        )
    return rows


class PixelFeatures:
    """Pixels / 255, or the columns of a table of numbers as they are.

    Example:
        >>> PixelFeatures()(np.zeros((5, 3, 8, 8), dtype=np.uint8)).shape
        (5, 192)
    """

    name = "pixels"
    preprocessing = "flattened; pixels / 255, columns as given"
    precision = "float32"
    digest = "1"
    dimension = 0

    def __call__(self, batch: np.ndarray) -> np.ndarray:
        """Features (n, d), float32."""
        rows = flattened(batch)
        self.dimension = rows.shape[1]
        return rows
