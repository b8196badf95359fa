"""One layer of a sliced flow of images: directions from a subsample, splines from all images.

The work is cut into pieces that depend on sizes alone, and every process does its share of them.
Each piece is computed by the same instructions whoever does it, so the layers of many processes
are those of one, bit for bit.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ...devices import sizes_of
from ...training.processes import Processes
from ...transport.kernel_splines import gaussianising_splines
from ...transport.optimal_transport import matching_directions, matching_splines
from ...transport.patches import PatchGrid, PatchLayer, rows_of
from ...transport.spline import Splines
from .sample_store import Points

__all__ = ["LayerSettings", "gaussianising_layer", "matching_layer", "principal_layer"]

_WIDEST = 4096  # coordinates of a patch whose principal axes are all found
_AT_ONCE = 256  # points that are looked at in float64

Fit = Callable[[Sequence[Tensor]], Splines]


@dataclass(frozen=True)
class LayerSettings:
    """How a layer is made: knots a spline, and length and subsample of a search."""

    knots: int
    search_rows: int
    search_steps: int


def matching_layer(
    grid: PatchGrid,
    data: Points,
    samples: Points,
    making: LayerSettings,
    generator: torch.Generator,
    processes: Processes,
    *,
    slices: int,
) -> PatchLayer:
    """Fit a layer whose forward map carries ``data`` towards ``samples``, class by class.

    Args:
        grid: where the patches lie.
        data, samples: images, of as many classes.
        making: how a layer is made.
        generator: source of subsamples and starts, on the CPU, in the same state everywhere.
        processes: that make the layer together.
        slices: directions a patch.
    """
    a = _directions(grid, [data, samples], slices, making, generator, processes)
    return _matching(grid, a, data, samples, making.knots, processes)


def principal_layer(
    grid: PatchGrid,
    data: Points,
    samples: Points,
    making: LayerSettings,
    generator: torch.Generator,
    processes: Processes,
) -> PatchLayer:
    """Fit a layer whose forward map carries ``data`` to ``samples`` along the axes of ``data``.

    The directions of a patch are its principal axes: from normal samples to data that are normal
    this is optimal transport in one step, and nothing is searched. Patches of more than 4,096
    coordinates get the first 1,024 axes.

    Args:
        grid, data, samples, making, generator, processes: as of :func:`matching_layer`.
    """
    d = grid.dimension
    rows = 2048 if d > _WIDEST else min(16384, max(4096, 4 * d))
    some = _some(len(data), min(len(data), rows), generator)
    axes = _few_principal_axes if d > _WIDEST else _principal_axes
    a = axes(grid.patches(data.columns(some))).float()
    a = processes.sum(a if processes.first else torch.zeros_like(a))
    return _matching(grid, a, data, samples, making.knots, processes)


def _principal_axes(x: Tensor) -> Tensor:
    """Principal axes of points (P, d, n), by falling variance: (P, d, d), float64."""
    mean = x.mean(2, keepdim=True)
    scatter = torch.zeros(*x.shape[:2], x.shape[1], dtype=torch.float64, device=x.device)
    for run in x.split(_AT_ONCE, 2):  # all of them in float64 would be the most there is
        run = (run - mean).to(torch.float64)
        scatter.baddbmm_(run, run.mT)
    del x
    return torch.linalg.eigh(scatter).eigenvectors.flip(2).contiguous()


def _few_principal_axes(x: Tensor) -> Tensor:
    """The first 1,024 of them, or as many as there are points: (P, d, K), float64."""
    x = (x - x.mean(2, keepdim=True)).to(torch.float64)
    few = torch.linalg.eigh(x.mT @ x).eigenvectors.flip(2)[..., :1024]
    return torch.linalg.qr(x @ few).Q


def _matching(
    grid: PatchGrid,
    a: Tensor,
    data: Points,
    samples: Points,
    knots: int,
    processes: Processes,
) -> PatchLayer:
    def fit(p: Sequence[Tensor]) -> Splines:
        return matching_splines(p[0], p[1], knots)

    return _with_splines(grid, a, [data, samples], fit, knots, processes, uniform=False)


def gaussianising_layer(
    grid: PatchGrid,
    data: Points,
    making: LayerSettings,
    generator: torch.Generator,
    processes: Processes,
    *,
    slices: int,
    step: float,
    tail_step: float = 0.003,
) -> PatchLayer:
    """Fit a layer whose forward map carries ``data`` a step towards N(0, I), class by class.

    Args:
        grid, data, making, generator, processes, slices: as of :func:`matching_layer`.
        step, tail_step: shares of the way that the inside of the splines and their tails go.
    """
    a = _directions(grid, [data], slices, making, generator, processes)

    def fit(p: Sequence[Tensor]) -> Splines:
        found = gaussianising_splines(
            p[0].flatten(0, 1),
            knots=making.knots,
            damping=1 - step,
            tail_damping=1 - tail_step,
        )
        batch = (*p[0].shape[:2], making.knots)
        return Splines(found.x.view(batch), found.y.view(batch), found.slope.view(batch))

    return _with_splines(grid, a, [data], fit, making.knots, processes, uniform=True)


def _directions(
    grid: PatchGrid,
    pools: Sequence[Points],
    slices: int,
    making: LayerSettings,
    generator: torch.Generator,
    processes: Processes,
) -> Tensor:
    """Directions (P, d, K) along which a subsample of one pool differs from one of the other."""
    few = min(making.search_rows, *map(len, pools))
    chosen = [pool.columns(_some(len(pool), few, generator)) for pool in pools]
    index = grid.index(chosen[0].device)
    a = torch.zeros(grid.count, grid.dimension, slices, device=index.device)
    pieces = list(_runs(grid.count, grid.dimension * few, a.device))
    seeds = torch.randint(2**62, (len(pieces),), generator=generator).tolist()
    for i in range(processes.rank, len(pieces), processes.count):
        whole = len(pieces) == 1
        x = [grid.patches(y) if whole else rows_of(y, index[pieces[i]]) for y in chosen]
        a[pieces[i]] = matching_directions(
            x[0],
            x[1] if len(x) > 1 else None,
            slices,
            torch.Generator().manual_seed(seeds[i]),
            steps=making.search_steps,
        )
    return processes.sum(a)


def _some(n: int, few: int, generator: torch.Generator) -> Tensor:
    """Numbers of a subsample, without replacement."""
    if few == n:
        return torch.arange(n)
    return torch.randperm(n, generator=generator)[:few]


def _with_splines(
    grid: PatchGrid,
    a: Tensor,
    pools: Sequence[Points],
    fit: Fit,
    knots: int,
    processes: Processes,
    *,
    uniform: bool,
) -> PatchLayer:
    """The layer of directions ``a`` and of splines that ``fit`` finds from projections."""
    count, _, slices = a.shape
    index = grid.index(a.device)
    classes = pools[0].classes
    bank = torch.zeros(3, classes or 1, count, slices, knots, device=a.device)
    work = [
        (number, label, patches, columns)
        for number, label in enumerate([None] if classes is None else range(classes))
        for patches, columns in _pieces(a, max(pool.count(label) for pool in pools))
    ]
    for start in range(0, len(work), processes.count):
        # all project for each of a round, then each fits what is its own
        mine = None
        for rank, piece in enumerate(work[start : start + processes.count]):
            _, label, patches, columns = piece
            part = a[patches, :, columns].contiguous()
            place = None if grid.whole else index[patches]
            p = [pool.projected(part, place, label) for pool in pools]
            if rank == processes.rank:
                mine = piece, p
        if mine is not None:
            (number, _, patches, columns), p = mine
            found = fit(p)
            bank[:, number, patches, columns] = torch.stack([found.x, found.y, found.slope])
    x, y, slope = processes.sum(bank) if classes is not None else processes.sum(bank)[:, 0]
    return PatchLayer(grid, a, Splines(*(t.clone() for t in (x, y, slope)), uniform=uniform))


def _pieces(a: Tensor, n: int) -> Iterator[tuple[slice, slice]]:
    """Patches and slices of pieces of work on n projections each, of directions (P, d, K)."""
    patches, _, slices = a.shape
    if patches > 1:
        yield from ((run, slice(0, slices)) for run in _runs(patches, slices * n, a.device))
    else:
        yield from ((slice(0, 1), run) for run in _runs(slices, n, a.device))


def _runs(count: int, width: int, device: torch.device) -> Iterator[slice]:
    """Runs of things of ``width`` numbers each: not too large, and some at least."""
    sizes = sizes_of(device)
    size = max(1, min(sizes.piece // width, -(-count // sizes.pieces)))
    for start in range(0, count, size):
        yield slice(start, min(start + size, count))
