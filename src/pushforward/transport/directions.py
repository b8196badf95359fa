"""The K orthonormal directions along which a sample differs most from its target.

Max K-sliced Wasserstein distance of Dai & Seljak, *Sliced Iterative Normalizing Flows*
(2021), section 3.1: maximise ``F(A) = mean_k mean_i |sorted(A^T x)_ki - t_ki|^2`` over
``A^T A = I``. The half gradient ``X (P - t[rank])^T / n`` is exact and needs no autograd;
steps are Barzilai & Borwein's on the Stiefel manifold with a QR retraction, so there is no
line search; a fresh subsample a search keeps the cost independent of the table's length. Several
processes share the sorts, which are most of the cost of large subsamples, by directions.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from .numerics import argsort, gaussian_scores, retracted
from .row_blocks import Division, RowBlocks

__all__ = ["max_sliced_directions", "orthonormal", "shared_directions", "sliced_distances"]

_SHARED = 1 << 16  # numbers to sort, of which it is quicker to send a sum than to sort them all


def orthonormal(d: int, k: int, generator: torch.Generator, dtype: torch.dtype) -> Tensor:
    """A (d, k) matrix of orthonormal columns, uniform over the Stiefel manifold."""
    q, r = torch.linalg.qr(torch.randn(d, k, generator=generator, dtype=torch.float64))
    return (q * torch.where(r.diagonal() < 0, -1.0, 1.0)).to(dtype)


def _residual(a: Tensor, x: Tensor, target: Tensor) -> Tensor:
    """Each projection minus its optimal-transport target: (k, n).

    ``target`` is the sorted target of every slice, (n,), or a second sample (d, n).
    """
    p = a.T @ x
    sorted_target = target if target.ndim == 1 else (a.T @ target).sort(dim=-1).values
    return _less_by_rank(p, -sorted_target.expand_as(p))


def _less_by_rank(p: Tensor, negative: Tensor) -> Tensor:
    """Add to each number of ``p`` (k, n), in place, the entry of ``negative`` of its rank."""
    return p.scatter_add_(-1, argsort(p), negative)


def sliced_distances(a: Tensor, x: Tensor, target: Tensor | None = None) -> Tensor:
    """2-Wasserstein distance of each slice to N(0, 1), or to a second sample's slice.

    Args:
        a: (d, k) directions.
        x: (d, n) points, coordinates first.
        target: (d, n) second sample; None for the standard normal.

    Returns:
        (k,) distances in the units of ``x``.
    """
    goal = gaussian_scores(x.shape[1], x.dtype) if target is None else target
    return _residual(a, x, goal).square().mean(dim=1).sqrt()


def max_sliced_directions(
    x: Tensor,
    k: int,
    generator: torch.Generator,
    *,
    iterations: int = 30,
    rows: int = 2048,
    weight: Tensor | None = None,
) -> Tensor:
    """Directions of (locally) largest sliced distance between ``x`` and N(0, I).

    Args:
        x: (d, n) points, coordinates first.
        k: number of directions, at most d.
        generator: source of the start and of the subsample.
        iterations: gradient steps.
        rows: size of the subsample each search works on.
        weight: (n,) row weights; the subsample is drawn by them.

    Returns:
        (d, k) matrix with orthonormal columns, in the dtype of ``x``.
    """
    return shared_directions(
        RowBlocks.of(x, weight), k, generator, iterations=iterations, rows=rows
    )


def shared_directions(
    points: RowBlocks,
    k: int,
    generator: torch.Generator,
    *,
    iterations: int = 30,
    rows: int = 2048,
) -> Tensor:
    """The same of points in blocks, which several processes may share.

    Args:
        points: (d, n) points and the weights of their rows.
        k, iterations, rows: as of :func:`max_sliced_directions`.
        generator: likewise, in the same state in every process.

    Returns:
        (d, k) matrix with orthonormal columns, that of process 0 in each.
    """
    d, n, weight = len(points.empty), points.division.n, points.division.weight
    few = None
    if weight is not None:
        few = torch.multinomial(weight, min(n, rows), replacement=True, generator=generator)
    elif n > rows:
        few = torch.randint(n, (rows,), generator=generator)
    x = points.columns(few).contiguous()
    target = gaussian_scores(x.shape[1], x.dtype).to(x.device)
    a = orthonormal(d, k, generator, x.dtype).to(x.device)
    if d == 1:
        return a.contiguous()
    pull = _pull(x, target, a.shape[1], points.division)
    with torch.inference_mode():  # many small steps, which the bookkeeping of gradients slows
        best = _ascended(a, pull, k, iterations, least=1e-12 * x.shape[1])
    return points.of_first(best.contiguous().clone())  # outside: a tensor like any other


def _pull(
    x: Tensor, target: Tensor, count: int, division: Division
) -> Callable[[Tensor], tuple[float, Tensor]]:
    """The root of ``n F`` for ``count`` directions (d, count), and n times its half gradient.

    Args:
        x: (d, n) points, in every process.
        target: (n,) where sorted projections are to be.
        count: number of directions.
        division: of the rows that the points are some of.
    """
    negative = -target.expand(count, -1)

    def whole(a: Tensor) -> tuple[float, Tensor]:
        residual = _less_by_rank(a.T @ x, negative)
        return float(torch.linalg.vector_norm(residual)), x @ residual.T

    def by_direction(a: Tensor) -> tuple[float, Tensor]:
        residual = a.T @ x
        _less_by_rank(residual[own], negative[own])
        residual[: own.start], residual[own.stop :] = 0, 0  # products keep their shapes
        norms = torch.linalg.vector_norm(residual, dim=1)
        pulls = torch.cat([x @ residual.T, norms[None]])
        pulls = pulls if group is None else group.sum(pulls)
        return float(torch.linalg.vector_norm(pulls[-1])), pulls[:-1]

    if division.count == 1 or negative.numel() < _SHARED:
        return whole
    group, own = division.group, slice(0, count)
    if group is not None:
        own = slice(group.rank * count // group.count, (group.rank + 1) * count // group.count)
    return by_direction


def _ascended(
    a: Tensor,
    pull: Callable[[Tensor], tuple[float, Tensor]],
    k: int,
    iterations: int,
    *,
    least: float,
) -> Tensor:
    """The best directions on a way of so many gradient steps that begins at ``a``.

    Args:
        a: (d, ·) directions.
        pull: value and half gradient, as of :func:`_pull`.
        k: how many were asked for, of which ``a`` has as many as there are coordinates.
        iterations: steps.
        least: length of a gradient that ends them.
    """
    best, best_value = a, -1.0
    previous: tuple[Tensor, Tensor] | None = None
    longest = 10 * k**0.5
    for i in range(iterations):  # few operations: each of these small ones costs its launch
        value, ascent = pull(a)
        if value > best_value:
            best, best_value = a, value
        overlap = a.T @ ascent
        ascent = torch.addmm(ascent, a, overlap + overlap.T, alpha=-0.5)
        norm = float(torch.linalg.vector_norm(ascent))
        if norm <= least:
            break
        if previous is None:
            length = 0.5 * k**0.5 / norm
        else:
            moved, changed = (a - previous[0]).reshape(-1), (ascent - previous[1]).reshape(-1)
            cross = abs(float(torch.dot(moved, changed)))
            # alternating Barzilai-Borwein lengths: the long one explores, the short one settles
            length = (
                float(torch.dot(moved, moved)) / max(cross, 1e-30)
                if i % 2
                else cross / max(float(torch.dot(changed, changed)), 1e-30)
            )
            length = min(length, longest / norm)
        previous = (a, ascent)
        a = retracted(torch.add(a, ascent, alpha=length))
    return best
