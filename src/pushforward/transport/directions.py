"""The K orthonormal directions along which a sample differs most from its target.

Max K-sliced Wasserstein distance of Dai & Seljak, *Sliced Iterative Normalizing Flows*
(2021), section 3.1: maximise ``F(A) = mean_k mean_i |sorted(A^T x)_ki - t_ki|^2`` over
``A^T A = I``. The half gradient ``X (P - t[rank])^T / n`` is exact and needs no autograd;
steps are Barzilai & Borwein's on the Stiefel manifold with a QR retraction, so there is no
line search; a fresh subsample a search keeps the cost independent of the table's length.
"""

import torch
from torch import Tensor

from .numerics import argsort, gaussian_scores, retracted

__all__ = ["max_sliced_directions", "orthonormal", "sliced_distances"]


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
    d, n = x.shape
    if weight is not None:
        count = min(n, rows)
        few = torch.multinomial(weight.cpu(), count, replacement=True, generator=generator)
        x = x[:, few.to(x.device)]
    elif n > rows:
        x = x[:, torch.randint(n, (rows,), generator=generator).to(x.device)]
    x = x.contiguous()
    target = gaussian_scores(x.shape[1], x.dtype).to(x.device)
    a = orthonormal(d, k, generator, x.dtype).to(x.device)
    if d == 1:
        return a.contiguous()
    with torch.inference_mode():  # many small steps, which the bookkeeping of gradients slows
        best = _ascended(a, x, target, k, iterations)
    return best.contiguous().clone()  # outside, which makes it a tensor like any other


def _ascended(a: Tensor, x: Tensor, target: Tensor, k: int, iterations: int) -> Tensor:
    """The best directions on a way of so many gradient steps that begins at ``a``.

    ``k`` is how many were asked for, of which ``a`` has as many as there are coordinates.
    """
    negative = -target.expand(a.shape[1], -1)
    best, best_value = a, -1.0
    previous: tuple[Tensor, Tensor] | None = None
    longest = 10 * k**0.5
    for i in range(iterations):  # few operations: each of these small ones costs its launch
        residual = _less_by_rank(a.T @ x, negative)
        value = float(torch.linalg.vector_norm(residual))
        if value > best_value:
            best, best_value = a, value
        ascent = x @ residual.T  # n times the half gradient
        overlap = a.T @ ascent
        ascent = torch.addmm(ascent, a, overlap + overlap.T, alpha=-0.5)
        norm = float(torch.linalg.vector_norm(ascent))
        if norm <= 1e-12 * x.shape[1]:
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
