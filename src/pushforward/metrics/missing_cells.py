"""Missing cells of samples: where a generator makes none, those of real rows."""

import warnings
from collections.abc import Mapping
from typing import Any

import narwhals as nw
import numpy as np
from torch import Tensor

from ..errors import stacklevel_of_caller
from .table_encoding import TableCode

__all__ = ["blanked", "with_holes"]


def with_holes(samples: Any, real: Any, code: TableCode, seed: int) -> Any:
    """Samples as they are if they have holes, else with those of real rows.

    A column without any cell is none that has holes, but one that the generator left out.

    Each sample has the holes of a real row drawn at random. That gives it the patterns of holes
    for nothing, and takes from it what holes depend on: no generator that makes none has learned
    that. To fill in the holes of the real rows would compare samples with another model's guesses.

    Args:
        samples: table.
        real: table of real rows whose holes these are.
        code: of their columns.
        seed: of the draw.

    Warns:
        UserWarning: where samples are given holes.
    """
    bare = np.isnan(code.numbers(samples))
    if bare[:, ~bare.all(axis=0)].any():
        return samples
    gaps = np.isnan(code.numbers(real))
    if not gaps.any():
        return samples
    warnings.warn(
        "The samples have no missing cells, and real rows have: each sample is measured without "
        "the cells that a real row, drawn at random, lacks. What holes depend on counts as lost.",
        stacklevel=stacklevel_of_caller(),
    )
    gaps = gaps[np.random.default_rng(seed).integers(len(gaps), size=len(samples))]
    masks = zip(code.columns.labels, gaps.T, strict=True)
    return blanked(samples, {label: mask for label, mask in masks if mask.any()})


def blanked(X: Any, gaps: Mapping[Any, np.ndarray]) -> Any:
    """A table without some of its cells.

    Args:
        X: frame, array, tensor or list of rows.
        gaps: which cells (n,) go, by the name of a column, or its position.

    Returns:
        A frame of the same library; an array or tensor of floats, or of objects.

    Examples:
        >>> blanked([[1, 2], [3, 4]], {1: np.array([True, False])}).tolist()
        [[1.0, nan], [3.0, 4.0]]
    """
    if nw.dependencies.is_pandas_dataframe(X):
        found = X.copy()
        for label, gap in gaps.items():
            found[label] = found[label].mask(gap)
        return found
    frame = nw.from_native(X, pass_through=True, eager_only=True)
    if isinstance(frame, nw.DataFrame):
        masks = {
            str(label): nw.new_series("", ~gap, nw.Boolean, backend=frame.implementation)
            for label, gap in gaps.items()
        }
        kept = (nw.when(mask).then(nw.col(name)).alias(name) for name, mask in masks.items())
        return frame.with_columns(*kept).to_native()
    if isinstance(X, Tensor):
        rows = X.clone() if X.is_floating_point() else X.double()
        for j, gap in gaps.items():
            rows[gap, j] = np.nan
        return rows
    rows = np.array(X)
    rows = rows.astype(np.float64 if rows.dtype.kind in "biu" else rows.dtype)
    if rows.dtype.kind != "f":
        rows = rows.astype(object)
    for j, gap in gaps.items():
        rows[gap, j] = np.nan if rows.dtype.kind == "f" else None
    return rows
