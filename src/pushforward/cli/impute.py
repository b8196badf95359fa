"""``pushforward impute``: missing cells of rows filled in, files of any size."""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from ..data.tables.reading_options import ReadingOptions
from .arguments import Data, Folder, Formulas, Output, Quiet, Seed
from .console import Console
from .reading_options import AS_FOUND, reads_tables
from .registry import loaded
from .table_io import (
    at_row,
    find_column,
    known_columns,
    open_source,
    rows_at_a_time,
    seed_of_block,
    sink,
)
from .table_parts import PartsFolder, is_parts_folder, model_digest, parts_of

__all__ = ["cells_file", "given_conditions", "impute"]

_SIGN = re.compile(r"\s*(>=|<=|≥|≤|>|<|=)(.*)", re.DOTALL)
_CONDITION = re.compile(rf"(.+?){_SIGN.pattern}", re.DOTALL)
_BLOCKS = 20  # bits of the number of a batch within its part


@reads_tables
def impute(
    folder: Folder,
    data: Data,
    output: Output = None,
    strategy: Annotated[
        str,
        typer.Option(
            metavar="mean|median|mode|sample",
            help="What cells are filled with: the conditional mean of numbers and the most "
            "probable of other values; the median; the most plausible cells together; or a "
            "draw, which carries the uncertainty.",
        ),
    ] = "mean",
    draws: Annotated[
        int, typer.Option(metavar="N", min=1, help="Weighted draws a row behind each answer.")
    ] = 200,
    cells: Annotated[
        bool,
        typer.Option(
            "--cells/--no-cells",
            help="With -o NAME.csv, list the cells that were filled in in NAME.cells.csv: row, "
            "column, value, the ends of an interval of numbers and dates, the probability of "
            "other values.",
        ),
    ] = True,
    level: Annotated[
        float,
        typer.Option(
            metavar="P", min=0, max=1, help="Probability of the intervals of these cells."
        ),
    ] = 0.9,
    seed: Seed = None,
    formulas: Formulas = "keep",
    reading: ReadingOptions = AS_FOUND,
    quiet: Quiet = False,
) -> None:
    """Fill missing cells of a table in by what its other cells say.

    Writes the columns of the model's table; cells that are there stay as they are. Columns that
    the file lacks are filled in whole, and those the model does not know are left out. A second
    file says which cells were filled in, and how sure they are. Folders of parquet files are
    filled in part by part, as score does, without such a file.

    `pushforward impute model holes.csv -o filled.csv`   (and filled.cells.csv)

    `pushforward impute model holes.csv --strategy sample --random-state 1 -o draw.csv`
    """
    console = Console(quiet)
    model = loaded(folder, "impute")
    table = open_source(data, console, reading, model)
    wanted, lacking = _known(table, model, console)
    in_parts = output is not None and is_parts_folder(output, table)
    listed = None if output is None or in_parts or not cells else cells_file(output)

    def fill(
        part: Any,
        write: Callable[[Any], None],
        first: int = 0,
        list_cells: Callable[[Any], None] | None = None,
    ) -> dict[str, int]:
        """Fill the cells of a table in, its batches being numbered from ``first``."""
        filled = start = 0
        with console.row_progress("imputing", part.n_rows) as advance:
            for i, batch in enumerate(part.batches(rows_at_a_time(len(part.columns)))):
                rows = batch if wanted is None else batch[wanted]
                with at_row(start):
                    filled += _holes(rows) + lacking * len(batch)
                    done = model.impute(
                        rows,
                        strategy=strategy,
                        n_draws=draws,
                        random_state=seed_of_block(seed, first + i),
                        return_cells=list_cells is not None,
                        level=level,
                    )
                    if list_cells is not None:
                        done, found = done
                        list_cells(_as_text(found, start))
                    write(done)
                start += len(batch)
                advance(len(batch))
        if part.n_rows == 0:
            write(part.read() if wanted is None else part.read()[wanted])
        return {"filled": filled, "rows": start}

    if output is not None and in_parts:
        parts = parts_of(table)
        of = {
            "command": "impute", "model": model_digest(folder), "strategy": strategy,
            "draws": draws, "random_state": seed,
        }  # fmt: skip
        made = PartsFolder(output, of, {name: digest for name, _, digest in parts})
        console.quiet |= not made.processes.first
        counts = made.run(lambda i, write: fill(parts[i][1], write, i << _BLOCKS))
        made.print_done(console)
        if not made.processes.first:
            return
    else:
        with sink(output, formulas) as write, _listing(listed, formulas) as list_cells:
            counts = [fill(table, write, list_cells=list_cells)]
    filled, start = (sum(count[key] for count in counts) for key in ("filled", "rows"))
    console.print(f"filled {filled:,} missing cell{'s' * (filled != 1)} of {start:,} rows")
    if output is not None:
        print(output)
    if listed is not None:
        console.print(f"which they are, and how sure: {listed}")


