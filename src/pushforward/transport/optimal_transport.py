"""Optimal transport of one sample to another along slices, for many problems at once.

A search for the directions of all patches of an image is one batch of matrix products and sorts,
and so is the fit of the splines of all their slices.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ..devices import generator_on
from .numerics import gaussian_scores, retracted, sort
from .spline import Splines, interior_slopes

__all__ = [
    "matching_directions",
    "matching_splines",
    "matching_value",
]

_CAUTION = 1.5  # times the error's share that is taken off a way
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
    distribution: exact half gradients, Barzilai & Borwein's steps, a QR retraction.

    Args:
        x: (P, d, n) points of P problems.
        target: (P, d, n) points of the other samples; None for the standard normal.
        slices: number K of directions, at most d.
        generator: source of the start, on the CPU; a GPU draws by a seed from it.
        steps: gradient steps.

    Returns:
        (P, d, K), orthonormal columns, the best that were met on the way.
    """
    problems, d, n = x.shape
    # random mixtures of points lie where the points vary, and so are on their way already
    draw = generator_on(x.device, generator)
    mix = torch.randn(problems, n, slices, generator=draw, device=x.device).to(x.dtype)
    a = _orthonormal(x @ (mix - mix.mean(1, keepdim=True)), draw).to(x.dtype)
    if d == 1:
        return a
    points = [x] if target is None else [x, target]
    best, best_value = a, torch.full((problems,), -1.0, device=x.device)
    previous: tuple[Tensor, Tensor] | None = None
    for step in range(steps):
        residual = _residual(_along(a, points), target is not None)
        value = residual.square().sum((1, 2)).to(best_value.dtype)
        better = value > best_value
        best = torch.where(better[:, None, None], a, best)
        best_value = torch.where(better, value, best_value)
        if step == steps - 1:
            break
        shares = zip(points, residual.split(n, dim=-1), strict=True)
        gradient = sum(part @ share.mT for part, share in shares) / n
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
        a = retracted(a + length[:, None, None] * gradient)
    return best.contiguous()


def matching_value(a: Tensor, x: Tensor, target: Tensor | None) -> Tensor:
    """Root of the mean squared 2-Wasserstein distance over the slices ``a``: (P,)."""
    points = [x] if target is None else [x, target]
    residual = _residual(_along(a, points), target is not None)[..., : x.shape[-1]]
    return residual.square().mean((1, 2)).sqrt()


def _along(a: Tensor, points: Sequence[Tensor]) -> Tensor:
    """Projections of all points, one sample after the other; they themselves are not copied."""
    return torch.cat([a.mT @ part for part in points], dim=-1)


def _inner(a: Tensor, b: Tensor) -> Tensor:
    return (a * b).sum((1, 2))


def _residual(p: Tensor, paired: bool) -> Tensor:
    """Each projection minus that of its optimal-transport partner, of the shape of ``p``.

    With ``paired`` the last dimension of p is two samples one after the other, and both are
    points that move with the directions; else the partners are the quantiles of N(0, 1).
    """
    parts = p.unflatten(-1, (2, -1)) if paired else p[..., None, :]
    rising, order = sort(parts)
    if paired:
        gap = rising[..., :1, :] - rising[..., 1:, :]
        gap = torch.cat([gap, -gap], dim=-2)
    else:
        gap = rising - gaussian_scores(p.shape[-1], p.dtype).to(p.device)
    return torch.empty_like(parts).scatter_(-1, order, gap).view(p.shape)


def _orthonormal(m: Tensor, generator: torch.Generator) -> Tensor:
    """Orthonormal columns that span what those of (P, d, K) span, and more where that is less."""
    m = m.to(torch.float64)
    size = m.square().mean((1, 2), keepdim=True).sqrt()
    size = torch.where(size > 0, size, 1.0)
    noise = torch.randn(m.shape, generator=generator, dtype=torch.float64, device=m.device)
    return torch.linalg.qr(m / size + 1e-6 * noise).Q


def matching_splines(p: Tensor, target: Tensor, knots: int, step: float = 1.0) -> Splines:
    """Monotone maps that carry rows of ``p`` towards rows of ``target``, quantile to quantile.

    The optimal transport of two samples on the line, of which the splines know the quantiles at
    ``knots`` levels: evenly spaced, and one in twenty of them more at either end. Beyond the
    outer knots slopes are 1 (Dai & Seljak 2021, section 3.3): no number of layers multiplies
    those to extremes.

    A map goes so much of the way as is not chance. Both samples are halved, and what the ways of
    the halves have in common tells how much that is (:func:`_shrinkage`). Full steps would follow
    the chance in the gaps between quantiles, layer after layer, to maps that fit their own
    samples alone and that no float64 can invert.

    Args:
        p: (..., n) projections.
        target: (..., m) projections of the other sample.
        knots: number M of knots.
        step: share of what is not chance that the map goes, in (0, 1].

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
    (x0, y0), (x1, y1) = ([_quantiles(s, level) for s in half] for half in _halves(p, target))
    x, y = 0.5 * (x0 + x1), 0.5 * (y0 + y1)
    y = torch.lerp(x, y, step * _shrinkage(y0 - x0, y1 - x1, level))
    one = torch.ones_like(x[..., 0])
    slope = interior_slopes(x, y, one, one)
    return Splines(*(t.to(p.dtype).contiguous() for t in (x, y, slope)), uniform=False)


def _halves(p: Tensor, target: Tensor) -> list[tuple[Tensor, Tensor]]:
    """Two pairs of half the samples each; twice the whole where a half is no sample."""
    if min(p.shape[-1], target.shape[-1]) < 4:
        return [(p, target), (p, target)]
    return [(p[..., first::2], target[..., first::2]) for first in (0, 1)]


def _shrinkage(one: Tensor, other: Tensor, level: Tensor) -> Tensor:
    """Shrinkage of a displacement, by how far those of two halves of the samples agree.

    The ways of the halves have the true one in common and their errors not, so that the mean of
    their product is the true way's square, and the square of their mean is larger by the error's.
    The linear shrinkage with the least error, ``common / whole``, takes off the error's share.
    Half as much again is taken off: slices are those that seem to differ most, and what is left
    over of chance adds up over hundreds of layers.

    Args:
        one, other: (..., M) ways at the knots.
        level: (M,) levels of the knots.

    Returns:
        (..., 1), from 0 to 1.
    """
    weight = torch.cat([level[:1], level.diff()])
    common = (weight * one * other).sum(-1, keepdim=True)
    whole = (weight * (0.5 * (one + other)).square()).sum(-1, keepdim=True)
    return (1 - _CAUTION * (1 - common / whole.clamp_min(1e-30))).clamp(0, 1)


def _quantiles(p: Tensor, level: Tensor) -> Tensor:
    """Quantiles at rising levels, (..., M) float64 and strictly rising."""
    n = p.shape[-1]
    if p.device.type == "cpu":
        rising = torch.from_numpy(np.sort(p.numpy(), axis=-1))
    else:
        rising = p.sort().values
    place = (level * n - 0.5).clamp(0, n - 1)
    left = place.floor().long().clamp_max(max(n - 2, 0))
    right = (left + 1).clamp_max(n - 1)
    low, high = rising[..., left].to(torch.float64), rising[..., right].to(torch.float64)
    value = torch.lerp(low, high, (place - left).expand_as(low))
    rise = value.diff(dim=-1).clamp_min(_LEAST)
    return torch.cat([value[..., :1], value[..., :1] + rise.cumsum(-1)], dim=-1)
