"""``pushforward sample``: new rows, batch by batch."""

from typing import Annotated, Any

import numpy as np
import typer

from .arguments import Folder, Output, Quiet, Seed
from .console import Talk
from .registry import need
from .tables import rows_at_a_time, sink

__all__ = ["sample"]


def sample(
    folder: Folder,
    n: Annotated[
        int, typer.Option("--rows", "-n", metavar="N", min=1, help="How many rows.")
    ] = 1000,
    output: Output = None,
    seed: Seed = None,
    quiet: Quiet = False,
) -> None:
    """Draw new rows like those a model was fitted on.

    Any number of rows takes the same memory. The rows follow from the model, the seed and -n
    alone; up to 65,536 of them (fewer of very wide tables) are those of
    model.sample(n, random_state=seed) in Python.

    `pushforward sample model -n 1000000 --seed 1 -o rows.parquet`
    """
    from ..model import load

    talk = Talk(quiet)
    with sink(output) as write:
        model = load(folder)
        need(model, "sample")
        block = rows_at_a_time(getattr(model, "n_features_in_", 1))
        with talk.counting("sampling", n) as advance:
            for i, start in enumerate(range(0, n, block)):
                rows = min(block, n - start)
                write(model.sample(rows, random_state=_seed_of_block(seed, i)))
                advance(rows)
    if output is not None:
        print(output)


def _seed_of_block(seed: int | None, i: int) -> Any:
    """The seed itself for the first block, so that few rows are those of the Python call."""
    if seed is None or i == 0:
        return seed
    return int(np.random.SeedSequence([seed, i]).generate_state(1)[0])
