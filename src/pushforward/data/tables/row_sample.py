"""A sample of the rows of a stream, the same however the stream is divided among processes."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

__all__ = ["Block", "RowSample", "joined", "priorities"]

_GOLDEN, _FIRST, _SECOND = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB


class Block(NamedTuple):
    """Some rows of a table: a frame or array, and the number of each row, in rising order."""

    numbers: np.ndarray
    X: Any

    def take(self, which: np.ndarray) -> "Block":
        """The rows that a boolean mask or positions choose."""
        X = self.X[which] if isinstance(self.X, np.ndarray) else self.X.iloc[_places(which)]
        return Block(self.numbers[which], X)


def _places(which: np.ndarray) -> np.ndarray:
    return np.flatnonzero(which) if which.dtype == bool else which


def priorities(numbers: np.ndarray) -> np.ndarray:
    """A number at random for each row, int64 >= 0, that depends on the number of the row alone.

    The finaliser of splitmix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number
    generators", 2014), which maps different numbers to different ones.

    >>> priorities(np.arange(2)).tolist() == priorities(np.arange(5))[:2].tolist()
    True
    """
    x = (numbers.astype(np.uint64) + np.uint64(1)) * np.uint64(_GOLDEN)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(_FIRST)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(_SECOND)
    return ((x ^ (x >> np.uint64(31))) >> np.uint64(1)).astype(np.int64)


class RowSample:
    """Rows drawn uniformly and without replacement: those of the lowest priorities.

    All while there are no more; a sample of fewer is part of one of more, so that rows can be let
    go as the stream goes on, and samples of parts of the stream be joined.

    Args:
        size: how many rows to draw.

    Examples:
        >>> sample = RowSample(size=3)
        >>> for start in range(0, 100, 10):
        ...     sample.add(start, np.arange(start, start + 10.0)[:, None])
        >>> sample.seen, len(sample.drawn().numbers)
        (100, 3)
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.seen = 0
        self._highest = np.iinfo(np.int64).max  # of the priorities that can still be drawn
        self._blocks: list[Block] = []
        self._held = 0

    def add(self, start: int, batch: Any) -> None:
        """Look at the rows of a batch, whose first has the number ``start``."""
        block = Block(np.arange(start, start + len(batch)), batch)
        self.seen += len(batch)
        kept = priorities(block.numbers) <= self._highest
        block = block if kept.all() else block.take(kept)
        if len(block.numbers):
            self._blocks.append(block)
            self._held += len(block.numbers)
        if self._held > 1.25 * self.size:  # so that sorting out is rare, and few are held
            self.cut(self.lowest())

    def lowest(self) -> np.ndarray:
        """The priorities of the rows drawn so far, at most ``size``, in no order."""
        found = [priorities(block.numbers) for block in self._blocks]
        values = np.concatenate(found) if found else np.zeros(0, dtype=np.int64)
        return np.partition(values, self.size)[: self.size] if len(values) > self.size else values

    def cut(self, lowest: np.ndarray) -> None:
        """Let go of the rows whose priority is above all of these."""
        self._highest = int(lowest.max()) if len(lowest) else -1
        kept = []
        while self._blocks:  # one after the other, so that no rows are held twice
            block = self._blocks.pop(0)
            kept.append(block.take(priorities(block.numbers) <= self._highest))
        self._blocks = [b for b in [joined(kept)] if b is not None]
        self._held = sum(len(block.numbers) for block in self._blocks)

    def hold(self, blocks: Sequence[Block], seen: int) -> None:
        """Take the rows that several samples have drawn together of ``seen`` rows."""
        self.seen, self._blocks = seen, list(blocks)
        self._held = sum(len(block.numbers) for block in blocks)

    def drawn(self) -> Block | None:
        """The rows so far, ``size`` of them at most; None of none."""
        if self.seen > self.size:
            self.cut(self.lowest())
        return joined(self._blocks)


def joined(blocks: Sequence[Block]) -> Block | None:
    """Blocks as one, in the order of their rows; None where there are no rows."""
    blocks = [block for block in blocks if len(block.numbers)]
    if not blocks:
        return None
    numbers = np.concatenate([block.numbers for block in blocks])
    if isinstance(blocks[0].X, np.ndarray):
        X = np.concatenate([block.X for block in blocks])
    else:
        X = _joined_frames([block.X for block in blocks])
    block = Block(numbers, X)
    if bool((np.diff(numbers) < 0).any()):
        block = block.take(np.argsort(numbers))
    return (
        block
        if isinstance(block.X, np.ndarray)
        else Block(block.numbers, block.X.reset_index(drop=True))
    )


def _joined_frames(frames: Sequence[Any]) -> Any:
    """Frames under each other, the categories of a column being all that occur in one of them."""
    import pandas as pd

    if len(frames) == 1:
        return frames[0]
    frames = list(frames)
    for place, dtype in enumerate(frames[0].dtypes):
        if not isinstance(dtype, pd.CategoricalDtype):
            continue
        found = [frame.iloc[:, place].cat.categories for frame in frames]
        if all(found[0].equals(other) for other in found[1:]):
            continue
        every = pd.CategoricalDtype(sorted(set().union(*found)), dtype.ordered)
        label = frames[0].columns[place]
        frames = [frame.astype({label: every}) for frame in frames]
    return pd.concat(frames, ignore_index=True)
