"""``pushforward compare`` of models that are fitted first: runs, and the best of them."""

from pathlib import Path
from typing import Annotated, Any

import typer

from ..errors import ParameterError
from .console import Console, print_json, print_table
from .fit_options import literal, pairs
from .registry import MODELS, class_of, find_model

__all__ = ["Minutes", "Ranges", "Runs", "Sweeps", "compare_fitted", "to_fit"]

_FITTED = "Models to be fitted"

Minutes = Annotated[
    float | None,
    typer.Option(rich_help_panel=_FITTED, show_default=False, help="Budget of a run."),
]
Runs = Annotated[
    int | None,
    typer.Option(
        metavar="N", min=1, rich_help_panel=_FITTED, show_default=False,
        help="Runs of each model, with settings drawn at random but for the first.",
    ),
]  # fmt: skip
Ranges = Annotated[
    list[str] | None,
    typer.Option(
        "--range", metavar="NAME=V,V,...", rich_help_panel=_FITTED, show_default=False,
        help="Values of a setting to draw from, such as learning_rate=1e-4,1e-3. Can be repeated. "
        "Default: learning rates, lengths of codes, weights of reconstruction.",
    ),
]  # fmt: skip
Sweeps = Annotated[
    Path | None,
    typer.Option(
        "--output", "-o", metavar="FOLDER", rich_help_panel=_FITTED, show_default=False,
        help="Where the models, runs.csv and best.png go; repeat the command to go on.",
    ),
]  # fmt: skip


def to_fit(what: list[str]) -> bool:
    """Whether these are names of models, and nothing of that name is on the disk.

    Raises:
        ParameterError: if some are and others are not.
    """
    names = [name in MODELS and not Path(name).exists() for name in what]
    if any(names) and not all(names):
        there = what[names.index(False)]
        raise ParameterError(
            f"{what[names.index(True)]} is the name of a model to be fitted, and {there} is not. "
            "Expected names of models, or folders and samples only."
        )
    return all(names)


def compare_fitted(
    what: list[str], opened: Any, *, minutes: float | None, runs: int | None,
    ranges: list[str] | None, output: Path | None, json: bool, console: Console, **evaluation: Any,
) -> None:  # fmt: skip
    """Fit the models, judge all runs alike and print what the best are worth.

    Args:
        what: names of models.
        opened: the data.
        minutes, runs, ranges, output: as the options say.
        json: whether to print JSON.
        console: where notes and progress go.
        evaluation: of :func:`pushforward.metrics.sweep`.
    """
    from ..metrics import sweep

    if opened.train is None:
        raise ParameterError("Models cannot be fitted to nothing. Give --train DATA.")
    budget = {} if minutes is None else {"minutes": minutes}
    models = {name: class_of(find_model(name))(**budget) for name in what}
    drawn = {
        name: tuple(literal(value) for value in text.split(","))
        for name, text in pairs(ranges, "--range").items()
    }
    with console.fit_progress(None) as report:
        found = sweep(
            models, opened.train, opened.real, runs=runs or 1, ranges=drawn or None,
            folder=output, report=report, **evaluation,
        )  # fmt: skip
    for run in found.runs:
        if run.failed:
            console.note(f"{run.model}, run {run.number}: {run.failed}")
    if output is not None:
        _write(found, output)
    if json:
        print_json(found.to_dict())
        return
    lines = []
    for name in found.measures:
        cells = []
        for values in found.best(name).values():
            spread = f" ... {values[-1]:.4g}" if len(values) > 1 else ""
            cells.append(f"{values[0]:.4g}{spread}" if values else "failed")
        lines.append((name, *cells))
    print_table({"measure": "left", **dict.fromkeys(what, "right")}, lines)


def _write(found: Any, folder: Path) -> None:
    """The table of all runs and the picture of the best, whole or not at all."""
    from ..report.sweeps import sweep_figure
    from ..storage.atomic import write_file_atomically

    folder.mkdir(parents=True, exist_ok=True)
    write_file_atomically(folder / "runs.csv", found.to_frame().to_csv(index=False).encode())
    if found.measures:
        figure = sweep_figure(found)
        write_file_atomically(
            folder / "best.png", lambda file: figure.savefig(file, format="png", dpi=120)
        )
