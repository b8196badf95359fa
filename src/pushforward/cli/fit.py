"""``pushforward fit``: a table or images in, a model folder out."""

import inspect
import os
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer
from typer.core import TyperCommand

from ..data.tables.column_summary import columns_text, kept_text
from ..data.tables.reading_options import ReadingOptions
from ..errors import LeftOutWarning, ModelFileError, ParameterError
from .arguments import Crop, Data, Drop, Json, Layout, Missing, Quiet, Scale, Seed, Size, Split
from .console import Console, print_json
from .errors import UsageError, interruption_code
from .fit_images import fit_images
from .fit_options import FitOptions, bounds_of, contamination_of, literal, pairs
from .fit_run import fit_run
from .model_facts import facts, facts_text
from .reading_options import AS_FOUND, reads_tables
from .registry import (
    MODELS,
    ModelEntry,
    class_of,
    find_model,
    only_for,
    parameters_of,
    raise_unsupported,
)
from .table_io import find_column, open_source, take
from .text_io import fit_text

if TYPE_CHECKING:
    from ..storage.checkpoint import Checkpoint

__all__ = ["FitCommand", "fit"]

_DATA, _MODEL = "What the data are", "The model"


class FitCommand(TyperCommand):
    """The command ``fit``, whose error for one argument says that the model comes first."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:
        """Parse the words after ``fit``.

        Raises:
            ParameterError: if there are data and no model.
        """
        try:
            return super().parse_args(ctx, args)
        except UsageError:
            first = ctx.params.get("model")
            if first is None or first in MODELS or ctx.params.get("data") is not None:
                raise
            raise ParameterError(
                f"The model comes before the data, and {first!r} is no model. For one that is "
                f"chosen for a table: pushforward fit auto {first} -o FOLDER. Others: see "
                "pushforward models."
            ) from None


@reads_tables
def fit(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL", help=f"{', '.join(MODELS)}; see pushforward models.",
            show_default=False,
        ),
    ],
    data: Data,
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", metavar="FOLDER", help="Where the model goes.", show_default=False
        ),
    ],
    seed: Seed = None,
    minutes: Annotated[
        float | None,
        typer.Option(
            help="Time budget: the best model so far is kept.", rich_help_panel=_MODEL,
            show_default=False,
        ),
    ] = None,
    contamination: Annotated[
        str | None,
        typer.Option(
            metavar="SHARE|auto",
            help="The rows hold outliers: fit without them. 0: they are known to be clean.",
            rich_help_panel=_MODEL, show_default=False,
        ),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="NAME=VALUE", rich_help_panel=_MODEL, show_default=False,
            help="Any other parameter of the model's class, such as max_layers=50. Can be "
            "repeated.",
        ),
    ] = None,
    missing: Annotated[
        Missing | None,
        typer.Option(
            rich_help_panel=_DATA, show_default=False,
            help="Missing cells: **error** refuses them; **drop** leaves out their rows; "
            "**model** fits to the cells that are there; **auto** does so after leaving out "
            "columns that have nearly all of theirs missing. Default: auto for the model auto, "
            "error for others.",
        ),
    ] = None,
    column: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=KIND", rich_help_panel=_DATA, show_default=False,
            help="What a column is, where it is not recognised: continuous, mixed, integer, grid, "
            "discrete, date, category, boolean, identifier, text or drop. Can be repeated.",
        ),
    ] = None,
    bounds: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=LOW:HIGH", rich_help_panel=_DATA, show_default=False,
            help="A column's limits; either may be empty. Can be repeated.",
        ),
    ] = None,
    constraint: Annotated[
        list[str] | None,
        typer.Option(
            metavar="RULE", rich_help_panel=_DATA, show_default=False,
            help="What rows keep to, samples too: 'start <= end', 'a + b == total', "
            "'city -> country'. Can be repeated.",
        ),
    ] = None,
    drop: Drop = None,
    reading: ReadingOptions = AS_FOUND,
    weight: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", rich_help_panel=_DATA, show_default=False,
            help="A column with the weights of the rows; the model does not see it.",
        ),
    ] = None,
    rows: Annotated[
        int | None,
        typer.Option(
            metavar="N", min=1, rich_help_panel=_DATA, show_default=False,
            help="Fit to at most N rows, drawn at random from tables of any size. Default: all, "
            "up to 2^20 rows and 2^24 cells.",
        ),
    ] = None,
    split: Split = None,
    size: Size = None,
    crop: Crop = None,
    layout: Layout = None,
    pixel_range: Scale = None,
    config: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.toml", show_default=False,
            help="Read options from a file, in the same words; the command line overrules it.",
        ),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a model that is there already.")
    ] = False,
    more: Annotated[
        bool,
        typer.Option(
            "--continue",
            help="Go on with a model that is there already: by more layers (gis, sig), or to a "
            "larger budget; fit it if there is none.",
        ),
    ] = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:  # fmt: skip
    """Fit a model to a table, to images or to lines of text and write it to a folder.

    The folder appears when the model is whole: an interrupted fit leaves what was there before.
    Repeat the command to go on from where it was. To work in portions, repeat it with --continue
    and --minutes.

    A model that is trained by gradient, such as those of images, trains beside its folder, in
    FOLDER.run: checkpoints, log.csv, samples. These stay; with them, --continue and more
    --minutes go on.

    `pushforward fit auto people.csv -o model --drop id --bounds age=0:`

    `pushforward fit glow faces/ --size 32 -o glow --minutes 30`
    """
    started = time.monotonic()
    options = FitOptions(
        random_state=seed,
        minutes=minutes,
        contamination=contamination_of(contamination),
        missing=None if missing is None else missing.value,
        weight=weight,
        rows=rows,
        drop=drop or [],
        reading=reading,
        column=pairs(column, "--column", "KIND", last=True),
        bounds={
            k: bounds_of(v) for k, v in pairs(bounds, "--bounds", "LOW:HIGH", last=True).items()
        },
        constraint=constraint or [],
        split=split,
        size=size,
        crop=crop,
        layout=layout,
        pixel_range=None if pixel_range is None else bounds_of(pixel_range),
        set={name: literal(text) for name, text in pairs(set_, "--set").items()},
    )
    if config is not None:
        options = options.with_defaults(FitOptions.read(config))
    entry = find_model(model)
    if more and "continue" not in entry.can:
        raise_unsupported(entry.cls, "continue")
    there = _check_target(output, overwrite, more)

    console = Console(quiet)
    fitters = {"images": fit_images, "text": fit_text, "tables": _fit_table}
    fitter = fitters[entry.data]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LeftOutWarning)  # the notes say it
        made = fitter(entry, data, output, options, there=there, more=more, console=console)
    seconds = time.monotonic() - started
    known = facts(made)
    console.print(made.account() if made.capabilities().can("account") else facts_text(known))
    console.print(f"fitted in {seconds:.1f} s")
    if json:
        named = {"folder": str(output), "model": entry.name}
        print_json(named | known | {"seed": made.random_state, "seconds": round(seconds, 3)})
    else:
        print(output)


def _fit_table(
    entry: ModelEntry,
    data: str,
    output: Path,
    options: FitOptions,
    *,
    there: bool,
    more: bool,
    console: Console,
) -> Any:
    """Fit a model to a table and save it to ``output``."""
    from ..estimators.base import load
    from ..estimators.table_density import TableDensity
    from ..estimators.trained_model import TrainedModel
    from ..training.processes import Processes

    only_for("images", entry.cls, options.of_images())
    before = load(output) if more and there else None
    table = open_source(data, console, options.reading, before)
    labels = list(table.columns)
    gone = [find_column(name, labels, "--drop") for name in options.drop]
    if options.weight is not None:
        gone.append(find_column(options.weight, labels, "--weight"))
    left = [label for label in labels if label not in gone]
    parameters = _parameters(entry, options, left)
    if options.weight is not None and not _takes(class_of(entry), "sample_weight"):
        raise ParameterError(f"--weight: {entry.cls} takes no weights. Leave it out.")
    if issubclass(class_of(entry), TrainedModel):

        def opened() -> tuple[Any, dict[str, Any], str]:
            drawn, weights = _drawn(table, options, gone, console)
            if _takes(class_of(entry), "sample_weight"):
                weights = drawn.weights(weights)
            given = {} if weights is None else {"sample_weight": weights}
            X = take(drawn.X, labels, left)
            return X, given, f"{len(X):,} rows of {len(left)} columns"

        made = fit_run(
            entry, opened, output, parameters,
            there=there, more=more, reading=table.reading, console=console,
        )  # fmt: skip
        _print_columns(made.columns_, console)
        return made
    made = _made(entry, parameters, output if more and there else None)
    processes = Processes()
    console.quiet |= not processes.first
    work = unfinished_fit(output, console, writes=processes.first)
    drawn, weights = _drawn(table, options, gone, console)
    X = drawn.of_columns(labels, left)
    if not isinstance(made, TableDensity):
        X = X.X
        weights = drawn.weights(weights) if _takes(type(made), "sample_weight") else None
    given: dict[str, Any] = {} if weights is None else {"sample_weight": weights}
    if _takes(type(made), "folder"):
        given["folder"] = work
    with work_is_kept(work, console), console.fit_progress(_minutes_of(made)) as report:
        made.fit(X, report=_report_after_columns(report, made, console), **given)
    if not processes.first:
        raise typer.Exit
    if more:
        made.set_params(warm_start=False)
    made.reading_ = table.reading
    if not drawn.whole:
        made.drawn_from_ = drawn.n_rows
    made.save(output)
    work.discard()
    return made


def _drawn(table: Any, options: FitOptions, gone: list[Any], console: Console) -> tuple[Any, Any]:
    """The rows of a table that a fit holds, and the weights of these that were asked for."""
    from ..data import draw_rows
    from ..training.processes import Processes

    with console.row_progress("reading", table.n_rows) as advance:
        drawn = draw_rows(table, options.rows, Processes(), advance)
    if text := drawn.text():
        console.note(f"{text}.")
    weights = None
    if options.weight is not None:
        weights = _column(drawn.X, list(table.columns), gone[-1])
    return drawn, weights


def _minutes_of(made: Any) -> float | None:
    return made.get_params().get("minutes")


def _takes(cls: Any, argument: str) -> bool:
    """Whether ``fit`` of a class has an argument of that name."""
    return argument in inspect.signature(cls.fit).parameters


def _column(X: Any, labels: list[str | int], label: str | int) -> Any:
    """One column of a table, (n,)."""
    return np.asarray(take(X, labels, [label]))[:, 0]


def _report_after_columns(
    report: Callable[[str, float], None], made: Any, console: Console
) -> Callable[[str, float], None]:
    """A report that also prints, when the fit begins, how each column is modelled."""
    columns_printed = False

    def reported(text: str, share: float) -> None:
        nonlocal columns_printed
        if not columns_printed:
            columns_printed = True
            _print_columns(made.columns_, console)
        report(text, share)

    return reported


def _print_columns(columns: Any, console: Console) -> None:
    text = columns_text(columns)
    console.print(text)
    if "declare it" in text:  # its kind, it "category"
        console.note("a column's kind is declared with --column NAME=KIND.")
    if kept := kept_text(columns):
        console.note(f"{kept}.")


def unfinished_fit(output: Path, console: Console, *, writes: bool = True) -> "Checkpoint":
    """What an interrupted fit has left beside ``output``, for the process that ``writes``."""
    from ..storage.checkpoint import Checkpoint

    place = Path(os.path.realpath(output))
    folder = place.with_name(f".{place.name}.pushforward-fit")
    if folder.is_dir():
        console.note(f"an interrupted fit is in {folder.name}: going on from there.")
    return Checkpoint(folder, writes=writes)


@contextmanager
def work_is_kept(work: "Checkpoint | None", console: Console) -> Iterator[None]:
    """Say at an interruption where the work so far is, if any of it was kept.

    Raises:
        typer.Exit: then, with the code of an interruption.
    """
    try:
        yield
    except KeyboardInterrupt as error:
        if work is None or work.folder is None or not work.folder.is_dir():
            raise
        console.error(
            f"interrupted. Repeat the command to go on: what was finished is in {work.folder}"
        )
        raise typer.Exit(interruption_code(error)) from None


def _check_target(folder: Path, overwrite: bool, more: bool) -> bool:
    """Refuse, before the work, a folder the model could not go to; say if one is there.

    Raises:
        ModelFileError: if something is there that is not to be replaced.
    """
    from ..storage.model_folder import check_target

    if not os.path.lexists(folder) or (folder.is_dir() and not os.listdir(folder)):
        check_target(folder)
        return False
    if not (folder / "config.json").is_file():
        raise ModelFileError(f"{folder} is there and is not a model. Choose another folder.")
    if not overwrite and not more:
        raise ModelFileError(
            f"{folder} holds a model already. Choose another folder, replace it with "
            "--overwrite, or go on with --continue (gis, sig, and models that train in a run)."
        )
    check_target(folder)
    return True


def _parameters(entry: ModelEntry, options: FitOptions, labels: list[str | int]) -> dict[str, Any]:
    """The options as arguments of the model's constructor.

    Raises:
        ParameterError: for what the model does not have, and for an option given twice.
    """
    # an array that lost columns has new positions; a frame keeps its names
    named = any(isinstance(label, str) for label in labels)
    place = {label: label if named else i for i, label in enumerate(labels)}

    def by_column(given: dict[str, Any], option: str) -> dict[str | int, Any] | None:
        found = {place[find_column(name, labels, option)]: v for name, v in given.items()}
        return found or None

    options_given = {
        "random_state": options.random_state,
        "minutes": options.minutes,
        "contamination": options.contamination,
        "missing": options.missing,
        "columns": by_column(options.column, "--column"),
        "bounds": by_column(options.bounds, "--bounds"),
        "constraints": options.constraint or None,
    }
    return parameters_of(entry, options_given, options.set)


def _made(entry: ModelEntry, parameters: dict[str, Any], folder: Path | None) -> Any:
    """The model to fit: a new one, or the one in ``folder``, to be grown."""
    if folder is None:
        return class_of(entry)(**parameters)
    from ..estimators.base import load

    model = load(folder)
    if type(model).__name__ != entry.cls:
        raise ParameterError(
            f"{folder} holds a model of class {type(model).__name__}, not {entry.cls}. "
            "Name that model, or another folder."
        )
    return model.set_params(**parameters, warm_start=True)
