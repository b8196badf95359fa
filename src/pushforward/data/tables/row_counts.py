"""Rows as a fit counts them: whole weights as repeats, in an order of their own."""

from typing import Any

import narwhals as nw
import numpy as np
import torch
from torch import Tensor

__all__ = ["canonical_order", "counted", "taken"]


def counted(X: Any, weight: np.ndarray | None) -> tuple[Any, np.ndarray | None]:
    """The rows, whole weights turned into repeats, and what weights remain.

    A weight of two is the row twice, each with its own dequantisation noise.
    """
    if weight is None:
        return X, None
    if bool((weight == weight.round()).all()) and weight.sum() <= 4 * len(weight) + 10000:
        index = np.arange(len(weight)).repeat(weight.astype(int))
    else:
        # squares of weights must neither vanish nor overflow
        scaled: np.ndarray = np.divide(weight, weight.max())
        index = np.flatnonzero(scaled > 1e-12)
        if not bool((scaled == 1).all()):
            return (X if len(index) == len(weight) else taken(X, index)), scaled[index]
    return taken(X, index), None


def taken(X: Any, index: np.ndarray) -> Any:
    """Rows of a table by their numbers, in the order of these."""
    if isinstance(X, np.ndarray):
        return X[index]
    if isinstance(X, Tensor):
        return X[torch.from_numpy(index)]
    frame = nw.from_native(X, eager_only=True, pass_through=True)
    if isinstance(frame, nw.DataFrame):
        return frame[index.tolist()].to_native()
    return [X[i] for i in index]


def canonical_order(*parts: Tensor) -> Tensor:
    """Order of the rows by value, so that a fit does not depend on the order they came in.

    Args:
        parts: the columns, (n, p) each, those of the first before those of the next.
    """
    columns = [column for part in parts for column in part.T]
    if not columns:
        return torch.arange(len(parts[0]))
    first = np.argsort(columns[0].numpy())
    if bool((columns[0][first].diff() == 0).any()):
        first = np.lexsort([column.numpy() for column in reversed(columns)])
    return torch.from_numpy(first)
