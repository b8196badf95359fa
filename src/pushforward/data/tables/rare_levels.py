"""The levels of a category that share one cell, each too rare to be learned by itself."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

__all__ = ["RareLevels"]

_MARGIN = 1e-9


@dataclass(frozen=True)
class RareLevels:
    """Levels of a category from ``first`` on, which lie side by side in the cell of that number.

    A level takes as much of the cell as it has of the rows of all of them. Its probability is
    then that of the cell, which the model learns given the other columns, times its share, which
    is the same whatever these are. Levels that were never seen have a share too, that of the rows
    of levels with one row: so often the next row has a new one (Good, "The population frequencies
    of species and the estimation of population parameters", Biometrika 1953). Samples never have
    them.

    Attributes:
        first: number of levels before them, which have a cell each.
        shares: of the m >= 2 levels, each above 0, one together.
        unseen: share of the cell, in (0, 1), of all levels that were never seen.

    Examples:
        >>> rare = RareLevels(2, (0.75, 0.25), 0.2)
        >>> place, log_share = rare.spread(np.array([1.0, 2.0, 3.0, 4.0]), np.full(4, 0.5))
        >>> place.round(2).tolist()
        [1.5, 2.3, 2.7, 2.9]
        >>> np.exp(log_share).round(2).tolist()
        [1.0, 0.6, 0.2, 0.2]
        >>> rare.level(place).tolist()
        [1, 2, 3, 2]
    """

    first: int
    shares: tuple[float, ...]
    unseen: float

    @classmethod
    def learn(cls, counts: np.ndarray, weight: np.ndarray, most: int) -> "RareLevels | None":
        """Find which levels of a category share a cell.

        Those with the fewest rows do: as many as must, so that ``most`` cells are enough, and all
        that have as many rows as one of them, or one row.

        Args:
            counts: rows of each level, in falling order.
            weight: what these rows count together.
            most: cells.

        Returns:
            None where all levels would share it.
        """
        first = int((counts > max(1, counts[most - 1])).sum())
        if not first:
            return None
        rare = weight[first:]
        once = float(rare[counts[first:] == 1].sum()) / float(rare.sum())
        unseen = min(0.5, max(once, 1.0 / float(counts[first:].sum())))
        return cls(first, tuple((rare / rare.sum()).tolist()), unseen)

    @cached_property
    def _edges(self) -> np.ndarray:
        """Edges of the levels and of what was never seen within the cell, shape (m + 2,)."""
        edges = np.cumsum([0.0, *self.shares])
        return np.append(edges / edges[-1] * (1.0 - self.unseen), 1.0)

    def spread(self, index: np.ndarray, u: np.ndarray | float) -> tuple[np.ndarray, np.ndarray]:
        """Places of levels in their cells.

        Args:
            index: shape (n,), numbers of levels, first + m for one that was never seen.
            u: shape (n,), uniform on (0, 1).

        Returns:
            The places, the cell plus how far in it they are, and the log share of the cell that
            the level has, shape (n,) each.
        """
        edges, own = self._edges, index < self.first
        number = np.where(own, 0, index - self.first).astype(np.int64)
        width = np.diff(edges)[number]
        margin = np.minimum(0.5, _MARGIN + 16 * np.finfo(np.float64).eps * self.first / width)
        within = edges[number] + (margin + (1.0 - 2.0 * margin) * u) * width
        return (
            np.where(own, index + u, self.first + within),
            np.where(own, 0.0, np.log(width)),
        )

    def level(self, places: np.ndarray) -> np.ndarray:
        """Levels, int64 of shape (n,), of places as :meth:`spread` gives them.

        The part of the cell that belongs to levels that were never seen is divided among the
        others as the rest of it is.
        """
        edges = self._edges
        within = np.clip(places - self.first, 0.0, 1.0)
        beyond = (within - edges[-2]) / self.unseen * edges[-2]
        within = np.where(within < edges[-2], within, beyond)
        number = np.searchsorted(edges[1:-2], within, side="right")
        cells = np.floor(np.clip(places, 0.0, self.first)).astype(np.int64)
        return np.where(places < self.first, cells, self.first + number)
