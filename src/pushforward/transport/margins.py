"""The marginal layer: every coordinate Gaussianised by itself, tails modelled as tails.

A continuous coordinate goes through a monotone map in three parts: a coarse quantile map,
generalised Pareto tails beyond it (Pickands 1975), and a kernel estimate in the space that
these two make nearly normal (transformation kernel density estimation, Wand, Marron &
Ruppert 1991), so one bandwidth fits bulk and flanks. A coordinate of dequantised whole
numbers has an exactly known, piecewise linear distribution function: one probability a value.
"""

import math

import torch
from torch import Tensor, nn

from .numerics import LOG_2PI, effective_size, log_ndtri
from .smooth import gaussianising_splines
from .spline import Splines, interior_slopes

__all__ = ["CellMargins", "Margins", "SmoothMargins"]

_SHAPE_MAX = 0.6  # heaviest tail index taken from data; from 0.5 on the variance is infinite
_SMOOTHINGS = (0.01, 0.03, 0.1, 0.3, 1.0)  # pseudo-counts a value, chosen by leaving one out
_MOST_CELLS = 1024  # a wider range of whole numbers is treated as continuous


class _Tails(nn.Module):
    """Generalised Pareto tails below and above a body, carried to the normal's tails.

    Buffers of shape (2, D), lower side first: ``edge`` where the tail starts, ``log_mass``
    of the tail, ``shape`` xi >= 0 and ``scale`` sigma of ``P(excess > t) = (1 + xi t /
    sigma)^(-1/xi)``.
    """

    edge: Tensor
    log_mass: Tensor
    shape: Tensor
    scale: Tensor

    def __init__(self, edge: Tensor, log_mass: Tensor, shape: Tensor, scale: Tensor) -> None:
        super().__init__()
        self.register_buffer("edge", edge)
        self.register_buffer("log_mass", log_mass)
        self.register_buffer("shape", shape)
        self.register_buffer("scale", scale)

    @classmethod
    def from_state(cls, state: dict[str, Tensor], prefix: str) -> "_Tails":
        return cls(*(state[prefix + part] for part in ("edge", "log_mass", "shape", "scale")))

    def forward(self, x: Tensor, z: Tensor, log_derivative: Tensor) -> None:
        """Overwrite ``z`` and ``log_derivative`` (D, n) wherever ``x`` lies in a tail."""
        for side, sign in enumerate((-1.0, 1.0)):
            excess = sign * (x - self.edge[side][:, None])
            column, row = torch.nonzero(excess > 0, as_tuple=True)
            if len(column) == 0:
                continue
            shape, scale = self.shape[side][column], self.scale[side][column]
            log_mass = self.log_mass[side][column]
            t = excess[column, row] / scale
            growth = torch.log1p(shape * t)
            exponent = torch.where(shape > 0, growth / shape.clamp_min(1e-30), t)
            tail = log_ndtri(log_mass - exponent)
            log_density = log_mass - exponent - growth - scale.log()
            z[column, row] = -sign * tail
            log_derivative[column, row] = log_density + 0.5 * tail * tail + 0.5 * LOG_2PI

    def inverse(self, z: Tensor, x: Tensor) -> None:
        """Overwrite ``x`` (D, n) wherever ``z`` lies in a tail."""
        for side, sign in enumerate((-1.0, 1.0)):
            tail = -sign * z
            log_p = torch.special.log_ndtr(tail)
            column, row = torch.nonzero(log_p < self.log_mass[side][:, None], as_tuple=True)
            if len(column) == 0:
                continue
            shape, scale = self.shape[side][column], self.scale[side][column]
            exponent = self.log_mass[side][column] - log_p[column, row]
            t = torch.where(
                shape > 0, torch.expm1(shape * exponent) / shape.clamp_min(1e-30), exponent
            )
            x[column, row] = self.edge[side][column] + sign * scale * t


class SplineStack(nn.Module):
    """Splines as a module, so that they are saved and loaded with their owner."""

    x: Tensor
    y: Tensor
    slope: Tensor

    def __init__(self, splines: Splines) -> None:
        super().__init__()
        self.register_buffer("x", splines.x)
        self.register_buffer("y", splines.y)
        self.register_buffer("slope", splines.slope)
        self.splines = splines


