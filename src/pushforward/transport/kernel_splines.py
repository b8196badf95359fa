"""One-dimensional Gaussianising maps from kernel density estimates.

The kernel estimate is a histogram smoothed by FFT, for all slices at once: its cost is one
pass over the points and does not depend on the number of knots.
"""

import math

import torch
from torch import Tensor

from .numerics import effective_size
from .spline import Splines

__all__ = ["gaussianising_splines"]

_BINS = 1024  # of the histogram; bins stay well below a bandwidth up to some 10^7 rows
_REACH = 6.0  # standard deviations the histogram covers; what lies beyond counts in its end bins


def gaussianising_splines(
    p: Tensor,
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
        p: (k, n) projections, k slices.
        weight: (n,) row weights.
        bandwidth: multiple of Scott's rule.
        knots: number of spline knots.
        damping: 0 for the full step, towards 1 for smaller ones.
        tail_damping: the same for the slopes of the linear tails.

    Returns:
        Splines of batch shape (k,).
    """
    n = p.shape[1]
    like = {"dtype": p.dtype, "device": p.device}
    share = torch.full((n,), 1 / n, **like) if weight is None else weight / weight.sum()
    share = share.to(p.dtype)
    mean = p @ share
    sigma = ((p - mean[:, None]).square() @ share).sqrt()
    # finer features than this, in units of the normal target, are beyond the flow
    sigma = sigma.clamp_min(1e-3)
    h = bandwidth * effective_size(n, weight) ** -0.2 * sigma
    # the end bins hold what lies beyond: three bandwidths keep its kernels away from the knots
    low = torch.maximum(p.amin(1), mean - _REACH * sigma) - 3 * h
    high = torch.minimum(p.amax(1), mean + _REACH * sigma) + 3 * h
    cell = (high - low) / _BINS
    cdf, density = _smoothed(p, share, low, cell, h / cell)

    # Knots end where the estimate still rests on a few rows; the tails beyond are linear.
    level = 2.0 / (effective_size(n, weight) + 4.0)
    least = ((mean - _REACH * sigma - low) / cell).clamp_min(0).long()
    most = _BINS - ((high - mean - _REACH * sigma) / cell).clamp_min(0).long()
    first = torch.maximum((cdf < level).sum(1), least).clamp(0, _BINS // 2 - 1)
    last = torch.minimum((cdf <= 1 - level).sum(1), most).clamp(_BINS // 2 + 1, _BINS)
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


def _smoothed(
    p: Tensor, share: Tensor, low: Tensor, cell: Tensor, h: Tensor
) -> tuple[Tensor, Tensor]:
    """Kernel estimate at the bin edges: distribution function and mass per bin, (k, bins + 1).

    ``h`` is the bandwidth in bins. Points are shared linearly between the two nearest edges.
    """
    k = p.shape[0]
    u = ((p - low[:, None]) / cell[:, None]).clamp_(0, _BINS - 1e-3)
    left = u.floor()
    right_share = u.sub_(left)
    index = left.long().add_(torch.arange(k, device=p.device)[:, None] * (_BINS + 1)).view(-1)
    like = {"dtype": torch.float64, "device": p.device}
    mass = torch.zeros(k * (_BINS + 1), **like)
    to_right = right_share.mul_(share).view(-1).to(torch.float64)
    mass.index_add_(0, index + 1, to_right)
    mass.index_add_(0, index, share.to(torch.float64).repeat(k) - to_right)
    mass = mass.view(k, _BINS + 1)

    size = 2 * _BINS + 2
    frequency = 2 * math.pi * torch.fft.rfftfreq(size, **like)
    kernel = torch.exp(-0.5 * (frequency * h[:, None].to(torch.float64)) ** 2)
    smooth = torch.fft.irfft(torch.fft.rfft(mass, n=size) * kernel, n=size).clamp_min(0)
    # the transform is circular: what the kernel puts below the first edge is at the far end
    below = smooth[:, _BINS + 1 + _BINS // 2 :].sum(1, keepdim=True)
    density = smooth[:, : _BINS + 1]
    cdf = below + density.cumsum(1) - 0.5 * density
    total = smooth.sum(1, keepdim=True)
    tiny = 1e-15
    return (cdf / total).clamp(tiny, 1 - tiny).to(p.dtype), (density / total).to(p.dtype)


def _monotone(y: Tensor, slope: Tensor, step: Tensor) -> tuple[Tensor, Tensor]:
    """Make equal neighbours strictly rising, and keep slopes positive and near their chords."""
    least = 1e-4 * step[:, None]
    rise = y.diff(dim=1).clamp_min(least)
    y = torch.cat([y[:, :1], y[:, :1] + rise.cumsum(1)], dim=1)
    chord = rise / step[:, None]
    below = torch.cat([chord[:, :1], torch.minimum(chord[:, 1:], chord[:, :-1]), chord[:, -1:]], 1)
    above = torch.cat([chord[:, :1], torch.maximum(chord[:, 1:], chord[:, :-1]), chord[:, -1:]], 1)
    return y, torch.minimum(torch.maximum(slope, 0.1 * below), 10 * above)
