"""The rows that a fit holds of a table: all, or a sample where it is larger than memory."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import narwhals as nw
import numpy as np
import torch
from narwhals.dependencies import is_into_dataframe
from torch import Tensor

from ...errors import DataError
from ...validation import COUNT, check
from ...wording import worded
from .lazy_table import CHUNK, Table
from .range_rows import RangeRows
from .row_counts import taken
from .row_sample import Block, RowSample, joined
from .unmodelled_columns import MAX_CATEGORIES

__all__ = ["DrawnRows", "Group", "draw_rows", "held"]

_CELLS = 1 << 24  # numbers that a fit holds: it makes some copies of their 128 MiB
_ROWS = (1 << 14, 1 << 20)  # fewest and most rows of a sample: docs/scaling.md has the effect
_LEVELS = MAX_CATEGORIES + 1  # of a column of text: one more than a category has
_BYTES = 1 << 26  # of a file of text whose rows are not counted
_BATCH = 1 << 22  # numbers read at once


class Group(Protocol):
    """The processes that read a table together: :class:`pushforward.training.Processes`."""

    rank: int
    count: int

    def gather(self, data: bytes) -> list[bytes]:
        """The bytes of every process, by rank."""
        ...


@dataclass(frozen=True)
class DrawnRows:
    """Rows of a table that are held in memory.

    Attributes:
        X: a frame or array (k, p).
        weight: (k,) float64, what a row counts; None where all count the same.
        numbers: (k,) the place of each row in the table, in rising order.
        n_rows: rows of the table.
        open_text: columns of very many different texts, levels of which may be missing.
    """

    X: Any
    weight: np.ndarray | None
    numbers: np.ndarray
    n_rows: int
    open_text: tuple[str | int, ...] = ()

    @property
    def whole(self) -> bool:
        """Whether these are all rows of the table."""
        return len(self.numbers) == self.n_rows

    def of_columns(self, columns: Sequence[str | int], wanted: Sequence[str | int]) -> "DrawnRows":
        """These rows with the wanted ones of their columns.

        Args:
            columns: names of all columns, in their order.
            wanted: those to keep.
        """
        if list(columns) == list(wanted):
            return self
        if isinstance(self.X, np.ndarray):
            return replace(self, X=self.X[:, [columns.index(name) for name in wanted]])
        return replace(self, X=self.X[list(wanted)])

    def weights(self, sample_weight: Any = None) -> Any:
        """What the rows count where those of the table, (n_rows,), or these, (k,), have weights.

        Raises:
            DataError: for weights of any other number.
        """
        if sample_weight is None or self.whole:
            return self.weight if sample_weight is None else sample_weight
        given = np.asarray(sample_weight, dtype=np.float64)
        if given.shape == (self.n_rows,):
            given = given[self.numbers]
        if given.shape != self.numbers.shape:
            raise DataError(
                f"sample_weight has shape {given.shape}. Expected ({self.n_rows},), a weight for "
                "each row of the table."
            )
        return given if self.weight is None else given * self.weight

    def text(self) -> str:
        """What was left out, in a sentence; "" for nothing."""
        if self.whole:
            return ""
        assert self.weight is not None
        drawn = int((self.weight == 1).sum())
        more = len(self.weight) - drawn
        open_text = ""
        if self.open_text:
            shown = ", ".join(map(str, self.open_text[:5]))
            open_text = f"; {shown}: only levels that were drawn are known"
        return (
            f"fitted to {drawn:,} of {self.n_rows:,} rows, drawn at random, and to {more:,} that "
            f"show what the columns range over{open_text}; "
            + worded("fit(pushforward.data.draw_rows(X, most_rows))", "--rows N")
            + " draws another number"
        )


def draw_rows(
    table: Any,
    most_rows: int | None = None,
    group: Group | None = None,
    advance: Callable[[int], object] | None = None,
) -> DrawnRows:
    """Read a table in one pass, whole where it fits in memory, and else a sample of its rows.

    A sample has rows drawn uniformly without replacement, each of weight one. Beside them it has
    the rows that show the range of each column (:class:`.range_rows.RangeRows`), with the weight
    that a row of the table has among those drawn: what is learned of the columns holds for all
    rows, and the density is not moved. Which rows are drawn depends on their number alone, so that
    1, 2 or 64 processes draw the same.

    Args:
        table: opened by :func:`open_data`, of which memory stays that of the sample; or a frame,
            array or tensor.
        most_rows: rows to draw at most. None is up to 2^20, and up to 2^24 cells.
        group: processes that read a part of the row groups of a parquet table each.
        advance: called with the number of rows after each batch.
    """
    check({"most_rows": COUNT | None}, {"most_rows": most_rows})
    if not isinstance(table, Table):
        return _of_memory(table, most_rows)
    width = max(1, len(table.columns))
    size = most_rows or _most(width)
    if table.in_memory or _is_small(table, size):
        X = table.read()
        if len(X) <= size:
            return DrawnRows(X, None, np.arange(len(X)), len(X))
        table = Table.of(X)
    shared = group is not None and group.count > 1 and table.divisible
    share = (group.rank, group.count) if group is not None and shared else (0, 1)
    sample, ranges = RowSample(size), RangeRows(_LEVELS)
    for start, batch in table.numbered(max(256, min(CHUNK, _BATCH // width)), share):
        sample.add(start, batch)
        ranges.add(Block(np.arange(start, start + len(batch)), batch))
        if advance is not None:
            advance(len(batch))
    if group is not None and shared:
        from .gathered_rows import gathered

        sample, ranges = gathered(sample, ranges, table, group)
    return _together(sample, ranges, table)


def held(X: Any) -> Any:
    """What a fit holds of its rows: those given, or a sample where a container has too many."""
    shape = getattr(X, "shape", ())
    if isinstance(X, (Table, DrawnRows)) or len(shape) != 2 or shape[0] <= _most(shape[1]):
        return X
    return X if _in_plain_form(X) is None else draw_rows(X)


def _most(width: int) -> int:
    """Rows of so many columns that a fit holds at most."""
    return max(_ROWS[0], min(_ROWS[1], _CELLS // max(1, width)))


def _in_plain_form(X: Any) -> Any:
    """A pandas frame or array of the same rows; None of what is no table."""
    if isinstance(X, Tensor):
        X = X.detach().cpu()
        return (X.float() if X.dtype == torch.bfloat16 else X).numpy()
    if isinstance(X, np.ndarray):
        return X
    return nw.from_native(X, eager_only=True).to_pandas() if is_into_dataframe(X) else None


def _of_memory(X: Any, most_rows: int | None) -> DrawnRows:
    """Rows of a frame, array or tensor, in the same container."""
    plain = _in_plain_form(X)
    if plain is None:
        raise DataError(f"{type(X).__name__} is no table. Expected a frame, array or tensor.")
    drawn = draw_rows(Table.of(plain), most_rows)
    return drawn if plain is X else replace(drawn, X=taken(X, drawn.numbers))


def _is_small(table: Table, most: int) -> bool:
    """Whether a table can be read at once to see whether it fits."""
    if table.n_rows is not None:
        return table.n_rows <= most
    path = table.path
    return path is not None and path.suffix != ".gz" and path.stat().st_size <= _BYTES


def _together(sample: RowSample, ranges: RangeRows, table: Table) -> DrawnRows:
    """A sample and the rows beside it, with their weights."""
    drawn = sample.drawn()
    if drawn is None:
        return DrawnRows(table.read(), None, np.arange(0), 0)
    if len(drawn.numbers) == sample.seen:
        return DrawnRows(drawn.X, None, drawn.numbers, sample.seen)
    rows = ranges.rows()
    more = None if rows is None else rows.take(~np.isin(rows.numbers, drawn.numbers))
    both = joined([drawn] if more is None else [drawn, more])
    assert both is not None
    share = len(drawn.numbers) / sample.seen
    weight = np.where(np.isin(both.numbers, drawn.numbers), 1.0, share)
    labels = list(table.columns)
    open_text = tuple(labels[j] for j in sorted(ranges.open_text))
    return DrawnRows(both.X, weight, both.numbers, sample.seen, open_text)
