"""The user's data as the rows that refinement works on, of many a part drawn at random."""

import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..data import Codec, Columns
from ..errors import DataError, LeftOutWarning, stacklevel_of_caller
from ..estimators.prior import Draw
from ..training import generator_of
from .row_checks import CHECKED
from .scale_check import pixels_like

__all__ = ["plain_rows", "reader_of", "rows_of", "whole_rows"]

_LOST = 1e-3  # of the spread of a number, what single precision may take
_MOST_ROWS, _MOST_NUMBERS = 20_000, 50_000_000  # of images and lines that are held


def rows_of(data: Any, seed: int, draw: Draw) -> Tensor:
    """Rows of numbers; those of an ``ImageSet`` in the shape and on the scale of what is drawn."""
    from ..data.images import ImageSet

    if not isinstance(data, ImageSet):
        return plain_rows(data)
    images = data.images
    chosen = np.flatnonzero(_chosen(len(images), math.prod(images.shape), seed))
    some = torch.from_numpy(np.ascontiguousarray(images[chosen]))
    return pixels_like(some, draw(CHECKED, generator_of(seed)))


def plain_rows(data: Any) -> Tensor:
    """Rows of numbers (n, ...) in single precision.

    Raises:
        DataError: for what is no numbers, and for rows that single precision makes alike.
    """
    if isinstance(data, Tensor):
        exact = data.detach()
    else:
        array = np.asarray(data)
        if array.dtype.kind not in "fiub":
            raise DataError(
                f"The rows are {array.dtype}. Expected numbers of shape (n, d), as the generator "
                "makes them."
            )
        exact = torch.from_numpy(np.array(array))  # frames may be read-only, or backwards
    rows = exact.float()
    if exact.dtype == torch.float64 and len(rows) > 1 and exact.isfinite().all():
        lost = (rows.double() - exact).abs().amax(dim=0)
        if bool((lost > _LOST * exact.std(dim=0)).any()):
            raise DataError(
                "Single precision, which networks have, does not tell these rows apart: they are "
                "far from 0 beside their spread. Subtract their mean, from samples too."
            )
    return rows


def reader_of(codec: Codec, device: torch.device) -> Callable[[Any, int], Tensor]:
    """What encodes data, of many a part drawn at random."""

    def encode(X: Any, seed: int) -> Tensor:
        opened = codec.open(X)
        chosen = _chosen(len(opened), math.prod(codec.event_shape), seed)
        return codec.encode(codec.take(opened, chosen))[0].to(device)

    return encode


def whole_rows(X: Any, columns: Columns) -> Any:
    """The rows of a table that have no missing cells.

    Warns:
        LeftOutWarning: where there are others.
    """
    complete = columns.complete(X)
    if complete.all():
        return X
    warnings.warn(
        f"{(~complete).sum():,} of {len(complete):,} rows left out of the refinement for missing "
        "cells",
        LeftOutWarning,
        stacklevel=stacklevel_of_caller(),
    )
    return columns.take(X, complete)


def _chosen(n: int, numbers: int, seed: int) -> np.ndarray:
    """Which of n rows of so many numbers are looked at: a mask (n,)."""
    mask = np.zeros(n, dtype=bool)
    mask[np.random.default_rng(seed).permutation(n)[: _most(numbers)]] = True
    return mask


def _most(numbers: int) -> int:
    """Rows of so many numbers that are looked at; more are drawn from."""
    return min(_MOST_ROWS, max(1000, _MOST_NUMBERS // numbers))
