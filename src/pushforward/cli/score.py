"""``pushforward score``: a log density for each row or image, of files of any size."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from ..data.tables.reading_options import ReadingOptions
from ..errors import DataError
from .arguments import (
    IMAGES,
    Crop,
    Data,
    Drop,
    Folder,
    Gaps,
    Json,
    Label,
    Output,
    Quiet,
    ScoredMissing,
    Size,
    Split,
)
from .console import Console, print_json
from .image_commands import score_images, score_sentence
from .image_io import open_for_model
from .reading_options import AS_FOUND, reads_tables, refuse_reading
from .registry import loaded, of_images, only_for
from .table_io import ModelRows, as_frame, at_row, open_source, sink
from .table_parts import PartsFolder, is_parts_folder, model_digest, parts_of

__all__ = ["score", "scored"]

_NEW = ["log_density", "nats_above_threshold", "outlier"]


@reads_tables
def score(
    folder: Folder,
    data: Data,
    output: Output = None,
    keep: Annotated[bool, typer.Option("--keep", help="Write the columns of DATA too.")] = False,
    draws: Annotated[
        int,
        typer.Option(
            metavar="N",
            min=1,
            help="Average over so many draws of the noise on whole numbers, categories or pixels.",
        ),
    ] = 1,
    missing: Gaps = None,
    drop: Drop = None,
    reading: ReadingOptions = AS_FOUND,
    split: Split = None,
    size: Size = None,
    crop: Crop = None,
    label: Label = None,
    per_level: Annotated[
        bool,
        typer.Option(
            "--per-level", rich_help_panel=IMAGES,
            help="Write the share of each level too: the last alone tells foreign images best.",
        ),
    ] = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:  # fmt: skip
    """Score rows or images: log density in nats, higher is more normal.

    Of rows, writes the columns log_density, nats_above_threshold, by which outliers are told, and
    outlier, a line for each row of DATA. Columns the model does not know are left out. Of images,
    writes the columns image, log_prob and bits_per_dim, and of a model that held images out (sig)
    inlier_score and p_value: how often an image of its kind has an inlier score as low. More draws
    bring log_prob, a bound from below, closer. Files larger than memory are fine.

    With --json, the summary goes to stdout; lines are then written only with -o.

    A folder of parquet files with -o FOLDER gives a file for each. Repeated, the command goes on
    with those that are missing; under torchrun each process takes its share.

    `pushforward score model new.parquet --keep -o scored.parquet`

    `torchrun --nproc-per-node 4 -m pushforward score model parts/ -o scored/`

    `pushforward score glow cifar10 --split test -o scores.csv`
    """
    console = Console(quiet)
    model = loaded(folder, "score")
    name = type(model).__name__
    if of_images(model):
        gaps = missing is not None
        refuse_reading(reading, name)
        only_for("tables", name, {"--keep": keep, "--missing": gaps, "--drop": drop})
        summary = score_images(
            model, open_for_model(model, data, split, size, crop, console), output,
            label=label, draws=draws, per_level=per_level, to_stdout=not json, console=console,
        )  # fmt: skip
        _print_summary(summary, score_sentence(summary), output, json, console)
        return
    of = {"--split": split, "--size": size, "--crop": crop, "--label": label}
    only_for("images", name, of | {"--per-level": per_level})
    table = open_source(data, console, reading, model)
    if keep and (clash := [name for name in _NEW if name in table.columns]):
        raise DataError(
            f"{data} has the column(s) {clash} already. Rename them, or score without --keep."
        )
    scorer = _Scorer(model, draws, missing, drop or [], keep)
    if output is not None and is_parts_folder(output, table):
        of = {"command": "score", "model": model_digest(folder), **scorer.options()}
        tallies = _score_parts(scorer, table, output, of, console)
        if tallies is None:
            return
    else:
        if table.n_rows == 0:
            raise DataError(f"{data} has no rows. Expected some.")
        with sink(output) as write:
            wanted = output is not None or not json
            tallies = [scorer(table, write if wanted else None, console)]
    summary = _summary(tallies, model.capabilities().threshold, output)
    _print_summary(summary, _sentence(summary), output, json, console)


class _Scorer:
    """Scores the rows of tables with what the command line says."""

    def __init__(
        self, model: Any, draws: int, missing: ScoredMissing | None, drop: list[str], keep: bool
    ) -> None:
        self.model, self.draws, self.missing = model, draws, missing
        self.drop, self.keep = drop, keep
        self._noted = False

    def options(self) -> dict[str, Any]:
        """The options that the result depends on, as JSON values."""
        missing = None if self.missing is None else self.missing.value
        return {"draws": self.draws, "missing": missing, "drop": self.drop, "keep": self.keep}

    def __call__(
        self, table: Any, write: Callable[[Any], None] | None, console: Console
    ) -> dict[str, Any]:
        """Score a table batch by batch; counts and the sum of its log densities."""
        rows = ModelRows(table, self.model, self.drop, Console(self._noted or console.quiet))
        self._noted = True  # which columns were left out is said once
        if table.n_rows == 0 and write is not None:
            none = np.zeros(0)
            write(_lines(table.read() if self.keep else None, none, none, self.missing))
            return {"rows": 0, "scored": 0, "outliers": 0, "sum": 0.0}
        tally = {"rows": 0, "scored": 0, "outliers": 0, "sum": 0.0}
        with console.row_progress("scoring", table.n_rows) as advance:
            for _, batch, scores, above in scored(rows, self.model, self.draws, self.missing):
                there = ~np.isnan(scores)
                if write is not None:
                    write(_lines(batch if self.keep else None, scores, above, self.missing))
                tally["rows"] += len(scores)
                tally["scored"] += int(there.sum())
                tally["outliers"] += int((above < 0).sum())
                tally["sum"] += float(scores[there].sum())
                advance(len(scores))
        return tally


def _score_parts(
    scorer: _Scorer, table: Any, output: Path, of: dict[str, Any], console: Console
) -> list[dict[str, Any]] | None:
    """Score a parquet table part by part; None in all processes but the first."""
    parts = parts_of(table)
    folder = PartsFolder(output, of, {name: digest for name, _, digest in parts})
    console.quiet |= not folder.processes.first
    tallies = folder.run(lambda i, write: scorer(parts[i][1], write, console))
    folder.print_done(console)
    return tallies if folder.processes.first else None


def _summary(
    tallies: list[dict[str, Any]], threshold: float | None, output: Path | None
) -> dict[str, Any]:
    total = {key: sum(tally[key] for tally in tallies) for key in tallies[0]}
    return {
        "rows": total["rows"],
        "scored": total["scored"],
        "mean_log_density": total["sum"] / total["scored"] if total["scored"] else None,
        "outliers": total["outliers"],
        "threshold": threshold,
        "output": None if output is None else str(output),
    }


def _print_summary(
    summary: dict[str, Any], sentence: str, output: Path | None, json: bool, console: Console
) -> None:
    console.print(sentence)
    if json:
        print_json(summary)
    elif output is not None:
        print(output)


def scored(
    rows: ModelRows, model: Any, draws: int, missing: ScoredMissing | None
) -> Iterator[tuple[int, Any, np.ndarray, np.ndarray]]:
    """Yield batches: number of the first row, rows, log densities, nats above the threshold.

    Both are NaN of rows that are left blank.
    """
    how = None if missing is None else missing.value
    threshold = model.capabilities().threshold
    for start, batch in rows.batches():
        X = rows.for_model(batch)
        with at_row(start):
            scores = model.score_samples(X, n_draws=draws, missing=how)
            if threshold is None:  # outliers are told by other scores
                above = model.decision_function(X, missing=how)
            else:
                above = scores - threshold
                holes = ~model.columns_.complete(X) & ~np.isnan(scores)
                if holes.any():
                    part = model.columns_.take(X, holes)
                    above[holes] = model.decision_function(part, missing=how)
        yield start, batch, scores, above


def _lines(
    batch: Any, scores: np.ndarray, above: np.ndarray, missing: ScoredMissing | None
) -> Any:
    """The frame to write for one batch; ``batch`` is None where only the scores are wanted."""
    import pandas as pd

    frame = pd.DataFrame(index=range(len(scores))) if batch is None else as_frame(batch)
    outlier: Any = above < 0
    if missing is ScoredMissing.blank:
        outlier = pd.array(outlier, dtype="boolean")
        outlier[np.isnan(scores)] = pd.NA
    return frame.assign(**dict(zip(_NEW, (scores, above, outlier), strict=True)))


def _sentence(summary: dict[str, Any]) -> str:
    n, scored_rows = summary["rows"], summary["scored"]
    if not scored_rows:
        return f"{n:,} rows, none of them scored: all have missing cells"
    blank = f" ({n - scored_rows:,} with missing cells left blank)" if n > scored_rows else ""
    below = "" if summary["threshold"] is None else f", those below {summary['threshold']:.4g}"
    share = 100 * summary["outliers"] / scored_rows
    return (
        f"{n:,} rows{blank}, {summary['mean_log_density']:.4g} nats a row on average; "
        f"{summary['outliers']:,} outliers ({share:.1f} %){below}"
    )
