"""Patch layers that carry one sample of images to another by optimal transport along slices.

Many small problems are solved at once: a search for the directions of every patch is one batch
of matrix products and sorts, and so is the fit of the splines of all their slices.
"""

import numpy as np
import torch
from torch import Tensor

from .numerics import argsort, gaussian_scores
from .patches import PatchGrid, PatchLayer, blocks
from .smooth import gaussianising_splines
from .spline import Splines, interior_slopes

__all__ = [
    "gaussianising_layer",
    "matching_directions",
    "matching_layer",
    "matching_splines",
    "matching_value",
]

_LEAST = 1e-5  # rise between neighbouring knots: what is closer is one place


def matching_directions(
    x: Tensor,
    target: Tensor | None,
    slices: int,
    generator: torch.Generator,
    *,
    steps: int = 20,
) -> Tensor:
    """Directions along which samples differ most, for a batch of pairs of samples.

    Max K-sliced Wasserstein distance of Dai & Seljak, *Sliced Iterative Normalizing Flows*
    (2021), section 3.1: maximise the mean over slices of the squared 2-Wasserstein distance
    over orthonormal ``A``, as :func:`max_sliced_directions` does for one sample and the normal
    distribution: exact half gradients, Barzilai & Borwein's steps, a polar retraction.

    Args:
        x: (P, d, n) points of P problems.
        target: (P, d, n) points of the other samples; None for the standard normal.
        slices: number K of directions, at most d.
        generator: source of the start, on the CPU.
        steps: gradient steps.

    Returns:
        (P, d, K), orthonormal columns, the best that were met on the way.
    """
    problems, d, _ = x.shape
    start = torch.randn(problems, d, slices, generator=generator, dtype=torch.float64)
    a = torch.linalg.qr(start.to(x.device)).Q.to(x.dtype)
    if d == 1:
        return a
    points = x if target is None else torch.cat([x, target], dim=-1)
    best, best_value = a, torch.full((problems,), -1.0, device=x.device)
    previous: tuple[Tensor, Tensor] | None = None
    for step in range(steps):
        residual = _residual(a.mT @ points, target is not None)
        value = residual.square().sum((1, 2)).to(best_value.dtype)
        better = value > best_value
        best = torch.where(better[:, None, None], a, best)
        best_value = torch.where(better, value, best_value)
        if step == steps - 1:
            break
        gradient = points @ residual.mT / x.shape[-1]
        overlap = a.mT @ gradient
        gradient = gradient - a @ (0.5 * (overlap + overlap.mT))
        norm = gradient.flatten(1).norm(dim=1).clamp_min(1e-12)
        length = 0.5 * slices**0.5 / norm
        if previous is not None:
            moved, changed = a - previous[0], gradient - previous[1]
            cross = _inner(moved, changed).abs().clamp_min(1e-30)
            # alternating Barzilai-Borwein lengths: the long one explores, the short one settles
            length = (
                _inner(moved, moved) / cross
                if step % 2
                else cross / _inner(changed, changed).clamp_min(1e-30)
            )
            length = torch.minimum(length, 10 * slices**0.5 / norm)
        previous = (a, gradient)
        a = _polar(a + length[:, None, None] * gradient)
    return best.contiguous()


def matching_value(a: Tensor, x: Tensor, target: Tensor | None) -> Tensor:
    """Root of the mean squared 2-Wasserstein distance over the slices ``a``: (P,)."""
    points = x if target is None else torch.cat([x, target], dim=-1)
    residual = _residual(a.mT @ points, target is not None)[..., : x.shape[-1]]
    return residual.square().mean((1, 2)).sqrt()


def _inner(a: Tensor, b: Tensor) -> Tensor:
    return (a * b).sum((1, 2))


def _residual(p: Tensor, paired: bool) -> Tensor:
    """Each projection minus that of its optimal-transport partner, of the shape of ``p``.

    With ``paired`` the last dimension of p is two samples one after the other, and both are
    points that move with the directions; else the partners are the quantiles of N(0, 1).
    """
    parts = p.unflatten(-1, (2, -1)) if paired else p[..., None, :]
    order = argsort(parts)
    rising = parts.gather(-1, order)
    if paired:
        gap = rising[..., :1, :] - rising[..., 1:, :]
        gap = torch.cat([gap, -gap], dim=-2)
    else:
        gap = rising - gaussian_scores(p.shape[-1], p.dtype).to(p.device)
    return torch.empty_like(parts).scatter_(-1, order, gap).view(p.shape)


def _polar(m: Tensor) -> Tensor:
    """The orthonormal factors of a batch of (d, K) matrices."""
    values, vectors = torch.linalg.eigh((m.mT @ m).to(torch.float64))
    root = (vectors * values.clamp_min(1e-12).rsqrt()[:, None, :]) @ vectors.mT
    return m @ root.to(m.dtype)


