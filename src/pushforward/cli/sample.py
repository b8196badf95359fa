"""``pushforward sample``: new rows, images or lines, batch by batch."""

from collections.abc import Callable
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
from .table_parts import PartsFolder, is_parts_folder, model_digest
from .text_io import of_text, sample_text

__all__ = ["sample"]

_BLOCKS_A_PART = 16  # about a million rows


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
            "npz), instead of csv to stdout; a name without an ending is a folder of parquet "
            "files, which torchrun shares out and a repetition completes. Lines: write here, one "
            "a line. Images: X.png is one picture, X.npy and X.npz are an array, a name without "
            "an ending is a folder of numbered pictures.",
        ),
    ] = None,
    seed: Seed = None,
    given: Annotated[
        list[str] | None,
        typer.Option(
            metavar="COLUMN=VALUE", rich_help_panel=TABLES, show_default=False,
            help="Rows with this value, or of numbers and dates in a range: age=40, 'age > 60', "
            "age=40..60, day=2024-06-01..2024-06-30. Can be repeated; a column named twice has "
            "either value.",
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
    draw = _Rows(model, seed, complete)
    if output is not None and is_parts_folder(output):
        if not _sample_parts(draw, n, output, model_digest(folder), console):
            return
    else:
        with sink(output, formulas) as write, console.row_progress("sampling", n) as advance:
            draw(0, n, write, advance)
    if output is not None:
        print(output)


class _Rows:
    """Rows of a model in blocks, each of which follows from the seed and its number.

    Args:
        model: of a table.
        seed: of the first block.
        complete: whether they are to have no missing cells.
    """

    def __init__(self, model: Any, seed: int | None, complete: bool) -> None:
        self.model, self.seed, self.complete = model, seed, complete
        self.columns = model.capabilities().columns
        self.block = rows_at_a_time(1 if self.columns is None else self.columns.n_columns)

    def __call__(
        self, first: int, n: int, write: Callable[[Any], None], advance: Callable[[int], None]
    ) -> None:
        """Write rows from the first, which begins a block, up to the n-th."""
        for start in range(first, n, self.block):
            rows, i = min(self.block, n - start), start // self.block
            drawn = self._drawn(rows, seed_of_block(self.seed, i))
            if i and self.columns is not None:
                drawn = self.columns.number_on(drawn, start)
            write(drawn)
            advance(rows)

    def _drawn(self, n: int, seed: Any) -> Any:
        if not self.complete:
            return self.model.sample(n, random_state=seed)
        from ..estimators.capabilities import complete_samples

        return complete_samples(self.model, n, seed)


def _sample_parts(draw: _Rows, n: int, output: Path, model: str, console: Console) -> bool:
    """Write rows to parts of 16 blocks; whether this process is the first."""
    size = _BLOCKS_A_PART * draw.block
    starts = range(0, n, size)
    of = {
        "command": "sample", "model": model, "random_state": draw.seed, "complete": draw.complete,
    }  # fmt: skip
    sources = {f"part-{i:06d}.parquet": min(size, n - start) for i, start in enumerate(starts)}
    folder = PartsFolder(output, of, sources)
    console.quiet |= not folder.processes.first
    with console.row_progress("sampling", n) as advance:

        def make(i: int, write: Callable[[Any], None]) -> dict[str, int]:
            draw(starts[i], min(starts[i] + size, n), write, advance)
            return {"rows": min(size, n - starts[i])}

        folder.run(make, together=draw.model.capabilities().drawn_together)
    folder.print_done(console)
    return folder.processes.first


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
