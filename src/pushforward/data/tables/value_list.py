"""Columns that are a list of values: prices, fares, denominations."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

__all__ = ["ValueList"]


@dataclass(frozen=True)
class ValueList:
    """The cells of listed values: each reaches half way to its neighbours.

    Cells tile the line, so that every number is in one: beyond the ends they go on, each as wide
    as the mean distance of the values.

    Attributes:
        values: the m >= 2 values in rising order.

    Examples:
        >>> fares = ValueList((5.0, 8.0, 20.0))
        >>> fares.index(np.array([5.0, 8.4, 20.0, 100.0])).tolist()
        [0.0, 1.0, 2.0, 12.0]
    """

    values: tuple[float, ...]

    @cached_property
    def edges(self) -> np.ndarray:
        """Edges of the m cells, shape (m + 1,)."""
        values = np.array(self.values, dtype=np.float64)
        half = np.diff(values) / 2
        return np.concatenate([[values[0] - half[0]], values[:-1] + half, [values[-1] + half[-1]]])

    @cached_property
    def outer(self) -> float:
        """Width of the cells beyond the ends."""
        return float(self.values[-1] - self.values[0]) / (len(self.values) - 1)

    def index(self, x: np.ndarray) -> np.ndarray:
        """Return the cell of each number, float64 of shape (n,): 0 to m - 1 for those listed."""
        edges, last = self.edges, len(self.values) - 1
        cell = np.searchsorted(edges[1:-1], x, side="right").astype(np.float64)
        cell = np.where(x < edges[0], -np.ceil((edges[0] - x) / self.outer), cell)
        return np.where(x >= edges[-1], last + 1 + np.floor((x - edges[-1]) / self.outer), cell)

    def log_width(self, cells: np.ndarray) -> np.ndarray:
        """Return the log width of cells, of their shape."""
        inside = (cells >= 0) & (cells < len(self.values))
        widths = np.log(np.diff(self.edges))
        place = np.clip(cells, 0, len(self.values) - 1).astype(np.int64)
        return np.where(inside, widths[place], np.log(self.outer))
