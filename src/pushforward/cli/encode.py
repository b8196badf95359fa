"""``pushforward encode`` and ``decode``: rows or images to latents and back."""

from pathlib import Path
from typing import Annotated

import typer

from ..data.tables.reading_options import ReadingOptions
from ..errors import DataError
from .arguments import Crop, Data, Drop, Folder, Label, Output, Quiet, Size, Split
from .console import Console
from .image_commands import decode_images, encode_images
from .image_io import open_for_model
from .reading_options import AS_FOUND, reads_tables, refuse_reading
from .registry import loaded, of_images, only_for
from .table_io import ModelRows, at_row, numbers, open_source, rows_at_a_time, sink
from .text_io import decode_text, of_text

__all__ = ["decode", "encode"]


@reads_tables
def encode(
    folder: Folder,
    data: Data,
    output: Output = None,
    drop: Drop = None,
    reading: ReadingOptions = AS_FOUND,
    split: Split = None,
    size: Size = None,
    crop: Crop = None,
    label: Label = None,
    quiet: Quiet = False,
) -> None:
    """Carry rows or images to latents: close to independent standard normal numbers.

    `pushforward encode model iris -o latents.npy`
    """
    import pandas as pd

    console = Console(quiet)
    model = loaded(folder, "encode")
    if of_images(model):
        refuse_reading(reading, type(model).__name__)
        only_for("tables", type(model).__name__, {"--drop": drop})
        found = open_for_model(model, data, split, size, crop, console)
        encode_images(model, found, output, label=label, console=console)
        if output is not None:
            print(output)
        return
    of = {"--split": split, "--size": size, "--crop": crop, "--label": label}
    only_for("images", type(model).__name__, of)
    with sink(output) as write:
        table = open_source(data, console, reading, model)
        rows = ModelRows(table, model, drop or [], console)
        names = list(model.get_feature_names_out())
        with console.row_progress("encoding", table.n_rows) as advance:
            for start, batch in rows.batches():
                with at_row(start):
                    write(pd.DataFrame(model.encode(rows.for_model(batch)), columns=names))
                advance(len(batch))
    if output is not None:
        print(output)


def decode(
    folder: Folder,
    latents: Annotated[
        str,
        typer.Argument(
            metavar="LATENTS",
            help="A table of latents, as encode writes it.",
            show_default=False,
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FILE|FOLDER", show_default=False,
            help="As of sample.",
        ),
    ] = None,
    label: Label = None,
    quiet: Quiet = False,
) -> None:  # fmt: skip
    """Carry latents back to rows, images or lines.

    `pushforward decode model latents.npy`
    """
    console = Console(quiet)
    model = loaded(folder, "decode")
    if of_images(model):
        decode_images(model, latents, output, label=label, console=console)
        print(output)
        return
    only_for("images", type(model).__name__, {"--label": label})
    if of_text(model):
        decode_text(model, latents, output, console=console)
        if output is not None:
            print(output)
        return
    with sink(output) as write:
        table = open_source(latents, console)
        start = 0
        with console.row_progress("decoding", table.n_rows) as advance:
            for batch in table.batches(rows_at_a_time(len(table.columns))):
                with at_row(start):
                    write(model.decode(numbers(batch)))
                start += len(batch)
                advance(len(batch))
        if start == 0:
            raise DataError(f"{latents} has no rows. Expected some.")
    if output is not None:
        print(output)
