"""A fit that is a run beside the model: interrupted it goes on, finished it can be lengthened."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import typer

from ..data.tables.reading_options import ReadingOptions
from ..errors import ModelFileError, ParameterError, TrainingError
from ..estimators.parameters import check_parameters
from .console import Console
from .errors import interruption_code
from .reading_options import AS_FOUND
from .registry import ModelEntry, class_of

__all__ = ["fit_run"]

_RUN = ("checkpoint", "samples", "tensorboard", "log.jsonl", "log.csv")
_UNFINISHED = "unfinished"  # the layers of a growth that was interrupted


def fit_run(
    entry: ModelEntry,
    opened: Callable[[], tuple[Any, dict[str, Any], str]],
    output: Path,
    parameters: dict[str, Any],
    *,
    there: bool,
    more: bool,
    console: Console,
    noted: dict[str, Any] | None = None,
    reading: ReadingOptions = AS_FOUND,
) -> Any:
    """Train a model in the folder ``output``.run, and save it to ``output``.

    Args:
        entry: the model.
        opened: what the model is fitted on, what more its ``fit`` takes, and a few words that
            say what that is.
        output: the model folder.
        parameters: of the model's constructor.
        there: whether a model is there, to be replaced or to go on with.
        more: whether to go on with it.
        console: where notes and progress go.
        noted: what of the data is saved among the model's settings.
        reading: options of how the data are written; saved with the model.

    Returns:
        The fitted model.

    Raises:
        typer.Exit: after an interruption, and at the end in every process of ``torchrun`` but the
            first, which saves and speaks for all.
    """
    from ..training.processes import Processes

    run = output.with_name(f"{output.name}.run")
    if more and there:
        made = _earlier_model(entry, output, parameters, run)
    else:  # a command without a seed and its repetition have the same: else it could not go on
        made = class_of(entry)(**{"random_state": 0} | parameters)
    check_parameters(made)  # before anything that is there is removed
    made.reading_ = reading
    processes = Processes()
    console.quiet |= not processes.first
    found, given, what = opened()
    if there and not more and processes.first:
        _clear_if_saved(run, output)
    processes.barrier()
    _print_start(run, what, console)
    try:
        with console.fit_progress(None) as report:
            made.fit(found, folder=run, report=report, **given)
    except KeyboardInterrupt as error:
        if (run / _UNFINISHED).is_dir():
            if processes.first:
                console.error(f"interrupted. Repeat the command to go on: the layers are in {run}")
            raise typer.Exit(interruption_code(error)) from None
        if not (run / "checkpoint").is_dir():
            raise
        if processes.first:
            step = _state(run)["step"]
            console.error(
                f"interrupted at step {step:,}. Repeat the command to go on: the run is in {run}"
            )
        raise typer.Exit(interruption_code(error)) from None
    except TrainingError as error:
        from ..estimators.trained_model import TrainedModel

        if not isinstance(made, TrainedModel) or made.best_ is None:
            raise
        if processes.first:
            if noted:
                made.settings_ |= noted
            made.save(output)
        raise TrainingError(
            f"{error} The best weights before, of step {made.best_['step']}, are in {output}."
        ) from error
    if not processes.first:
        raise typer.Exit
    if _grows(made):
        made.set_params(warm_start=False)
    if noted:
        made.settings_ |= noted
    made.save(output)
    return made


def _earlier_model(entry: ModelEntry, output: Path, parameters: dict[str, Any], run: Path) -> Any:
    """The model in ``output``, to grow on, or with a budget that leaves its run something to do.

    Raises:
        ParameterError: for a model of another class, and a budget that is spent.
        ModelFileError: if the run is gone.
    """
    from ..estimators.base import load

    model = load(output)
    if type(model).__name__ != entry.cls:
        raise ParameterError(
            f"{output} holds a model of class {type(model).__name__}, not {entry.cls}. "
            "Name that model, or another folder."
        )
    if _grows(model):
        return model.set_params(**parameters, warm_start=True)
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


def _grows(model: Any) -> bool:
    """Whether a further fit adds to a model, instead of going on with its run."""
    return "warm_start" in model.get_params(deep=False)


def _clear_if_saved(run: Path, output: Path) -> None:
    """Remove the run whose end is the model in ``output``; one that was interrupted stays."""
    import shutil

    from ..storage.model_folder import read_folder

    if (run / _UNFINISHED).is_dir():
        return
    if (run / "checkpoint").is_dir():
        config, _ = read_folder(output)
        if config.get("history") != _state(run)["history"]:
            return
    for name in _RUN:
        path = run / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def _print_start(run: Path, what: str, console: Console) -> None:
    if not (run / "checkpoint").is_dir():
        console.print(f"{what}; checkpoints and samples go to {run}")
        if (run / _UNFINISHED).is_dir():
            console.note(
                f"an interrupted fit is in {run}: it goes on where the settings are the same."
            )
        return
    state = _state(run)
    minutes = state["seconds"] / 60
    console.note(f"going on from step {state['step']:,}, after {minutes:.1f} minutes: {run}")


def _state(run: Path) -> dict[str, Any]:
    """Step, seconds and history of a run."""
    from ..storage.checkpoint import read_checkpoint

    found = read_checkpoint(run / "checkpoint")
    return {**found.steps["run"].facts, "seconds": found.seconds}
