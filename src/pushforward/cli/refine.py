"""``pushforward refine``: better samples from a fitted model, as a model of its own."""

import os
import shlex
import sys
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..data.tables.reading_options import ReadingOptions
from ..errors import ModelFileError, ParameterError
from .arguments import Crop, Data, Drop, Folder, Json, Quiet, Size, Split
from .arguments import Seed as SeedOption
from .console import Console, print_json, print_table
from .fit import unfinished_fit, work_is_kept
from .fit_options import check_page, literal, pairs
from .image_io import open_for_model
from .reading_options import AS_FOUND, reads_tables, refuse_reading
from .registry import loaded, of_images, of_tables
from .table_io import ModelRows, open_source
from .text_io import of_text

if TYPE_CHECKING:
    from ..storage.checkpoint import Checkpoint

__all__ = ["refine"]

_HOW, _BUDGET = "How", "Budget"
Progress = Callable[[str, float], None]
_FOR_PAGE = 0.2  # of the minutes, where there is a page


@reads_tables
def refine(
    folder: Folder,
    data: Data,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FOLDER", show_default=False,
            help="Where the refined model goes.",
        ),
    ] = None,
    method: Annotated[
        str,
        typer.Option(
            metavar="NAME", rich_help_panel=_HOW,
            help="auto, dgflow, dot, ddls, mh, drs, rejection or resampling.",
        ),
    ] = "auto",
    paper: Annotated[
        bool,
        typer.Option("--paper", rich_help_panel=_HOW, help="Published settings of the method."),
    ] = False,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="NAME=VALUE", rich_help_panel=_HOW, show_default=False,
            help="A setting of the method, such as budget=3. Can be repeated.",
        ),
    ] = None,
    space: Annotated[
        str, typer.Option(metavar="auto|data|latent", rich_help_panel=_HOW, help="What is moved.")
    ] = "auto",
    ratio: Annotated[
        str,
        typer.Option(
            metavar="direct|corrected|residual", rich_help_panel=_HOW,
            help="How a network learns the ratio of densities; the last two take --critic-of.",
        ),
    ] = "direct",
    critic_of: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", rich_help_panel=_HOW, show_default=False,
            help="A GAN fitted on the same data, whose critic is used.",
        ),
    ] = None,
    features: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", rich_help_panel=_HOW, show_default=False,
            help="What the test sees of images: inception, cifar_resnet20, classifier, pca.",
        ),
    ] = None,
    compare: Annotated[
        bool,
        typer.Option(
            "--compare", rich_help_panel=_HOW,
            help="Try all methods at the cost of auto, and print one table.",
        ),
    ] = False,
    minutes: Annotated[
        float | None,
        typer.Option(
            help="For the whole run, the page included.", rich_help_panel=_BUDGET,
            show_default=False,
        ),
    ] = None,
    evaluations: Annotated[
        float | None,
        typer.Option(
            metavar="N", rich_help_panel=_BUDGET, show_default=False,
            help="Logits that one refined sample may take.",
        ),
    ] = None,
    draws: Annotated[
        float | None,
        typer.Option(
            metavar="N", rich_help_panel=_BUDGET, show_default=False,
            help="Samples of the model that one refined sample may take. By default at most 4.",
        ),
    ] = None,
    batch_size: Annotated[
        int | None,
        typer.Option(
            metavar="N", min=1, rich_help_panel=_BUDGET, show_default=False,
            help="Rows held in memory at once; changes nothing else.",
        ),
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.html", show_default=False, help="Write a page that shows what it did."
        ),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a model that is there already.")
    ] = False,
    drop: Drop = None,
    reading: ReadingOptions = AS_FOUND,
    split: Split = None,
    size: Size = None,
    crop: Crop = None,
    seed: SeedOption = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:  # fmt: skip
    """Make the samples of a fitted model better, by what tells them from data.

    Samples are moved, then chosen; what does not help on held-out rows is left out, and the
    report says so. The refined model is sampled, judged and refined again like any other.

    `pushforward refine model people-test.csv -o refined --report refined.html`

    `pushforward refine dcgan fashion_mnist:test -o refined --minutes 10`
    """
    if output is None and not compare:
        raise ParameterError("--output is missing. Expected a folder for the refined model.")
    if report is not None:
        check_page("--report", report)
    if compare and (method != "auto" or paper or set_):
        raise ParameterError("--compare tries all methods. Leave --method, --paper and --set out.")
    if output is not None:
        _check_target(output, overwrite)
    from ..training.processes import Processes

    started = time.monotonic()
    model = loaded(folder, "sample")
    processes = Processes()  # which share samples and settings out
    console = Console(quiet or not processes.first)
    rows, labels = _opened(model, data, drop or [], reading, split, size, crop, console)
    options: dict[str, Any] = {
        "space": space, "ratio": ratio, "features": features, "evaluations": evaluations,
        "critic_of": None if critic_of is None else loaded(critic_of, "sample"),
        "draws": draws, "batch_size": batch_size, "random_state": seed or 0,
        "minutes": _minutes_left(minutes, started, page=report is not None),
    }  # fmt: skip
    method_options = {
        "method": method, "preset": "paper" if paper else None,
        "settings": {k: literal(v) for k, v in pairs(set_, "--set").items()} or None,
    }  # fmt: skip
    wanted = output is not None or report is not None
    kept = None if compare else output
    work = None if kept is None else unfinished_fit(kept, console, writes=processes.first)
    with work_is_kept(work, console), console.fit_progress(minutes) as progress:
        if compare:
            refined, compared = _compared(model, rows, labels, options, progress, keep=wanted)
        else:
            compared = []
            refined = _refined(
                model, rows, labels, options | method_options, progress, console, work
            )
    found: dict[str, Any] = {}
    if refined is not None:
        console.print(refined.account())
        found = {"model": type(model).__name__, "report": refined.report_.to_dict()}
        if output is not None and processes.first:
            found["folder"] = _saved(refined, output, work)
        if report is not None:
            left = None if minutes is None else minutes - (time.monotonic() - started) / 60
            page = _page(refined, rows, labels, compared, seed or 0, left)
            if processes.first:
                found["page"] = str(page.save(report))
    if not processes.first:  # they have drawn what the page shows together
        return
    if compared:
        found["methods"] = [line.to_dict() for line in compared]
    if json:
        print_json(found)
        return
    if compared:
        _print_compared(compared)
    for name in ("folder", "page"):
        if name in found:
            print(found[name])


