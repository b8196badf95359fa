"""The cells of one discrete coordinate as values that can be counted."""

import math

import torch
from torch import Tensor, nn

from .cell_margins import CellMargins

__all__ = ["Cells"]

_INSIDE = 1e-6  # samples keep this share of a cell from its edges
_FARTHEST = 2**53  # cells beyond are not whole numbers in float64


class Cells(nn.Module):
    """Values 0 to V + 1 for the cells of a coordinate; build it with :meth:`fit`.

    Cell ``k`` begins at ``origin + k * width``. The values 1 to V are the cells seen; 0 stands for
    all below and V + 1 for all above, in which the probability halves from cell to cell. Cells
    between two that were seen belong to the nearer one, which happens to lists of numbers only: of
    others all cells from the lowest to the highest count as seen.

    Buffers: ``origin``, ``width`` (); ``seen`` (V,) int64, the cells in rising order.
    """

    origin: Tensor
    width: Tensor
    seen: Tensor

    def __init__(self, origin: Tensor, width: Tensor, seen: Tensor) -> None:
        super().__init__()
        self.register_buffer("origin", origin)
        self.register_buffer("width", width)
        self.register_buffer("seen", seen)
        none, between = seen.new_zeros(1), seen.diff() - 1
        left = torch.cat([none, between // 2])  # of an odd number the lower one has the middle
        right = torch.cat([between - between // 2, none])
        self._first = seen - left  # lowest cell of each value
        self._room = 1 + left + right  # cells of each value

    @classmethod
    def fit(cls, x: Tensor, origin: Tensor, width: Tensor, listed: Tensor) -> "Cells":
        """The cells of a coordinate (n,); ``listed`` (), whether they are a list of numbers."""
        cell = ((x - origin) / width).floor().long()
        seen = cell.unique()
        if not bool(listed):
            seen = torch.arange(int(seen[0]), int(seen[-1]) + 1)
        return cls(origin, width, seen)

    @classmethod
    def from_state(cls, state: dict[str, Tensor]) -> "Cells":
        """Rebuild from the tensors of ``state_dict()``.

        Raises:
            ValueError: for tensors that do not belong together.
        """
        origin, width, seen = (state[name] for name in ("origin", "width", "seen"))
        if (
            seen.dtype != torch.long
            or seen.ndim != 1
            or len(seen) == 0
            or bool((seen.abs() > _FARTHEST).any() or (seen.diff() <= 0).any())
            or origin.shape != ()
            or width.shape != ()
            or not bool(origin.isfinite() and width.isfinite() and width > 0)
        ):
            raise ValueError("the cells of a discrete coordinate do not rise")
        return cls(origin, width, seen)

    def __len__(self) -> int:
        return len(self.seen) + 2

    def margin(self, value: Tensor) -> Tensor:
        """Probability of each value, (V + 2,), from those of rows (n,)."""
        one = value.new_ones(1).double()
        cells = CellMargins.fit(value[None] + 0.5, 0 * one, one)
        p = torch.zeros(len(self), dtype=torch.float64)
        first = int(cells.first)
        p[first : first + cells.mass.shape[1]] = cells.mass[0]
        below, above = cells.tails.log_mass[:, 0].exp()
        p[:first] += below / first
        p[first + cells.mass.shape[1] :] += above / (len(p) - first - cells.mass.shape[1])
        return p / p.sum()

    def inside(self, value: Tensor) -> Tensor:
        """The values, clipped to those of the fit."""
        return value.clamp(1, len(self.seen))

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Values of a coordinate (n,), and what carries their log probability to a density."""
        cell = ((x - self.origin) / self.width).floor().clamp(-(2.0**62), 2.0**62).long()
        below = (self.seen[0] - cell).clamp_min(0)
        above = (cell - self.seen[-1]).clamp_min(0)
        value = torch.searchsorted(self._first, cell, right=True) + (above > 0)
        shared = self._room[self.inside(value) - 1].double().log()
        shared = torch.where(below + above > 0, math.log(2) * (below + above).double(), shared)
        return value, -shared - self.width.log()

    def middle(self, value: Tensor) -> Tensor:
        """Middles of the cells seen that values (n,) from 1 to V stand for: (n,)."""
        return self.origin + (self.seen[value - 1].double() + 0.5) * self.width

    def decode(self, value: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Points of the cells that values (n,) stand for, evenly distributed in each: (n,)."""

        def uniform(n: int) -> Tensor:
            return torch.rand(n, generator=generator, dtype=torch.float64)

        place = self.inside(value) - 1
        cell = self._first[place]
        if bool((self._room > 1).any()):
            cell = cell + (uniform(len(value)) * self._room[place]).long()
        for end, last, sign in (
            (value == 0, self.seen[0], -1),
            (value == len(self) - 1, self.seen[-1], 1),
        ):
            steps = (-uniform(int(end.sum())).clamp_min(1e-12).log2()).floor().long() + 1
            cell[end] = last + sign * steps
        u = uniform(len(value))
        return self.origin + (cell + _INSIDE + (1 - 2 * _INSIDE) * u) * self.width
