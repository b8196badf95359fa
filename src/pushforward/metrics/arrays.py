"""Checks samples that a measure is given, and compares them in blocks."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..errors import DataError

__all__ = ["BLOCK_BYTES", "as_rows", "as_scores", "blocks", "pair", "squared_distances"]

BLOCK_BYTES = 1 << 23


def as_rows(X: Any, name: str, minimum: int = 2, *, missing: bool = False) -> np.ndarray:
    """Samples as a float array of shape (n, d); images and the like are flattened.

    float32 stays float32, so that features are not copied; all else becomes float64. With
    ``missing`` NaN are missing cells, and stay.

    Raises:
        DataError: for text, too few rows, or values that are not finite.
    """
    array = np.asarray(X)
    if array.dtype.kind not in "biuf":
        raise DataError(
            f"{name} holds {array.dtype} values. Expected numbers of shape (n, d): for tables "
            "with text or categories use pushforward.evaluate or the measures of columns."
        )
    if array.dtype != np.float32:
        array = array.astype(np.float64, copy=False)
    if array.ndim == 1:
        array = array[:, None]
    array = array.reshape(len(array), -1) if array.size else array
    if array.ndim != 2 or len(array) < minimum:
        raise DataError(
            f"{name} has shape {np.shape(X)}. Expected at least {minimum} rows of shape (n, d)."
        )
    wrong = np.isinf if missing else lambda x: ~np.isfinite(x)
    if any(wrong(block).any() for block in blocks(array)):
        bad = np.flatnonzero(wrong(array).any(axis=1))
        raise DataError(
            f"{name} has NaN or infinite values in {len(bad)} row(s), the first being row "
            f"{bad[0]}. Leave those rows out, or find what made them."
        )
    return array


def pair(
    real: Any, generated: Any, minimum: int = 2, *, missing: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Two samples of the same width, whose NaN may be missing cells.

    Raises:
        DataError: as :func:`as_rows`, and for different widths.
    """
    real = as_rows(real, "real", minimum, missing=missing)
    generated = as_rows(generated, "generated", minimum, missing=missing)
    if real.shape[1] != generated.shape[1]:
        raise DataError(
            f"real has {real.shape[1]} numbers a row and generated {generated.shape[1]}. Expected "
            "the same: take the features of both by the same network."
        )
    return real, generated


def as_scores(values: Any, name: str, minimum: int = 1) -> np.ndarray:
    """Finite float64 values of shape (n,).

    Raises:
        DataError: for another shape, too few or values that are not finite.
    """
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or len(array) < minimum:
        raise DataError(
            f"{name} has shape {array.shape}. Expected ({minimum} or more,): a number a row."
        )
    if not np.isfinite(array).all():
        bad = np.flatnonzero(~np.isfinite(array))
        raise DataError(
            f"{name} has {len(bad)} value(s) that are not finite, the first being {array[bad[0]]} "
            f"in row {bad[0]}. A model that gives such a score has no mean to report."
        )
    return array


def blocks(X: np.ndarray, width: int | None = None) -> Iterator[np.ndarray]:
    """Cut the rows so that ``width`` float64 numbers a row (default: its own) fit 8 MiB."""
    step = max(1, BLOCK_BYTES // (8 * max(1, width or X.shape[1])))
    for start in range(0, len(X), step):
        yield X[start : start + step]


def squared_distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Squared Euclidean distances between the rows of two float64 arrays: (n, m).

    Callers centre both first: the product form loses digits far from the origin.
    """
    square = a @ b.T
    square *= -2
    square += np.einsum("ij,ij->i", a, a)[:, None]
    square += np.einsum("ij,ij->i", b, b)
    return np.maximum(square, 0, out=square)
