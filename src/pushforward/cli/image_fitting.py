"""``pushforward fit`` for models of images: a run beside the model, which can go on."""

from pathlib import Path
from typing import Any

import typer

from ..errors import ModelFileError, ParameterError, TrainingError
from .console import Talk
from .exits import INTERRUPTED
from .images import open_images_as
from .options import FitOptions
from .registry import Entry, class_of, only_for, parameters_of

__all__ = ["fit_images"]

_RUN = ("checkpoint", "samples", "tensorboard", "log.jsonl", "log.csv")


def fit_images(
    entry: Entry,
    data: str,
    output: Path,
    options: FitOptions,
    *,
    there: bool,
    more: bool,
    talk: Talk,
) -> Any:
    """Train a model of images in the folder ``output``.run, and save it to ``output``.

    Args:
        entry: the model.
        data: what ``open_images`` opens.
        output: the model folder.
        options: of the command line and config.
        there: whether a model is there, to be replaced or to go on with.
        more: whether to go on with it.
        talk: where notes and progress go.

    Returns:
        The fitted model.
    """
    _refuse_table_options(entry, options)
    run = output.with_name(f"{output.name}.run")
    said = {"random_state": options.seed, "minutes": options.minutes}
    parameters = parameters_of(entry, said, options.set)
    if more and there:
        made = _of_before(entry, output, parameters, run)
    else:  # a command without a seed and its repetition have the same: else it could not go on
        made = class_of(entry)(**{"random_state": 0} | parameters)
    found = open_images_as(data, options.split, options.size, options.crop)
    if there and not more:
        _clear_if_saved(run, output)
    _say_where_it_begins(run, found, talk)
    try:
        with talk.fitting(None) as report:
            made.fit(found, folder=run, report=report)
    except KeyboardInterrupt:
        if not (run / "checkpoint").is_dir():
            raise
        step = _state(run)["step"]
        talk.error(
            f"interrupted at step {step:,}. Repeat the command to go on: the run is in {run}"
        )
        raise typer.Exit(INTERRUPTED) from None
    except TrainingError as error:
        if getattr(made, "best_", None) is None:
            raise
        made.save(output)
        raise TrainingError(
            f"{error} The best weights before, of step {made.best_['step']}, are in {output}."
        ) from error
    made.save(output)
    return made


def _refuse_table_options(entry: Entry, options: FitOptions) -> None:
    words = ("contamination", "missing", "column", "bounds", "drop", "weight")
    only_for("tables", entry.cls, {f"--{word}": getattr(options, word) for word in words})


def _of_before(entry: Entry, output: Path, parameters: dict[str, Any], run: Path) -> Any:
    """The model in ``output``, with a budget that leaves its run something to do.

    Raises:
        ParameterError: for a model of another class, and a budget that is spent.
        ModelFileError: if the run is gone.
    """
    from ..model import load

    model = load(output)
    if type(model).__name__ != entry.cls:
        raise ParameterError(
            f"{output} holds a model of class {type(model).__name__}, not {entry.cls}. "
            "Name that model, or another folder."
        )
    if not (run / "checkpoint").is_dir():
        raise ModelFileError(
            f"{run} is gone, where the training of {output} could go on. Fit anew with "
            "--overwrite, or into another folder."
        )
    model.set_params(**parameters)
    steps, minutes = model.steps, model.minutes
    if steps is None and minutes is None:
        steps, minutes = model.settings_["steps"], model.settings_["minutes"]
    state = _state(run)
    if steps is not None and state["step"] >= steps:
        raise ParameterError(
            f"{run} has taken its {steps:,} steps. Give more: --set steps={2 * steps}."
        )
    if minutes is not None and state["seconds"] >= 60 * minutes:
        raise ParameterError(
            f"{run} has had its {minutes:g} minutes. Give more: --minutes {2 * minutes:g}."
        )
    return model


def _clear_if_saved(run: Path, output: Path) -> None:
    """Remove the run whose end is the model in ``output``; one that was interrupted stays."""
    import shutil

    from ..artifact import read_folder

    if not (run / "checkpoint").is_dir():
        return
    config, _ = read_folder(output)
    if config.get("history") != _state(run)["history"]:
        return
    for name in _RUN:
        path = run / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def _say_where_it_begins(run: Path, found: Any, talk: Talk) -> None:
    if not (run / "checkpoint").is_dir():
        size = " x ".join(map(str, found.images.shape))
        talk.say(f"{len(found):,} images of {size}; checkpoints and samples go to {run}")
        return
    state = _state(run)
    minutes = state["seconds"] / 60
    talk.note(f"going on from step {state['step']:,}, after {minutes:.1f} minutes: {run}")


def _state(run: Path) -> dict[str, Any]:
    """Step, seconds and history of a run."""
    from ..training.checkpoint import read_checkpoint

    return read_checkpoint(run / "checkpoint")[0]
