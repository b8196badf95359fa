"""Inputs of feature extractors: images in any layout, or rows of numbers."""

from typing import Any

import numpy as np
from torch import Tensor

from ...data.images import as_images

__all__ = ["as_source"]


def as_source(X: Any) -> Any:
    """What can be counted and sliced into batches: an image source, or an array of rows.

    Args:
        X: images as :func:`pushforward.data.as_images` takes them, or rows of numbers (n, d).

    Returns:
        An array of rows (n, d) as it came, or an image source, whose slices are uint8 arrays
        (n, C, H, W).

    Raises:
        DataError: as of :func:`~pushforward.data.as_images`.

    Example:
        >>> as_source(np.zeros((7, 28, 28), dtype=np.uint8))[:2].shape
        (2, 1, 28, 28)
    """
    if isinstance(X, np.ndarray) and X.ndim == 2:
        return X
    if isinstance(X, Tensor) and X.ndim == 2:
        return X.detach().cpu().numpy()
    return as_images(X)[0]
