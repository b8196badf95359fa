"""The coordinates of a table: numbers of the columns to standardised coordinates and back."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from ..errors import DataError
from .checks import check_draw, column_text, rows_text
from .kinds import Column
from .noise import row_keys, uniforms

__all__ = ["Coordinates"]


class Coordinates:
    """The D coordinates of the columns that are not constant.

    A column enters as its numbers: x itself where it is continuous, the number of the cell where
    it is discrete. Discrete numbers get noise, bounded ones are bent to the whole line, all are
    standardised.

    Args:
        columns: the D columns.
        labels: their names or positions.
    """

    def __init__(self, columns: Sequence[Column], labels: Sequence[str | int]) -> None:
        self.columns = tuple(columns)
        self.labels = tuple(labels)
        self.names = tuple(x if isinstance(x, str) else f"x{x}" for x in labels)
        self.discrete = np.array([column.discrete for column in columns], dtype=bool)
        self.loc = np.array([column.loc for column in columns], dtype=np.float64)
        self.scale = np.array([column.scale for column in columns], dtype=np.float64)
        self._log_step = float(sum(np.log(column.step) for column in columns))
        bends = [column.bend for column in columns]
        self.units = np.array([1.0 if b.bounded else b.unit for b in bends], dtype=np.float64)

    def __len__(self) -> int:
        return len(self.columns)

    def moments(
        self, numbers: np.ndarray, weights: np.ndarray | None
    ) -> list[tuple[float, float]]:
        """Return the weighted mean and standard deviation of each coordinate on its line.

        Args:
            numbers: shape (n, D), overwritten.
            weights: shape (n,) or None.
        """
        numbers[:, self.discrete] += 0.5
        self._bend(numbers)
        if not len(self):
            return []
        half = (numbers.max(axis=0) - numbers.min(axis=0)) / 2
        loc = np.average(numbers, axis=0, weights=weights)
        numbers -= loc
        loc += np.average(numbers, axis=0, weights=weights)  # takes the first one's rounding away
        np.square(numbers, out=numbers)
        variance = np.average(numbers, axis=0, weights=weights)
        # The noise within a cell adds that of a uniform number.
        bounded = [column.bend.bounded for column in self.columns]
        variance[self.discrete & ~np.array(bounded, dtype=bool)] += 1 / 12
        # Only weights of very different sizes can make a deviation vanish beside the range.
        scale = np.maximum(np.sqrt(variance), 1e-8 * half)
        # Ten digits are plenty, and leave nothing of the order in which the rows were summed.
        mantissa, exponent = np.frexp(scale)
        scale = np.ldexp(np.round(mantissa * 2.0**36), exponent - 36)
        fine = scale * 2.0**-36
        loc = np.where(abs(loc) < 2.0**52 * fine, np.round(loc / fine) * fine, loc)
        return list(zip(loc.tolist(), scale.tolist(), strict=True))

    def forward(
        self, numbers: np.ndarray, draw: int | np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """Map numbers of shape (n, D), which are overwritten, to (z, log |det dz/dx|).

        Raises:
            DataError: for numbers that overflow.
            ParameterError: for a draw that is neither a number >= 0 nor a generator.
        """
        self._add_noise(numbers, draw)
        with np.errstate(over="ignore", invalid="ignore"):
            log_det = self._bend(numbers)
            numbers -= self.loc
            numbers /= self.scale
        fine = np.isfinite(numbers)
        if not fine.all():
            i = int(np.flatnonzero(~fine.all(axis=0))[0])
            raise DataError(
                f"{column_text(self.labels[i])} holds values too far from those seen in fit to be "
                f"represented, in {rows_text(np.logical_not(fine[:, i]))}. Expected values within "
                f"1e300 standard deviations ({self.scale[i] * self.units[i]:.3g}): correct them."
            )
        log_det -= np.log(self.scale).sum() + self._log_step
        return numbers, log_det

    def inverse(self, z: np.ndarray, i: int) -> np.ndarray:
        """Map coordinate i, shape (n,), back to its numbers: x, or the cell plus noise."""
        return self.columns[i].bend.inverse(z * self.scale[i] + self.loc[i])

    def cell_index(self, z: np.ndarray) -> np.ndarray:
        """Return the cells of z, int64 of shape (n, D); 0 for continuous coordinates."""
        cells = np.zeros(z.shape, dtype=np.int64)
        for i in np.flatnonzero(self.discrete):
            cells[:, i] = np.floor(self.inverse(z[:, i], int(i)))
        return cells

    def edges(self, i: int, cells: Any) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the lower and upper edges of cells of coordinate i, of the shape of cells."""
        column = self.columns[i]
        if not column.discrete:
            raise DataError(f"Coordinate {i} ({self.names[i]}) is {column.kind}: it has no cells.")
        lower = np.asarray(cells, dtype=np.float64)
        bent = [column.bend.forward(edge)[0] for edge in (lower, lower + 1.0)]
        low, high = (torch.as_tensor((edge - self.loc[i]) / self.scale[i]) for edge in bent)
        return low, high

    def _add_noise(self, numbers: np.ndarray, draw: int | np.random.Generator) -> None:
        """Add the dequantisation noise to the discrete coordinates, in place."""
        check_draw(draw)
        cells = np.flatnonzero(self.discrete)
        if not len(cells):
            return
        if isinstance(draw, np.random.Generator):
            noise = draw.random((len(numbers), len(cells))).T
        else:
            keys = row_keys(numbers)
            noise = (uniforms(keys, int(i), int(draw)) for i in cells)
        for i, u in zip(cells, noise, strict=True):
            # A margin above the rounding of k + u keeps it inside its cell on the way back.
            n_cells = self.columns[i].n_cells
            margin = min(0.5, 1e-9 + 16 * np.finfo(np.float64).eps * n_cells)
            numbers[:, i] += margin + (1.0 - 2.0 * margin) * u

    def _bend(self, numbers: np.ndarray) -> np.ndarray:
        """Bend numbers to the line in place; returns log |slope| summed over D, shape (n,)."""
        log_slope = np.zeros(len(numbers))
        for i, column in enumerate(self.columns):
            if column.bend.bounded or column.bend.unit != 1.0:
                numbers[:, i], slope = column.bend.forward(numbers[:, i])
                log_slope += slope
        return log_slope
