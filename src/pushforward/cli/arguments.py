"""Arguments and options that several commands share."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

__all__ = [
    "Blank",
    "Data",
    "Drop",
    "Folder",
    "Gaps",
    "Json",
    "Missing",
    "Output",
    "Quiet",
    "Seed",
]

_SAYS = "Messages"

Folder = Annotated[
    Path,
    typer.Argument(metavar="FOLDER", help="A folder that fit wrote.", show_default=False),
]
Data = Annotated[
    str,
    typer.Argument(
        metavar="DATA",
        help="A file, a folder of parquet files, or a known name.",
        show_default=False,
    ),
]
Output = Annotated[
    Path | None,
    typer.Option(
        "--output", "-o", metavar="FILE",
        help="Write here, in the format of the ending (csv, tsv, parquet, feather, npy, npz), "
        "instead of csv to stdout.",
        show_default=False,
    ),
]  # fmt: skip
Seed = Annotated[
    int | None,
    typer.Option(
        metavar="N", min=0, max=2**32 - 1, help="Same seed, same result.", show_default=False
    ),
]
Drop = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME", help="Leave a column out. Can be repeated.", show_default=False),
]
Json = Annotated[
    bool, typer.Option("--json", help="Print a JSON object to stdout.", rich_help_panel=_SAYS)
]
Quiet = Annotated[
    bool,
    typer.Option(
        "--quiet", "-q", help="No progress, notes or account on stderr.", rich_help_panel=_SAYS
    ),
]


class Missing(StrEnum):
    """What a fit does with rows that have missing cells."""

    error = "error"
    drop = "drop"


class Blank(StrEnum):
    """What scoring does with rows that have missing cells."""

    error = "error"
    blank = "blank"


Gaps = Annotated[
    Blank,
    typer.Option(
        "--missing",
        help="Rows with missing cells: **error** refuses them, **blank** gives them no score.",
    ),
]