def matching_splines(p: Tensor, target: Tensor, knots: int, step: float = 1.0) -> Splines:
    """Monotone maps that carry rows of ``p`` to rows of ``target``, quantile to quantile.

    The optimal transport of two samples on the line, of which the splines know the quantiles at
    ``knots`` levels: evenly spaced, and one in twenty of them more at either end. Beyond the
    outer knots slopes are 1 (Dai & Seljak 2021, section 3.3).

    With a ``step`` below 1 the map goes only so much of the way, ``(1 - step) x + step psi(x)``,
    the regularisation of eq. 13. Full steps at each of hundreds of layers multiply the chance in
    the gaps between quantiles to maps that no float64 can invert.

    Args:
        p: (..., n) projections.
        target: (..., m) projections of the other sample.
        knots: number M of knots.
        step: share of the way, in (0, 1].

    Returns:
        Splines of batch shape (...).

    Examples:
        >>> p = torch.linspace(0, 1, 1000)[None]
        >>> splines = matching_splines(p, 2 * p + 1, 20)
        >>> torch.allclose(splines.forward(p)[0], 2 * p + 1, atol=3e-2)
        True
    """
    ends = max(1, knots // 20)
    inner = torch.linspace(0, 1, knots - 2 * ends + 2, dtype=torch.float64)[1:-1]
    outer = inner[0] * torch.arange(1, ends + 1) / (ends + 1)
    level = torch.cat([outer, inner, 1 - outer.flip(0)]).to(p.device)
    x, y = _quantiles(p, level), _quantiles(target, level)
    y = torch.lerp(x, y, step)
    one = torch.ones_like(x[..., 0])
    slope = interior_slopes(x, y, one, one)
    return Splines(*(t.to(p.dtype).contiguous() for t in (x, y, slope)), uniform=False)


def _quantiles(p: Tensor, level: Tensor) -> Tensor:
    """Quantiles at rising levels, (..., M) float64 and strictly rising."""
    n = p.shape[-1]
    rising = torch.from_numpy(np.sort(p.numpy())) if p.device.type == "cpu" else p.sort().values
    place = (level * n - 0.5).clamp(0, n - 1)
    left = place.floor().long().clamp_max(max(n - 2, 0))
    right = (left + 1).clamp_max(n - 1)
    low, high = rising[..., left].to(torch.float64), rising[..., right].to(torch.float64)
    value = torch.lerp(low, high, (place - left).expand_as(low))
    rise = value.diff(dim=-1).clamp_min(_LEAST)
    return torch.cat([value[..., :1], value[..., :1] + rise.cumsum(-1)], dim=-1)


def matching_layer(
    grid: PatchGrid,
    x: Tensor,
    target: Tensor,
    generator: torch.Generator,
    *,
    slices: int,
    knots: int,
    rows: int,
    steps: int,
    step: float = 1.0,
) -> PatchLayer:
    """Fit a layer whose forward map carries images ``x`` towards ``target``.

    Args:
        grid: where the patches lie.
        x: (D, n) images.
        target: (D, m) other images.
        generator: source of subsample and start, on the CPU.
        slices, knots: directions a patch, and knots a spline.
        rows: images of either kind that a search for directions looks at, drawn afresh.
        steps: gradient steps of a search.
        step: share of the way to ``target`` that the layer goes.
    """
    index = grid.index(x.device)
    few = min(rows, x.shape[1], target.shape[1])
    a = matching_directions(
        _few(x, few, generator)[index],
        _few(target, few, generator)[index],
        slices,
        generator,
        steps=steps,
    )
    p, q = (_projected(a, images, index) for images in (x, target))
    splines = matching_splines(p, q, knots, step)
    return PatchLayer(grid, a, splines)


def gaussianising_layer(
    grid: PatchGrid,
    x: Tensor,
    generator: torch.Generator,
    *,
    slices: int,
    knots: int,
    rows: int,
    steps: int,
    step: float,
    tail_step: float = 0.003,
) -> PatchLayer:
    """Fit a layer whose forward map carries images ``x``, (D, n), a step towards N(0, I).

    Args:
        grid, x, generator, slices, knots, rows, steps: as of :func:`matching_layer`.
        step, tail_step: shares of the way that the inside of the splines and their tails go.
    """
    index = grid.index(x.device)
    few = _few(x, min(rows, x.shape[1]), generator)
    a = matching_directions(few[index], None, slices, generator, steps=steps)
    p = _projected(a, x, index)
    flat = gaussianising_splines(
        p.flatten(0, 1), knots=knots, damping=1 - step, tail_damping=1 - tail_step
    )
    batch = (*p.shape[:2], knots)
    splines = Splines(flat.x.view(batch), flat.y.view(batch), flat.slope.view(batch))
    return PatchLayer(grid, a, splines)


def _few(x: Tensor, rows: int, generator: torch.Generator) -> Tensor:
    """A subsample of the columns, without replacement."""
    if rows == x.shape[1]:
        return x
    return x[:, torch.randperm(x.shape[1], generator=generator)[:rows].to(x.device)]


def _projected(a: Tensor, x: Tensor, index: Tensor) -> Tensor:
    """Projections of all images on the slices of their patches: (D, n) -> (P, K, n)."""
    p = x.new_empty(*a.shape[::2], x.shape[1])
    for some in blocks(index.numel(), x.shape[1]):
        p[..., some] = a.mT @ x[:, some][index]
    return p
