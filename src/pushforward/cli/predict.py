"""``pushforward predict``: one column of rows by the others, files of any size."""

from typing import Annotated, Any

import typer

from ..data.tables.reading_options import ReadingOptions
from .arguments import Data, Folder, Formulas, Output, Quiet
from .console import Console
from .reading_options import AS_FOUND, reads_tables
from .registry import loaded
from .table_io import (
    at_row,
    known_columns,
    models_holes,
    open_source,
    rows_at_a_time,
    sink,
)

__all__ = ["predict", "wanted_columns"]


@reads_tables
def predict(
    folder: Folder,
    data: Data,
    output: Output = None,
    level: Annotated[
        float,
        typer.Option(
            metavar="SHARE", min=0, max=1, help="Probability inside the intervals of numbers."
        ),
    ] = 0.9,
    formulas: Formulas = "keep",
    reading: ReadingOptions = AS_FOUND,
    quiet: Quiet = False,
) -> None:
    """Predict one column of the rows of a table by the others.

    Of numbers and dates: the mean and the ends of an interval. Of classes: the most probable one
    and the probability of each. Where the file has the column too, how plausible its value is in
    nats. Columns that the model does not know are left out.

    `pushforward fit predictor houses.csv --set target=price -o prices`

    `pushforward predict prices new.csv --level 0.8 -o predicted.csv`
    """
    console = Console(quiet)
    model = loaded(folder, "predict")
    start = 0
    with sink(output, formulas) as write:
        table = open_source(data, console, reading, model)
        wanted = wanted_columns(table, model, console)
        with console.row_progress("predicting", table.n_rows) as advance:
            for batch in table.batches(rows_at_a_time(len(table.columns))):
                rows = batch if wanted is None else batch[wanted]
                with at_row(start):
                    write(_predictions(model, rows, level))
                start += len(batch)
                advance(len(batch))
    console.print(f"predicted {start:,} row{'s' * (start != 1)}")
    if output is not None:
        print(output)


def _predictions(model: Any, rows: Any, level: float) -> Any:
    """A frame of what is said of the target of each row."""
    import pandas as pd

    given, name = model.given(rows), model.target_.name
    frame = pd.DataFrame(index=range(len(given)))
    label = "predicted" if name is None else f"predicted {name}"
    if model.target_.classes is not None:
        frame[label] = given.mode()
        for j, value in enumerate(model.classes_.tolist()):
            frame[f"probability {value}"] = given.probability[:, j]
    else:
        frame[label] = given.mean()
        low, high = given.interval(level).T
        frame[f"low {level:g}"], frame[f"high {level:g}"] = low, high
    targets = _targets(rows, name)
    if targets is not None:
        frame["log density"] = float("nan")
        there = targets.notna().to_numpy()
        if there.any():
            own = model.given(rows.loc[there])
            frame.loc[there, "log density"] = own.log_prob(targets[there])
    return frame


def _targets(rows: Any, name: Any) -> Any:
    """The targets among the columns of a frame, or None."""
    import pandas as pd

    if isinstance(rows, pd.DataFrame) and name in rows.columns:
        return rows[name].reset_index(drop=True)
    return None


def wanted_columns(table: Any, model: Any, console: Console) -> list[Any] | None:
    """The columns of a file that a predictor knows, the target too; None of arrays.

    Raises:
        DataError: for a file that lacks some, unless the predictor was made for such.
    """
    columns = model.capabilities().columns
    if not columns.layout.named:
        return None
    labels = list(table.columns)
    target = [model.target_.name] if model.target_.name in labels else []
    inputs = [
        label
        for label, one in zip(columns.labels, columns.columns, strict=True)
        if not one.left_out or label in labels
    ]
    file = str(table.path or "The table")
    return known_columns(
        labels, [*inputs, *target], file, console,
        needed=model.inputs_ is None, holes=models_holes(model),
    )  # fmt: skip
