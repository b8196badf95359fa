"""The layer as Dai & Seljak's own program makes it, for comparison.

Directions by gradient steps along Cayley curves with Armijo backtracking (Tagare, *Notes on
optimization on Stiefel manifolds*, 2011) on all rows; knots at quantiles; kernel estimates
summed exactly; steps of ``1 - alpha`` with ``alpha = 1 - 0.02 log10 n``.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ...transport.directions import orthonormal
from ...transport.numerics import argsort, effective_size, gaussian_scores, sort
from ...transport.row_blocks import RowBlocks
from ...transport.sliced_flow import SliceLayer
from ...transport.spline import Splines, interior_slopes
from .layer_growth import Layering

__all__ = ["PublishedLayering"]


@dataclass(frozen=True)
class PublishedLayering(Layering):
    """The published settings for ``n`` rows of ``d`` columns; build it with :meth:`of`."""

    edge_knots: int = 0

    @classmethod
    def of(cls, n: float, d: int) -> "PublishedLayering":
        """Defaults of the published driver (sections 3.1 and 3.2 of the paper)."""
        return cls(
            slices=d if d <= 8 or n / d < 20 else 8,
            step=0.02 * math.log10(n),
            tail_step=0.001 * math.log10(n),
            knots=int(min(max(math.sqrt(n), 50), 200)),
            search_steps=int(min(max(n // d, 1), 200)),
            search_rows=int(1e5 * max(math.log10(d), 0.1)),
            edge_knots=max(int(math.log10(n)) - 1, 0),
        )

    @property
    def block_rows(self) -> int | None:
        """None: quantiles are of all rows at once."""
        return None

    def make(self, points: RowBlocks, generator: torch.Generator) -> SliceLayer:
        """Fit one layer on points (d, n), which are one block."""
        (x,), weight = points.blocks, points.division.weight
        rows = self.searched(x.shape[1])
        a = _cayley_search(x, self.slices, generator, self.search_steps, rows, weight)
        return SliceLayer(a, self._splines(a.T @ x, weight))

    def _splines(self, p: Tensor, weight: Tensor | None) -> Splines:
        k, n = p.shape
        share = torch.full((n,), 1 / n, dtype=p.dtype) if weight is None else weight / weight.sum()
        share = share.to(p.dtype)
        ordered, order = sort(p)
        step = share[order]
        level = step.cumsum(1) - 0.5 * step
        q = self._levels().to(p.dtype)
        x = _quantiles(ordered, level, q)
        sigma = ((p - (p @ share)[:, None]).square() @ share).sqrt()
        h = self.bandwidth * effective_size(n, weight) ** -0.2 * sigma
        cdf = torch.stack([_kernel_cdf(x[i], p[i], share, float(h[i])) for i in range(k)])
        y = torch.sqrt(1 + h[:, None] ** 2) * torch.special.ndtri(cdf.clamp(1e-7, 1 - 1e-7))
        # the published program re-draws knots that coincide; moving them apart is repeatable
        x, y = _strictly_increasing(x), _strictly_increasing(y)
        first, last = _end_slopes(ordered, level, x, y)
        slope = interior_slopes(x, y, first, last)
        keep, keep_tail = 1 - self.step, 1 - self.tail_step
        y = self.step * y + keep * x
        inner = self.step * slope[:, 1:-1] + keep
        ends = self.tail_step * slope[:, [0, -1]] + keep_tail
        return Splines(x, y, torch.cat([ends[:, :1], inner, ends[:, 1:]], dim=1), uniform=False)

    def _levels(self) -> Tensor:
        e = self.edge_knots
        inner = self.knots - 2 * e
        s = 1 / (inner + 1)
        edge = torch.linspace(0, s, e + 2, dtype=torch.float64)[1:-1]
        middle = torch.linspace(s, 1 - s, inner, dtype=torch.float64)
        return torch.cat([edge, middle, 1 - edge.flip(0)])


def _cayley_search(
    x: Tensor, k: int, generator: torch.Generator, steps: int, rows: int, weight: Tensor | None
) -> Tensor:
    d, n = x.shape
    if weight is not None:
        x = x[:, torch.multinomial(weight, min(n, rows), replacement=True, generator=generator)]
    elif n > rows:
        x = x[:, torch.randperm(n, generator=generator)[:rows]]
    target = gaussian_scores(x.shape[1], x.dtype)
    a = orthonormal(d, k, generator, x.dtype)

    def objective(a: Tensor) -> tuple[float, Tensor]:
        p = a.T @ x
        goal = torch.empty_like(p).scatter_(1, argsort(p), target.expand_as(p))
        residual = p - goal
        gradient = -2 * (x @ residual.T) / (k * x.shape[1])
        return -float(residual.square().mean()), gradient

    rate = 0.1
    value, gradient = objective(a)
    for _ in range(steps):
        g, a64 = gradient.double(), a.double()
        u, v = torch.cat([g, a64], 1), torch.cat([a64, -g], 1)
        slope = -float((g * (u @ (v.T @ a64))).sum())
        while True:
            eye = torch.eye(2 * k, dtype=torch.float64)
            curve = a64 - rate * u @ torch.linalg.solve(eye + 0.5 * rate * v.T @ u, v.T @ a64)
            trial = curve.to(a.dtype)
            trial_value, trial_gradient = objective(trial)
            if trial_value <= value + 0.5 * slope * rate or rate < 1e-10:
                break
            rate *= 0.5
        moved = float((trial - a).abs().max())
        a, value, gradient = trial, trial_value, trial_gradient
        rate *= 1.5
        if moved < 1e-6:
            break
    p = a.T @ x
    goal = torch.empty_like(p).scatter_(1, argsort(p), target.expand_as(p))
    a = a[:, (p - goal).square().mean(1).argsort(descending=True)]
    q, r = torch.linalg.qr(a)
    return (q * r.diagonal().sign()).contiguous()


def _quantiles(ordered: Tensor, level: Tensor, q: Tensor) -> Tensor:
    q = q.expand(len(ordered), -1).contiguous()
    right = torch.searchsorted(level.contiguous(), q).clamp(1, ordered.shape[1] - 1)
    low, high = level.gather(1, right - 1), level.gather(1, right)
    part = ((q - low) / (high - low)).clamp(0, 1)
    return torch.lerp(ordered.gather(1, right - 1), ordered.gather(1, right), part)


def _kernel_cdf(x: Tensor, p: Tensor, share: Tensor, h: float) -> Tensor:
    return torch.cat([torch.special.ndtr((part[:, None] - p) / h) @ share for part in x.split(64)])


def _strictly_increasing(x: Tensor) -> Tensor:
    return torch.cat([x[:, :1], x[:, :1] + x.diff(dim=1).clamp_min(2e-5).cumsum(1)], dim=1)


def _end_slopes(ordered: Tensor, level: Tensor, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Least squares through the end knots over up to nine deciles of the points beyond."""
    n = ordered.shape[1]
    slopes = []
    for end, outside in ((0, ordered < x[:, :1]), (-1, ordered > x[:, -1:])):
        slope = torch.ones(len(x), dtype=x.dtype)
        for i in range(len(x)):
            beyond = torch.nonzero(outside[i])[:, 0]
            if len(beyond) == 0:
                continue
            picks = beyond[(torch.arange(1, 10) * len(beyond) // 10).clamp_max(len(beyond) - 1)]
            dx = ordered[i, picks] - x[i, end]
            goal = torch.special.ndtri(level[i, picks].clamp(0.5 / n, 1 - 0.5 / n))
            dy = goal - y[i, end]
            fitted = float((dx * dy).sum() / (dx * dx).sum().clamp_min(1e-30))
            slope[i] = fitted if fitted > 0 else 1.0
        slopes.append(slope)
    return slopes[0], slopes[1]
