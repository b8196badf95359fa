"""``pushforward sample``: new rows, images or lines, batch by batch."""

from pathlib import Path
from typing import Annotated, Any

import typer

from ..errors import UnsupportedError
from .arguments import IMAGES, TABLES, Folder, Formulas, Quiet, Seed
from .console import Console
from .image_commands import sample_images
from .impute import given_conditions
from .registry import loaded, of_images, only_for
from .table_io import rows_at_a_time, seed_of_block, sink
from .text_io import of_text, sample_text

__all__ = ["sample"]


def sample(
    folder: Folder,
    n: Annotated[
        int | None,
        typer.Option(
            "--rows", "-n", metavar="N", min=1, max=2**53, show_default=False,
            help="How many rows, images or lines. Default: 1000; 64 images.",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FILE|FOLDER", show_default=False,
            help="Rows: write here, in the format of the ending (csv, tsv, parquet, feather, npy, "
            "npz), instead of csv to stdout. Lines: write here, one a line. Images: X.png is "
            "one picture, X.npy and X.npz are an array, a name without an ending is a folder of "
            "numbered pictures.",
        ),
    ] = None,
    seed: Seed = None,
    given: Annotated[
        list[str] | None,
        typer.Option(
            metavar="COLUMN=VALUE", rich_help_panel=TABLES, show_default=False,
            help="Rows with this value, or of numbers and dates in a range: age=40, age=60.., "
            "day=2024-06-01..2024-06-30. Can be repeated; a column named twice has either value.",
        ),
    ] = None,
    complete: Annotated[
        bool,
        typer.Option(
            "--complete", rich_help_panel=TABLES,
            help="Rows without missing cells, of a model that was fitted to a table with some.",
        ),
    ] = False,
    formulas: Formulas = "keep",
    temperature: Annotated[
        float | None,
        typer.Option(
            metavar="T", rich_help_panel=IMAGES, show_default=False,
            help="Spread of the latents: below 1, images are plainer and cleaner. Default: 1.",
        ),
    ] = None,
    label: Annotated[
        list[str] | None,
        typer.Option(
            metavar="L|all", rich_help_panel=IMAGES, show_default=False,
            help="For conditional models: N images of this label, a name or number. Can be "
            "repeated; **all** is each of them. Default: of SIG as frequent as in its fit, else "
            "evenly drawn.",
        ),
    ] = None,
    quiet: Quiet = False,
) -> None:  # fmt: skip
    """Draw new rows, images or lines like those a model was fitted on.

    Any number takes the same memory. What is drawn follows from the model, the seed and -n
    alone; up to 65,536 rows (fewer of very wide tables, and some thousand images) are those of
    model.sample(n, random_state=seed) in Python.

    `pushforward sample model -n 1000000 --random-state 1 -o rows.parquet`

    `pushforward sample model -n 100 --given sex=female --given age=60..`

    `pushforward sample faces -n 64 --temperature 0.7 -o faces.png`
    """
    console = Console(quiet)
    model = loaded(folder, "sample")
    if of_images(model):
        only_for("tables", type(model).__name__, {"--given": given, "--complete": complete})
        sample_images(
            model, n or 64, output,
            seed=seed, temperature=temperature, labels=label or [], console=console,
        )  # fmt: skip
        print(output)
        return
    only_for("images", type(model).__name__, {"--temperature": temperature, "--label": label})
    n = n or 1000
    if of_text(model):
        only_for("tables", type(model).__name__, {"--given": given, "--complete": complete})
        sample_text(model, n, output, seed=seed, console=console)
        if output is not None:
            print(output)
        return
    if given:
        _sample_given(model, given, n, sink(output, formulas), seed)
        if output is not None:
            print(output)
        return
    with sink(output, formulas) as write:
        columns = model.capabilities().columns
        block = rows_at_a_time(1 if columns is None else columns.n_columns)
        with console.row_progress("sampling", n) as advance:
            for i, start in enumerate(range(0, n, block)):
                rows = min(block, n - start)
                drawn = _drawn(model, rows, seed_of_block(seed, i), complete)
                if i and columns is not None:
                    drawn = columns.number_on(drawn, start)
                write(drawn)
                advance(rows)
    if output is not None:
        print(output)


def _drawn(model: Any, n: int, seed: Any, complete: bool) -> Any:
    if not complete:
        return model.sample(n, random_state=seed)
    from ..estimators.capabilities import complete_samples

    return complete_samples(model, n, seed)


def _sample_given(model: Any, given: list[str], n: int, rows: Any, seed: Any) -> None:
    """Write rows with what is given of them."""
    if not model.capabilities().can("given"):
        raise UnsupportedError(
            f"{type(model).__name__} has no method 'given'. Expected a density of tables: auto, "
            "gis, table-sig or table-flow."
        )
    conditional = model.given(given_conditions(given, model), random_state=seed)
    with rows as write:
        write(conditional.sample(n, random_state=seed))
