"""One-dimensional Gaussianising maps from kernel density estimates.

The kernel estimate is a histogram smoothed by FFT, for all slices at once: its cost is one
pass over the points and does not depend on the number of knots. The points may be in blocks, which
several processes share: what is known of all of them is sums over the blocks.
"""

import math

import torch
from torch import Tensor

from .row_blocks import RowBlocks, exactly_summed
from .spline import Splines

__all__ = ["gaussianising_splines"]

_BINS = 1024  # of the histogram; bins stay well below a bandwidth up to some 10^7 rows
_PADDED = 2100  # places of the transform, two a bin: a number of small factors is 4 times faster
_REACH = 6.0  # standard deviations the histogram covers; what lies beyond counts in its end bins


def gaussianising_splines(
    p: Tensor | RowBlocks,
    *,
    weight: Tensor | None = None,
    bandwidth: float = 1.0,
    knots: int = 64,
    damping: float = 0.0,
    tail_damping: float = 1.0,
) -> Splines:
    """Monotone maps that carry each row of ``p`` towards N(0, 1).

    ``psi = sqrt(1 + h^2) Phi^-1(F_h)`` with ``F_h`` the Gaussian kernel estimate of the
    distribution function at bandwidth ``h = bandwidth * n_eff^(-1/5) * sigma`` (Dai & Seljak
    2021, section 3.2; the factor widens the target by what the kernel added), then
    regularised: ``(1 - damping) psi(x) + damping x``, eq. 13.

    Args:
        p: (k, n) projections, k slices; or blocks of them, which bring the weights of their rows.
        weight: (n,) row weights of a tensor; or (k, n), where those of each slice are others.
        bandwidth: multiple of Scott's rule.
        knots: number of spline knots.
        damping: 0 for the full step, towards 1 for smaller ones.
        tail_damping: the same for the slopes of the linear tails.

    Returns:
        Splines of batch shape (k,).
    """
    points = p if isinstance(p, RowBlocks) else RowBlocks.of(p, weight)
    size = points.division.effective
    like = {"dtype": points.empty.dtype, "device": points.empty.device}
    mean, sigma, least, most = _moments(points)
    h = bandwidth * size**-0.2 * sigma
    # the end bins hold what lies beyond: three bandwidths keep its kernels away from the knots
    low = torch.maximum(least, mean - _REACH * sigma) - 3 * h
    high = torch.minimum(most, mean + _REACH * sigma) + 3 * h
    cell = (high - low) / _BINS
    cdf, density = (t.to(**like) for t in _smoothed(_histogram(points, low, cell), h / cell))

    # Knots end where the estimate still rests on a few rows; the tails beyond are linear.
    level = 2.0 / (size + 4.0)
    inner = ((mean - _REACH * sigma - low) / cell).clamp_min(0).long()
    outer = _BINS - ((high - mean - _REACH * sigma) / cell).clamp_min(0).long()
    levels = cdf.T  # slices last: the level may be one for all of them, or one each
    first = torch.maximum((levels < level).sum(0), inner).clamp(0, _BINS // 2 - 1)
    last = torch.minimum((levels <= 1 - level).sum(0), outer).clamp(_BINS // 2 + 1, _BINS)
    fraction = torch.arange(knots, **like) / (knots - 1)
    low, step = low + first * cell, (last - first) * cell / (knots - 1)
    position = first[:, None] + (last - first)[:, None] * fraction
    left = position.floor().long().clamp_(0, _BINS - 1)
    rest = position - left
    value = torch.lerp(cdf.gather(1, left), cdf.gather(1, left + 1), rest)
    rate = torch.lerp(density.gather(1, left), density.gather(1, left + 1), rest) / cell[:, None]

    relative = (h / sigma)[:, None]
    z = torch.special.ndtri(value)
    widen = torch.sqrt(1 + relative * relative)
    slope = widen * rate * torch.exp(0.5 * z * z) * math.sqrt(2 * math.pi)
    x = low[:, None] + step[:, None] * torch.arange(knots, **like)
    y = (1 - damping) * widen * z + damping * x
    slope = (1 - damping) * slope + damping
    ends = slope[:, [0, -1]]
    slope[:, [0, -1]] = (1 - tail_damping) * ends + tail_damping
    return Splines(x, *_monotone(y, slope, step))


def _moments(points: RowBlocks) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Mean, standard deviation, least and largest of each slice (k, n): four tensors (k,)."""
    k, like = len(points.empty), points.empty
    shares = points.division.shares(like)
    pairs = list(zip(points.blocks, shares, strict=True))
    sums = points.of_all(
        [torch.cat([_weighted(p, s), p.amin(1), p.amax(1)]) for p, s in pairs], 3 * k
    )
    mean, least, most = sums[:, :k].sum(0), sums[:, k : 2 * k].amin(0), sums[:, 2 * k :].amax(0)
    mean, least, most = mean.to(like.dtype), least.to(like.dtype), most.to(like.dtype)
    squares = points.total([_weighted((p - mean[:, None]).square(), s) for p, s in pairs], k)
    # finer features than this, in units of the normal target, are beyond the flow
    return mean, squares.to(like.dtype).sqrt().clamp_min(1e-3), least, most


def _weighted(values: Tensor, share: Tensor) -> Tensor:
    """Sums over the rows of values (k, b), weighted by shares (b,) or (k, b): (k,)."""
    return values @ share if share.ndim == 1 else (values * share).sum(1)


def _histogram(points: RowBlocks, low: Tensor, cell: Tensor) -> Tensor:
    """The share of all points at each edge of the bins: (k, bins + 1) float64.

    Points are shared linearly between the two nearest edges.
    """
    k, device, division = len(low), low.device, points.division
    mass = torch.zeros(k * (_BINS + 1), dtype=torch.float64, device=device)
    begin = torch.arange(k, device=device)[:, None] * (_BINS + 1)
    for p, share in zip(points.blocks, division.shares(points.empty), strict=True):
        u = ((p - low[:, None]) / cell[:, None]).clamp_(0, _BINS - 1e-3)
        left = u.floor()
        right_share = u.sub_(left)
        index = left.long().add_(begin).view(-1)
        to_right = right_share.mul_(share).view(-1).to(torch.float64)
        to_both = share.to(torch.float64, copy=True)
        if division.count > 1:  # any process may have added any of them
            to_right, to_both = exactly_summed(to_right), exactly_summed(to_both)
        mass.index_add_(0, index + 1, to_right)
        both = to_both.repeat(k) if share.ndim == 1 else to_both.view(-1)
        mass.index_add_(0, index, both - to_right)
    if division.group is not None:
        mass = division.group.sum(mass)
    return mass.view(k, _BINS + 1)


def _smoothed(mass: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
    """Kernel estimate at the bin edges: distribution function and mass per bin, (k, bins + 1).

    ``mass`` is the histogram at the edges and ``h`` the bandwidth in bins.
    """
    like = {"dtype": torch.float64, "device": mass.device}
    frequency = 2 * math.pi * torch.fft.rfftfreq(_PADDED, **like)
    kernel = torch.exp(-0.5 * (frequency * h[:, None].to(torch.float64)) ** 2)
    smooth = torch.fft.irfft(torch.fft.rfft(mass, n=_PADDED) * kernel, n=_PADDED).clamp_min(0)
    # the transform is circular: what the kernel puts below the first edge is at the far end
    below = smooth[:, _BINS + 1 + _BINS // 2 :].sum(1, keepdim=True)
    density = smooth[:, : _BINS + 1]
    cdf = below + density.cumsum(1) - 0.5 * density
    total = smooth.sum(1, keepdim=True)
    tiny = 1e-15
    return (cdf / total).clamp(tiny, 1 - tiny), density / total


def _monotone(y: Tensor, slope: Tensor, step: Tensor) -> tuple[Tensor, Tensor]:
    """Make equal neighbours strictly rising, and keep slopes positive and near their chords."""
    least = 1e-4 * step[:, None]
    rise = y.diff(dim=1).clamp_min(least)
    y = torch.cat([y[:, :1], y[:, :1] + rise.cumsum(1)], dim=1)
    chord = rise / step[:, None]
    below = torch.cat([chord[:, :1], torch.minimum(chord[:, 1:], chord[:, :-1]), chord[:, -1:]], 1)
    above = torch.cat([chord[:, :1], torch.maximum(chord[:, 1:], chord[:, :-1]), chord[:, -1:]], 1)
    return y, torch.minimum(torch.maximum(slope, 0.1 * below), 10 * above)
