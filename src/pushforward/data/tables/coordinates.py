"""The coordinates of a table: numbers of the columns to standardised coordinates and back."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch

from ...errors import DataError
from ...validation import Instance, Integer, check
from ..checks import column_text, rows_text
from .column import Column
from .dequantisation import row_keys, uniforms

__all__ = ["Coordinates"]


_DRAW = Integer(0) | Instance(np.random.Generator, description="a numpy.random.Generator")


class Coordinates:
    """The D coordinates of the columns that are not constant.

    A column enters as its numbers: x itself where it is continuous or mixed, the number of the
    cell where it is discrete. Discrete numbers and atoms get noise, bounded ones are bent to the
    whole line, of those that spread over orders of magnitude the logarithm is taken, all are
    standardised.

    Args:
        columns: the D columns.
        labels: their names or positions.
        words: what each is called beside that, "" for nothing.
    """

    def __init__(
        self,
        columns: Sequence[Column],
        labels: Sequence[str | int],
        words: Sequence[str] | None = None,
    ) -> None:
        self.columns = tuple(columns)
        self.labels = tuple(labels)
        words = ("",) * len(self.labels) if words is None else words
        self.names = tuple(
            (x if isinstance(x, str) else f"x{x}") + (f" ({word})" if word else "")
            for x, word in zip(labels, words, strict=True)
        )
        # what has cells, all of one width
        self.discrete = np.array([column.in_cells for column in columns], dtype=bool)
        self.nominal = np.array([column.nominal for column in columns], dtype=bool)
        self.dequantised = np.array([column.dequantised for column in columns], dtype=bool)
        self.loc = np.array([column.loc for column in columns], dtype=np.float64)
        self.scale = np.array([column.scale for column in columns], dtype=np.float64)
        self._log_step = float(sum(np.log(column.step) for column in columns))
        transforms = [column.transform for column in columns]
        self.units = np.array([1.0 if b.bounded else b.unit for b in transforms], dtype=np.float64)

    def __len__(self) -> int:
        return len(self.columns)

    def moments(
        self, numbers: np.ndarray, weights: np.ndarray | None, known: np.ndarray | None = None
    ) -> list[tuple[float, float]]:
        """Return the weighted mean and standard deviation of each coordinate on its line.

        Args:
            numbers: shape (n, D), overwritten.
            weights: shape (n,) or None.
            known: boolean of shape (n, D), the numbers that count; None for all.
        """
        if known is not None:
            found = []
            for i, rows in enumerate(known.T):
                alone = Coordinates(self.columns[i : i + 1], self.labels[i : i + 1])
                own = None if weights is None else weights[rows]
                found += alone.moments(numbers[rows, i : i + 1], own)
            return found
        self._dequantise(numbers, [0.5] * int(self.dequantised.sum()))
        within = self._variance_within(numbers)
        self._transform(numbers)
        if not len(self):
            return []
        half = (numbers.max(axis=0) - numbers.min(axis=0)) / 2
        loc = np.average(numbers, axis=0, weights=weights)
        numbers -= loc
        loc += np.average(numbers, axis=0, weights=weights)  # takes the first one's rounding away
        np.square(numbers, out=numbers)
        variance = np.average(numbers, axis=0, weights=weights)
        variance += np.average(within, axis=0, weights=weights)
        # Only weights of very different sizes can make a deviation vanish beside the range.
        scale = np.maximum(np.sqrt(variance), 1e-8 * half)
        # Ten digits are plenty, and leave nothing of the order in which the rows were summed.
        mantissa, exponent = np.frexp(scale)
        scale = np.ldexp(np.round(mantissa * 2.0**36), exponent - 36)
        fine = scale * 2.0**-36
        loc = np.where(abs(loc) < 2.0**52 * fine, np.round(loc / fine) * fine, loc)
        return list(zip(loc.tolist(), scale.tolist(), strict=True))

    def _variance_within(self, numbers: np.ndarray) -> np.ndarray:
        """Variance of the noise in the cells and atoms that numbers are the middles of."""
        within = np.zeros(numbers.shape)
        for i in np.flatnonzero(self.dequantised):
            column = self.columns[i]
            if column.atoms is not None:
                step = 0.0 if column.atoms.logarithm else column.atoms.step
                widths = np.array([step, *column.atoms.widths])
                within[:, i] = widths[column.atoms.find(numbers[:, i])] ** 2 / 12
            elif column.transform.identity:
                within[:, i] = 1 / 12
        return within

    def forward(
        self, numbers: np.ndarray, draw: int | np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """Map numbers of shape (n, D), which are overwritten, to (z, log |det dz/dx|).

        Raises:
            DataError: for numbers that overflow.
            ParameterError: for a draw that is neither a number >= 0 nor a generator.
        """
        log_cell, log_slope = self._map(numbers, draw)
        log_det = _total(log_cell, len(numbers)) + _total(log_slope, len(numbers))
        log_det -= np.log(self.scale).sum() + self._log_step
        return numbers, log_det

    def forward_known(
        self, numbers: np.ndarray, known: np.ndarray, draw: int | np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """The same where some cells are not known; these do not count in the log-determinant.

        Args:
            numbers: shape (n, D), overwritten; NaN where they are not known.
            known: boolean of shape (n, D).
            draw: as of :meth:`forward`.

        Returns:
            z, which is 0 where it is not known, and log |det dz/dx| of what is: (n, D) and (n,).
        """
        for i, column in enumerate(self.columns):
            # something that the maps take: the middle of the line, a cell
            middle = 0.0 if column.discrete else self.inverse(np.zeros(1), i)[0]
            numbers[~known[:, i], i] = middle
        slopes = self._map(numbers, draw)
        log_det = np.zeros(len(numbers))
        for i, column in enumerate(self.columns):
            own = sum((part[i] for part in slopes if i in part), np.zeros(len(numbers)))
            log_det += np.where(known[:, i], own - np.log(self.scale[i] * column.step), 0.0)
        return np.where(known, numbers, 0.0), log_det

    def _map(
        self, numbers: np.ndarray, draw: int | np.random.Generator
    ) -> tuple[dict[int, np.ndarray], dict[int, np.ndarray]]:
        """Map numbers of shape (n, D) to z, in place.

        Returns:
            What cells and what transforms add to the log-determinant, (n,) each, by the number of
            the coordinate.
        """
        log_cell = self._dequantise(numbers, self._noise(numbers, draw))
        with np.errstate(over="ignore", invalid="ignore"):
            log_slope = self._transform(numbers)
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
        return log_cell, log_slope

    def inverse(self, z: np.ndarray, i: int) -> np.ndarray:
        """Map coordinate i, shape (n,), back to its numbers: x, or the cell plus noise."""
        column = self.columns[i]
        line = column.transform.inverse(z * self.scale[i] + self.loc[i])
        return line if column.atoms is None else column.atoms.inverse(line)

    def cell_index(self, z: np.ndarray) -> np.ndarray:
        """Return the cells of z, int64 of shape (n, D).

        They are 0 for continuous coordinates; for mixed ones 0 between the atoms, and 1 + its
        number in an atom.
        """
        cells = np.zeros(z.shape, dtype=np.int64)
        for i in np.flatnonzero(self.dequantised):
            column = self.columns[i]
            if column.atoms is not None:
                cells[:, i] = column.atoms.find(z[:, i] * self.scale[i] + self.loc[i])
            else:
                cells[:, i] = np.floor(self.inverse(z[:, i], int(i)))
        return cells

    def log_kernel_width(self, z: np.ndarray) -> np.ndarray:
        """Sum of the log kernel widths of the atoms that each row of z is at, shape (n,)."""
        total = np.zeros(len(z))
        for i, column in enumerate(self.columns):
            if column.atoms is not None:
                total += column.atoms.log_kernel_width(z[:, i] * self.scale[i] + self.loc[i])
        return total

    def atoms(self) -> tuple[torch.Tensor, ...]:
        """Return the intervals of the atoms of each coordinate, float64 of shape (m, 2) each."""
        found = []
        for i, column in enumerate(self.columns):
            line = np.empty((0, 2)) if column.atoms is None else column.atoms.intervals
            found.append(torch.from_numpy((line - self.loc[i]) / self.scale[i]))
        return tuple(found)

    def edges(self, i: int, cells: Any) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the lower and upper edges of cells of coordinate i, of the shape of cells."""
        column = self.columns[i]
        if not self.discrete[i]:
            raise DataError(f"Coordinate {i} ({self.names[i]}) is {column.kind}: it has no cells.")
        lower = np.asarray(cells, dtype=np.float64)
        transformed = [column.transform.forward(edge)[0] for edge in (lower, lower + 1.0)]
        low, high = (torch.as_tensor((edge - self.loc[i]) / self.scale[i]) for edge in transformed)
        return low, high

    def _noise(self, numbers: np.ndarray, draw: int | np.random.Generator) -> Iterable[np.ndarray]:
        """Return the noise of each dequantised coordinate, shape (n,) each."""
        check({"draw": _DRAW}, {"draw": draw})
        noisy = np.flatnonzero(self.dequantised)
        if not len(noisy):
            return []
        if isinstance(draw, np.random.Generator):
            return draw.random((len(numbers), len(noisy))).T
        keys = row_keys(numbers)
        return [uniforms(keys, int(i), int(draw)) for i in noisy]

    def _dequantise(
        self, numbers: np.ndarray, noise: Iterable[np.ndarray | float]
    ) -> dict[int, np.ndarray]:
        """Spread cells and atoms over their intervals, in place.

        Returns:
            What this adds to the log-determinant, beside that of the steps of grids: (n,) by the
            number of the coordinate.
        """
        log_cell: dict[int, np.ndarray] = {}
        for i, u in zip(np.flatnonzero(self.dequantised), noise, strict=True):
            column = self.columns[i]
            # A margin above the rounding of k + u keeps it inside its cell on the way back.
            n_cells = column.n_cells
            margin = min(0.5, 1e-9 + 16 * np.finfo(np.float64).eps * n_cells)
            u = margin + (1.0 - 2.0 * margin) * u
            if column.atoms is not None:
                numbers[:, i], log_cell[int(i)] = column.atoms.forward(numbers[:, i], u)
                continue
            if column.rare is not None:
                numbers[:, i], log_cell[int(i)] = column.rare.spread(numbers[:, i], u)
                continue
            if column.is_list:
                log_cell[int(i)] = -column.listed.log_width(numbers[:, i])
            numbers[:, i] += u
        return log_cell

    def _transform(self, numbers: np.ndarray) -> dict[int, np.ndarray]:
        """Map numbers to the line in place; returns log |slope|, (n,), by coordinate."""
        log_slope: dict[int, np.ndarray] = {}
        for i, column in enumerate(self.columns):
            if not column.transform.identity:
                numbers[:, i], log_slope[i] = column.transform.forward(numbers[:, i])
        return log_slope


def _total(parts: dict[int, np.ndarray], n: int) -> np.ndarray:
    """The sum of what coordinates add to a log-determinant, (n,)."""
    total = np.zeros(n)
    for part in parts.values():
        total += part
    return total
