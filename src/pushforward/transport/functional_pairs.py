"""Discrete values that follow from another of their row, where some of both are missing."""

from dataclasses import dataclass

import torch
from torch import Tensor

from .dependencies import Lookup, find_lookups

__all__ = ["FunctionalPairs"]

_FEWEST = 30  # rows that have both values of a pair
_MOST = 40  # coordinates among which pairs are sought


@dataclass(frozen=True)
class _Pair:
    """A coordinate that is a function of another in all rows that have both."""

    key: int
    value: int
    lookup: Lookup


class FunctionalPairs:
    """Pairs of discrete coordinates of which one is a function of the other.

    Args:
        k: (n, m) int64 values from 0; of those missing anything.
        known: (n, m) bool.
        sizes: how many values each coordinate can take.

    Examples:
        >>> k = torch.tensor([[0, 1], [1, 0], [2, 1]]).repeat(50, 1)
        >>> known = torch.ones_like(k, dtype=torch.bool)
        >>> known[0, 1] = False
        >>> pairs = FunctionalPairs(k, known, [3, 2])
        >>> filled, there = pairs.fill(torch.where(known, k, 0), known)
        >>> filled[0].tolist(), bool(there.all())
        ([0, 1], True)
    """

    def __init__(self, k: Tensor, known: Tensor, sizes: list[int]) -> None:
        self._pairs: list[_Pair] = []
        for j in range(min(len(sizes), _MOST)):
            for i in range(j):
                both = known[:, i] & known[:, j]
                if int(both.sum()) < _FEWEST:
                    continue
                places = (i, j)
                found = find_lookups(k[both][:, places], [sizes[i], sizes[j]])
                for value, lookup in found.items():
                    self._pairs.append(_Pair(places[1 - value], places[value], lookup))

    def fill(self, k: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
        """Fill in the values that follow from known ones.

        Args:
            k, known: as of the class.

        Returns:
            The values, and which of them are known now.
        """
        k, known = k.clone(), known.clone()
        for pair in self._pairs * 2:  # what is filled in may be the key of another
            seen, value = self._value(pair, k)
            rows = known[:, pair.key] & ~known[:, pair.value] & seen
            k[rows, pair.value], known[rows, pair.value] = value[rows], True
        return k, known

    def repair(self, k: Tensor, known: Tensor, generator: torch.Generator) -> Tensor:
        """Change drawn values so that pairs agree.

        A drawn value is computed from its key. A drawn key that contradicts a known value is drawn
        anew among those that go with it, as often as each was seen.

        Args:
            k: (n, m) values, known or drawn.
            known: (n, m) which are known.
            generator: of the draws.
        """
        k = k.clone()
        for pair in self._pairs * 2:
            seen, value = self._value(pair, k)
            wrong = seen & (value != k[:, pair.value])
            computed = wrong & ~known[:, pair.value]
            k[computed, pair.value] = value[computed]
            contradicted = wrong & known[:, pair.value] & ~known[:, pair.key]
            for v in k[contradicted, pair.value].unique().tolist():
                rows = torch.nonzero(contradicted & (k[:, pair.value] == v))[:, 0]
                of = torch.nonzero(pair.lookup.value == v)[:, 0]
                if not len(of):
                    continue
                share = pair.lookup.count[of].double()
                drawn = torch.multinomial(share, len(rows), True, generator=generator)
                k[rows, pair.key] = pair.lookup.code[of[drawn]]
        return k

    @staticmethod
    def _value(pair: _Pair, k: Tensor) -> tuple[Tensor, Tensor]:
        """Whether the key of each row was seen, and the value that goes with it: (n,) both."""
        seen, value, _ = pair.lookup.find(k[:, [pair.key, pair.key]])
        return seen, value
