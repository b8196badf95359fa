"""The cells of one discrete coordinate as values that can be counted."""

import math

import torch
from torch import Tensor, nn

from .cell_margins import CellMargins

__all__ = ["Cells"]

_INSIDE = 1e-6  # samples keep this share of a cell from its edges


class Cells(nn.Module):
    """Values 0 to V + 1 for the cells of a coordinate; build it with :meth:`fit`.

    Cell ``k`` begins at ``origin + k * width``. The V cells from the lowest seen to the highest
    are the values 1 to V; 0 stands for all below and V + 1 for all above, in which the
    probability halves from cell to cell. Where the cells are a list of numbers (``listed``), those
    between two that were seen belong to the nearer one: a list is no promise that there is
    anything between its entries.

    Buffers: ``origin``, ``width``, ``listed`` (); ``seen`` (V,) int64, the cells in rising order.
    """

    origin: Tensor
    width: Tensor
    listed: Tensor
    seen: Tensor

    def __init__(self, origin: Tensor, width: Tensor, listed: Tensor, seen: Tensor) -> None:
        super().__init__()
        self.register_buffer("origin", origin)
        self.register_buffer("width", width)
        self.register_buffer("listed", listed)
        self.register_buffer("seen", seen)
        step = seen.diff()
        before = torch.cat([step[:1], step]) if len(step) else step.new_ones(1)
        after = torch.cat([step, step[-1:]]) if len(step) else step.new_ones(1)
        self._room = 0.5 * (before + after)  # cells that belong to each of a list

    @classmethod
    def fit(cls, x: Tensor, origin: Tensor, width: Tensor, listed: Tensor) -> "Cells":
        """The cells of a coordinate (n,)."""
        cell = ((x - origin) / width).floor().long()
        if bool(listed):
            seen = cell.unique()
        else:
            seen = torch.arange(int(cell.min()), int(cell.max()) + 1)
        return cls(origin, width, listed, seen)

    @classmethod
    def from_state(cls, state: dict[str, Tensor]) -> "Cells":
        """Rebuild from the tensors of ``state_dict()``.

        Raises:
            ValueError: for tensors that do not belong together.
        """
        seen = state["seen"]
        if len(seen) == 0 or bool((seen.diff() <= 0).any()) or not bool(state["width"] > 0):
            raise ValueError("the cells of a discrete coordinate do not rise")
        return cls(*(state[name] for name in ("origin", "width", "listed", "seen")))

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

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Values of a coordinate (n,), and what carries their log probability to a density."""
        cell = ((x - self.origin) / self.width).floor().clamp(-(2.0**62), 2.0**62).long()
        if bool(self.listed):
            right = torch.searchsorted(self.seen, cell).clamp(1, max(1, len(self.seen) - 1))
            right = right.clamp_max(len(self.seen) - 1)
            left = (right - 1).clamp_min(0)
            nearer = (cell - self.seen[left]).abs() <= (self.seen[right] - cell).abs()
            place = torch.where(nearer, left, right)
            return place + 1, -self._room[place].log() - self.width.log()
        value = (cell - self.seen[0] + 1).clamp(0, len(self) - 1)
        beyond = (self.seen[0] - cell).clamp_min(0) + (cell - self.seen[-1]).clamp_min(0)
        return value, -math.log(2) * beyond.double() - self.width.log()

    def decode(self, value: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Points of the cells that values (n,) stand for, evenly distributed in each: (n,)."""
        cell = self.seen[(value - 1).clamp(0, len(self.seen) - 1)]
        if not bool(self.listed):
            for end, sign in ((value == 0, -1), (value == len(self) - 1, 1)):
                u = torch.rand(int(end.sum()), generator=generator, dtype=torch.float64)
                cell[end] += sign * (-u.clamp_min(1e-12).log2()).floor().long().add(1)
        u = torch.rand(len(value), generator=generator, dtype=torch.float64)
        return self.origin + (cell + _INSIDE + (1 - 2 * _INSIDE) * u) * self.width
