"""The marginal maps of coordinates that are continuous but for some atoms (point masses)."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from .numerics import LOG_2PI, effective_size, log_ndtri, with_prefix
from .smooth_margins import SmoothMargins

__all__ = ["MixedMargins"]


class MixedMargins(nn.Module):
    """Monotone maps to N(0, 1) of D coordinates that are continuous but for some atoms.

    A coordinate has a cell for each atom (see :class:`~pushforward.data.Columns`); the
    distribution function rises evenly across it, by the probability of the atom. Between the cells
    it is that of the other values, the cells taken out. Works on (D, n) tensors.

    Buffers: ``low``, ``high`` (D, m) the cells in rising order, ``mass`` (D, m) their
    probabilities. A coordinate of fewer atoms is filled up with cells of no width and no mass at
    the end of its last.
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
        there = mass > 0
        zero = mass.new_zeros(len(mass), 1)
        self._count = there.sum(1, keepdim=True)
        self._begin = torch.where(there, low, math.inf)  # what fills up is never reached
        self._width = high - low
        self._log_rate = (mass / self._width).log()
        self._rest = 1 - mass.sum(1, keepdim=True)
        self._below = torch.cat([zero, mass.cumsum(1)], dim=1)  # of the atoms below the i-th gap
        self._taken = torch.cat([zero, self._width.cumsum(1)], dim=1)
        start = torch.special.ndtr(smooth(low - self._taken[:, :-1])[0])
        start = self._below[:, :-1] + self._rest * start
        self._start = torch.where(there, start, math.inf)

    @classmethod
    def fit(
        cls, x: Tensor, cells: Sequence[Tensor], weight: Tensor | None = None
    ) -> list[tuple[Tensor, "MixedMargins"]]:
        """Learn the maps of coordinates, as one module where their splines have as many knots.

        Args:
            x: (D, n) coordinates.
            cells: of each, the cells (m, 2) of its atoms, m > 0.
            weight: (n,) row weights.

        Returns:
            The numbers (k,) of some of the coordinates, and their maps, until all have one.
        """
        n = x.shape[1]
        share = x.new_full((n,), 1 / n) if weight is None else weight / weight.sum()
        learned = [_masses(values, own, share) for values, own in zip(x, cells, strict=True)]
        alike: dict[tuple[int, int], list[int]] = {}
        for j, (rest, kept, _) in enumerate(learned):
            alike.setdefault(SmoothMargins.knots(effective_size(len(rest), kept)), []).append(j)
        maps = []
        for own in alike.values():
            rest, kept, mass = zip(*(learned[j] for j in own), strict=True)
            low, high = ([cells[j][:, end] for j in own] for end in (0, 1))
            last = [float(ends[-1]) for ends in high]
            # rows that fill up weigh nothing, and lie where others do
            least = [float(row.min()) for row in rest]
            smooth = SmoothMargins.fit(_filled(rest, least), _filled(kept))
            filled = cls(smooth, _filled(low, last), _filled(high, last), _filled(mass))
            maps.append((torch.tensor(own), filled))
        return maps

    @classmethod
    def from_state(cls, state: dict[str, Tensor]) -> "MixedMargins":
        """Rebuild from the tensors of ``state_dict()``.

        Raises:
            ValueError: for tensors that do not belong together.
        """
        smooth = SmoothMargins.from_state(with_prefix(state, "smooth."))
        low, high, mass = (state[part] for part in ("low", "high", "mass"))
        there = mass > 0
        rising = bool((low[:, 1:] >= high[:, :-1]).all() and (high >= low).all())
        wide = bool(((high > low) == there).all())
        if not rising or not wide or not bool(there[:, 0].all() and (mass.sum(1) < 1).all()):
            raise ValueError("the atoms of a marginal map overlap, or are no probabilities")
        return cls(smooth, low, high, mass)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Data to latent: (D, n) -> (D, n) and log derivatives (D, n)."""
        gap = torch.searchsorted(self._begin, x.contiguous(), right=True)  # cells below x
        cell = (gap - 1).clamp_min(0)
        inside = (gap > 0) & (x < self.high.gather(1, cell))
        part = (x - self.low.gather(1, cell)) / self._width.gather(1, cell)
        level = self._start.gather(1, cell) + part * self.mass.gather(1, cell)
        point = torch.special.ndtri(level.clamp(1e-300, 1 - 1e-16))
        steep = self._log_rate.gather(1, cell) + 0.5 * point * point + 0.5 * LOG_2PI

        smooth, slope = self.smooth(x - self._taken.gather(1, gap))
        z = self._joined(smooth, gap)
        flat = self._rest.log() - 0.5 * smooth * smooth + slope + 0.5 * z * z
        return torch.where(inside, point, z), torch.where(inside, steep, flat)

    def _joined(self, smooth: Tensor, gap: Tensor) -> Tensor:
        """Latent of values in a gap from the latent they have without atoms."""
        # not the sum of the masses, whose last bit is another: above the last atom this is zero
        below = self._below.gather(1, gap)
        above = self._below[:, -1:] - below
        log_rest = self._rest.log()
        lower = torch.logaddexp(log_rest + torch.special.log_ndtr(smooth), below.log())
        upper = torch.logaddexp(log_rest + torch.special.log_ndtr(-smooth), above.log())
        tail = log_ndtri(torch.minimum(lower, upper).clamp_max(math.log(0.5)))
        return torch.where(lower <= upper, tail, -tail)

    def inverse(self, z: Tensor) -> Tensor:
        """Latent to data, (D, n) -> (D, n)."""
        level = torch.special.ndtr(z)
        gap = torch.searchsorted(self._start, level.contiguous(), right=True)
        cell = (gap - 1).clamp_min(0)
        part = (level - self._start.gather(1, cell)) / self.mass.gather(1, cell)
        inside = (gap > 0) & (part < 1)
        point = self.low.gather(1, cell) + part.clamp(0, 1) * self._width.gather(1, cell)

        log_rest, half = self._rest.log(), math.log(0.5)
        within = (level - self._below.gather(1, gap)) / self._rest
        within = within.clamp(1e-16, 1 - 1e-16)
        smooth = torch.special.ndtri(within)
        # outside the outermost atoms the tails keep their digits in logarithms
        lower = log_ndtri((torch.special.log_ndtr(z) - log_rest).clamp_max(half))
        upper = -log_ndtri((torch.special.log_ndtr(-z) - log_rest).clamp_max(half))
        smooth = torch.where((gap == 0) & (within < 0.5), lower, smooth)
        smooth = torch.where((gap == self._count) & (within >= 0.5), upper, smooth)
        x = self.smooth.inverse(smooth) + self._taken.gather(1, gap)
        # rounding must not carry a value of a gap into the cells beside it
        first = torch.where(gap > 0, self.high.gather(1, cell), -math.inf)
        end = self._begin.gather(1, gap.clamp_max(self._begin.shape[1] - 1))
        end = torch.where(gap < self._count, torch.nextafter(end, end - 1), math.inf)
        return torch.where(inside, point, torch.minimum(torch.maximum(x, first), end))


def _masses(x: Tensor, cells: Tensor, share: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """What one coordinate (n,) has beside its atoms, and what these weigh.

    Args:
        x: values.
        cells: (m, 2), where those of its atoms begin and end.
        share: (n,) of each row, together 1.

    Returns:
        The values (r,) between the cells, these taken out, their shares (r,), and the
        probabilities (m,) of the atoms.
    """
    low, high = cells.T.contiguous()
    where = torch.searchsorted(low, x, right=True) - 1
    cell = where.clamp_min(0)
    inside = (where >= 0) & (x < high[cell])
    mass = torch.zeros_like(low).index_add_(0, cell[inside], share[inside])
    # one row's weight among all parts, so that none is impossible
    mass = (mass * len(x) + 1 / (len(low) + 1)) / (len(x) + 1)
    between = ~inside & (share > 0)
    taken = torch.where(where < 0, 0.0, (high - low).cumsum(0)[cell])
    rest, kept = (x - taken)[between], share[between]
    if len(rest) < 2 or bool((rest == rest[0]).all()):  # nothing between the atoms
        middle = rest[:1] if len(rest) else low.mean()[None]
        rest, kept = torch.cat([middle - 0.5, middle + 0.5]), share.new_ones(2)
    return rest, kept, mass


def _filled(rows: Sequence[Tensor], values: Sequence[float] | None = None) -> Tensor:
    """Rows of different lengths (m,) as one tensor, each filled up with a value, or with zeros."""
    most = max(len(row) for row in rows)
    each = [0.0] * len(rows) if values is None else values
    filled = [
        nn.functional.pad(row, (0, most - len(row)), value=value)
        for row, value in zip(rows, each, strict=True)
    ]
    return torch.stack(filled)
