"""The marginal layer: every coordinate Gaussianised by itself.

Continuous coordinates go through :mod:`.smooth_margins`, dequantised whole numbers of few values
through :mod:`.cell_margins`, and those that are continuous but for some atoms through
:mod:`.mixed_margins`.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from .cell_margins import CellMargins
from .mixed_margins import MixedMargins
from .numerics import with_prefix
from .smooth_margins import SmoothMargins

__all__ = ["Margins", "of_many_coordinates"]

_MOST_CELLS = 1024  # a wider range of whole numbers is treated as continuous


class Margins(nn.Module):
    """The whole marginal layer: smooth, cell and point-mass coordinates side by side.

    Args:
        smooth, cells: the first two kinds of maps; None where no coordinate is of that kind.
        atoms: maps of coordinates that have point masses, any number of them.
        kind: (D,) int64, 0 for coordinates that go through ``smooth``, 1 for ``cells``, from 2 on
            for the first of ``atoms``, the second, and so on.
    """

    kind: Tensor

    def __init__(
        self,
        smooth: SmoothMargins | None,
        cells: CellMargins | None,
        atoms: Sequence[MixedMargins],
        kind: Tensor,
    ) -> None:
        super().__init__()
        self.smooth, self.cells, self.atoms = smooth, cells, nn.ModuleList(atoms)
        self.register_buffer("kind", kind)

    @classmethod
    def fit(
        cls,
        x: Tensor,
        discrete: Tensor,
        origin: Tensor,
        width: Tensor,
        weight: Tensor | None = None,
        atoms: Sequence[Tensor] = (),
    ) -> "Margins":
        """Learn the map of every coordinate.

        Args:
            x: (D, n) coordinates.
            discrete: (D,) bool, which coordinates are dequantised whole numbers.
            origin, width: (D,) where cell 0 starts and how wide a cell is, if discrete.
            weight: (n,) row weights.
            atoms: for each coordinate the cells (m, 2) of its point masses, m = 0 where there
                is none; empty where no coordinate has any.
        """
        cells = (x.amax(1) - x.amin(1)) / width
        kind = (discrete & (cells <= min(_MOST_CELLS, max(x.shape[1], 32)))).long()
        mixed = [j for j, own in enumerate(atoms) if len(own)]
        maps = MixedMargins.fit(x[mixed], [atoms[j] for j in mixed], weight)
        for i, (own, _) in enumerate(maps):
            kind[torch.tensor(mixed)[own]] = 2 + i
        smooth, table = kind == 0, kind == 1
        return cls(
            SmoothMargins.fit(x[smooth], weight) if bool(smooth.any()) else None,
            CellMargins.fit(x[table], origin[table], width[table], weight)
            if bool(table.any())
            else None,
            [of_them for _, of_them in maps],
            kind,
        )

    @classmethod
    def from_state(cls, state: dict[str, Tensor]) -> "Margins":
        """Rebuild from the tensors of ``state_dict()``."""
        smooth, cells = with_prefix(state, "smooth."), with_prefix(state, "cells.")
        groups = int((state["kind"] - 1).clamp_min(0).max())
        return cls(
            SmoothMargins.from_state(smooth) if smooth else None,
            CellMargins.from_state(cells) if cells else None,
            [MixedMargins.from_state(with_prefix(state, f"atoms.{i}.")) for i in range(groups)],
            state["kind"],
        )

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Data to latent: (D, n) -> latents (D, n), log-det (n,)."""
        z = torch.empty_like(x)
        log_det = torch.zeros(x.shape[1], dtype=x.dtype)
        for part, rows in self._parts():
            z[rows], change = part(x[rows])
            log_det += change.sum(0)
        return z, log_det

    def slopes(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Data to latent with the log derivative of each coordinate: (D, n) -> two (D, n)."""
        z, slope = torch.empty_like(x), torch.empty_like(x)
        for part, rows in self._parts():
            z[rows], slope[rows] = part(x[rows])
        return z, slope

    def inverse(self, z: Tensor) -> Tensor:
        """Latent to data, (D, n) -> (D, n)."""
        x = torch.empty_like(z)
        for part, rows in self._parts():
            x[rows] = part.inverse(z[rows])
        return x

    def _parts(self) -> Iterator[tuple[Any, Tensor]]:
        """Each map with the coordinates that go through it."""
        if self.smooth is not None:
            yield self.smooth, self.kind == 0
        if self.cells is not None:
            yield self.cells, self.kind == 1
        for i, atoms in enumerate(self.atoms):
            yield atoms, self.kind == 2 + i


def of_many_coordinates(state: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """A state of before maps of coordinates with atoms had several of them, as today's.

    All those coordinates were of kind 2, and had a map each, in their order, with atoms (m,).

    Args:
        state: with the tensors of a marginal layer, or none.
        prefix: what their names begin with.
    """
    kind = state.get(f"{prefix}kind")
    first = state.get(f"{prefix}atoms.0.low")
    if kind is None or first is None or first.ndim != 1:
        return state
    state, mixed = dict(state), kind == 2
    state[f"{prefix}kind"] = kind.masked_scatter(mixed, 2 + torch.arange(int(mixed.sum())))
    for i in range(int(mixed.sum())):
        for part in ("low", "high", "mass"):
            name = f"{prefix}atoms.{i}.{part}"
            if name in state:
                state[name] = state[name][None]
    return state
