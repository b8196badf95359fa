"""Random searches over the settings of several models: best values and sensitivity."""

import itertools
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import clone

from ..deprecation import current_words, old_words, renamed
from ..errors import ParameterError, TrainingError
from ..estimators.base import load
from ..estimators.table_density import TableDensity
from ..validation import COUNT, as_seed, check
from .evaluate import compare
from .measure import Measure
from .results import Evaluation, aligned

__all__ = ["RANGES", "Run", "Sweep", "sweep"]

Report = Callable[[str, float], object]

#: Settings drawn where none are given, for the models that have them.
RANGES: Mapping[str, tuple[Any, ...]] = {
    "learning_rate": (1e-4, 2e-4, 5e-4, 1e-3),
    "latent": (50, 100, 150),
    "weight": (1.0, 5.0, 10.0, 50.0),
}


@dataclass(frozen=True)
class Run:
    """One model, fitted once.

    Attributes:
        model: its name.
        number: which of its runs.
        parameters: the settings that were drawn.
        seconds: that fitting took, or loading where a saved model was taken.
        evaluation: what it is worth; None where training broke down.
        failed: why, or "".
    """

    model: str
    number: int
    parameters: Mapping[str, Any]
    seconds: float
    evaluation: Evaluation | None
    failed: str = ""


@dataclass(frozen=True)
class Sweep:
    """The results of a sweep.

    Attributes:
        runs: all of them, a model's own in a row.
    """

    runs: tuple[Run, ...]

    @property
    def measures(self) -> dict[str, Measure]:
        """A measure of each name, for what is better."""
        every = (m for run in self.runs if run.evaluation for m in run.evaluation.measures)
        return {m.name: m for m in every}

    def values(self, measure: str) -> dict[str, list[float]]:
        """Values of all runs by model, best first; runs that failed have none."""
        worse = self.measures[measure].better == "higher"
        found: dict[str, list[float]] = {run.model: [] for run in self.runs}
        for run in self.runs:
            if run.evaluation is not None:
                taken = {m.name: m.value for m in run.evaluation.measures}
                found[run.model] += [taken[measure]] if measure in taken else []
        return {name: sorted(values, reverse=worse) for name, values in found.items()}

    def best(self, measure: str, k: int = 10) -> dict[str, list[float]]:
        """The ``k`` best values of each model, best first.

        Rosca et al., *Variational Approaches for Auto-Encoding Generative Adversarial Networks*
        (2017), show the ten best of each: the first says what a model can do, how far the last
        lies from it how much it depends on its settings.
        """
        return {name: values[:k] for name, values in self.values(measure).items()}

    def to_frame(self) -> Any:
        """A pandas frame with a row for each run: settings, seconds, measures."""
        import pandas as pd

        rows = [
            {
                "model": run.model,
                "run": run.number,
                **run.parameters,
                "seconds": run.seconds,
                "failed": run.failed,
                **({m.name: m.value for m in run.evaluation.measures} if run.evaluation else {}),
            }
            for run in self.runs
        ]
        return pd.DataFrame(rows)

    def to_dict(self) -> dict[str, Any]:
        """Everything as JSON values."""
        return {
            "runs": [
                {
                    "model": run.model,
                    "run": run.number,
                    "parameters": dict(run.parameters),
                    "seconds": run.seconds,
                    "failed": run.failed,
                    "evaluation": run.evaluation.to_dict() if run.evaluation else None,
                }
                for run in self.runs
            ]
        }

    def __str__(self) -> str:
        names = list(dict.fromkeys(run.model for run in self.runs))
        lines = [["measure", "better", *names]]
        for measure, example in self.measures.items():
            cells = []
            for values in self.best(measure).values():
                spread = f" ... {values[-1]:.4g}" if len(values) > 1 else ""
                cells.append(f"{values[0]:.4g}{spread}" if values else "failed")
            lines.append([measure, example.better or "", *cells])
        runs = max(sum(run.model == name for run in self.runs) for name in names)
        legend = f"of {runs} runs each: the best ... the worst of the 10 best"
        lost = [f"note: {r.model}, run {r.number}: {r.failed}" for r in self.runs if r.failed]
        return "\n".join([aligned(lines, left=2), legend, *lost])


