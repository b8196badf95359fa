"""Random numbers that belong to rows, so that what rests on them is the same in any batch."""

from typing import Self

import numpy as np
import torch
from torch import Tensor

from ..data.tables.dequantisation import GOLDEN, mix, row_keys

__all__ = ["RowNoise"]


class RowNoise:
    """A stream of random numbers for each of n rows.

    The numbers are a hash of the row's key and of how many were asked for before: SplitMix64
    (Steele, Lea and Flood, *Fast splittable pseudorandom number generators*, 2014). They are the
    same for a row alone and among others.

    Args:
        keys: (n,) uint64.
        step: how many numbers of each row are used up.

    Examples:
        >>> x = torch.arange(3.0).double()[:, None]
        >>> bool(RowNoise.of(x, 0).uniform()[1:].equal(RowNoise.of(x[1:], 0).uniform()))
        True
    """

    def __init__(self, keys: np.ndarray, step: int = 0) -> None:
        self.keys, self.step = keys, step

    @classmethod
    def of(cls, x: Tensor, seed: int) -> Self:
        """Streams by the values of rows, (n, D): equal rows have equal ones."""
        keys = row_keys(x.detach().double().numpy())
        return cls(mix(keys ^ mix(np.array([seed], dtype=np.uint64) + np.uint64(GOLDEN))))

    def __len__(self) -> int:
        return len(self.keys)

    def apart(self) -> Self:
        """Other streams for rows that have equal ones: by how many such rows are before them."""
        _, group, count = np.unique(self.keys, return_inverse=True, return_counts=True)
        order = np.argsort(group, kind="stable")
        first = np.concatenate([[0], count.cumsum()[:-1]])
        place = np.empty(len(self), dtype=np.uint64)
        place[order] = np.arange(len(self)) - first[group[order]]
        return type(self)(mix(self.keys + place * np.uint64(GOLDEN)), self.step)

    def take(self, rows: np.ndarray | Tensor | slice) -> Self:
        """The streams of some rows, from where they are."""
        return type(self)(self.keys[rows], self.step)

    def spread(self, count: int) -> Self:
        """``count`` streams for each row, (n count,), those of one row in a row.

        The streams of two calls are others.
        """
        numbers = np.arange(1, count + 1, dtype=np.uint64) * np.uint64(GOLDEN)
        return type(self)(mix(self._next()[:, None] + numbers).reshape(-1))

    def uniform(self) -> Tensor:
        """A number above 0 and below 1 a row: (n,) float64."""
        return torch.from_numpy(((self._next() >> np.uint64(11)) + 0.5) * 2.0**-53)

    def normal(self, count: int) -> Tensor:
        """Standard normal numbers, (n, count) float64."""
        columns = [torch.special.ndtri(self.uniform()) for _ in range(count)]
        return torch.stack(columns, 1) if columns else torch.zeros(len(self), 0).double()

    def choice(self, weight: Tensor) -> Tensor:
        """A column of weights (n, C) for each row, with its share of them as probability."""
        total = weight.cumsum(1)
        above = total <= (self.uniform() * total[:, -1])[:, None]
        return above.sum(1).clamp_max(weight.shape[1] - 1)

    def _next(self) -> np.ndarray:
        """The next 64 bits of each row."""
        self.step += 1
        # two rounds, since keys of related rows and counts differ by sums of a few constants
        return mix(mix(self.keys + np.uint64(self.step * GOLDEN % 2**64)))
