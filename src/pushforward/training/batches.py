"""Batches of training: the rows and the noise of each step.

Everything is a function of (seed, number of the draw): a resumed run needs no saved random state,
and the processes of a parallel run agree without talking.
"""

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from ..devices import fits_on

__all__ = ["Batch", "Source", "Stream", "TensorSource", "generator_of"]

_ORDER, _NOISE = 0, 1  # what a seed is for


class Source(Protocol):
    """Rows as float tensors, by index."""

    def __len__(self) -> int: ...

    def take(self, rows: np.ndarray, generator: torch.Generator) -> tuple[Tensor, Tensor | None]:
        """Rows (n, ...) as inputs of the networks, and their labels (n,) or None.

        Args:
            rows: indices, (n,).
            generator: for dequantisation and augmentation.
        """
        ...


@dataclass(frozen=True)
class TensorSource:
    """Rows that are a tensor already."""

    x: Tensor
    y: Tensor | None = None

    def __len__(self) -> int:
        return len(self.x)

    def take(self, rows: np.ndarray, generator: torch.Generator) -> tuple[Tensor, Tensor | None]:
        index = torch.from_numpy(rows).to(self.x.device)
        return self.x[index], None if self.y is None else self.y[index]


@dataclass
class Batch:
    """The rows of one move.

    With several processes each has its share of the joined batch, and noise is drawn for the
    joined batch: the result does not depend on how many share the work.

    Attributes:
        x: (n, ...) this process's rows, on the device of the networks.
        y: (n,) their labels, or None.
        rows: where they lie in the joined batch.
        total: rows of the joined batch.
        generator: of this move, on the CPU.
    """

    x: Tensor
    y: Tensor | None
    rows: slice
    total: int
    generator: torch.Generator

    def __len__(self) -> int:
        return self.rows.stop - self.rows.start

    def normal(self, *shape: int) -> Tensor:
        """Standard normal noise (n, *shape) for these rows."""
        noise = torch.randn(self.total, *shape, generator=self.generator)
        return noise[self.rows].to(self.x)

    def uniform(self, *shape: int) -> Tensor:
        """Noise (n, *shape), uniform on [0, 1)."""
        noise = torch.rand(self.total, *shape, generator=self.generator)
        return noise[self.rows].to(self.x)


class Stream:
    """Endless batches: one shuffled pass over the rows after another, every batch full.

    Rows that are tensors already stay on a GPU where they fit. Other rows are read, and their
    noise is drawn, on the processor, so that a batch has the same numbers on every device; for a
    GPU the next batch is made in page-locked memory while it computes with the one before.

    Args:
        source: the rows.
        batch_size: rows of the joined batch; at most all of them.
        seed: decides order and noise.
        rank, processes: which share of each batch is ours.
        device: where batches go.

    Examples:
        >>> import torch
        >>> stream = Stream(TensorSource(torch.arange(10.0)), batch_size=4, seed=0)
        >>> rows = torch.cat([stream.batch(k).x for k in range(5)])
        >>> rows[:10].sort().values.tolist() == list(range(10))
        True
    """

    def __init__(
        self,
        source: Source,
        batch_size: int,
        seed: int,
        rank: int = 0,
        processes: int = 1,
        device: torch.device | str = "cpu",
    ) -> None:
        self.source = _placed(source, torch.device(device))
        self.batch_size = min(batch_size, len(source))
        self.seed = seed
        self.device = torch.device(device)
        edges = np.linspace(0, self.batch_size, processes + 1).round().astype(int)
        self._share = slice(int(edges[rank]), int(edges[rank + 1]))
        self._orders: dict[int, np.ndarray] = {}
        self._maker = _thread_for(self.device) if self.device.type == "cuda" else None
        self._next: tuple[int, Future[Batch]] | None = None

    def batch(self, draw: int) -> Batch:
        """The batch of that number; the same at every call."""
        if self._maker is None:
            return self._made(draw)
        number, made = self._next or (draw, self._maker.submit(self._made, draw))
        if number != draw:
            made = self._maker.submit(self._made, draw)
        batch = made.result()
        self._next = draw + 1, self._maker.submit(self._made, draw + 1)
        batch.x = batch.x.to(self.device, non_blocking=True)
        batch.y = None if batch.y is None else batch.y.to(self.device, non_blocking=True)
        return batch

    def close(self) -> None:
        """Make no more batches ahead."""
        if self._maker is not None:
            self._maker.shutdown(cancel_futures=True)
            self._maker, self._next = _thread_for(self.device), None

    def _made(self, draw: int) -> Batch:
        """The batch of that number, in memory that its device can read."""
        generator = generator_of(self.seed, _NOISE, draw)
        first = draw * self.batch_size
        x, y = self.source.take(self._rows(first, first + self.batch_size), generator)
        x, y = x[self._share], None if y is None else y[self._share]
        return Batch(self._ready(x), self._ready(y), self._share, self.batch_size, generator)

    def _ready(self, x: Tensor | None) -> Any:
        """Rows where a copy to the device does not make the processor wait."""
        if x is None or x.device == self.device:
            return x
        if self.device.type == "cuda":
            return x if x.device.type == "cuda" else x.contiguous().pin_memory()
        return x.to(self.device)

    def _rows(self, start: int, stop: int) -> np.ndarray:
        """Places ``start`` to ``stop`` of the shuffled passes laid end to end."""
        n, parts = len(self.source), []
        while start < stop:
            epoch, offset = divmod(start, n)
            part = self._order(epoch)[offset : offset + stop - start]
            parts.append(part)
            start += len(part)
        return np.concatenate(parts)

    def _order(self, epoch: int) -> np.ndarray:
        if epoch not in self._orders:
            self._orders = {k: v for k, v in self._orders.items() if k == epoch - 1}
            rng = np.random.default_rng([self.seed, _ORDER, epoch])
            self._orders[epoch] = rng.permutation(len(self.source))
        return self._orders[epoch]


def _thread_for(device: torch.device) -> ThreadPoolExecutor:
    """One thread, which makes all batches of a GPU, so that what makes them needs no lock."""
    if device.index is None:
        return ThreadPoolExecutor(1)
    # else page-locked memory would be that of the first GPU, in every process
    return ThreadPoolExecutor(1, initializer=torch.cuda.set_device, initargs=(device,))


def _placed(source: Source, device: torch.device) -> Source:
    """Rows that are tensors, on a GPU where they fit; others as they are."""
    if device.type != "cuda" or not isinstance(source, TensorSource):
        return source
    size = source.x.nbytes + (0 if source.y is None else source.y.nbytes)
    if not fits_on(device, size):
        return source
    return TensorSource(source.x.to(device), None if source.y is None else source.y.to(device))


def generator_of(*key: int) -> torch.Generator:
    """A generator on the CPU whose stream depends on every number of the key, and how many it has.

    >>> import torch
    >>> a, b, c = (torch.rand(1, generator=generator_of(0, *k)) for k in ((1,), (2,), (1, 0)))
    >>> bool(a != b), bool(a != c)
    (True, True)
    """
    entropy = [len(key), *_unsigned(key)]  # without its length, (1,) would be padded to (1, 0)
    state = np.random.SeedSequence(entropy).generate_state(1, np.uint64)[0]
    return torch.Generator().manual_seed(int(state >> np.uint64(1)))


def _unsigned(key: Sequence[int]) -> list[int]:
    return [int(k) % 2**64 for k in key]
