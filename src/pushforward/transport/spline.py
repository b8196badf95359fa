"""Monotone rational-quadratic splines, many at once.

Formulas of Gregory & Delbourgo (1982) as used by Durkan et al., *Neural Spline Flows*
(2019), eqs. 4-8, with linear tails.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from . import spline_kernels
from .knot_search import MANY, KnotSearch

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
        self._cells: _Cells | None = None
        self._rises: tuple[Tensor, Tensor, Tensor] | None = None
        self._many, self._compiled = 0, False
        self._searches: dict[str, KnotSearch] = {}

    def for_many(self, points: int, *, compiled: bool = False) -> "Splines":
        """The splines, which from now on look up so many points each in the way that is fast.

        Args:
            points: about how many of each there are at once.
            compiled: whether there are so many in all that loops are compiled for them.
        """
        self._many = points if self.x.device.type == "cpu" else 0
        self._compiled = compiled and not self.uniform
        return self

    def _above(self, knots: str, points: Tensor) -> Tensor:
        """How many of the knots "x", or of the values "y", are at or below each point."""
        values = self.x if knots == "x" else self.y
        if self._many < MANY:
            return torch.searchsorted(values, points.contiguous(), right=True)
        if knots not in self._searches:
            self._searches[knots] = KnotSearch.of(values, self._many)
        return self._searches[knots](points)

    def cells(self) -> "_Cells":
        """Coefficients by interval, so that evaluation is four look-ups and a few products."""
        if self._cells is None:
            self._cells = _Cells.of(self)
        return self._cells

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Map points and give the log derivative: (..., n) -> two tensors (..., n)."""
        moved, derivative = self.displacement(x)
        return moved.add_(x), derivative.log()

    def displacement(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """How far points move, and the derivative of the map: (..., n) -> two of (..., n).

        With ``q`` and ``r`` the slopes on the way from one knot to the chord and from the chord
        to the other, ``y = y0 + h xi s q / ((1 - xi) r + xi q)`` and the derivative is
        ``((1 - xi) q + xi r) (s / ((1 - xi) r + xi q))^2``: only means of positive numbers.
        """
        if self._compiled and spline_kernels.help_with(self.x, x):
            return spline_kernels.displaced(self.x, self.y, self.slope, x)
        cells = self.cells()
        if self.uniform:
            xi = (x * cells.rate).add_(cells.offset)
            cell = xi.floor().clamp_(0, cells.last)
            xi = xi.sub_(cell)
            index = cell.long().clamp_(0, cells.last)  # what is not a number has a cell too
            width = cells.width[..., :1]
        else:
            index = self._above("x", x)
            width = cells.width.gather(-1, index)
            xi = (x - cells.x.gather(-1, index)) / width
        s, d0, d1 = (t.gather(-1, index) for t in (cells.chord, cells.left, cells.right))
        q, r = torch.lerp(d0, s, xi), torch.lerp(s, d1, xi)
        ratio = s / torch.lerp(r, q, xi)
        derivative = torch.lerp(q, r, xi) * (ratio * ratio)
        shift = cells.shift.gather(-1, index)
        return torch.addcmul(shift, xi * width, (q * ratio).sub_(1)), derivative

    def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """Solve for the points and give the log derivative **of the forward map** there."""
        x, xi, index = self._solved(y)
        cells = self.cells()
        s, d0, d1 = (t.gather(-1, index) for t in (cells.chord, cells.left, cells.right))
        q, r = torch.lerp(d0, s, xi), torch.lerp(s, d1, xi)
        derivative = torch.lerp(q, r, xi) * (s / torch.lerp(r, q, xi)).square()
        return x, derivative.log()

    def solve(self, y: Tensor) -> Tensor:
        """The points of :meth:`inverse` alone, at two thirds of its cost."""
        if self._compiled and spline_kernels.help_with(self.y, y):
            return spline_kernels.solved(self.x, self.y, self.slope, y)
        return self._solved(y)[0]

    def _solved(self, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Points, how far they are in their intervals, and which these are.

        With ``t`` the share of the rise of its interval that a value has, ``q`` and ``r`` the
        slopes of its ends by that of the chord, ``b = q - t (q + r - 2)`` and ``a = 1 - b``, the
        root of Durkan et al. eq. 8 is ``2 t / (b + sqrt(b^2 + 4 a t))``, a form that does not
        cancel. In a tail ``q = r = 1``, whatever ``t`` is.
        """
        cells, index = self.cells(), self._above("y", y)
        per_rise, q, bend = (part.gather(-1, index) for part in self._of_rises())
        t = (y - cells.y.gather(-1, index)) * per_rise
        b = torch.addcmul(q, t, bend, value=-1)
        root = torch.addcmul((1 - b) * t, b, b, value=0.25).clamp_min(0).sqrt()
        xi = t / torch.add(root, b, alpha=0.5)
        width = cells.width[..., :1] if self.uniform else cells.width.gather(-1, index)
        return torch.addcmul(cells.x.gather(-1, index), xi, width), xi, index

    def _of_rises(self) -> tuple[Tensor, Tensor, Tensor]:
        """By interval: one by its rise, ``q``, and ``q + r - 2``."""
        if self._rises is None:
            cells = self.cells()
            slopes = cells.left / cells.chord, (cells.left + cells.right) / cells.chord - 2
            self._rises = 1 / (cells.chord * cells.width), *slopes
        return self._rises

    def take(self, index: Tensor | slice | int) -> "Splines":
        """The splines at ``index`` of the first batch dimension."""
        chosen = Splines(self.x[index], self.y[index], self.slope[index], self.uniform)
        chosen._cells = self.cells().take(index)
        return chosen

    def clone(self) -> "Splines":
        """A copy of the splines."""
        return Splines(self.x.clone(), self.y.clone(), self.slope.clone(), self.uniform)

    def to(self, where: torch.dtype | torch.device) -> "Splines":
        """The same splines in another floating-point type, or on another device."""
        return Splines(self.x.to(where), self.y.to(where), self.slope.to(where), self.uniform)


@dataclass
class _Cells:
    """The intervals of splines, M - 1 between the knots and one for each tail: (..., M + 1).

    In a tail both end slopes equal the chord, for which the formulas are a straight line.

    Attributes:
        x, y: left ends and their values.
        shift: ``y - x``.
        width: of the interval; that of a tail is any.
        chord, left, right: slopes: mean, at the left end, at the right end.
        rate, offset: of uniform knots: ``x * rate + offset`` counts intervals, (..., 1).
    """

    x: Tensor
    y: Tensor
    shift: Tensor
    width: Tensor
    chord: Tensor
    left: Tensor
    right: Tensor
    rate: Tensor
    offset: Tensor

    @classmethod
    def of(cls, splines: Splines) -> "_Cells":
        x, y, slope = splines.x, splines.y, splines.slope
        step = (x[..., -1:] - x[..., :1]) / (x.shape[-1] - 1)
        inner = step.expand_as(x[..., 1:]) if splines.uniform else x.diff(dim=-1)
        first, last = slope[..., :1], slope[..., -1:]
        x0 = torch.cat([x[..., :1] - step, x], dim=-1)
        y0 = torch.cat([y[..., :1] - first * step, y], dim=-1)
        width = torch.cat([step, inner, step], dim=-1)
        chord = torch.cat([first, y.diff(dim=-1) / inner, last], dim=-1)
        left, right = torch.cat([first, slope], dim=-1), torch.cat([slope, last], dim=-1)
        return cls(
            *(x0, y0, y0 - x0, width, chord, left, right),
            1 / step,
            1 - x[..., :1] / step,
        )

    @property
    def last(self) -> int:
        """Index of the right tail."""
        return self.x.shape[-1] - 1

    def take(self, index: Tensor | slice | int) -> "_Cells":
        return _Cells(*(part[index] for part in vars(self).values()))
