"""Point masses of a continuous column: intervals that are inserted into its line."""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .log_transform import LogTransform

__all__ = ["Atoms"]

MOST = 4.0  # width of an atom's interval in spreads of the other values, at most
GAIN = 1.0  # nats a number: far from the others on their logarithmic scale, an atom loses rows


@dataclass(frozen=True)
class Atoms:
    """Values that hold probability by themselves, each with an interval of the line of its own.

    A value between atoms moves up by the widths of the atoms below it, and an atom becomes
    ``start + u * width`` with u uniform on (0, 1). The density of the line over an atom's interval
    then stands for the probability of the atom, and elsewhere for the density of the value.

    Attributes:
        values: the m atoms in rising order.
        widths: widths of their intervals on the line.
        step: distance of neighbouring values of the column; 0 where it has none. With a step every
            value is dequantised, and an atom's interval takes the place of its cell.
        logarithm: what the values go through before the intervals are inserted; None for nothing.
            Widths are lengths of the line behind it.
        kernel_width: an atom's probability over this is the density that a kernel estimate of the
            column has at it, by which outliers are judged, since it has the units of the density
            beside it; 0 in folders of earlier versions, whose atoms count by their probability.

    Examples:
        >>> atoms = Atoms((0.0,), (2.0,))
        >>> line, log_slope = atoms.forward(np.array([-1.0, 0.0, 1.0]), np.full(3, 0.5))
        >>> line.tolist(), log_slope.round(3).tolist()
        ([-1.0, 1.0, 3.0], [0.0, 0.693, 0.0])
        >>> atoms.inverse(line).tolist()
        [-1.0, 0.0, 1.0]
    """

    values: tuple[float, ...]
    widths: tuple[float, ...]
    step: float = 0.0
    kernel_width: float = 0.0
    logarithm: LogTransform | None = None

    @classmethod
    def learn(
        cls,
        values: np.ndarray,
        atoms: np.ndarray,
        step: float,
        weights: np.ndarray | None,
        *,
        scaled: bool = False,
    ) -> "Atoms":
        """Choose the widths: by them the line is about as dense in the intervals as beside them.

        Args:
            values: shape (n,), the column.
            atoms: shape (m,), in rising order.
            step: distance of neighbouring values, or 0.
            weights: shape (n,) or None.
            scaled: whether the other values have a logarithmic scale if that suits them.
        """
        share = np.full(len(values), 1.0) if weights is None else weights
        others = ~np.isin(values, atoms)
        rest, slope, logarithm = values[others] if others.any() else atoms, 1.0, None
        if scaled and others.any() and atoms[0] >= 0:
            own = None if weights is None else weights[others]
            logarithm = LogTransform.learn(rest, own, gain=GAIN)
        if logarithm is not None:
            rest, (line, log_slope) = logarithm.forward(rest)[0], logarithm.forward(atoms)
            commonest = max(range(len(atoms)), key=lambda i: share[values == atoms[i]].sum())
            slope = math.exp(log_slope[commonest])
            least = float(np.ptp(np.concatenate([rest, line]))) / 1000
        else:
            least = max(float(np.ptp(values)) / 1000, step)
        low, high = np.quantile(rest, [0.05, 0.95])
        spread = max(float(high - low), least)
        total = max(float(share[others].sum()), 1e-9 * float(share.sum()))
        held = np.array([float(share[values == atom].sum()) for atom in atoms])
        widths = np.maximum(np.minimum(held / total, MOST) * spread, least)
        kernel = max(_bandwidth(rest), least) * math.sqrt(2 * math.pi) / slope
        places = tuple(map(float, atoms)), tuple(map(float, widths))
        return cls(*places, step, kernel, logarithm)

    @cached_property
    def intervals(self) -> np.ndarray:
        """Start and end of each atom's interval on the line: float64 of shape (m, 2)."""
        shift = np.cumsum(self._shifts) - self._shifts
        start = self._cells[:, 0] + shift
        return np.column_stack([start, start + np.array(self.widths)])

    @cached_property
    def _cells(self) -> np.ndarray:
        """Where each atom's own cell would begin and end on the line: (m, 2)."""
        half = np.array([-self.step / 2, self.step / 2])
        return self._scaled(np.array(self.values)[:, None] + half)[0]

    @cached_property
    def _shifts(self) -> np.ndarray:
        """How far each atom moves the values above it, shape (m,)."""
        return np.array(self.widths) - (self._cells[:, 1] - self._cells[:, 0])

    def _scaled(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Values behind the logarithm, where there is one, and its log slope there."""
        return (x, np.zeros_like(x)) if self.logarithm is None else self.logarithm.forward(x)

    def forward(self, x: np.ndarray, u: np.ndarray | float) -> tuple[np.ndarray, np.ndarray]:
        """Map values of shape (n,) to the line, atoms and cells by the noise u in (0, 1).

        Returns:
            The line and what turns the log density on it into that of the value: log width at an
            atom, the log slope of the line elsewhere; both of shape (n,).
        """
        atoms = np.array(self.values)
        below = np.searchsorted(atoms, x - self.step / 2)  # atoms wholly below the value
        here = np.minimum(below, len(atoms) - 1)
        hit = np.abs(x - atoms[here]) <= self.step / 2
        shift = np.concatenate([[0.0], np.cumsum(self._shifts)])[below]
        line, log_slope = self._scaled(x + self.step * (np.asarray(u) - 0.5))
        line = line + shift
        start, width = self.intervals[here, 0], np.array(self.widths)[here]
        line = np.where(hit, start + u * width, line)
        return line, np.where(hit, np.log(width), log_slope)

    def find(self, line: np.ndarray) -> np.ndarray:
        """Return 1 + the number of the atom that each place on the line belongs to, 0 for none."""
        here = np.searchsorted(self.intervals[:, 0], line, side="right") - 1
        inside = (here >= 0) & (line < self.intervals[np.maximum(here, 0), 1])
        return np.where(inside, here + 1, 0)

    def log_kernel_width(self, line: np.ndarray) -> np.ndarray:
        """Log ``kernel_width`` where the line belongs to an atom, else 0: of shape (n,)."""
        return np.where(self.find(line) > 0, math.log(self.kernel_width or 1.0), 0.0)

    def inverse(self, line: np.ndarray) -> np.ndarray:
        """Map the line back to values; all of an atom's interval is exactly the atom."""
        passed = np.searchsorted(self.intervals[:, 1], line, side="right")
        x = line - np.concatenate([[0.0], np.cumsum(self._shifts)])[passed]
        x = x if self.logarithm is None else self.logarithm.inverse(x)
        if self.step:
            origin = self.values[0]
            x = origin + np.round((x - origin) / self.step) * self.step
        found = self.find(line)
        return np.where(found > 0, np.array(self.values)[np.maximum(found - 1, 0)], x)


def _bandwidth(values: np.ndarray) -> float:
    """Bandwidth of a Gaussian kernel for values (n,).

    It is the rule of thumb of Silverman, *Density Estimation for Statistics and Data Analysis*,
    1986, equation 3.31.
    """
    size = float(abs(values).max()) or 1.0  # squares of large values overflow
    values = np.sort(values) / size  # the sum is then the same in any order of the rows
    low, high = np.quantile(values, [0.25, 0.75])
    deviation = float(values.std())
    spread = min(deviation, float(high - low) / 1.34) or deviation
    return 0.9 * spread * len(values) ** -0.2 * size
