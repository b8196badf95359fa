"""Weighted draws of the open cells of rows given the others, as many as answers need."""

import math
import warnings
from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor

from ..data import Columns
from ..data.tables.tied_cells import TiedCells
from ..errors import DataError, stacklevel_of_caller
from ..training.threads import threads_for
from ..transport.conditioning import Conditioner, Tied
from ..transport.numerics import unique_rows
from ..transport.row_noise import RowNoise
from ..transport.weighted_draws import WeightedDraws
from .conditions import Event
from .piecewise import Pieces

__all__ = ["ConditionalDraws", "Values"]

_FEWEST = 50  # equally weighted draws that answers rest on, where more draws can give them
_HELD = 1 << 25  # numbers of draws that are held at once at most

Values = dict[str | int, np.ndarray]  # of draws, by the label of their column


class ConditionalDraws:
    """Draws of the open coordinates of rows given the others, with weights.

    Args:
        columns: the codec of the table.
        conditioner: of the density of its coordinates.
        z: (m, D) coordinates of the rows.
        known: (m, D) bool, which of them are given.
        event: ranges and lists that draws have to be in.
        ties: given cells that several open coordinates have to make together.
        n_draws: draws a row.
        max_draws: draws a row at most, where those are worth little; None for what it takes.
        rounds: times that as many are drawn for it.
        lenient: whether ties that no draw keeps are left out of account, with a warning.
        seed: of the draws.
    """

    def __init__(
        self,
        columns: Columns,
        conditioner: Conditioner,
        z: Tensor,
        known: Tensor,
        event: Event,
        ties: TiedCells,
        *,
        n_draws: int,
        max_draws: int | None,
        rounds: int,
        lenient: bool,
        seed: int,
    ) -> None:
        self._columns, self._conditioner = columns, conditioner
        self._z, self._known, self._event, self._ties = z, known, event, ties
        self._n_draws, self._max_draws, self._rounds = n_draws, max_draws, rounds
        self.seed, self._lenient = seed, lenient

    def __len__(self) -> int:
        return len(self._z)

    @property
    def _at_once(self) -> int:
        """About how many numbers an operation works on.

        They are those of one coordinate of the draws of rows with the same open cells.
        """
        kinds = len(unique_rows(self._known)[0]) if len(self) else 1
        return len(self) * self._n_draws // kinds

    def noise(self, seed: int | None = None) -> RowNoise:
        """Random numbers of the rows, by what is known of each; None is the seed of the draws."""
        return RowNoise.of(
            torch.cat([torch.where(self._known, self._z, 0.0), self._known.double()], 1),
            self.seed if seed is None else seed,
        )

    def batches(
        self, count: int | None = None, noise: RowNoise | None = None
    ) -> Iterator[tuple[np.ndarray, WeightedDraws]]:
        """Numbers of rows and their draws, some rows at a time.

        Args:
            count: draws a row; None for as many as were asked for.
            noise: of the rows; None for that of the seed.
        """
        count = self._n_draws if count is None else count
        noise = self.noise() if noise is None else noise
        size = max(1, _HELD // (count * self._rounds * max(1, self._z.shape[1])))
        tied = torch.from_numpy(self._ties.rows)
        for kind in (torch.nonzero(~tied)[:, 0], torch.nonzero(tied)[:, 0]):
            for rows in self._conditioner.together(self._known[kind], self._asked):
                for some in kind[rows].split(size):
                    yield from self._enough(some.numpy(), count, noise)

    def points(self, n_samples: int, noise: RowNoise, *, even: bool = False) -> Tensor:
        """Draws (m, n_samples, D) of the rows, complete; spread evenly, or independent."""
        count = max(self._n_draws, 2 * n_samples)
        points = torch.empty(len(self), n_samples, self._z.shape[1], dtype=torch.float64)
        chosen = noise.spread(1)
        with torch.no_grad(), threads_for(self._at_once):
            for rows, draws in self.batches(count, noise):
                own = chosen.take(rows)
                taken, value, again = (draws.ordered() if even else draws).take(n_samples, own)
                if not draws.summed:
                    given, row = self._known[rows], torch.nonzero(again)[:, 0]
                    taken[again] = self._conditioner.moved(
                        taken[again],
                        value[again],
                        given[row],
                        own.spread(n_samples).take(again.flatten().numpy()),
                        self._asked,
                        self._tied_points(rows[row.numpy()]),
                    )
                points[rows] = taken
        return points

    def modes(self) -> Tensor:
        """Of the draws of each row the one with the highest joint density, (m, D)."""
        best = torch.empty_like(self._z)
        with torch.no_grad(), threads_for(self._at_once):
            for rows, draws in self.batches():
                value = torch.where(draws.log_ratio > -math.inf, draws.log_joint, -math.inf)
                best[rows] = draws.points[torch.arange(len(rows)), value.argmax(1)]
        return best

    def over(self, statistic: Callable[[WeightedDraws, np.ndarray], np.ndarray]) -> np.ndarray:
        """A statistic of the draws of every row, in the order of the rows: (m, ...).

        Args:
            statistic: of draws and the numbers of their rows.
        """
        found, order = [], []
        with torch.no_grad(), threads_for(self._at_once):
            for rows, draws in self.batches():
                found.append(statistic(draws, rows))
                order.append(rows)
        return np.concatenate(found)[np.concatenate(order).argsort()]

    def over_values(
        self, statistic: Callable[[WeightedDraws, Values, np.ndarray], np.ndarray]
    ) -> np.ndarray:
        """A statistic of the draws of every row and their values, as of :meth:`over`."""

        def of_values(draws: WeightedDraws, rows: np.ndarray) -> np.ndarray:
            return statistic(draws, self._columns.values(draws.points.flatten(0, 1)), rows)

        return self.over(of_values)

    def pieces(
        self, draws: WeightedDraws, labels: tuple[str | int, ...]
    ) -> dict[str | int, Pieces]:
        """The distributions of columns of numbers, by label."""
        weight = draws.log_weight.exp().numpy()
        ends = [self._columns.values(points.flatten(0, 1)) for points in draws.ends()]
        found = {}
        for label in labels:
            one, other = (values[label].reshape(weight.shape).astype(float) for values in ends)
            found[label] = Pieces(np.minimum(one, other), np.maximum(one, other), weight)
        return found

    def _enough(
        self, rows: np.ndarray, count: int, noise: RowNoise
    ) -> Iterator[tuple[np.ndarray, WeightedDraws]]:
        """Draws of rows that are worth enough for each, or as many as can be had."""
        allowed, own = self._asked, noise.take(rows)
        given = self._known[rows]
        draws = self._conditioner.condition(
            self._z[rows], given, count, own, allowed, self._tied(rows)
        )
        rounds = self._rounds
        if self._max_draws is not None:
            rounds = min(rounds, self._max_draws // count - 1)
        for _ in range(rounds):
            poor = (draws.effective_size < min(_FEWEST, count / 4)).numpy()
            if not poor.any():
                break
            if not poor.all():
                yield rows[~poor], draws.of_rows(~poor)
                rows, draws, own = rows[poor], draws.of_rows(poor), own.take(poor)
                given = self._known[rows]
            more = self._conditioner.condition(
                self._z[rows], given, count, own, allowed, self._tied(rows)
            )
            draws = draws.with_more(more)
        met = draws.log_ratio.amax(1) > -math.inf
        lost = ~met.numpy() & self._ties.rows[rows]
        if self._lenient and lost.any():
            self._tell_untied(rows[lost])
            yield from self._enough(rows[lost], count, noise)
            rows, draws = rows[~lost], draws.of_rows(~lost)
            met = draws.log_ratio.amax(1) > -math.inf
            if len(rows) == 0:
                return
        if not bool(met.all()):
            where = f" of row {int(rows[~met.numpy()][0])}" if len(self) > 1 else ""
            raise DataError(
                f"None of {draws.log_ratio.shape[1]:,} draws meets the conditions{where}: they "
                "hold for hardly any rows, or contradict each other. Widen the ranges."
            )
        yield rows, draws

    def _tell_untied(self, rows: np.ndarray) -> None:
        """Forget what ties some rows, which none of their draws makes, and say so."""
        first, names = int(rows[0]), self._ties.without(rows)
        warnings.warn(
            f"Cells of {', '.join(map(repr, names))} are left out of account in {len(rows)} rows, "
            f"the first of them row {first}: no draw of what they are computed from makes them.",
            stacklevel=stacklevel_of_caller(),
        )

    def _tied(self, rows: np.ndarray) -> Tied | None:
        """What has points make the cells that tie coordinates of some rows; None without any."""
        if not self._ties.rows[rows].any():
            return None
        number = torch.from_numpy(rows)
        return lambda points, place: self._ties.imposed(points, number[place])

    def _tied_points(
        self, rows: np.ndarray
    ) -> Callable[[Tensor], tuple[Tensor, Tensor, Tensor]] | None:
        """The same of points each of which is of one of these rows."""
        tied = self._tied(rows)
        return None if tied is None else lambda points: tied(points, torch.arange(len(points)))

    @property
    def _asked(self) -> Callable[[Tensor], Tensor] | None:
        """What marks the points that may be; None where all may."""
        return self._allowed if self._event or self._columns.rejecting else None

    def _allowed(self, points: Tensor) -> Tensor:
        """Which of some points (N, D) are in the ranges and lists that are given."""
        found = self._columns.allowed(points)
        if self._event:
            found &= torch.from_numpy(self._event.holds(self._columns.values(points)))
        return found
