"""Marginal maps of continuous coordinates.

A monotone map in three parts: a coarse quantile map, tails beyond it, and a kernel estimate in
the space that these two make nearly normal (transformation kernel density estimation, Wand,
Marron & Ruppert 1991), so one bandwidth fits bulk and flanks.
"""

import math

import torch
from torch import Tensor, nn

from .kernel_splines import gaussianising_splines
from .numerics import LOG_2PI, effective_size
from .spline import Splines, interior_slopes
from .tails import Tails, pareto

__all__ = ["SmoothMargins"]


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

    def __init__(self, tails: Tails, coarse: SplineStack, fine: SplineStack) -> None:
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
            shape[side], scale[side] = pareto(sign * (x - edge[side][:, None]), share)
        scale = torch.maximum(scale, 1e-3 * spread)
        density = mass / scale  # at the edges: the coarse map joins the tails smoothly
        normal = math.exp(-0.5 * end * end - 0.5 * LOG_2PI)
        knots_z = z.expand(d, -1).contiguous()
        slope = interior_slopes(knots_z, value, normal / density[0], normal / density[1])
        coarse = Splines(knots_z, value, slope)
        log_mass = torch.full_like(edge, math.log(mass))
        tails = Tails.fit(edge, log_mass, shape, scale, ordered[:, 0], ordered[:, -1])

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

    @classmethod
    def from_state(cls, state: dict[str, Tensor]) -> "SmoothMargins":
        """Rebuild from the tensors of ``state_dict()``.

        Raises:
            ValueError: for tensors that do not belong together.
        """
        coarse, fine = (
            SplineStack(Splines(state[f"{name}.x"], state[f"{name}.y"], state[f"{name}.slope"]))
            for name in ("coarse", "fine")
        )
        tails = Tails.from_state(state, "tails.")
        ends = torch.stack([coarse.y[:, 0], coarse.y[:, -1]])
        level = torch.special.ndtr(torch.stack([coarse.x[:, 0], -coarse.x[:, -1]]))
        if not torch.equal(tails.edge, ends) or not torch.allclose(tails.log_mass.exp(), level):
            raise ValueError("the tails of a marginal map do not begin where its body ends")
        return cls(tails, coarse, fine)

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


def _quantile(ordered: Tensor, level: Tensor, q: Tensor) -> Tensor:
    """Quantiles (D, m) of sorted rows (D, n) whose mid-levels are ``level`` (D, n)."""
    q = q.expand(len(ordered), -1).contiguous()
    right = torch.searchsorted(level.contiguous(), q).clamp(1, ordered.shape[1] - 1)
    l0, l1 = level.gather(1, right - 1), level.gather(1, right)
    part = ((q - l0) / (l1 - l0).clamp_min(1e-300)).clamp(0, 1)
    return torch.lerp(ordered.gather(1, right - 1), ordered.gather(1, right), part)
