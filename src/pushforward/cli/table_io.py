"""Tables on their way in and out: which columns a model takes, batch by batch, and where to."""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from narwhals.dependencies import is_into_dataframe

from ..data.tables.reading_options import ReadingOptions
from ..errors import DataError
from ..validation import OneOf, check
from ..wording import did_you_mean, nearest
from .console import Console

__all__ = [
    "ModelRows",
    "as_frame",
    "at_row",
    "find_column",
    "known_columns",
    "models_holes",
    "numbers",
    "open_source",
    "rows_at_a_time",
    "seed_of_block",
    "sink",
    "take",
]

_CELLS = 1 << 22  # numbers in one batch: a few copies of 32 MiB is all a command holds

Label = str | int


def rows_at_a_time(n_columns: int) -> int:
    """Rows of one batch: fewer of wide tables, so that memory does not grow with the columns."""
    return max(256, min(65_536, _CELLS // max(1, n_columns)))


def seed_of_block(seed: int | None, i: int) -> Any:
    """The seed itself for the first block, so that few rows are those of the Python call."""
    if seed is None or i == 0:
        return seed
    return int(np.random.SeedSequence([seed, i]).generate_state(1)[0])


def numbers(batch: Any) -> np.ndarray:
    """A batch of latents as an array.

    Raises:
        DataError: where there is anything but numbers.
    """
    try:
        return np.asarray(batch, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(f"Latents have to be numbers: {error}.") from error


def open_source(
    source: str, console: Console, reading: ReadingOptions | None = None, model: Any = None
) -> Any:
    """Open a file, folder or known set, and say what was noticed about it.

    Args:
        source: what was named.
        console: where notes go.
        reading: how a file of text is written, as far as it is given.
        model: the model that will get the table, or None.
    """
    from ..data import open_data

    given = {} if reading is None else reading.given
    table = open_data(source, **given, like=model)
    for line in (table.note or "").splitlines():
        console.note(line)
    return table


def find_column(name: str, labels: Sequence[Label], option: str) -> Label:
    """The label that a name on the command line means; arrays have positions from 0.

    Raises:
        DataError: if the table has no such column.

    >>> find_column("1", [0, 1, 2], "--drop")
    1
    """
    if name in labels:
        return name
    if name.isdecimal() and int(name) in labels:
        return int(name)
    hint = did_you_mean(name, labels)
    raise DataError(f"{option} names the column {name!r}{hint}. The table has {_listed(labels)}.")


def take(X: Any, labels: Sequence[Label], wanted: Sequence[Label]) -> Any:
    """The wanted columns of a frame or array whose columns are ``labels``; X itself if all."""
    if list(labels) == list(wanted):
        return X
    if is_into_dataframe(X):
        return X[list(wanted)]
    return X[:, [labels.index(label) for label in wanted]]


class ModelRows:
    """The rows of a table with the columns that a fitted model knows, in its order.

    Columns the model has not seen are left out, with a note: one scores the file one fitted
    on, whose row numbers or weights were dropped. Without names, positions have to match.

    Args:
        table: the opened table.
        model: a fitted model.
        drop: names of columns to leave out.
        console: where notes go.

    Raises:
        DataError: for columns that are missing.
    """

    def __init__(self, table: Any, model: Any, drop: Sequence[str], console: Console) -> None:
        self.table = table
        self._labels: list[Label] = list(table.columns)
        gone = [find_column(name, self._labels, "--drop") for name in drop]
        self._wanted = [label for label in self._labels if label not in gone]
        columns = model.capabilities().columns
        if columns is None or not (columns.layout.named and _named(self._labels)):
            return
        optional = [
            label
            for label, one in zip(columns.labels, columns.columns, strict=True)
            if one.left_out and label not in self._wanted
        ]
        needed = [label for label in columns.labels if label not in optional]
        file = str(table.path or "The table")
        self._wanted = known_columns(
            self._wanted, needed, file, console, needed=True, holes=models_holes(model)
        )

    def for_model(self, batch: Any) -> Any:
        """The columns of a batch that the model takes."""
        return take(batch, self._labels, self._wanted)

    def batches(self) -> Iterator[tuple[int, Any]]:
        """Yield (number of the first row, the batch).

        Raises:
            DataError: where there are no rows. An error raised while a later batch is worked
                on counts rows within the batch; :func:`at_row` says where that begins.
        """
        start = 0
        for batch in self.table.batches(rows_at_a_time(len(self._labels))):
            yield start, batch
            start += len(batch)
        if start == 0:
            raise DataError(f"{self.table.path or 'The table'} has no rows. Expected some.")


def known_columns(
    labels: Sequence[Label],
    known: Sequence[Label],
    file: str,
    console: Console,
    *,
    needed: bool,
    holes: bool = True,
) -> list[Label]:
    """The columns of a table that a model knows, in its order, with notes about others.

    Args:
        labels: of the table.
        known: to the model.
        file: what the table is called.
        console: where notes go.
        needed: whether all that are known have to be there; else they are noted.
        holes: whether the model takes missing cells.

    Raises:
        DataError: for columns that are lacking, or all of them.
    """
    found = [label for label in known if label in labels]
    extra = [label for label in labels if label not in known]
    if lacking := [label for label in known if label not in labels]:
        _tell_lacking(lacking, extra, labels, file, console, needed or not found, holes)
    if extra:
        console.note(f"left out {_listed(extra)}, which the model does not know.")
    return found


def _tell_lacking(
    lacking: list[Label],
    extra: list[Label],
    labels: Sequence[Label],
    file: str,
    console: Console,
    refused: bool,
    holes: bool,
) -> None:
    """Refuse a table that lacks columns of a model, or note it."""
    near = {x: found for x in lacking if (found := nearest(x, extra)) is not None}
    named = _listed(lacking, {k: f" (is it {v!r} there?)" for k, v in near.items()})
    if not refused:
        one = "it is" if len(lacking) == 1 else "they are"
        console.note(f"{file} lacks {named}: {one} taken as missing in all rows.")
        return
    remedy = ["Rename what has another name there"] if near else []
    remedy.append(
        "add empty columns for what is not known"
        if holes
        else "fit a model without them, with pushforward fit --drop"
    )
    text = " or ".join(remedy) if len(remedy) > 1 else remedy[0].capitalize()
    raise DataError(
        f"{file} lacks {named}, which the model was fitted on. It has {_listed(labels)}. {text}."
    )


def models_holes(model: Any) -> bool:
    """Whether a model takes rows with missing cells."""
    return model.get_params(deep=False).get("missing", "error") in ("auto", "model")


@contextmanager
def at_row(start: int) -> Iterator[None]:
    """Make errors about rows of a batch say where in the file it begins."""
    try:
        yield
    except DataError as error:
        if start == 0:
            raise
        raise DataError(f"{error} (Row numbers count from row {start} of the file.)") from error


@contextmanager
def sink(output: Path | None, formulas: str = "keep") -> Iterator[Callable[[Any], None]]:
    """Yield a function that appends batches to a file, or as csv to stdout.

    A file gets its name when all is written; with an error nothing of it is left. Formulas are
    treated as :class:`~pushforward.data.TableWriter` does.
    """
    from ..data.tables.formulas import FORMULAS

    check({"formulas": OneOf(*FORMULAS)}, {"formulas": formulas})
    if output is None:
        yield _csv_to_stdout(formulas)
        return
    from ..data import TableWriter

    with TableWriter(output, formulas=formulas) as writer:
        yield writer.write


def _csv_to_stdout(formulas: str) -> Callable[[Any], None]:
    from ..data.tables.formulas import without_formulas

    header = True

    def write(X: Any) -> None:
        nonlocal header
        frame = without_formulas(as_frame(X), formulas)
        frame.to_csv(sys.stdout, index=False, header=header, lineterminator="\n")
        header = False

    return write


def as_frame(X: Any) -> Any:
    """A batch as a pandas frame, the columns of arrays called column_0, column_1, ...

    Raises:
        DataError: for an array that is no table.
    """
    import narwhals as nw
    import pandas as pd

    frame = nw.from_native(X, pass_through=True, eager_only=True)
    if isinstance(frame, nw.DataFrame):
        return X if isinstance(X, pd.DataFrame) else frame.to_pandas()
    array = np.asarray(X)
    if array.ndim != 2:
        raise DataError(f"Rows of shape {array.shape[1:]} are no table. Write them with -o X.npy.")
    return pd.DataFrame(array, columns=[f"column_{j}" for j in range(array.shape[1])])


def _named(labels: Sequence[Label]) -> bool:
    return any(isinstance(label, str) for label in labels)


def _listed(labels: Sequence[Label], hints: Mapping[Label, str] | None = None) -> str:
    if not labels:
        return "no columns"
    shown = ", ".join(f"{label!r}{(hints or {}).get(label, '')}" for label in labels[:8])
    more = f" and {len(labels) - 8} more" if len(labels) > 8 else ""
    return f"the column{'s' if len(labels) > 1 else ''} {shown}{more}"
