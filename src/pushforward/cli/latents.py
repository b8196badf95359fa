"""``pushforward encode`` and ``decode``: rows to latents and back."""

from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from ..errors import DataError
from .arguments import Data, Drop, Folder, Output, Quiet
from .console import Talk
from .registry import need
from .tables import ModelRows, at_row, open_source, rows_at_a_time, sink

__all__ = ["decode", "encode"]


def encode(
    folder: Folder,
    data: Data,
    output: Output = None,
    drop: Drop = None,
    quiet: Quiet = False,
) -> None:
    """Carry rows to latents: close to independent standard normal numbers.

    `pushforward encode model iris -o latents.npy`
    """
    import pandas as pd

    talk = Talk(quiet)
    with sink(output) as write:
        model = _loaded(folder, "encode")
        table = open_source(data, talk)
        rows = ModelRows(table, model, drop or [], talk)
        names = list(model.get_feature_names_out())
        with talk.counting("encoding", table.n_rows) as advance:
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
    output: Output = None,
    quiet: Quiet = False,
) -> None:
    """Carry latents back to rows.

    `pushforward decode model latents.npy`
    """
    talk = Talk(quiet)
    with sink(output) as write:
        model = _loaded(folder, "decode")
        table = open_source(latents, talk)
        start = 0
        with talk.counting("decoding", table.n_rows) as advance:
            for batch in table.batches(rows_at_a_time(len(table.columns))):
                with at_row(start):
                    write(model.decode(_numbers(batch)))
                start += len(batch)
                advance(len(batch))
        if start == 0:
            raise DataError(f"{latents} has no rows. Expected some.")
    if output is not None:
        print(output)


def _loaded(folder: Path, command: str) -> Any:
    from ..model import load

    model = load(folder)
    need(model, command)
    return model


def _numbers(batch: Any) -> np.ndarray:
    try:
        return np.asarray(batch, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(f"Latents have to be numbers: {error}.") from error
