"""The distribution of open cells of a table's rows given the others: what ``given`` returns."""

import math
import warnings
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from ..data import Columns
from ..errors import DataError, stacklevel_of_caller
from ..transport.conditioning import Conditioner, WeightedDraws
from ..transport.numerics import unique_rows
from ..transport.row_noise import RowNoise
from ..validation import COUNT, Number, check
from .conditions import Event, column_place, taken_apart
from .parameters import drawn_seed

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["STRATEGIES", "ConditionalTable"]

#: What missing cells can be filled in with.
STRATEGIES = ("mean", "median", "mode", "sample")

_LEVEL = Number(0, 1)
_FEWEST = 50  # equally weighted draws that answers rest on, where more draws can give them
_ROUNDS, _ROUNDS_OF_ROWS = 40, 8  # times that as many are drawn for it, of one row and of many
_HELD = 1 << 25  # numbers of draws that are held at once at most
_PLACES = 8  # of a piece of an integral at which an event is looked at

Statistic = Callable[[WeightedDraws, dict[str | int, np.ndarray], np.ndarray], np.ndarray]
Pieces = tuple[np.ndarray, np.ndarray, np.ndarray]  # ends and weights, (n, R) each


class ConditionalTable:
    """The distribution of the open columns of rows given the others.

    Made by :meth:`~pushforward.estimators.table_density.TableDensity.given`. Where one column is
    open its values are summed over, or the density is integrated along it; otherwise answers rest
    on draws from a simpler model of the table that are weighted, so that they are exact but for
    the number of draws (:class:`~pushforward.transport.conditioning.Conditioner`), and
    :attr:`effective_size` says how many equally weighted draws they are worth.

    All answers are pandas frames with a row for each given row, but for samples, which are tables
    like those of the model.

    Args:
        columns: the codec of the table.
        conditioner: of its density.
        conditions: a table of given cells, or a dict from columns to values, pairs
            ``(low, high)`` and lists.
        n_draws: draws a row.
        max_draws: draws a row at most, where those are worth little; None for what it takes.
        random_state: of the draws.
        kept: share of the draws of the density that keep to the constraints of the columns.

    Raises:
        DataError: for conditions that are not values of the columns, that leave no column open,
            and that no draw meets.

    Examples:
        >>> import pushforward
        >>> model = pushforward.fit("iris", verbose=False, random_state=0)
        >>> long = model.given({"petal length (cm)": (5, None)}, random_state=0)
        >>> bool(long.prob({"petal width (cm)": (1, None)})[0] > 0.95)
        True
    """

    def __init__(
        self,
        columns: Columns,
        conditioner: Conditioner,
        conditions: Any,
        *,
        n_draws: int,
        random_state: Any,
        max_draws: int | None = None,
        kept: float = 1.0,
    ) -> None:
        given = {"n_draws": n_draws, "max_draws": max_draws}
        check({"n_draws": COUNT, "max_draws": COUNT | None}, given)
        self._columns, self._conditioner = columns, conditioner
        self._table, ranges = taken_apart(conditions, columns)
        self._event = Event(ranges, columns)
        self._z, self._log_det, self._known = columns.encode_known(self._table)
        lost = columns.unused_cells(self._table, self._known.numpy())
        if lost:
            _tell_lost(lost, refused=isinstance(conditions, Mapping))
        self._n_draws, self._seed = n_draws, drawn_seed(random_state)
        # by what is asked, not by how many rows there are: a row has the same answer among others
        self._rounds = _ROUNDS if isinstance(conditions, Mapping) else _ROUNDS_OF_ROWS
        self._log_kept = math.log(kept)
        self._max_draws = max_draws

    def __len__(self) -> int:
        return len(self._z)

    @property
    def open(self) -> tuple[str | int, ...]:
        """Columns that are open in any row; those with a range are."""
        return self._labels(self._columns.labels)

    @cached_property
    def effective_size(self) -> np.ndarray:
        """How many equally weighted draws the answers rest on, (m,); infinite for exact ones.

        The standard error of a mean is the conditional standard deviation by its square root.
        """
        return self._collect(lambda draws, values, rows: draws.effective_size.numpy())

    # --- answers ----------------------------------------------------------------------------

    def sample(self, n_samples: int = 1, random_state: Any = None) -> Any:
        """Draw rows with the given cells, like those of the table of ``fit``.

        Args:
            n_samples: rows to draw for each given row, 1 or more.
            random_state: seed, RandomState, or None for numpy's global one.

        Returns:
            Table of m times ``n_samples`` rows, those of one given row in a row. Where the draws
            are worth fewer than ``n_samples`` some come again, moved by a few Metropolis steps.
        """
        check({"n_samples": COUNT}, {"n_samples": n_samples})
        seed = drawn_seed(random_state)
        points = self._points(n_samples, self._noise(seed).apart())
        return self._columns.fill(
            self._table, points.flatten(0, 1), np.repeat(np.arange(len(self)), n_samples)
        )

    def completions(self, n_samples: int, random_state: Any = None) -> Any:
        """Draws that are spread evenly, the same for equal rows: for a statistic of each row.

        Args:
            n_samples, random_state: as of :meth:`sample`, whose draws are independent.

        Returns:
            Table as of :meth:`sample`.
        """
        check({"n_samples": COUNT}, {"n_samples": n_samples})
        seed = drawn_seed(random_state)
        points = self._points(n_samples, self._noise(seed), even=True)
        return self._columns.fill(
            self._table, points.flatten(0, 1), np.repeat(np.arange(len(self)), n_samples)
        )

    def _points(self, n_samples: int, noise: RowNoise, *, even: bool = False) -> Tensor:
        """Draws (m, n_samples, D) of the rows, complete; spread evenly, or independent."""
        count = max(self._n_draws, 2 * n_samples)
        points = torch.empty(len(self), n_samples, self._z.shape[1], dtype=torch.float64)
        chosen = noise.spread(1)
        with torch.no_grad():
            for rows, draws in self._drawn(count, noise):
                own = chosen.take(rows)
                taken, again = (draws.ordered() if even else draws).take(n_samples, own)
                if not draws.summed:
                    given = self._known[rows[0]]
                    factor = draws.factor(self._conditioner.movable(given))
                    taken[again] = self._conditioner.moved(
                        taken[again],
                        given,
                        factor[torch.nonzero(again)[:, 0]],
                        own.spread(n_samples).take(again.flatten().numpy()),
                        self._asked,
                    )
                points[rows] = taken
        return points

    def mean(self) -> "pd.DataFrame":
        """Conditional means of the open columns of numbers and dates; of booleans the share."""
        return self._numeric(lambda values, weight: (values * weight).sum(1))

    def std(self) -> "pd.DataFrame":
        """Conditional standard deviations of the same columns; of dates in their unit."""

        def deviation(values: np.ndarray, weight: np.ndarray) -> np.ndarray:
            off = values - (values * weight).sum(1, keepdims=True)
            return np.sqrt((off * off * weight).sum(1))

        return self._numeric(deviation, written=False)

    def quantile(self, q: float = 0.5) -> "pd.DataFrame":
        """Conditional quantiles of the open columns of numbers and dates.

        Args:
            q: share of the probability below, 0 to 1.
        """
        check({"q": Number(0, 1, ends="[]")}, {"q": q})
        labels = self._labels(self._columns.numeric)

        def quantiles(draws: WeightedDraws, rows: np.ndarray) -> np.ndarray:
            pieces = self._pieces(draws, labels)
            found = [quantile_of(*pieces[label], q) for label in labels]
            return np.stack(found, axis=1) if found else np.zeros((len(rows), 0))

        return self._frame(labels, self._over_draws(quantiles))

    def interval(self, level: float = 0.9) -> "pd.DataFrame":
        """Central intervals: frame with the columns row, column, low, high.

        Args:
            level: probability inside, above 0 and below 1.
        """
        import pandas as pd

        check({"level": _LEVEL}, {"level": level})
        low, high = self.quantile(0.5 - level / 2), self.quantile(0.5 + level / 2)
        return pd.DataFrame(
            {
                "row": np.repeat(np.arange(len(self)), low.shape[1]),
                "column": list(low.columns) * len(self),
                "low": low.to_numpy(dtype=object).reshape(-1),
                "high": high.to_numpy(dtype=object).reshape(-1),
            }
        ).infer_objects()

    def probabilities(self, column: str | int) -> "pd.DataFrame":
        """Conditional probabilities of the values of a column, a column of the frame for each.

        Args:
            column: one with a list of values: a category, boolean, integer or list of numbers.

        Raises:
            DataError: for a column of the table that has no such list, or is none of its columns.
        """
        import pandas as pd

        place = column_place(column, self._columns)
        kind = self._columns.kinds[place]
        if kind not in ("category", "boolean", "integer", "discrete"):
            raise DataError(
                f"Column {column!r} is {kind}: it has no list of values. Ask for its quantiles, "
                "or for the probability of a range with prob."
            )
        found: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []

        def count(
            draws: WeightedDraws, values: dict[str | int, np.ndarray], rows: np.ndarray
        ) -> np.ndarray:
            levels, index = np.unique(values[column], return_inverse=True)
            share = np.zeros((len(rows), len(levels)))
            at = np.repeat(np.arange(len(rows)), draws.log_ratio.shape[1])
            np.add.at(share, (at, index.reshape(-1)), draws.log_weight.exp().numpy().reshape(-1))
            found.append((rows, levels, share))
            return rows

        self._collect(count)
        known = self._columns.columns[place].values
        seen = list(dict.fromkeys(v for _, levels, _ in found for v in levels.tolist()))
        order = [v for v in known if v in seen] + sorted(v for v in seen if v not in known)
        frame = pd.DataFrame(0.0, index=range(len(self)), columns=order)
        for rows, levels, share in found:
            frame.loc[rows, levels.tolist()] = share
        return frame

    def prob(self, event: Mapping[str | int, Any]) -> np.ndarray:
        """Conditional probability of an event, (m,).

        Args:
            event: dict from columns to values, pairs ``(low, high)`` of which either may be
                None, or lists of values.
        """
        table, ranges = taken_apart(event, self._columns, single=True)
        check_event = Event({**table, **ranges}, self._columns)

        def probability(draws: WeightedDraws, rows: np.ndarray) -> np.ndarray:
            draws = draws.spread(_PLACES)
            weight = draws.log_weight.exp().numpy()
            holds = check_event.holds(self._columns.values(draws.points.flatten(0, 1)))
            return np.where(holds.reshape(weight.shape), weight, 0.0).sum(1)

        return self._over_draws(probability)

    def cdf(self, values: Mapping[str | int, Any]) -> np.ndarray:
        """Conditional probability that all of some columns are at most these values, (m,).

        Args:
            values: dict from columns of numbers or dates to a value.
        """
        return self.prob({column: (None, value) for column, value in values.items()})

    def pieces(self, column: str | int) -> Pieces:
        """The distributions of a column of numbers or dates, where it alone is open, in pieces.

        Returns:
            Low and high ends of intervals in which the distribution is even, equal for a value
            with a probability, and weights, which sum to one a row: (m, R) each. Dates are counts
            of their unit.
        """
        found: list[Pieces] = []

        def collect(draws: WeightedDraws, rows: np.ndarray) -> np.ndarray:
            found.append(self._pieces(draws, (column,))[column])
            return rows

        self._over_draws(collect)
        low, high, weight = (np.concatenate(part) for part in zip(*found, strict=True))
        return low, high, weight

    def mode(self) -> Any:
        """The most plausible rows: of the draws those with the highest joint density.

        Returns:
            Table of m rows like those of the table of ``fit``.
        """
        best = torch.empty_like(self._z)
        with torch.no_grad():
            for rows, draws in self._drawn(self._n_draws, self._noise(self._seed)):
                value = torch.where(draws.log_ratio > -math.inf, draws.log_joint, -math.inf)
                best[rows] = draws.points[torch.arange(len(rows)), value.argmax(1)]
        return self._columns.fill(self._table, best, np.arange(len(self)))

    def filled(self, strategy: str = "mean") -> Any:
        """The given table with its missing cells filled in; see :meth:`TableDensity.impute`.

        Args:
            strategy: one of :data:`STRATEGIES`.
        """
        if strategy == "sample":
            return self.sample(1, random_state=self._seed)
        if strategy == "mode":
            return self.mode()
        labels = self._columns.modelled
        found: dict[str | int, np.ndarray] = {}

        def collect(
            draws: WeightedDraws, values: dict[str | int, np.ndarray], rows: np.ndarray
        ) -> np.ndarray:
            weight = draws.log_weight.exp().numpy()
            for label in labels:
                own = values[label].reshape(weight.shape)
                if own.dtype.kind in "OUb":
                    best = _most_probable(own, weight)
                elif strategy == "mean":
                    best = (own.astype(float) * weight).sum(1)
                else:
                    best = quantile_of(*self._pieces(draws, (label,))[label], 0.5)
                if label not in found:
                    found[label] = np.empty(len(self), dtype=best.dtype)
                found[label][rows] = best
            return rows

        self._collect(collect)
        return self._columns.fill(self._table, found, np.arange(len(self)))

    def filled_cells(self, table: Any, level: float = 0.9) -> "pd.DataFrame":
        """The cells of the given table that were missing, and how sure what fills them is.

        Args:
            table: as :meth:`filled` returns it.
            level: probability of the intervals, above 0 and below 1.

        Returns:
            Frame with the columns row, column, value, low, high and probability: the central
            interval of numbers and dates, and the probability of other values, None where there
            is none.
        """
        import pandas as pd

        check({"level": _LEVEL}, {"level": level})
        missing = self._columns.missing(self._table)
        labels = [x for x in self._labels(self._columns.numeric) if not self._is_boolean(x)]
        made = {self._columns.labels[j]: v for j, (v, _) in self._columns.cells(table).items()}
        others = [x for x in self._columns.modelled if x not in labels and missing[x].any()]

        def sureness(draws: WeightedDraws, rows: np.ndarray) -> np.ndarray:
            pieces = self._pieces(draws, tuple(labels))
            ends = [quantile_of(*pieces[x], 0.5 + s * level / 2) for x in labels for s in (-1, 1)]
            weight = draws.log_weight.exp().numpy()
            values = self._columns.values(draws.points.flatten(0, 1)) if others else {}
            for label in others:
                same = values[label].reshape(weight.shape) == made[label][rows][:, None]
                ends.append(np.where(same, weight, 0.0).sum(1))
            return np.stack(ends, axis=1) if ends else np.zeros((len(rows), 0))

        found = self._over_draws(sureness)
        place = self._columns.places(table)
        parts = []
        for label, gaps in missing.items():
            rows = np.flatnonzero(gaps)
            part: dict[str, Any] = {"row": rows, "column": [label] * len(rows)}
            part["value"] = cells_of(table, place[label])[rows] if label in place else None
            part |= dict.fromkeys(("low", "high", "probability"))
            if label in labels:
                i = 2 * labels.index(label)
                for end, k in (("low", i), ("high", i + 1)):
                    part[end] = self._columns.write_numbers(label, found[rows, k])
            elif label in others:
                part["probability"] = found[rows, 2 * len(labels) + others.index(label)]
            if len(rows):
                parts.append(pd.DataFrame(part).astype(object))
        columns = ["row", "column", "value", "low", "high", "probability"]
        if not parts:
            return pd.DataFrame(columns=columns)
        frame = pd.concat(parts, ignore_index=True)
        frame = frame.sort_values("row", kind="stable", ignore_index=True)
        return frame.astype({"row": int, "probability": float})

    def _is_boolean(self, label: str | int) -> bool:
        return self._columns.kinds[self._columns.labels.index(label)] == "boolean"

    def log_density(self) -> np.ndarray:
        """Log density of the cells that are given, in nats in the units of the table: (m,).

        Exact where at most one column is open, but for the rule by which it is integrated; else
        estimated, with the errors of :meth:`log_density_error`.
        """
        return self._collect(lambda draws, values, rows: draws.log_given.numpy()) + (
            self._log_det.numpy() - self._log_kept
        )

    def log_density_error(self) -> np.ndarray:
        """Standard errors of :meth:`log_density` in nats, (m,); 0 where it is summed up."""

        def error(draws: WeightedDraws, values: Any, rows: np.ndarray) -> np.ndarray:
            excess = 1 / draws.effective_size - 1 / draws.log_ratio.shape[1]
            return excess.clamp_min(0.0).sqrt().numpy()

        return self._collect(error)

    def score_samples(self, X: Any) -> np.ndarray:
        """Log density of the open columns of rows given the others, in nats: (n,).

        Args:
            X: complete rows, one for each given row, or any number where one row is given.

        Raises:
            DataError: for rows that do not have the given cells.
        """
        z, log_det = self._columns.encode(X)
        if len(self) not in (1, len(z)):
            raise DataError(
                f"X has {len(z)} rows, and {len(self)} rows are given. Expected as many of both, "
                "or one given row."
            )
        same = self._columns.agree(self._table, X)
        inside = self._event.holds(self._columns.values(z))
        if not (same & inside).all():
            row = int(np.flatnonzero(~(same & inside))[0])
            raise DataError(
                f"Row {row} of X does not have the cells that are given. Expected rows that do."
            )
        with torch.no_grad():
            given = self._collect(lambda draws, values, rows: draws.log_given.numpy())
            joint = self._conditioner.log_prob(z, self._seed).numpy() + log_det.numpy()
        return joint - given - self._log_det.numpy()

    # --- draws ------------------------------------------------------------------------------

    def _noise(self, seed: int) -> RowNoise:
        """Random numbers of the rows, by what is known of each."""
        return RowNoise.of(
            torch.cat([torch.where(self._known, self._z, 0.0), self._known.double()], 1), seed
        )

    def _drawn(self, count: int, noise: RowNoise) -> Iterator[tuple[np.ndarray, WeightedDraws]]:
        """Numbers of rows with the same open cells, and their draws; some rows at a time."""
        size = max(1, _HELD // (count * self._rounds * max(1, self._z.shape[1])))
        for rows, given in _patterns(self._known):
            for start in range(0, len(rows), size):
                yield from self._enough(rows[start : start + size], given, count, noise)

    def _enough(
        self, rows: np.ndarray, given: Tensor, count: int, noise: RowNoise
    ) -> Iterator[tuple[np.ndarray, WeightedDraws]]:
        """Draws of rows that are worth enough for each, or as many as can be had."""
        allowed, own = self._asked, noise.take(rows)
        draws = self._conditioner.condition(self._z[rows], given, count, own, allowed)
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
            more = self._conditioner.condition(self._z[rows], given, count, own, allowed)
            draws = draws.with_more(more)
        met = draws.log_ratio.amax(1) > -math.inf
        if not bool(met.all()):
            where = f" of row {int(rows[~met.numpy()][0])}" if len(self) > 1 else ""
            raise DataError(
                f"None of {draws.log_ratio.shape[1]:,} draws meets the conditions{where}: they "
                "hold for hardly any rows, or contradict each other. Widen the ranges."
            )
        yield rows, draws

    def _allowed(self, points: Tensor) -> Tensor:
        """Which of some points (N, D) are in the ranges and lists that are given."""
        found = self._columns.allowed(points)
        if self._event:
            found &= torch.from_numpy(self._event.holds(self._columns.values(points)))
        return found

    @property
    def _asked(self) -> Callable[[Tensor], Tensor] | None:
        """What marks the points that may be; None where all may."""
        return self._allowed if self._event or self._columns.rejecting else None

    def _collect(self, statistic: Statistic) -> np.ndarray:
        """A statistic of the draws of every row and their values, in the order of the rows."""

        def of_values(draws: WeightedDraws, rows: np.ndarray) -> np.ndarray:
            return statistic(draws, self._columns.values(draws.points.flatten(0, 1)), rows)

        return self._over_draws(of_values)

    def _over_draws(
        self, statistic: Callable[[WeightedDraws, np.ndarray], np.ndarray]
    ) -> np.ndarray:
        """A statistic of the draws of every row, in the order of the rows: (m, ...)."""
        found, order = [], []
        with torch.no_grad():
            for rows, draws in self._drawn(self._n_draws, self._noise(self._seed)):
                found.append(statistic(draws, rows))
                order.append(rows)
        return np.concatenate(found)[np.concatenate(order).argsort()]

    def _numeric(
        self, statistic: Callable[[np.ndarray, np.ndarray], np.ndarray], *, written: bool = True
    ) -> "pd.DataFrame":
        """A statistic of the open columns of numbers, dates and booleans as a frame (m, columns).

        Args:
            statistic: of values and weights, (n, R) both, to (n,).
            written: whether dates are written as the table has them.
        """
        labels = self._labels(self._columns.numeric)

        def all_of(
            draws: WeightedDraws, values: dict[str | int, np.ndarray], rows: np.ndarray
        ) -> np.ndarray:
            weight = draws.log_weight.exp().numpy()
            shape = weight.shape
            columns = [statistic(values[x].reshape(shape).astype(float), weight) for x in labels]
            return np.stack(columns, axis=1) if columns else np.zeros((len(rows), 0))

        return self._frame(labels, self._collect(all_of), written=written)

    def _frame(
        self, labels: tuple[str | int, ...], found: np.ndarray, *, written: bool = True
    ) -> "pd.DataFrame":
        """Numbers (m, columns) as a frame, dates written as the table has them or as numbers."""
        import pandas as pd

        frame = {}
        for label, column in zip(labels, found.T, strict=True):
            frame[label] = self._columns.write_numbers(label, column) if written else column
        return pd.DataFrame(frame, index=range(len(self)), columns=list(labels))

    def _pieces(
        self, draws: WeightedDraws, labels: tuple[str | int, ...]
    ) -> dict[str | int, Pieces]:
        """The distributions of columns of numbers as pieces with weights, (n, R) each."""
        weight = draws.log_weight.exp().numpy()
        ends = [self._columns.values(points.flatten(0, 1)) for points in draws.ends()]
        found = {}
        for label in labels:
            one, other = (values[label].reshape(weight.shape).astype(float) for values in ends)
            found[label] = np.minimum(one, other), np.maximum(one, other), weight
        return found

    def _labels(self, among: tuple[str | int, ...]) -> tuple[str | int, ...]:
        """Those of some columns that are open in any row."""
        return tuple(x for x in among if x in self._columns.open_labels(self._known.numpy()))


def _patterns(known: Tensor) -> Iterator[tuple[np.ndarray, Tensor]]:
    """Numbers of the rows that have the same known cells, and which those are."""
    patterns, group = unique_rows(known)
    for i, given in enumerate(patterns):
        yield torch.nonzero(group == i)[:, 0].numpy(), given


def quantile_of(low: np.ndarray, high: np.ndarray, weight: np.ndarray, q: float) -> np.ndarray:
    """Quantiles of distributions in pieces, each even from its low to its high end: (n,).

    Args:
        low, high: (n, R) ends of the pieces, which do not overlap; equal ends are a point.
        weight: (n, R) weights that sum to one.
        q: share of the probability below.
    """
    order = low.argsort(axis=1, kind="stable")
    total = np.take_along_axis(weight, order, 1).cumsum(1)
    asked = q * total[:, -1:]
    place = (total < asked).sum(1).clip(max=low.shape[1] - 1)[:, None]
    piece = np.take_along_axis(order, place, 1)
    begin, end, own = (np.take_along_axis(x, piece, 1) for x in (low, high, weight))
    below = np.take_along_axis(total, place, 1) - own
    share = np.clip((asked - below) / np.maximum(own, 1e-300), 0.0, 1.0)
    return (begin + (end - begin) * share)[:, 0]


def cells_of(table: Any, place: int) -> np.ndarray:
    """The cells of a column of a table in any container, as Python's objects, (n,)."""
    import narwhals as nw

    frame = nw.from_native(table, eager_only=True, pass_through=True)
    cells = (
        frame[:, place].to_list() if isinstance(frame, nw.DataFrame) else table[:, place].tolist()
    )
    found = np.empty(len(cells), dtype=object)
    found[:] = cells
    return found


def _most_probable(values: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """The value with most weight in each row, from values and weights (n, R): (n,)."""
    levels, index = np.unique(values, return_inverse=True)
    index = index.reshape(values.shape)
    share = np.zeros((len(values), len(levels)))
    np.add.at(share, (np.arange(len(values))[:, None], index), weight)
    return levels[share.argmax(1)]


def _tell_lost(lost: Mapping[str | int, tuple[int, str]], refused: bool) -> None:
    """Say of cells that are given and cannot be used.

    Raises:
        DataError: where they are refused.

    Warns:
        UserWarning: where they are not.
    """
    label, (row, why) = next(iter(lost.items()))
    if refused:
        raise DataError(f"Column {label!r} in row {row}: {why}")
    warnings.warn(
        f"Cells of {', '.join(map(repr, lost))} are left out of account where others of their row "
        f"are missing. The first is {label!r} in row {row}: {why}",
        stacklevel=stacklevel_of_caller(),
    )
