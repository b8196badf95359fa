"""The commands, put together."""

from typing import Annotated

import typer

from .._version import __version__
from .encode import decode, encode
from .errors import CommandLine
from .evaluate import compare, evaluate
from .explain import explain, info
from .fit import FitCommand, fit
from .image_edits import diagnose, edit, interpolate
from .impute import impute
from .models import datasets, models
from .predict import predict
from .refine import refine
from .report import report
from .sample import sample
from .score import score
from .studio import studio

__all__ = ["app", "main"]

app = typer.Typer(
    cls=CommandLine,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=(
        "DATA is a csv, tsv, xlsx, parquet, feather, npy or npz file, a folder of parquet files, "
        "a picture, a folder of pictures, or a known name (see **datasets**).  Results go to "
        "stdout, the rest to stderr.  Exit: 0 done, 2 something for you to mend, 130 "
        "interrupted, 1 a bug."
    ),
)

_MODEL, _ROWS, _IMAGES, _THERE = "Models", "Rows and images", "Images", "What there is"

app.command(cls=FitCommand, rich_help_panel=_MODEL)(fit)
app.command(rich_help_panel=_MODEL)(info)
app.command(rich_help_panel=_MODEL)(evaluate)
app.command(rich_help_panel=_MODEL)(compare)
app.command(rich_help_panel=_MODEL)(report)
app.command(rich_help_panel=_MODEL)(refine)
app.command(rich_help_panel=_MODEL)(studio)
app.command(rich_help_panel=_ROWS)(sample)
app.command(rich_help_panel=_ROWS)(score)
app.command(rich_help_panel=_ROWS)(impute)
app.command(rich_help_panel=_ROWS)(predict)
app.command(rich_help_panel=_ROWS)(explain)
app.command(rich_help_panel=_ROWS)(encode)
app.command(rich_help_panel=_ROWS)(decode)
app.command(rich_help_panel=_IMAGES)(interpolate)
app.command(rich_help_panel=_IMAGES)(edit)
app.command(rich_help_panel=_IMAGES)(diagnose)
app.command(rich_help_panel=_THERE)(models)
app.command(rich_help_panel=_THERE)(datasets)


@app.callback(invoke_without_command=True)
def pushforward(
    ctx: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
    debug: Annotated[
        bool,
        typer.Option("--debug", help="Show tracebacks; may also stand at the end of a command."),
    ] = False,
) -> None:
    """Densities, new rows and outliers of a table, without tuning.

    `pushforward fit auto iris -o model`

    `pushforward score model iris -o scores.csv`

    `pushforward sample model -n 100`
    """
    if version:
        print(f"pushforward {__version__}")
    elif ctx.invoked_subcommand is None:
        print(ctx.get_help())


def main() -> None:
    """Run the command with the words of ``sys.argv``; ends in ``sys.exit``."""
    app()