def _saved(refined: Any, output: Path, work: "Checkpoint | None") -> str:
    """Save the refined model, which makes what was kept of an interrupted run needless."""
    refined.save(output)
    if work is not None:
        work.discard()
    return str(output)


def _minutes_left(minutes: float | None, started: float, *, page: bool) -> float | None:
    """Minutes for the refinement: what was read took some of them, and a page will."""
    if minutes is None or minutes <= 0:  # the latter is refused where it is looked at
        return minutes
    share = 1 - _FOR_PAGE if page else 1.0
    return max(share * minutes - (time.monotonic() - started) / 60, 0.1 * minutes)


def _refined(
    model: Any, rows: Any, labels: Any, options: dict[str, Any], progress: Progress,
    console: Console, work: "Checkpoint | None",
) -> Any:  # fmt: skip
    """The refined model; what an interrupted refinement has done is taken from ``work``."""
    from ..refinement import RefinedModel

    made = RefinedModel(model, **options)
    return made.fit(rows, labels, folder=work, report=_with_first_lines(progress, console))


def _compared(
    model: Any, rows: Any, labels: Any, options: dict[str, Any], progress: Progress, *, keep: bool
) -> tuple[Any, list[Any]]:
    """What "auto" makes, where it is to be kept, and a line for each method."""
    from ..refinement import compare_methods

    compared = compare_methods(model, rows, y=labels, report=progress, **options)
    return compared[1].model if keep else None, compared


def _page(
    refined: Any, rows: Any, labels: Any, compared: list[Any], seed: int, minutes: float | None
) -> Any:
    """The page that shows what a refinement did."""
    from ..report import refinement_page

    return refinement_page(
        refined, rows, y=labels, compared=compared, random_state=seed, minutes=minutes,
        command=shlex.join(["pushforward", *sys.argv[1:]]),
        date=f"{datetime.now():%Y-%m-%d %H:%M}",
    )  # fmt: skip


def _opened(
    model: Any, data: str, drop: list[str], reading: ReadingOptions, split: str | None,
    size: str | None, crop: str | None, console: Console,
) -> tuple[Any, Any]:  # fmt: skip
    """The data as the model takes them, and labels."""
    if not of_tables(model):
        refuse_reading(reading, type(model).__name__)
    if of_images(model):
        name, colon, given = data.rpartition(":")
        if colon and not Path(data).exists():
            data, split = name, given
        found = open_for_model(model, data, split, size, crop, console)
        return found, found.labels
    if of_text(model):
        from ..data import as_lines

        return as_lines(data), None
    from ..data import draw_rows
    from ..training.processes import Processes

    table = open_source(data, console, reading, model)
    source = ModelRows(table, model, drop, console)
    with console.row_progress("reading", table.n_rows) as advance:
        drawn = draw_rows(table, None, Processes(), advance)
    X = source.for_model(drawn.X)
    if drawn.weight is None:
        return X, None
    evenly = drawn.weight == 1  # the others show what columns range over
    console.note(f"refined by {int(evenly.sum()):,} of {drawn.n_rows:,} rows, drawn at random.")
    return X[evenly], None


def _check_target(folder: Path, overwrite: bool) -> None:
    """Refuse, before the work, a folder the model could not go to."""
    from ..storage.model_folder import check_target

    if not os.path.lexists(folder) or (folder.is_dir() and not any(folder.iterdir())):
        check_target(folder)
        return
    if not (folder / "config.json").is_file():
        raise ModelFileError(f"{folder} is there and is not a model. Choose another folder.")
    if not overwrite:
        raise ModelFileError(
            f"{folder} holds a model already. Choose another folder, or replace it with "
            "--overwrite."
        )
    check_target(folder)


def _with_first_lines(progress: Progress, console: Console) -> Progress:
    """Progress that also prints its lines up to the one with the expected cost."""
    first = True

    def report(text: str, share: float) -> None:
        nonlocal first
        if first:
            console.print(text)
            first = not text.startswith("expected: ")
        progress(text, share)

    return report


def _print_compared(compared: list[Any]) -> None:
    heads = {"method": "left", "AUC": "right", "95 % interval": "right", "draws": "right"}
    heads |= {"logits": "right", "ms a sample": "right", "held out": "left"}
    lines = []
    for c in compared:
        auc, ends = ("", "")
        if c.auc is not None:
            auc = f"{c.auc.value:.3f}"
            ends = "{:.3f} ... {:.3f}".format(*(c.auc.interval or (c.auc.value, c.auc.value)))
        verdict = c.reason or ("helps" if c.helped else "does not help")
        verdict = "" if c.method == "generator" else verdict
        cost = (f"{c.draws:.3g}", f"{c.evaluations:.3g}", f"{c.milliseconds:.3g}")
        lines.append((c.method, auc, ends, *cost, verdict))
    print_table(heads, lines)
