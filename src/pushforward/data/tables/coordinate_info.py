"""What models ask of the coordinates of a table: which are discrete, their cells, units, names."""

from typing import Any

import torch

from .coordinates import Coordinates

__all__ = ["CoordinateInfo"]


class CoordinateInfo:
    """The D coordinates that a model sees of a table, described by tensors.

    A mixin of :class:`~pushforward.data.Columns`, which has the coordinates.
    """

    _coordinates: Coordinates

    @property
    def n_coordinates(self) -> int:
        """Number D of coordinates the model sees."""
        return len(self._coordinates.columns)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the D coordinates; "x0", "x1", ... where columns have only positions."""
        return self._coordinates.names

    @property
    def discrete(self) -> torch.Tensor:
        """Boolean of shape (D,): which coordinates are dequantised cells."""
        return torch.from_numpy(self._coordinates.discrete.copy())

    @property
    def nominal(self) -> torch.Tensor:
        """Boolean of shape (D,): which coordinates are categories, whose order means nothing."""
        return torch.from_numpy(self._coordinates.nominal.copy())

    @property
    def listed(self) -> torch.Tensor:
        """Boolean of shape (D,): which coordinates are of columns that are a list of numbers."""
        kinds = [column.kind for column in self._coordinates.columns]
        return torch.tensor([kind == "discrete" for kind in kinds], dtype=torch.bool)

    @property
    def dequantised(self) -> torch.Tensor:
        """Boolean of shape (D,): the coordinates with noise, discrete or mixed."""
        return torch.from_numpy(self._coordinates.dequantised.copy())

    @property
    def atoms(self) -> tuple[torch.Tensor, ...]:
        """The point masses of each of the D coordinates: float64 of shape (m, 2), m = 0 for none.

        Each row is the interval, in model coordinates, that one value with a probability of its
        own is spread over; in rising order. The model's probability between its ends is that of
        the value.
        """
        return self._coordinates.atoms()

    @property
    def loc(self) -> torch.Tensor:
        """Float64 of shape (D,), subtracted from each coordinate; in the column's own unit.

        For a bounded column it lies on the line that :class:`BoundedTransform` maps to, and for
        one on a logarithmic scale on that of :class:`.LogTransform`.
        """
        return torch.from_numpy(self._coordinates.loc * self._coordinates.units)

    @property
    def scale(self) -> torch.Tensor:
        """Float64 of shape (D,), divides each coordinate; in the same unit as ``loc``."""
        return torch.from_numpy(self._coordinates.scale * self._coordinates.units)

    def cell_index(self, z: torch.Tensor) -> torch.Tensor:
        """Return the cell of each coordinate, int64 of shape (n, D).

        Cells count from 0: the smallest integer seen, or the most frequent category. They are not
        clipped, so integers below the smallest seen are negative. Continuous coordinates have no
        cells; their entries are 0. So are those of mixed coordinates between the atoms, while an
        atom has 1 + its number.
        """
        line = torch.as_tensor(z).detach().cpu().double().numpy()
        return torch.from_numpy(self._coordinates.cell_index(line))

    @property
    def smooths_atoms(self) -> bool:
        """Whether :meth:`log_kernel_width` of any row is not 0."""
        return any(c.atoms is not None and c.atoms.kernel_width for c in self._coordinates.columns)

    def log_kernel_width(self, z: torch.Tensor) -> torch.Tensor:
        """Sum of the log kernel widths of the atoms that each row is at: (n,).

        A log density of a row, in which an atom counts by its probability, minus this is one in
        which it counts by the density that a kernel estimate has there. In another unit of a
        column the latter is another by a constant, the same for all rows; the former is not.
        """
        line = torch.as_tensor(z).detach().cpu().double().numpy()
        return torch.from_numpy(self._coordinates.log_kernel_width(line))

    def edges(self, j: int, k: Any) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the lower and upper edge of cells k of the discrete coordinate j.

        Args:
            j: which of the D coordinates.
            k: cell numbers, as :meth:`cell_index` gives them, of any shape.

        Returns:
            Two float64 tensors of the shape of k, in model coordinates. The model's probability
            between them is that of the cell.
        """
        return self._coordinates.edges(j, k)