class SmoothMargins(nn.Module):
    """Monotone maps of D continuous coordinates to N(0, 1) each. Works on (D, n) tensors."""

    def __init__(self, tails: _Tails, coarse: SplineStack, fine: SplineStack) -> None:
        super().__init__()
        self.tails, self.coarse, self.fine = tails, coarse, fine

    @classmethod
    def fit(
        cls, x: Tensor, weight: Tensor | None = None, bandwidth: float = 0.7
    ) -> "SmoothMargins":
        """Learn from (D, n) coordinates, optionally with (n,) row weights."""
        d, n = x.shape
        size = effective_size(n, weight)
        share = torch.full((n,), 1 / n, dtype=x.dtype) if weight is None else weight / weight.sum()
        mass = min(max(10 / size, 0.02), 0.2)
        knots = max(6, round(size**0.25))
        ordered, order = x.sort(dim=1)
        step = share[order]
        level = step.cumsum(1) - 0.5 * step

        end = float(torch.special.ndtri(torch.tensor(1 - mass, dtype=torch.float64)))
        z = torch.linspace(-end, end, knots, dtype=x.dtype)
        value = _quantile(ordered, level, torch.special.ndtr(z))
        # equal quantiles (a value that many rows share) become a step of finite height
        spread = ordered.std(dim=1, correction=0).clamp_min(1e-3)
        rise = torch.maximum(value.diff(dim=1), 1e-3 * spread[:, None] * (z[1] - z[0]))
        value = torch.cat([value[:, :1], value[:, :1] + rise.cumsum(1)], dim=1)

        edge = torch.stack([value[:, 0], value[:, -1]])
        shape, scale = torch.empty_like(edge), torch.empty_like(edge)
        for side, sign in enumerate((-1.0, 1.0)):
            shape[side], scale[side] = _pareto(sign * (x - edge[side][:, None]), share)
        scale = torch.maximum(scale, 1e-3 * spread)
        density = mass / scale  # at the edges: the coarse map joins the tails smoothly
        normal = math.exp(-0.5 * end * end - 0.5 * LOG_2PI)
        knots_z = z.expand(d, -1).contiguous()
        slope = interior_slopes(knots_z, value, normal / density[0], normal / density[1])
        coarse = Splines(knots_z, value, slope)
        tails = _Tails(edge, torch.full_like(edge, math.log(mass)), shape, scale)

        margins = cls(tails, SplineStack(coarse), SplineStack(coarse))
        rough, _ = margins._coarse(x)
        fine = gaussianising_splines(
            rough,
            weight=weight,
            bandwidth=bandwidth,
            knots=max(64, min(256, round(4 * size**0.4))),
        )
        margins.fine = SplineStack(fine)
        return margins

    def _coarse(self, x: Tensor) -> tuple[Tensor, Tensor]:
        # the coarse spline maps latent to data: its knots are then uniform
        z, log_derivative = self.coarse.splines.inverse(x)
        log_derivative = -log_derivative
        self.tails(x, z, log_derivative)
        return z, log_derivative

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Data to latent: (D, n) -> (D, n) and log derivatives (D, n)."""
        z, first = self._coarse(x)
        z, second = self.fine.splines.forward(z)
        return z, first + second

    def inverse(self, z: Tensor) -> Tensor:
        """Latent to data, (D, n) -> (D, n)."""
        z, _ = self.fine.splines.inverse(z)
        x, _ = self.coarse.splines.forward(z)
        self.tails.inverse(z, x)
        return x


class CellMargins(nn.Module):
    """Exact maps of D dequantised whole-number coordinates to N(0, 1) each.

    Buffers: ``origin`` and ``width`` (D,) place the unit cells in the coordinate; ``first``
    (D,) is the lowest tabled cell; ``mass`` (D, V) the probability a cell, zero where a
    coordinate has fewer cells; exponential tails carry what no row has shown.
    """

    origin: Tensor
    width: Tensor
    first: Tensor
    mass: Tensor

    def __init__(
        self, tails: _Tails, origin: Tensor, width: Tensor, first: Tensor, mass: Tensor
    ) -> None:
        super().__init__()
        self.tails = tails
        self.register_buffer("origin", origin)
        self.register_buffer("width", width)
        self.register_buffer("first", first)
        self.register_buffer("mass", mass)

    @classmethod
    def fit(
        cls, x: Tensor, origin: Tensor, width: Tensor, weight: Tensor | None = None
    ) -> "CellMargins":
        """Learn from (D, n) coordinates whose cells start at ``origin + k * width``."""
        d, n = x.shape
        cell = ((x - origin[:, None]) / width[:, None]).floor()
        first = cell.amin(1)
        index = (cell - first[:, None]).long()
        size = int(index.max()) + 1
        each = torch.ones(n, dtype=x.dtype) if weight is None else weight * n / weight.sum()
        count = torch.zeros(d, size, dtype=x.dtype).scatter_add_(1, index, each.expand(d, -1))
        tabled = torch.arange(size) <= index.amax(1, keepdim=True)
        values = tabled.sum(1, keepdim=True) + 2.0  # the two tails are values of their own
        smoothing = torch.tensor(_SMOOTHINGS, dtype=x.dtype)
        left_out = ((count - 1).clamp_min(0)[..., None] + smoothing).log()
        left_out = left_out - (n - 1 + smoothing * values[..., None]).log()
        best = (count[..., None] * left_out).sum(1).argmax(1)
        alpha = smoothing[best][:, None]
        mass = (count + alpha) / (n + alpha * values) * tabled
        log_tail = (alpha / (n + alpha * values)).log()[:, 0]
        low = origin + first * width
        high = low + (index.amax(1) + 1) * width
        one = torch.ones_like(low)
        tails = _Tails(
            torch.stack([low, high]),
            torch.stack([log_tail, log_tail]),
            torch.stack([0 * one, 0 * one]),
            torch.stack([width, width]),
        )
        return cls(tails, origin, width, first, mass)

    def _edges(self) -> Tensor:
        """(D, V + 1) distribution function at the cell edges."""
        start = self.tails.log_mass[0].exp()[:, None]
        return torch.cat([start, start + self.mass.cumsum(1)], dim=1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Data to latent: (D, n) -> (D, n) and log derivatives (D, n)."""
        u = (x - self.origin[:, None]) / self.width[:, None] - self.first[:, None]
        last = (self.mass > 0).sum(1, keepdim=True) - 1
        cell = torch.minimum(u.floor().clamp_min(0), last.to(u.dtype))
        index = cell.long()
        mass = self.mass.gather(1, index)
        level = self._edges().gather(1, index) + (u - cell) * mass
        z = torch.special.ndtri(level.clamp(1e-300, 1 - 1e-16))
        log_derivative = (mass / self.width[:, None]).log() + 0.5 * z * z + 0.5 * LOG_2PI
        self.tails(x, z, log_derivative)
        return z, log_derivative

    def inverse(self, z: Tensor) -> Tensor:
        """Latent to data, (D, n) -> (D, n)."""
        edges = self._edges()
        level = torch.special.ndtr(z)
        last = (self.mass > 0).sum(1, keepdim=True) - 1
        index = torch.searchsorted(edges, level.contiguous(), right=True) - 1
        index = torch.minimum(index.clamp_min(0), last)
        within = (level - edges.gather(1, index)) / self.mass.gather(1, index)
        u = index + within.clamp(0, 1)
        x = self.origin[:, None] + (self.first[:, None] + u) * self.width[:, None]
        self.tails.inverse(z, x)
        return x


