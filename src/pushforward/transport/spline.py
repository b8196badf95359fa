"""Monotone rational-quadratic splines, many at once.

Formulas of Gregory & Delbourgo (1982) as used by Durkan et al., *Neural Spline Flows*
(2019), eqs. 4-8, with linear tails.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["Splines", "interior_slopes"]


def interior_slopes(x: Tensor, y: Tensor, first: Tensor, last: Tensor) -> Tensor:
    """Knot derivatives by the weighted mean of neighbouring chords.

    ``d_m = (s_{m-1} h_m + s_m h_{m-1}) / (h_m + h_{m-1})`` with chords ``s`` and widths
    ``h``; the ends are given.

    Args:
        x, y: knots of shape (..., M), increasing along the last dimension.
        first, last: end derivatives of shape (...).

    Returns:
        Derivatives of shape (..., M).
    """
    width = x.diff(dim=-1)
    chord = y.diff(dim=-1) / width
    left, right = width[..., :-1], width[..., 1:]
    inner = (chord[..., :-1] * right + chord[..., 1:] * left) / (left + right)
    return torch.cat([first[..., None], inner, last[..., None]], dim=-1)


@dataclass
class Splines:
    """A batch of increasing maps of the line, each a spline between linear tails.

    Attributes:
        x: (..., M) knots, increasing.
        y: (..., M) values at the knots, increasing.
        slope: (..., M) derivatives at the knots, positive.
        uniform: whether the knots are equally spaced, so that an interval is found by a
            division instead of a search (three times faster).

    The batch shape ``...`` is shared by all; points come as (..., n).
    """

    x: Tensor
    y: Tensor
    slope: Tensor
    uniform: bool = True

    def __post_init__(self) -> None:
        self._coefficients: tuple[Tensor, ...] | None = None

    def _table(self) -> tuple[Tensor, ...]:
        """Per-interval coefficients, so that evaluation is gathers and a few products."""
        if self._coefficients is None:
            if self.uniform:
                step = (self.x[..., -1:] - self.x[..., :1]) / (self.x.shape[-1] - 1)
                width = step.expand_as(self.x[..., 1:])
            else:
                width = self.x.diff(dim=-1)
            y0, d0, d1 = self.y[..., :-1], self.slope[..., :-1], self.slope[..., 1:]
            s = self.y.diff(dim=-1) / width
            self._coefficients = tuple(t.contiguous() for t in (width, y0, s, d0 + d1 - 2 * s, d0))
        return self._coefficients

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Map points and give the log derivative: (..., n) -> two tensors (..., n)."""
        width, y0, s, t, d0 = self._table()
        last = self.x.shape[-1] - 2
        if self.uniform:
            step = width[..., :1]
            rate = 1 / step
            u = torch.addcmul(-self.x[..., :1] * rate, x, rate)
            cell = u.floor().clamp_(0, last)
            xi = u.sub_(cell)
            index = cell.long().clamp_(0, last)  # what is not a number has a cell too
        else:
            index = (torch.searchsorted(self.x, x.contiguous(), right=True) - 1).clamp_(0, last)
            step = width.gather(-1, index)
            xi = (x - self.x.gather(-1, index)) / step
        inside = xi.clamp(0, 1)
        s, t, d0 = s.gather(-1, index), t.gather(-1, index), d0.gather(-1, index)
        square = inside * inside
        bump = inside - square
        denominator = torch.addcmul(s, t, bump)
        rise = torch.addcmul(s * square, d0, bump).mul_(s).mul_(step)
        numerator = torch.addcmul(torch.addcmul(d0, s - d0, inside, value=2), t, square)
        ratio = s / denominator
        derivative = ratio * ratio * numerator
        y = y0.gather(-1, index) + rise / denominator
        # beyond the end knots `inside` stays at the end, where the derivative is the tail's
        y = torch.addcmul(y, (xi - inside) * step, derivative)
        return y, derivative.log()

    def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """Solve for the points and give the log derivative **of the forward map** there."""
        last = self.x.shape[-1] - 2
        index = (torch.searchsorted(self.y, y.contiguous(), right=True) - 1).clamp_(0, last)
        width, y0, s, t, d0 = (c.gather(-1, index) for c in self._table())
        if self.uniform:
            x0 = self.x[..., :1] + index * self._table()[0][..., :1]
        else:
            x0 = self.x.gather(-1, index)
        rise = torch.minimum((y - y0).clamp_min(0) / width, s)
        # the root of Durkan et al. eq. 8, in the form that does not cancel
        qa = s * (s - d0) + rise * t
        qb = s * d0 - rise * t
        qc = -s * rise
        root = (qb * qb - 4 * qa * qc).clamp_min(0).sqrt()
        xi = (2 * qc / (-qb - root)).clamp(0, 1)
        square = xi * xi
        bump = xi - square
        ratio = s / torch.addcmul(s, t, bump)
        derivative = ratio * ratio * (d0 + 2 * (s - d0) * xi + t * square)
        # what is left is zero inside and the way along the tail outside
        edge = torch.where(y < y0, y0, y0 + s * width)
        outside = (y < self.y[..., :1]) | (y > self.y[..., -1:])
        x = x0 + xi * width + torch.where(outside, y - edge, 0.0) / derivative
        return x, derivative.log()

    def take(self, index: Tensor | int) -> "Splines":
        """The splines at ``index`` of the first batch dimension."""
        chosen = Splines(self.x[index], self.y[index], self.slope[index], self.uniform)
        chosen._coefficients = tuple(c[index] for c in self._table())
        return chosen

    def to(self, dtype: torch.dtype) -> "Splines":
        """The same splines in another floating-point type."""
        return Splines(self.x.to(dtype), self.y.to(dtype), self.slope.to(dtype), self.uniform)
