"""The marginal layer: every coordinate Gaussianised by itself.

Continuous coordinates go through :mod:`.smooth_margins`, dequantised whole numbers of few values
through :mod:`.cell_margins`, and those that are continuous but for some atoms through
:mod:`.mixed_margin`.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from .cell_margins import CellMargins
from .mixed_margin import MixedMargin
from .numerics import with_prefix
from .smooth_margins import SmoothMargins

__all__ = ["Margins"]

_MOST_CELLS = 1024  # a wider range of whole numbers is treated as continuous


class Margins(nn.Module):
    """The whole marginal layer: smooth, cell and point-mass coordinates side by side.

    Args:
        smooth, cells: the first two kinds of maps; None where no coordinate is of that kind.
        atoms: the maps of the coordinates that have point masses, in their order.
        kind: (D,) int64, 0 for coordinates that go through ``smooth``, 1 for ``cells``, 2 for
            ``atoms``.
    """

    kind: Tensor

    def __init__(
        self,
        smooth: SmoothMargins | None,
        cells: CellMargins | None,
        atoms: Sequence[MixedMargin],
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
        for j, cells_of_atoms in enumerate(atoms):
            if len(cells_of_atoms):
                kind[j] = 2
        smooth, table = kind == 0, kind == 1
        return cls(
            SmoothMargins.fit(x[smooth], weight) if bool(smooth.any()) else None,
            CellMargins.fit(x[table], origin[table], width[table], weight)
            if bool(table.any())
            else None,
            [
                MixedMargin.fit(x[j], atoms[j], weight)
                for j in torch.nonzero(kind == 2)[:, 0].tolist()
            ],
            kind,
        )

    @classmethod
    def from_state(cls, state: dict[str, Tensor]) -> "Margins":
        """Rebuild from the tensors of ``state_dict()``."""
        smooth, cells = with_prefix(state, "smooth."), with_prefix(state, "cells.")
        count = int((state["kind"] == 2).sum())
        return cls(
            SmoothMargins.from_state(smooth) if smooth else None,
            CellMargins.from_state(cells) if cells else None,
            [MixedMargin.from_state(with_prefix(state, f"atoms.{i}.")) for i in range(count)],
            state["kind"],
        )

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Data to latent: (D, n) -> latents (D, n), log-det (n,)."""
        z = torch.empty_like(x)
        log_det = torch.zeros(x.shape[1], dtype=x.dtype)
        for part, rows in self._parts():
            z[rows], change = part(x[rows])
            log_det += change if change.ndim == 1 else change.sum(0)
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

    def _parts(self) -> Iterator[tuple[Any, Any]]:
        """Each map with the coordinates that go through it."""
        if self.smooth is not None:
            yield self.smooth, self.kind == 0
        if self.cells is not None:
            yield self.cells, self.kind == 1
        places = torch.nonzero(self.kind == 2)[:, 0].tolist()
        yield from zip(self.atoms, places, strict=True)