@renamed(seed="random_state")
def sweep(
    models: Mapping[str, Any],
    train: Any,
    real: Any,
    *,
    runs: int = 10,
    ranges: Mapping[str, Sequence[Any]] | None = None,
    folder: str | os.PathLike[str] | None = None,
    measures: Iterable[str] | None = None,
    random_state: Any = 0,
    report: Report | None = None,
    **evaluation: Any,
) -> Sweep:
    """Fit every model several times with settings drawn at random, and evaluate all runs alike.

    The first run has each model's own settings. Runs of one number have the same draw, so that
    models that share a setting share its values.

    Args:
        models: estimators by name; they stay unfitted. Their budgets (``minutes``, ``steps``)
            are what a run gets.
        train: what they are fitted on.
        real: what they are judged by, see :func:`pushforward.evaluate`.
        runs: of each model.
        ranges: values by the name of a setting, to draw from; a model takes those it has. None
            for :data:`RANGES`.
        folder: where the models are saved, a folder each, and the work of their fits, in
            ``runs``: the same sweep, repeated, goes on within the run that was interrupted, takes
            those that are done, and trains further where a budget has grown.
        measures: names of the measures; None for all that suit.
        random_state: of the draws and of every fit.
        report: called with a line of text and the share done.
        evaluation: of :func:`pushforward.evaluate`, such as ``features``, ``n``.

    Raises:
        ParameterError: for no models or runs, for a range that no model has, and for a folder
            with runs of other settings or other data.

    Examples:
        >>> import pushforward
        >>> X = pushforward.open_images("digits").images[:]
        >>> models = {"dcgan": pushforward.DCGAN(width=4, steps=2, batch_size=8)}
        >>> found = sweep(models, X[:100], X[100:150], runs=2, measures=["fid"], features="pixels")
        >>> [len(values) for values in found.best("fid").values()]
        [2]
    """
    seed = as_seed(random_state)
    check({"runs": COUNT}, {"runs": runs})
    if not models:
        raise ParameterError("There are no models. Expected some.")
    has = {name: model.get_params(deep=False) for name, model in models.items()}
    if ranges is not None:
        old = {k: v for model in models.values() for k, v in old_words(type(model)).items()}
        ranges = current_words("ranges", ranges, old)
        lost = [key for key in ranges if not any(key in own for own in has.values())]
        if lost:
            raise ParameterError(f"ranges has {lost[0]!r}, which none of the models has.")
    wanted = RANGES if ranges is None else ranges
    if empty := [key for key, values in wanted.items() if not len(values)]:
        raise ParameterError(f"ranges has no values of {empty[0]!r}. Expected some.")
    fitted: dict[str, Any] = {}
    made: list[Run] = []
    for name, number in itertools.product(models, range(runs)):
        drawn = _draw(wanted, number, seed)
        own = {key: value for key, value in drawn.items() if key in has[name]}
        model: Any = clone(models[name])
        model.set_params(**own, random_state=seed + number)
        place = None if folder is None else Path(folder) / f"{name}-{number}"
        share = len(made) / (len(models) * runs), 1 / (len(models) * runs)
        started, failed = time.monotonic(), ""
        try:
            model = _fitted(model, train, place, _part(report, f"{name} {number + 1}", *share))
            fitted[f"{name} {number}"] = model
        except TrainingError as error:
            failed = str(error)
        seconds = round(time.monotonic() - started, 1)
        made.append(Run(name, number, own, seconds, None, failed))
    if not fitted:
        return Sweep(tuple(made))
    found = compare(
        fitted,
        real,
        measures=measures,
        train=train,
        random_state=seed,
        report=report,
        **evaluation,
    ).evaluations
    return Sweep(
        tuple(replace(run, evaluation=found.get(f"{run.model} {run.number}")) for run in made)
    )


def _draw(ranges: Mapping[str, Sequence[Any]], number: int, seed: int) -> dict[str, Any]:
    if number == 0:
        return {}
    rng = np.random.default_rng([seed, number])
    return {key: values[int(rng.integers(len(values)))] for key, values in ranges.items()}


def _fitted(model: Any, train: Any, place: Path | None, report: Report) -> Any:
    """The model, trained, or as it was saved.

    Fits decide by their checkpoints what they go on from. Those that keep none once they are
    done, of models that are grown, are known by the model that was saved: by its settings and, of
    tables, its data.

    Raises:
        ParameterError: if what was saved is another run.
    """
    if place is None:
        return model.fit(train, report=report)
    work = place.parent / "runs" / place.name
    begun = any(work.glob("config.json")) or any(work.glob("*/config.json"))  # a checkpoint
    if (place / "config.json").is_file() and not begun:
        return _saved(place, model, train)
    model.fit(train, report=report, folder=work)
    model.save(place)
    return model


def _saved(place: Path, model: Any, train: Any) -> Any:
    """A saved model, where it has the settings and the data of this run.

    Raises:
        ParameterError: if it has others.
    """
    saved, wanted = load(place), model.get_params(deep=False)
    if type(saved) is not type(model):
        raise ParameterError(f"{place} holds a {type(saved).__name__}. Choose another folder.")
    for name, value in saved.get_params(deep=False).items():
        if value != wanted[name]:
            raise ParameterError(
                f"{place} holds a run with {name} {value!r}; this one has {wanted[name]!r}. "
                "Choose another folder."
            )
    if isinstance(saved, TableDensity) and not saved.was_fitted_on(train):
        raise ParameterError(f"{place} holds a run on other data. Choose another folder.")
    return saved


def _part(report: Report | None, begin: str, done: float, share: float) -> Report:
    """The report of a run, as a part of that of the sweep."""

    def report_of_run(text: str, of_run: float) -> None:
        if report is not None:
            report(f"{begin}: {text}", done + share * of_run)

    return report_of_run
