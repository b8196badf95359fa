"""Marginal maps of continuous coordinates.

A monotone map in three parts: a coarse quantile map, tails beyond it, and a kernel estimate in
the space that these two make nearly normal (transformation kernel density estimation, Wand,
Marron & Ruppert 1991), so one bandwidth fits bulk and flanks.
"""

import torch
from torch import Tensor, nn

from .kernel_splines import gaussianising_splines
from .numerics import LOG_2PI, effective_sizes, sort
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
        """Learn from coordinates.

        Args:
            x: (D, n) coordinates.
            weight: (n,) row weights; or (D, n), where those of each coordinate are others, for
                coordinates of as many :meth:`knots`.
            bandwidth: of the kernel estimate, as a multiple of Scott's rule.
        """
        n = x.shape[1]
        weight_of_each = x.new_ones(1, n) if weight is None else torch.atleast_2d(weight)
        share = weight_of_each / weight_of_each.sum(1, keepdim=True)
        size = effective_sizes(weight_of_each)
        knots, fine_knots = cls.knots(float(size[0]))
        mass = (10 / size).clamp(0.02, 0.2)  # of each tail, (D,) or (1,) for all
        ordered, order = sort(x)
        step = share.expand_as(x).gather(1, order)
        level = step.cumsum(1) - 0.5 * step

        end = torch.special.ndtri(1 - mass)
        z = torch.linspace(-1, 1, knots, dtype=x.dtype) * end[:, None]
        value = _quantile(ordered, level, torch.special.ndtr(z))
        # equal quantiles (a value that many rows share) become a step of finite height
        mean = (share * x).sum(1, keepdim=True)
        spread = (share * (x - mean).square()).sum(1).sqrt().clamp_min(1e-3)
        least = 1e-3 * spread * (z[:, 1] - z[:, 0])
        rise = torch.maximum(value.diff(dim=1), least[:, None])
        value = torch.cat([value[:, :1], value[:, :1] + rise.cumsum(1)], dim=1)

        edge = torch.stack([value[:, 0], value[:, -1]])
        lower = pareto((edge[0][:, None] - ordered).flip(1), step.flip(1))
        upper = pareto(ordered - edge[1][:, None], step)
        shape, scale = (torch.stack(both) for both in zip(lower, upper, strict=True))
        scale = torch.maximum(scale, 1e-3 * spread)
        density = mass / scale  # at the edges: the coarse map joins the tails smoothly
        normal = torch.exp(-0.5 * end * end - 0.5 * LOG_2PI)
        z = z.expand_as(value).contiguous()
        slope = interior_slopes(z, value, normal / density[0], normal / density[1])
        coarse = Splines(z, value, slope)
        log_mass = mass.log().expand_as(edge).contiguous()
        tails = Tails.fit(edge, log_mass, shape, scale, ordered[:, 0], ordered[:, -1])

        margins = cls(tails, SplineStack(coarse), SplineStack(coarse))
        rough, _ = margins._coarse(x)
        fine = gaussianising_splines(rough, weight=weight, bandwidth=bandwidth, knots=fine_knots)
        margins.fine = SplineStack(fine)
        return margins

    @staticmethod
    def knots(size: float) -> tuple[int, int]:
        """Knots of the coarse and of the fine splines for an effective number of rows."""
        return max(6, round(size**0.25)), max(64, min(256, round(4 * size**0.4)))

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
