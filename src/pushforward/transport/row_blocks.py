"""Points in blocks of rows, and sums over all rows that are the same by any number of processes.

How many rows a block has depends on nothing but the device. What is computed of a block is
computed by one process, in the shapes that a process alone would have; sums of blocks are
exchanged, and added in the order of the blocks. On a processor a block stays in its caches, so
that many rows are quicker in blocks than at once by one process too.
"""

import math
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Protocol

import torch
from torch import Tensor

from .numerics import effective_size, effective_sizes

__all__ = ["Division", "Group", "RowBlocks", "exactly_summed"]


class Group(Protocol):
    """The processes that share rows: :class:`pushforward.training.Processes`."""

    rank: int
    count: int

    def sum(self, value: Tensor) -> Tensor:
        """The sum over all processes, the same bits in each."""
        ...

    def stacked(self, value: Tensor) -> Tensor:
        """The tensors of all processes, of one shape, by rank: (count, ...)."""
        ...

    def gather(self, data: bytes) -> list[bytes]:
        """The bytes of every process, by rank."""
        ...


class Division:
    """How rows are divided into blocks, and the blocks among processes.

    Args:
        n: rows.
        weight: (n,) row weights, all of them in every process, or (k, n) weights of k slices;
            None where all count the same.
        size: rows a block; None for one block.
        group: processes that have a run of blocks each. A single block is not shared: all have it.

    Attributes:
        count: blocks of all processes.
        own: numbers of the blocks of this process; none where there are more processes.
        group: None where nothing is shared.

    Examples:
        >>> division = Division(10, size=4)
        >>> division.places()
        [slice(0, 4, None), slice(4, 8, None), slice(8, 10, None)]
    """

    def __init__(
        self,
        n: int,
        weight: Tensor | None = None,
        *,
        size: int | None = None,
        group: Group | None = None,
    ) -> None:
        self.n, self.weight = n, None if weight is None else weight.cpu()
        self.size = max(1, n if size is None else min(size, n))
        self.count = max(1, -(-n // self.size))
        self.group = None if self.count == 1 or group is None or group.count == 1 else group
        self.own = self.run(0 if self.group is None else self.group.rank)
        self._parts: dict[tuple, list[Tensor]] = {}

    def run(self, rank: int) -> range:
        """Numbers of the blocks of one process."""
        of = 1 if self.group is None else self.group.count
        return range(rank * self.count // of, (rank + 1) * self.count // of)

    def places(self) -> list[slice]:
        """Where the rows of the own blocks are among all rows."""
        return [slice(i * self.size, min((i + 1) * self.size, self.n)) for i in self.own]

    @cached_property
    def effective(self) -> float | Tensor:
        """Kish's effective number of all rows; (k,) where slices have weights of their own."""
        if self.weight is not None and self.weight.ndim == 2:
            return effective_sizes(self.weight)
        return effective_size(self.n, self.weight)

    @cached_property
    def total(self) -> float:
        """The weight of all rows together; their number where all count the same."""
        return float(self.n) if self.weight is None else float(self.weight.sum())

    def shares(self, like: Tensor) -> list[Tensor]:
        """What each row of the own blocks is of all rows, in dtype and place of another.

        They are (b,), or (k, b) where slices have weights of their own.
        """

        def made() -> list[Tensor]:
            if self.weight is None:
                whole = like.new_full((self.size,), 1 / self.n)
                return [whole[: place.stop - place.start] for place in self.places()]
            share = (self.weight / self.weight.sum(-1, keepdim=True)).to(like.dtype)
            return [share[..., place].clone().to(like.device) for place in self.places()]

        return self._kept((like.dtype, like.device), made)

    def sum(self, i: int, values: Tensor) -> Tensor:
        """The weighted sum of one value a row of the own block ``i``: (b,) float64 to ()."""
        if self.weight is None:
            return values.sum()
        weight = self.weight

        def made() -> list[Tensor]:
            return [weight[place].clone().to(values.device) for place in self.places()]

        return (values * self._kept(("weight", values.device), made)[i]).sum()

    def joined(self, values: Callable[[slice], Tensor]) -> Tensor:
        """One value a row, (n,), in every process; ``values`` gives those of a run of rows."""
        return RowBlocks.made(lambda place: values(place)[None], self).columns(None)[0]

    def _kept(self, key: tuple, made: Callable[[], list[Tensor]]) -> list[Tensor]:
        if key not in self._parts:
            self._parts[key] = made()
        return self._parts[key]


class RowBlocks:
    """Points (d, n) in blocks of rows, of which this process may hold a part.

    Args:
        blocks: points (d, b) of each own block of the division.
        empty: points (d, 0) of the same kind, for a process that holds none.
        division: how the rows are divided.

    Examples:
        >>> points = RowBlocks.of(torch.arange(8.0).view(2, 4), size=3)
        >>> points.blocks[1]
        tensor([[3.],
                [7.]])
        >>> points.total([x.sum(1) for x in points.blocks], 2)
        tensor([ 6., 22.], dtype=torch.float64)
    """

    def __init__(self, blocks: Sequence[Tensor], empty: Tensor, division: Division) -> None:
        self.blocks, self.empty, self.division = list(blocks), empty, division

    @classmethod
    def made(cls, points: Callable[[slice], Tensor], division: Division) -> "RowBlocks":
        """The points of a division; ``points`` gives those (d, b) of a run of rows."""
        places = division.places()
        return cls([points(place) for place in places], points(slice(0, 0)), division)

    @classmethod
    def of(
        cls, x: Tensor, weight: Tensor | None = None, *, size: int | None = None
    ) -> "RowBlocks":
        """Points (d, n) that this process has all of; arguments as of :class:`Division`."""
        division = Division(x.shape[1], weight, size=size)
        if division.count == 1:
            return cls([x], x[:, :0], division)
        return cls.made(lambda place: x[:, place].contiguous(), division)

    def to(self, device: torch.device) -> "RowBlocks":
        """The points on a device, in a list of their own, whose blocks may be replaced."""
        blocks = [x.to(device) for x in self.blocks]
        return RowBlocks(
            blocks, self.empty.new_zeros(self.empty.shape, device=device), self.division
        )

    def mapped(self, function: Callable[[Tensor], Tensor]) -> "RowBlocks":
        """What a function makes of the blocks, divided likewise."""
        blocks = [function(x) for x in self.blocks]
        return RowBlocks(blocks, function(self.empty), self.division)

    def of_all(self, parts: Sequence[Tensor], width: int) -> Tensor:
        """Numbers of every block, from those of the own ones.

        Args:
            parts: (width,) of each own block.
            width: how many numbers a block has, which a process without blocks has to know.

        Returns:
            (count, width) float64, in the order of the blocks.
        """
        division = self.division
        if division.group is None:
            return torch.stack([*parts]).to(torch.float64)
        group = division.group
        most = -(-division.count // group.count)
        sent = torch.zeros(most, width, dtype=torch.float64)
        if parts:
            sent[: len(parts)] = torch.stack([*parts])
        every = group.stacked(sent)
        found = [every[rank, : len(division.run(rank))] for rank in range(group.count)]
        return torch.cat(found).to(self.empty.device)

    def total(self, parts: Sequence[Tensor], width: int) -> Tensor:
        """The sum over all blocks of numbers as of :meth:`of_all`: (width,) float64."""
        return self.of_all(parts, width).sum(0)

    def sums(self, i: int, *values: Tensor) -> Tensor:
        """Weighted sums over the rows of the own block ``i`` of m values a row, (b,): (m,)."""
        return torch.stack([self.division.sum(i, value) for value in values])

    def means(self, sums: Sequence[Tensor], width: int) -> list[float]:
        """Weighted means over all rows, of the :meth:`sums` of each own block, (width,).

        They are the same on any machine that has the same sums.
        """
        columns = zip(*self.of_all(sums, width).tolist(), strict=True)
        return [math.fsum(column) / self.division.total for column in columns]

    def of_first(self, value: Tensor) -> Tensor:
        """The value of process 0, in each."""
        group = self.division.group
        return value if group is None else group.stacked(value)[0]

    def columns(self, index: Tensor | None) -> Tensor:
        """Some of the points, (d, m), in every process.

        Args:
            index: (m,) numbers of rows among all of them, on the processor; None takes them all.
        """
        division = self.division
        if index is None:
            if division.count == 1:
                return self.blocks[0]
            index = torch.arange(division.n)
        if division.count == 1:
            return self.blocks[0][:, index.to(self.empty.device)]
        order = (index // division.size).argsort(stable=True)
        counts = torch.bincount(index // division.size, minlength=division.count).tolist()
        runs = order.split(counts)
        found = self.empty.new_zeros(len(self.empty), len(index))
        for block, number, place in zip(self.blocks, division.own, division.places(), strict=True):
            run = runs[number]
            found[:, run.to(found.device)] = block[:, (index[run] - place.start).to(found.device)]
        return found if division.group is None else _of_one_each(found, division.group)


def _of_one_each(values: Tensor, group: Group) -> Tensor:
    """Numbers that one process each has and that are zero in the others, with all their bits."""
    whole = torch.int32 if values.element_size() == 4 else torch.int64
    return group.sum(values.view(whole)).view(values.dtype)


def exactly_summed(values: Tensor) -> Tensor:
    """Numbers from 0 to 1, float64, to multiples of 2^-52, in place.

    Sums of them up to 2 are exact, so that they have the same bits in any order.
    """
    return values.add_(1.0).sub_(1.0)
