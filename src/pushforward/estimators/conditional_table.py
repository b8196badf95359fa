"""The distribution of open cells of a table's rows given the others: what ``given`` returns."""

import math
import warnings
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ..data import Columns
from ..errors import DataError, stacklevel_of_caller
from ..transport.any_density import with_functions
from ..transport.conditioning import Conditioner
from ..transport.weighted_draws import WeightedDraws
from ..validation import COUNT, Number, check
from .conditional_draws import ConditionalDraws, Values
from .conditions import Event, column_place, taken_apart
from .parameters import drawn_seed
from .piecewise import Pieces

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["STRATEGIES", "ConditionalTable"]

#: What missing cells can be filled in with.
STRATEGIES = ("mean", "median", "mode", "sample")

_LEVEL = Number(0, 1)
_ROUNDS, _ROUNDS_OF_ROWS = 40, 8  # times that draws are added, of one row and of many
_PLACES = 8  # of a piece of an integral at which an event is looked at


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
        self._ties = columns.tied_cells(self._table, self._known.numpy())
        lost = columns.unused_cells(self._table, self._known.numpy(), self._ties)
        if lost:
            _tell_lost(lost, refused=isinstance(conditions, Mapping))
        self._draws = ConditionalDraws(
            columns, conditioner, self._z, self._known, self._event, self._ties,
            n_draws=n_draws, max_draws=max_draws,
            # by what is asked, not by how many rows there are: a row has one answer among others
            rounds=_ROUNDS if isinstance(conditions, Mapping) else _ROUNDS_OF_ROWS,
            lenient=not isinstance(conditions, Mapping),
            seed=drawn_seed(random_state),
        )  # fmt: skip
        self._log_kept = math.log(kept)

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
        return self._draws.over_values(lambda draws, values, rows: draws.effective_size.numpy())

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
        points = self._draws.points(n_samples, self._draws.noise(seed).apart())
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
        points = self._draws.points(n_samples, self._draws.noise(seed), even=True)
        return self._columns.fill(
            self._table, points.flatten(0, 1), np.repeat(np.arange(len(self)), n_samples)
        )

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
            pieces = self._draws.pieces(draws, labels)
            found = [pieces[label].quantile(q) for label in labels]
            return np.stack(found, axis=1) if found else np.zeros((len(rows), 0))

        return self._frame(labels, self._draws.over(quantiles))

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

        def count(draws: WeightedDraws, values: Values, rows: np.ndarray) -> np.ndarray:
            levels, index = np.unique(values[column], return_inverse=True)
            share = np.zeros((len(rows), len(levels)))
            at = np.repeat(np.arange(len(rows)), draws.log_ratio.shape[1])
            np.add.at(share, (at, index.reshape(-1)), draws.log_weight.exp().numpy().reshape(-1))
            found.append((rows, levels, share))
            return rows

        self._draws.over_values(count)
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

        return self._draws.over(probability)

    def cdf(self, values: Mapping[str | int, Any]) -> np.ndarray:
        """Conditional probability that all of some columns are at most these values, (m,).

        Args:
            values: dict from columns of numbers or dates to a value.
        """
        return self.prob({column: (None, value) for column, value in values.items()})

    def pieces(self, column: str | int) -> Pieces:
        """The distributions of a column of numbers or dates, where it alone is open, in pieces.

        Returns:
            Intervals (m, R) in which the distribution is even, whose ends are equal for a value
            with a probability. Dates are counts of their unit.
        """
        found: list[Pieces] = []

        def collect(draws: WeightedDraws, rows: np.ndarray) -> np.ndarray:
            found.append(self._draws.pieces(draws, (column,))[column])
            return rows

        self._draws.over(collect)
        return Pieces(*(np.concatenate(part) for part in zip(*found, strict=True)))

    def mode(self) -> Any:
        """The most plausible rows: of the draws those with the highest joint density.

        Returns:
            Table of m rows like those of the table of ``fit``.
        """
        return self._columns.fill(self._table, self._draws.modes(), np.arange(len(self)))

    def filled(self, strategy: str = "mean") -> Any:
        """The given table with its missing cells filled in; see :meth:`TableDensity.impute`.

        Args:
            strategy: one of :data:`STRATEGIES`.
        """
        if strategy == "sample":
            return self.sample(1, random_state=self._draws.seed)
        if strategy == "mode":
            return self.mode()
        labels = self._columns.modelled
        found: dict[str | int, np.ndarray] = {}

        def collect(draws: WeightedDraws, values: Values, rows: np.ndarray) -> np.ndarray:
            weight = draws.log_weight.exp().numpy()
            for label in labels:
                own = values[label].reshape(weight.shape)
                if own.dtype.kind in "OUb":
                    best = _most_probable(own, weight)
                elif strategy == "mean":
                    best = (own.astype(float) * weight).sum(1)
                else:
                    best = self._draws.pieces(draws, (label,))[label].quantile(0.5)
                if label not in found:
                    found[label] = np.empty(len(self), dtype=best.dtype)
                found[label][rows] = best
            return rows

        self._draws.over_values(collect)
        every = np.arange(len(self))
        self._impose_functions(found, self._columns.fill(self._table, found, every))
        return self._columns.fill(self._table, found, every)

    def _impose_functions(self, found: dict[str | int, np.ndarray], filled: Any) -> None:
        """Have filled-in cells that are functions of others in all rows be these, in place.

        Each cell was filled in by itself: an article and its code, say, with the most probable of
        either, which no row has together.

        Args:
            found: (m,) values that cells are filled in with, by the label of their column.
            filled: the table with these.
        """
        z, _ = self._columns.encode(filled, checked=False)  # such rows may break constraints
        points, follow, _ = with_functions(self._conditioner.density, z, self._known)
        if not bool(follow.any()):
            return
        values = self._columns.values(points)
        for label, own in zip(self._columns.modelled, follow.T.numpy(), strict=True):
            found[label] = np.where(own, values[label], found[label]).astype(found[label].dtype)

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
            pieces = self._draws.pieces(draws, tuple(labels))
            ends = [pieces[x].quantile(0.5 + s * level / 2) for x in labels for s in (-1, 1)]
            weight = draws.log_weight.exp().numpy()
            values = self._columns.values(draws.points.flatten(0, 1)) if others else {}
            for label in others:
                same = values[label].reshape(weight.shape) == made[label][rows][:, None]
                ends.append(np.where(same, weight, 0.0).sum(1))
            return np.stack(ends, axis=1) if ends else np.zeros((len(rows), 0))

        found = self._draws.over(sureness)
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
        return self._draws.over_values(lambda draws, values, rows: draws.log_given.numpy()) + (
            self._log_det.numpy() - self._log_kept
        )

    def log_density_error(self) -> np.ndarray:
        """Standard errors of :meth:`log_density` in nats, (m,); 0 where it is summed up."""

        def error(draws: WeightedDraws, values: Values, rows: np.ndarray) -> np.ndarray:
            excess = 1 / draws.effective_size - 1 / draws.log_ratio.shape[1]
            return excess.clamp_min(0.0).sqrt().numpy()

        return self._draws.over_values(error)

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
        rows = torch.arange(len(z)) if len(self) > 1 else torch.zeros(len(z), dtype=torch.long)
        inside = self._event.holds(self._columns.values(z)) & self._ties.agree(z, rows)
        if not (same & inside).all():
            row = int(np.flatnonzero(~(same & inside))[0])
            raise DataError(
                f"Row {row} of X does not have the cells that are given. Expected rows that do."
            )
        with torch.no_grad():
            given = self._draws.over_values(lambda draws, values, rows: draws.log_given.numpy())
            joint = self._conditioner.log_prob(z, self._draws.seed).numpy() + log_det.numpy()
        # of a cell that follows from others the density is that of the cell it is known by
        return joint + self._ties.log_slope(z, rows) - given - self._log_det.numpy()

    def _numeric(
        self, statistic: Callable[[np.ndarray, np.ndarray], np.ndarray], *, written: bool = True
    ) -> "pd.DataFrame":
        """A statistic of the open columns of numbers, dates and booleans as a frame (m, columns).

        Args:
            statistic: of values and weights, (n, R) both, to (n,).
            written: whether dates are written as the table has them.
        """
        labels = self._labels(self._columns.numeric)

        def all_of(draws: WeightedDraws, values: Values, rows: np.ndarray) -> np.ndarray:
            weight = draws.log_weight.exp().numpy()
            shape = weight.shape
            columns = [statistic(values[x].reshape(shape).astype(float), weight) for x in labels]
            return np.stack(columns, axis=1) if columns else np.zeros((len(rows), 0))

        return self._frame(labels, self._draws.over_values(all_of), written=written)

    def _frame(
        self, labels: tuple[str | int, ...], found: np.ndarray, *, written: bool = True
    ) -> "pd.DataFrame":
        """Numbers (m, columns) as a frame, dates written as the table has them or as numbers."""
        import pandas as pd

        frame = {}
        for label, column in zip(labels, found.T, strict=True):
            frame[label] = self._columns.write_numbers(label, column) if written else column
        return pd.DataFrame(frame, index=range(len(self)), columns=list(labels))

    def _labels(self, among: tuple[str | int, ...]) -> tuple[str | int, ...]:
        """Those of some columns that are open in any row."""
        return tuple(x for x in among if x in self._columns.open_labels(self._known.numpy()))


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
