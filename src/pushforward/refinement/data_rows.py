"""The user's data as the rows that refinement works on, of many a part drawn at random."""

import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..data import Codec, Columns, Learned
from ..errors import DataError, stacklevel_of_caller
from ..estimators.missing_cells import completions
from ..estimators.prior import Draw
from ..estimators.table_density import TableDensity
from ..training import generator_of
from .row_checks import CHECKED
from .scale_check import pixels_like
from .streams import Stream

__all__ = ["completed_rows", "drawn_gaps", "plain_rows", "reader_of", "rows_of"]

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


def completed_rows(X: Any, columns: Columns) -> Any:
    """A table with its missing cells filled in, as a fit does it.

    They are drawn given the other cells of their row from a mixture that is fitted to the known
    cells of these very rows (:func:`~pushforward.estimators.missing_cells.completions`). To leave
    rows with missing cells out would refine towards those that happen to be whole; to fill in by
    the model itself would call its own guesses real.

    Warns:
        UserWarning: where cells are missing.
    """
    complete = columns.complete(X)
    if complete.all():
        return X
    warnings.warn(
        f"{(~complete).sum():,} of {len(complete):,} real rows have missing cells. For the "
        "refinement they are filled in as in a fit, drawn given the other cells of their row: "
        "nothing is learned or judged there but what the known cells say.",
        stacklevel=stacklevel_of_caller(),
    )
    every = np.ones(len(complete), dtype=bool)
    return completions(Learned(columns, X, None, every), 1)[0]


def drawn_gaps(model: Any, rows: Tensor, seed: int) -> dict[int, np.ndarray] | None:
    """Which cells of coordinates (n, D) a model leaves out, by the number of their column.

    None where it leaves out none, or is no density of tables.
    """
    if not isinstance(model, TableDensity) or model.missingness_ is None:
        return None
    draws = generator_of(seed, Stream.MISSING_CELLS)
    return model.missingness_.gaps(rows.double().cpu(), draws, model.columns_)


def _chosen(n: int, numbers: int, seed: int) -> np.ndarray:
    """Which of n rows of so many numbers are looked at: a mask (n,)."""
    mask = np.zeros(n, dtype=bool)
    mask[np.random.default_rng(seed).permutation(n)[: _most(numbers)]] = True
    return mask


def _most(numbers: int) -> int:
    """Rows of so many numbers that are looked at; more are drawn from."""
    return min(_MOST_ROWS, max(1000, _MOST_NUMBERS // numbers))