class Margins(nn.Module):
    """The whole marginal layer: smooth coordinates and cell coordinates side by side.

    Args:
        smooth, cells: the two kinds of maps; None where no coordinate is of that kind.
        tabled: (D,) bool, which coordinates go through ``cells``.
    """

    tabled: Tensor

    def __init__(
        self, smooth: SmoothMargins | None, cells: CellMargins | None, tabled: Tensor
    ) -> None:
        super().__init__()
        self.smooth, self.cells = smooth, cells
        self.register_buffer("tabled", tabled)

    @classmethod
    def fit(
        cls,
        x: Tensor,
        discrete: Tensor,
        origin: Tensor,
        width: Tensor,
        weight: Tensor | None = None,
    ) -> "Margins":
        """Learn the map of every coordinate.

        Args:
            x: (D, n) coordinates.
            discrete: (D,) bool, which coordinates are dequantised whole numbers.
            origin, width: (D,) where cell 0 starts and how wide a cell is, if discrete.
            weight: (n,) row weights.
        """
        cells = (x.amax(1) - x.amin(1)) / width
        tabled = discrete & (cells <= min(_MOST_CELLS, max(x.shape[1], 32)))
        smooth = SmoothMargins.fit(x[~tabled], weight) if bool((~tabled).any()) else None
        table = (
            CellMargins.fit(x[tabled], origin[tabled], width[tabled], weight)
            if bool(tabled.any())
            else None
        )
        return cls(smooth, table, tabled)

    @classmethod
    def from_state(cls, state: dict[str, Tensor]) -> "Margins":
        """Rebuild from the tensors of ``state_dict()``."""
        smooth = cells = None
        if "smooth.coarse.x" in state:
            coarse, fine = (
                SplineStack(
                    Splines(
                        state[f"smooth.{name}.x"],
                        state[f"smooth.{name}.y"],
                        state[f"smooth.{name}.slope"],
                    )
                )
                for name in ("coarse", "fine")
            )
            smooth = SmoothMargins(_Tails.from_state(state, "smooth.tails."), coarse, fine)
        if "cells.mass" in state:
            cells = CellMargins(
                _Tails.from_state(state, "cells.tails."),
                *(state[f"cells.{part}"] for part in ("origin", "width", "first", "mass")),
            )
        return cls(smooth, cells, state["tabled"])

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Data to latent: (D, n) -> latents (D, n), log-det (n,)."""
        z = torch.empty_like(x)
        log_det = torch.zeros(x.shape[1], dtype=x.dtype)
        for part, rows in ((self.smooth, ~self.tabled), (self.cells, self.tabled)):
            if part is not None:
                z[rows], change = part(x[rows])
                log_det += change.sum(0)
        return z, log_det

    def inverse(self, z: Tensor) -> Tensor:
        """Latent to data, (D, n) -> (D, n)."""
        x = torch.empty_like(z)
        for part, rows in ((self.smooth, ~self.tabled), (self.cells, self.tabled)):
            if part is not None:
                x[rows] = part.inverse(z[rows])
        return x


def _quantile(ordered: Tensor, level: Tensor, q: Tensor) -> Tensor:
    """Quantiles (D, m) of sorted rows (D, n) whose mid-levels are ``level`` (D, n)."""
    q = q.expand(len(ordered), -1).contiguous()
    right = torch.searchsorted(level.contiguous(), q).clamp(1, ordered.shape[1] - 1)
    l0, l1 = level.gather(1, right - 1), level.gather(1, right)
    part = ((q - l0) / (l1 - l0).clamp_min(1e-300)).clamp(0, 1)
    return torch.lerp(ordered.gather(1, right - 1), ordered.gather(1, right), part)


def _pareto(excess: Tensor, share: Tensor) -> tuple[Tensor, Tensor]:
    """Shape and scale of each row's positive excesses by probability-weighted moments.

    Hosking & Wallis (1987): ``xi = 2 - a0 / (a0 - 2 a1)``, ``a0 = E t``,
    ``a1 = E t (1 - F(t))``; the shape is kept in [0, 0.6] and the scale then follows from
    the mean, so a light tail is never cut off at a largest value.
    """
    shapes, scales = [], []
    for t in excess:
        inside = t > 0
        if not bool(inside.any()):
            shapes.append(t.new_zeros(()))
            scales.append(t.new_zeros(()))
            continue
        t, order = t[inside].sort()
        w = share[inside][order]
        w = w / w.sum()
        a0 = (w * t).sum()
        a1 = (w * t * (1 - (w.cumsum(0) - 0.35 * w))).sum()
        xi = (2 - a0 / (a0 - 2 * a1).clamp_min(1e-12 * a0)).clamp(0, _SHAPE_MAX)
        shapes.append(xi)
        scales.append(a0 * (1 - xi))
    return torch.stack(shapes), torch.stack(scales)
