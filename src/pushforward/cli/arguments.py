"""Arguments and options that several commands share."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

__all__ = [
    "IMAGES",
    "QUIET",
    "TABLES",
    "Crop",
    "Data",
    "Drop",
    "Folder",
    "Formulas",
    "Gaps",
    "Json",
    "Label",
    "Layout",
    "Missing",
    "Output",
    "Picture",
    "Quiet",
    "Scale",
    "Seed",
    "Size",
    "Split",
]

IMAGES, TABLES = "Images", "Tables"
_MESSAGES = "Messages"

Folder = Annotated[
    Path,
    typer.Argument(metavar="FOLDER", help="A folder that fit wrote.", show_default=False),
]
Data = Annotated[
    str,
    typer.Argument(
        metavar="DATA",
        help="A table: a file, a folder of parquet files, or a known name. Images: a picture, a "
        "folder of them, a file of arrays, or a known name.",
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
        "--random-state",
        "--seed",  # the latter as it was called
        metavar="N",
        min=0,
        max=2**32 - 1,
        help="Same seed, same result.",
        show_default=False,
    ),
]
Formulas = Annotated[
    str,
    typer.Option(
        "--formulas",
        metavar="keep|escape|refuse",
        rich_help_panel=TABLES,
        help="Texts and names that a spreadsheet would take for formulas, such as =cmd(), in csv "
        "and tsv: leave them, put an apostrophe before them, or stop.",
    ),
]
Drop = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME", help="Leave a column out. Can be repeated.", show_default=False),
]
Split = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        rich_help_panel=IMAGES,
        show_default=False,
        help="Which part of a set: train, test, valid (or val). Default: train, or all there is.",
    ),
]
Size = Annotated[
    str | None,
    typer.Option(
        metavar="SIDE|HxW",
        rich_help_panel=IMAGES,
        show_default=False,
        help="Resize the largest centred part of that shape to so many pixels. Default: as they "
        "are, or the model's size.",
    ),
]
Crop = Annotated[
    str | None,
    typer.Option(
        metavar="SIDE|NAME",
        rich_help_panel=IMAGES,
        show_default=False,
        help="Cut out the centred square of that side first; or closecrop or resizecrop, for "
        "CelebA's aligned faces.",
    ),
]
Scale = Annotated[
    str | None,
    typer.Option(
        "--pixel-range",
        metavar="LOW:HIGH",
        rich_help_panel=IMAGES,
        show_default=False,
        help="The values of black and white of an array that is no bytes, such as 0:1. Of a "
        "range that begins with a minus sign write --pixel-range=-1:1.",
    ),
]
Layout = Annotated[
    str | None,
    typer.Option(
        metavar="NHWC|NCHW",
        rich_help_panel=IMAGES,
        show_default=False,
        help="Axes of an array whose shape leaves them open.",
    ),
]
Label = Annotated[
    str | None,
    typer.Option(
        metavar="L|own",
        rich_help_panel=IMAGES,
        show_default=False,
        help="For conditional models: the label of all images, by name or number, or **own** for "
        "those they have, which are matched by name.",
    ),
]
Picture = Annotated[
    Path,
    typer.Option("--output", "-o", metavar="FILE.png", help="The picture.", show_default=False),
]
Json = Annotated[
    bool, typer.Option("--json", help="Print a JSON object to stdout.", rich_help_panel=_MESSAGES)
]
#: The words that silence stderr but for errors.
QUIET = {"--quiet", "-q"}
Quiet = Annotated[
    bool,
    typer.Option(
        *sorted(QUIET), help="No progress, notes or account on stderr.", rich_help_panel=_MESSAGES
    ),
]


class Missing(StrEnum):
    """What a fit does with rows that have missing cells."""

    error = "error"
    drop = "drop"
    auto = "auto"
    model = "model"


class ScoredMissing(StrEnum):
    """What scoring does with rows that have missing cells."""

    model = "model"
    error = "error"
    blank = "blank"


Gaps = Annotated[
    ScoredMissing | None,
    typer.Option(
        "--missing", show_default=False,
        help="Rows with missing cells: **model** scores the cells they have, **error** refuses "
        "them, **blank** gives them no score. Default: model for models fitted so, else error.",
    ),
]  # fmt: skip
