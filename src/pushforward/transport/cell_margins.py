"""Marginal maps of dequantised whole numbers, whose distribution function is piecewise linear."""

import torch
from torch import Tensor, nn

from .numerics import LOG_2PI
from .tails import Tails

__all__ = ["CellMargins"]

_SMOOTHINGS = (0.01, 0.03, 0.1, 0.3, 1.0)  # pseudo-counts a value, chosen by leaving one out
_BINS = (1, 4, 8, 16, 32, 64)  # in each of which they are spread evenly
_ROWS_A_BIN = 4


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
        self, tails: Tails, origin: Tensor, width: Tensor, first: Tensor, mass: Tensor
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
        alpha, share = _smoothing(count, tabled, values)
        mass = (count + alpha * (values - 2) * share) / (n + alpha * values) * tabled
        log_tail = (alpha / (n + alpha * values)).log()[:, 0]
        low = origin + first * width
        high = low + (index.amax(1) + 1) * width
        both = torch.ones(2, 1, dtype=x.dtype)
        tails = Tails.fit(
            torch.stack([low, high]), both * log_tail, 0 * both * width, both * width, low, high
        )
        return cls(tails, origin, width, first, mass)

    @classmethod
    def from_state(cls, state: dict[str, Tensor]) -> "CellMargins":
        """Rebuild from the tensors of ``state_dict()``.

        Raises:
            ValueError: for tensors that do not belong together.
        """
        parts = ("origin", "width", "first", "mass")
        margins = cls(Tails.from_state(state, "tails."), *(state[part] for part in parts))
        mass = margins.mass
        total = mass.sum(1) + margins.tails.log_mass.exp().sum(0)
        tabled = mass > 0
        whole = bool(tabled[:, :1].all() and (tabled[:, 1:] <= tabled[:, :-1]).all())
        positive = bool((mass >= 0).all() and (margins.width > 0).all())
        if not whole or not positive or not torch.allclose(total, torch.ones_like(total)):
            raise ValueError("the cells of a marginal map are no probabilities")
        return margins

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


def _smoothing(count: Tensor, tabled: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
    """Pseudo-counts a cell, and how they are spread, by the likelihood of rows left out.

    Spread evenly over all cells they are as many in the empty ones far out as among the rows: of
    200 scores from 0 to 5 and one of 24, a tenth of the samples would lie between. Of some bins
    that have as many rows each, every one has its share of them.

    Args:
        count: (D, V) rows of each cell.
        tabled: (D, V) bool, which cells a coordinate has.
        values: (D, 1) their number, and two.

    Returns:
        Pseudo-counts, (D, 1), and the share of each cell in those of all, (D, V).
    """
    n = count.sum(1, keepdim=True)
    smoothing = torch.tensor(_SMOOTHINGS, dtype=count.dtype)
    total = smoothing * (values - 2)  # (D, S) of the pseudo-counts, but those of the tails
    whole = (n - 1 + smoothing * values).log()
    best = torch.full_like(n, -torch.inf)
    alpha, share = torch.zeros_like(n), torch.zeros_like(count)
    for bins in _BINS:
        if bins > 1 and bins * _ROWS_A_BIN > float(n.max()):
            break
        spread, others = _spread(count, tabled, bins)
        left_out = ((count - 1).clamp_min(0)[..., None] + total[:, None] * others[..., None]).log()
        value = torch.where(count[..., None] > 0, count[..., None] * left_out, 0.0).sum(1)
        value, place = (value - n * whole).max(1, keepdim=True)
        better = value > best
        best = torch.where(better, value, best)
        alpha = torch.where(better, smoothing[place], alpha)
        share = torch.where(better, spread, share)
    return alpha, share


def _spread(count: Tensor, tabled: Tensor, bins: int) -> tuple[Tensor, Tensor]:
    """Shares (D, V) of cells in so many bins of as many rows each, with one row less as well."""
    n = count.sum(1, keepdim=True)
    if bins == 1:
        even = tabled / tabled.sum(1, keepdim=True)
        return even, even
    before = count.cumsum(1) - count
    place = (bins * before / n).long().clamp(0, bins - 1)  # with the empty cells before a value
    rows, cells = (
        torch.zeros(len(count), bins, dtype=count.dtype).scatter_add_(1, place, x)
        for x in (count, tabled.to(count.dtype))
    )
    cells = cells.clamp_min(1)
    spread, others = rows / cells / n, (rows - 1).clamp_min(0) / cells / (n - 1).clamp_min(1)
    return spread.gather(1, place) * tabled, others.gather(1, place) * tabled
