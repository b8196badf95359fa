"""Images as a growing flow moves them: many, in memory or on disk, divided among processes."""

import copy
import os
import tempfile
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import IO

import numpy as np
import torch
from torch import Tensor

from ...devices import PROCESSOR, sizes_of
from ...training.processes import Processes
from ...transport.patches import PatchLayer, rows_of

__all__ = ["Block", "Points", "Store", "blocks_of", "free_memory"]

_FEWEST = 64  # images of a block, where there are as many
_LAYERS = 16  # that a growth has at the least, where it matters how fast they are


@dataclass(frozen=True)
class Block:
    """A run of columns, all of one class.

    Attributes:
        start, stop: the columns.
        label: the class, or None where there are none.
        first: the first column of that class.
    """

    start: int
    stop: int
    label: int | None
    first: int

    @property
    def place(self) -> slice:
        """The columns, counted from the first of their class."""
        return slice(self.start - self.first, self.stop - self.first)


def blocks_of(
    counts: Sequence[int],
    dimension: int,
    *,
    labelled: bool,
    device: torch.device = PROCESSOR,
) -> list[Block]:
    """Blocks of images that come class by class.

    They depend on nothing but the numbers of images and the kind of device, so that every process,
    however many there are, computes with the same blocks: that is why fits come out the same bit
    for bit.

    Args:
        counts: images of each class; one number where there are no classes.
        dimension: numbers D of an image.
        labelled: whether there are classes.
        device: that computes with them.

    Examples:
        >>> [(b.start, b.stop, b.label) for b in blocks_of([100, 30], 8, labelled=True)]
        [(0, 64, 0), (64, 100, 0), (100, 130, 1)]
    """
    sizes = sizes_of(device)
    most = max(_FEWEST, sizes.block // dimension)
    width = min(max(_FEWEST, -(-sum(counts) // sizes.blocks)), most)
    found = []
    firsts = accumulate(counts, initial=0)
    for label, (first, count) in enumerate(zip(firsts, counts, strict=False)):
        for start in range(first, first + count, width):
            stop = min(start + width, first + count)
            found.append(Block(start, stop, label if labelled else None, first))
    return found


@dataclass(frozen=True)
class Store:
    """Where points are kept.

    Attributes:
        device: where they are computed with, and kept if not on disk.
        on_disk: whether they are kept in a nameless file, which is gone when they are.
        folder: of that file; None is the system's folder for such files.
    """

    device: torch.device
    on_disk: bool = False
    folder: Path | None = None


class _Nameless:
    """A file without a name, which is closed when nothing has this object any more."""

    def __init__(self, folder: Path | None) -> None:
        self.file: IO[bytes] = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115
        weakref.finalize(self, self.file.close)


class Points:
    """The columns of a matrix (D, n) of images, in blocks.

    Args:
        dimension: numbers D of an image.
        blocks: all of them.
        make: makes the columns (D, b) of the block of a number.
        store: where they are kept.
        processes: that have a share of the blocks each; None keeps all blocks here.
    """

    def __init__(
        self,
        dimension: int,
        blocks: Sequence[Block],
        make: Callable[[int, Block], Tensor],
        store: Store,
        processes: Processes | None = None,
    ) -> None:
        self.dimension, self.store = dimension, store
        self.blocks: list[Block] = list(blocks)
        self._processes = processes
        rank, count = (0, 1) if processes is None else (processes.rank, processes.count)
        self.own: Sequence[int] = range(rank, len(blocks), count)
        self._kept: dict[int, Tensor] = {}
        self._file = _Nameless(store.folder) if store.on_disk else None
        self._start = dict(
            zip(
                self.own,
                accumulate((self._size(i) for i in self.own), initial=0),
                strict=False,
            )
        )
        for i in self.own:
            self.write(i, make(i, blocks[i]))

    def __len__(self) -> int:
        return self.blocks[-1].stop if self.blocks else 0

    @property
    def classes(self) -> int | None:
        """Number of classes, or None where there are none."""
        label = self.blocks[-1].label
        return None if label is None else label + 1

    def count(self, label: int | None) -> int:
        """Number of columns of a class."""
        return sum(b.stop - b.start for b in self.blocks if b.label == label)

    def read(self, i: int) -> Tensor:
        """Columns (D, b) of an own block: memory that belongs to the points, not to be changed."""
        return self._kept[i] if self._file is None else torch.from_numpy(self._mapped(i))

    def write(self, i: int, x: Tensor) -> None:
        """Replace the columns of an own block."""
        if self._file is None:
            self._kept[i] = x.to(self.store.device)
        else:
            self._mapped(i)[:] = x.cpu().numpy()

    def some(self, share: float, generator: torch.Generator) -> "Points":
        """The points of random blocks, a share of each class: the same memory, not a copy.

        Args:
            share: of the points of each class, that and less than a block more.
            generator: on the CPU, in the same state in every process.
        """
        chosen: list[int] = []
        for label in dict.fromkeys(block.label for block in self.blocks):
            own = [i for i, block in enumerate(self.blocks) if block.label == label]
            taken: list[int] = []
            left = share * self.count(label)
            for k in torch.randperm(len(own), generator=generator).tolist():
                if left <= 0:
                    break
                taken.append(own[k])
                left -= self.blocks[own[k]].stop - self.blocks[own[k]].start
            chosen += sorted(taken)
        part = copy.copy(self)
        part.blocks, stop, first = [], 0, 0
        for i in chosen:
            block = self.blocks[i]
            start, stop = stop, stop + block.stop - block.start
            if not part.blocks or part.blocks[-1].label != block.label:
                first = start
            part.blocks.append(Block(start, stop, block.label, first))
        places = {i: place for place, i in enumerate(chosen) if i in self.own}
        part.own = list(places.values())
        part._kept = {place: self._kept[i] for i, place in places.items() if i in self._kept}
        part._start = {place: self._start[i] for i, place in places.items()}
        return part

    def columns(self, which: Tensor) -> Tensor:
        """Some columns, by number, in every process: (k,) -> (D, k)."""
        found = torch.zeros(self.dimension, len(which), device=self.store.device)
        for i in self.own:
            block = self.blocks[i]
            here = torch.nonzero((which >= block.start) & (which < block.stop))[:, 0]
            if len(here):
                x = self.read(i)
                some = x.index_select(1, (which[here] - block.start).to(x.device))
                found.index_copy_(1, here.to(found.device), some.to(found.device))
        return found if self._processes is None else self._processes.sum(found)

    def projected(self, a: Tensor, index: Tensor | None, label: int | None) -> Tensor:
        """Projections of all columns of a class, in every process.

        Args:
            a: (P, d, K) directions of some patches.
            index: (P, d) coordinates of the patches; None for the only one, which has all.
            label: the class.

        Returns:
            (P, K, n), n being the number of columns of the class.
        """
        p = torch.zeros(len(a), a.shape[2], self.count(label), device=a.device)
        for i in self.own:
            block = self.blocks[i]
            if block.label == label:
                x = self.read(i)
                # the columns of a file are the processor's
                patches = (x[None] if index is None else rows_of(x, index.to(x.device))).to(
                    a.device
                )
                torch.matmul(a.mT, patches, out=p[..., block.place])
        return p if self._processes is None else self._processes.sum(p)

    def move(self, layer: PatchLayer, *, back: bool = False) -> Tensor | None:
        """Carry the points through a layer, forward or ``back``.

        Returns:
            Log-determinants of the forward map, (n,) float64, of the own columns in order, or
            nothing of a way ``back``, (0,); None if a point, here or in another process, is not
            finite any more. The points are then of no use.
        """
        device = self.store.device
        log_dets, finite = [torch.zeros(0, dtype=torch.float64, device=device)], True
        ready, label = None, None
        for i in self.own:
            block = self.blocks[i]
            if ready is None or block.label != label:
                label = block.label
                own = label if layer.classes else None
                ready = layer.map(torch.float32, own, len(self), _LAYERS)
            parts = self.read(i).split(max(16, sizes_of(device).moved // self.dimension), 1)
            parts = [part.to(device).contiguous() for part in parts]
            if back:
                parts = [ready.solve(part) for part in parts]
            else:
                pairs = [ready.forward(part) for part in parts]
                parts = [x for x, _ in pairs]
                log_dets += [log_det.sum(0, dtype=torch.float64) for _, log_det in pairs]
            moved = torch.cat(parts, 1)
            # what is not a number is an end too, found in a tenth of the time of isfinite()
            ends = torch.stack(moved.aminmax())
            finite = finite and bool(ends.isfinite().all())
            self.write(i, moved)
        bad = torch.tensor([0.0 if finite else 1.0], device=device)
        if self._processes is not None:
            bad = self._processes.sum(bad)
        return None if bool(bad > 0) else torch.cat(log_dets)

    def _size(self, i: int) -> int:
        return self.dimension * (self.blocks[i].stop - self.blocks[i].start)

    def _mapped(self, i: int) -> np.ndarray:
        """A block of the file, mapped to memory as long as somebody looks at it."""
        assert self._file is not None
        columns = self.blocks[i].stop - self.blocks[i].start
        return np.memmap(
            self._file.file, np.float32, "r+", 4 * self._start[i], (self.dimension, columns)
        )


def free_memory(device: torch.device) -> int:
    """Bytes of memory that could be had now."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        (kilobytes,) = [line.split()[1] for line in lines if line.startswith("MemAvailable")]
        return 1024 * int(kilobytes)
    except (OSError, ValueError):  # elsewhere than on Linux: what there is, of which half may be
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
