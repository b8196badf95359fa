"""The marginal map of a coordinate that is continuous but for some atoms (point masses)."""

import math

import torch
from torch import Tensor, nn

from .numerics import LOG_2PI, log_ndtri, with_prefix
from .smooth_margins import SmoothMargins

__all__ = ["MixedMargin"]


class MixedMargin(nn.Module):
    """The map to N(0, 1) of one coordinate that is continuous but for some atoms.

    The coordinate has a cell for each atom (see :class:`~pushforward.data.Columns`); the
    distribution function rises evenly across it, by the probability of the atom. Between the cells
    it is that of the other values, the cells taken out.

    Buffers: ``low``, ``high`` (m,) the cells in rising order, ``mass`` (m,) their probabilities.
    """

    low: Tensor
    high: Tensor
    mass: Tensor

    def __init__(self, smooth: SmoothMargins, low: Tensor, high: Tensor, mass: Tensor) -> None:
        super().__init__()
        self.smooth = smooth
        self.register_buffer("low", low)
        self.register_buffer("high", high)
        self.register_buffer("mass", mass)
        self._rest = float(1 - mass.sum())
        zero = mass.new_zeros(1)
        self._below = torch.cat([zero, mass.cumsum(0)])  # of the atoms below the i-th gap
        self._taken = torch.cat([zero, (high - low).cumsum(0)])
        at, _ = smooth((low - self._taken[:-1])[None])
        self._start = self._below[:-1] + self._rest * torch.special.ndtr(at[0])

    @classmethod
    def fit(cls, x: Tensor, cells: Tensor, weight: Tensor | None = None) -> "MixedMargin":
        """Learn from one coordinate (n,), its cells (m, 2) and row weights (n,)."""
        low, high = cells.T.contiguous()
        each = torch.full_like(x, 1 / len(x)) if weight is None else weight / weight.sum()
        where = torch.searchsorted(low, x, right=True) - 1
        inside = (where >= 0) & (x < high[where.clamp_min(0)])
        mass = torch.zeros_like(low).index_add_(0, where[inside], each[inside])
        rest = x[~inside]
        rest = rest - (high - low).cumsum(0)[where[~inside].clamp_min(0)] * (where[~inside] >= 0)
        kept = None if weight is None else weight[~inside]
        if len(rest) < 2 or bool((rest == rest[0]).all()):  # nothing between the atoms
            middle = rest if len(rest) else low.mean()[None]
            rest, kept = torch.cat([middle[:1] - 0.5, middle[:1] + 0.5]), None
        # one row's weight among all parts, so that none is impossible
        parts = len(low) + 1.0
        mass = (mass * len(x) + 1 / parts) / (len(x) + 1)
        return cls(SmoothMargins.fit(rest[None], kept), low, high, mass)

    @classmethod
    def from_state(cls, state: dict[str, Tensor]) -> "MixedMargin":
        """Rebuild from the tensors of ``state_dict()``.

        Raises:
            ValueError: for tensors that do not belong together.
        """
        smooth = SmoothMargins.from_state(with_prefix(state, "smooth."))
        low, high, mass = (state[part] for part in ("low", "high", "mass"))
        apart = bool((high > low).all() and (low[1:] >= high[:-1]).all())
        if not len(low) or not apart or not bool((mass > 0).all() and mass.sum() < 1):
            raise ValueError("the atoms of a marginal map overlap, or are no probabilities")
        return cls(smooth, low, high, mass)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Data to latent: (n,) -> (n,) and log derivatives (n,)."""
        gap = torch.searchsorted(self.low, x, right=True)  # cells that begin at or below x
        cell = (gap - 1).clamp_min(0)
        inside = (gap > 0) & (x < self.high[cell])
        part = (x - self.low[cell]) / (self.high - self.low)[cell]
        level = self._start[cell] + part * self.mass[cell]
        point = torch.special.ndtri(level.clamp(1e-300, 1 - 1e-16))
        rate = (self.mass / (self.high - self.low)).log()[cell] + 0.5 * point * point

        smooth, slope = (y[0] for y in self.smooth((x - self._taken[gap])[None]))
        z = self._joined(smooth, gap)
        flat = math.log(self._rest) - 0.5 * smooth * smooth + slope + 0.5 * z * z
        return torch.where(inside, point, z), torch.where(inside, rate + 0.5 * LOG_2PI, flat)

    def _joined(self, smooth: Tensor, gap: Tensor) -> Tensor:
        """Latent of values in a gap from the latent they have without atoms."""
        # not the sum of the masses, whose last bit is another: above the last atom this is zero
        below, above = self._below[gap], self._below[-1] - self._below[gap]
        log_rest = math.log(self._rest)
        lower = torch.logaddexp(log_rest + torch.special.log_ndtr(smooth), below.log())
        upper = torch.logaddexp(log_rest + torch.special.log_ndtr(-smooth), above.log())
        tail = log_ndtri(torch.minimum(torch.minimum(lower, upper), lower.new_tensor(0.5).log()))
        return torch.where(lower <= upper, tail, -tail)

    def inverse(self, z: Tensor) -> Tensor:
        """Latent to data, (n,) -> (n,)."""
        level = torch.special.ndtr(z)
        gap = torch.searchsorted(self._start, level, right=True)
        cell = (gap - 1).clamp_min(0)
        part = (level - self._start[cell]) / self.mass[cell]
        inside = (gap > 0) & (part < 1)
        point = self.low[cell] + part.clamp(0, 1) * (self.high - self.low)[cell]

        log_rest = math.log(self._rest)
        within = ((level - self._below[gap]) / self._rest).clamp(1e-16, 1 - 1e-16)
        smooth = torch.special.ndtri(within)
        # outside the outermost atoms the tails keep their digits in logarithms
        half = z.new_tensor(0.5).log()
        lower = log_ndtri(torch.minimum(torch.special.log_ndtr(z) - log_rest, half))
        upper = -log_ndtri(torch.minimum(torch.special.log_ndtr(-z) - log_rest, half))
        smooth = torch.where((gap == 0) & (within < 0.5), lower, smooth)
        smooth = torch.where((gap == len(self.low)) & (within >= 0.5), upper, smooth)
        x = self.smooth.inverse(smooth[None])[0] + self._taken[gap]
        # rounding must not carry a value of a gap into the cells beside it
        first = torch.where(gap > 0, self.high[cell], -math.inf)
        end = self.low[gap.clamp_max(len(self.low) - 1)]
        end = torch.where(gap < len(self.low), torch.nextafter(end, end - 1), math.inf)
        return torch.where(inside, point, torch.minimum(torch.maximum(x, first), end))