def cells_file(output: Path) -> Path:
    """Where the filled-in cells of a table are listed, beside it.

    >>> cells_file(Path("out/filled.csv")).name, cells_file(Path("filled.npy")).name
    ('filled.cells.csv', 'filled.cells.csv')
    """
    ending = output.suffix if output.suffix.lower() not in (".npy", ".npz") else ".csv"
    return output.with_name(f"{output.stem}.cells{ending}")


@contextmanager
def _listing(path: Path | None, formulas: str) -> Iterator[Callable[[Any], None] | None]:
    """Yield what lists filled-in cells in a file, or None."""
    if path is None:
        yield None
        return
    with sink(path, formulas) as write:
        yield write


def _as_text(cells: Any, start: int) -> Any:
    """Filled-in cells, rows counted from ``start``, values as text: a column mixes kinds."""
    texts = {
        name: cells[name].map(lambda x: None if x is None or x != x else str(x)).astype(object)
        for name in ("column", "value", "low", "high")
    }
    rounded = cells["probability"].round(6)  # sums of weights, whose last digits say nothing
    return cells.assign(row=cells["row"].astype("int64") + start, probability=rounded, **texts)


def _known(table: Any, model: Any, console: Console) -> tuple[list[Any] | None, int]:
    """The columns of a file that the model knows, None where they have no names; how many lack."""
    columns = model.capabilities().columns
    if not columns.layout.named:
        return None, 0
    file = str(table.path or "The table")
    modelled = [
        x for x, one in zip(columns.labels, columns.columns, strict=True) if not one.left_out
    ]
    labels = list(table.columns)
    known = [x for x in columns.labels if x in labels or x in modelled]
    found = known_columns(labels, known, file, console, needed=False)
    return found, len(known) - len(found)


def _holes(rows: Any) -> int:
    """How many cells of a batch are missing."""
    import pandas as pd

    return int(pd.DataFrame(rows).isna().to_numpy().sum())


def _taken_apart(word: str, labels: Sequence[Any]) -> tuple[str, str]:
    """The column and the condition of a word such as ``age=40``, ``age > 60`` or ``age=40..60``.

    Raises:
        BadParameter: for a word that is none.
    """
    names = [str(x) for x in labels if word.startswith(str(x))]  # which may have such signs
    for name in sorted(names, key=len, reverse=True):
        if found := _SIGN.fullmatch(word[len(name) :]):
            return name, _condition_text(*found.groups())
    found = _CONDITION.fullmatch(word)
    if found is None:
        raise typer.BadParameter(
            f"got {word!r}. Expected COLUMN=VALUE, COLUMN=LOW..HIGH, 'COLUMN > VALUE' or "
            "'COLUMN < VALUE'.",
            param_hint="--given",
        )
    name, *rest = found.groups()
    return name, _condition_text(*rest)


def _condition_text(sign: str, text: str) -> str:
    return text if sign == "=" else f"{sign}{text}"


def given_conditions(words: list[str], model: Any) -> dict[Any, Any]:
    """Conditions as :meth:`given` takes them, from words such as ``age=40`` and ``age > 60``.

    A column that is named several times has any of these values.

    Raises:
        BadParameter: for a word without a column, and for a column the model does not know.
    """
    from ..estimators.conditions import read_condition

    columns = model.capabilities().columns
    found: dict[Any, Any] = {}
    for word in words:
        name, text = _taken_apart(word, columns.labels)
        label = find_column(name, columns.labels, "--given")
        value = read_condition(text, columns.columns[columns.labels.index(label)], label)
        if label not in found:
            found[label] = value
        elif isinstance(value, tuple) or isinstance(found[label], tuple):
            raise typer.BadParameter(
                f"{name!r} is given a range and something else. Expected one range, or values.",
                param_hint="--given",
            )
        else:
            before = found[label] if isinstance(found[label], list) else [found[label]]
            found[label] = [*before, value]
    return found
