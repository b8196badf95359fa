"""One stage: tuned, applied, judged on held-out rows, and kept if it helps."""

import math
import time
from dataclasses import replace

import torch
from torch import Tensor

from ..errors import DataError
from ..training import generator_of
from .acceptance_test import SAME, Verdict, improves, likelihood_gain
from .logit import Logit
from .logit_gradients import in_batches
from .methods import BudgetedRejection, Context, Method
from .report import Stage
from .resumption import kept_method
from .samplers.rejection import budgeted_log_acceptance
from .samplers.resampling import effective_sample_size, importance_weights
from .setup import Setup
from .stages import KeptStage
from .state import State
from .streams import Stream
from .thinning_search import divergence

__all__ = ["attempt", "attempt_or_leave_out", "evaluate", "out_of_time"]

_STAGE = 0.3  # of the progress that is reported, for a stage
_LEAST = 0.5  # of the time a network wants: half of that is a fourth of its steps


def attempt(
    setup: Setup, state: State, method: Method, logit: Logit, context: Context | None = None
) -> State:
    """Tune a method, judge what it makes, and keep it if that helps.

    Args:
        setup: of the refinement.
        state: before.
        method: with the settings that are given.
        logit: of the samples of the state.
        context: to tune on, where there is one already.

    Raises:
        DataError: for samples or logits that are not finite.
        ParameterError: for settings that are out of their range or over the budget.
        UnsupportedError: for a space that the method cannot work in.
    """
    done = len(state.stages)
    setup.progress(f"trying {method.name}", _STAGE * (done + 0.5))
    tuned = kept_method(
        setup, f"{method.name} at stage {done}, by logit {state.learned}",
        lambda: method.tune(context or setup.context(state, logit)),
    )  # fmt: skip
    if tuned is not None:
        return evaluate(setup, state, tuned, logit)
    if setup.out_of_time(state.timing.evaluating):
        return setup.note(state, f"{method.name} was left out: there was no time")
    text = f"the {logit.kind} logit is flat: nothing moves by it"
    setup.progress(text, _STAGE * (done + 1))
    return state


def attempt_or_leave_out(
    setup: Setup, state: State, method: Method, logit: Logit, context: Context | None = None
) -> State:
    """Like :func:`attempt`; a stage whose samples cannot be judged is left out with a note."""
    try:
        return attempt(setup, state, method, logit, context)
    except DataError as error:
        return left_out(setup, state, f"{method.name} by a {logit.kind} logit", error)


def left_out(setup: Setup, state: State, what: str, error: DataError) -> State:
    """The state with a note that says what was left out, and why."""
    return setup.note(state, f"{what} was left out: {error}")


def out_of_time(setup: Setup, state: State, evaluating: float) -> bool:
    """Whether what is left is too little for a network to learn in half of it and to judge.

    Args:
        setup: of the refinement.
        state: before.
        evaluating: seconds that what comes after takes.
    """
    return setup.out_of_time(max(2 * evaluating, _LEAST * state.timing.learning))


def evaluate(setup: Setup, state: State, method: Method, logit: Logit | None) -> State:
    """Judge what a tuned method makes, and keep it if that helps.

    Raises:
        DataError: for samples that are not finite.
        ParameterError: for samples that cost more than the budget.
    """
    number, stage = len(state.stages), KeptStage(method, logit, state.place)
    space = stage.apply(state.space)
    setup.budget.check(space, method.name)
    started = time.monotonic()
    rows = space.quantised(setup.real.drawn, setup.seed, Stream.TEST, len(state.kept), number)
    if not rows.isfinite().all():
        raise DataError(
            f"{method.name} with {method.settings} makes samples that are not finite. Lower the "
            "step, or see where the generator ends."
        )
    drawn = time.monotonic()
    verdict = setup.real.verdict(rows)
    ended = time.monotonic()
    timing = replace(state.timing, evaluating=ended - started, testing=ended - drawn)
    if isinstance(method, BudgetedRejection) and logit is not None:
        verdict = _with_gain(setup, state, verdict, logit, method.constants["constant"])
    displacement, effective = _measured(setup, state, stage)
    line = Stage(
        method.name, method.settings, "" if logit is None else logit.kind, state.place,
        verdict.measure, improves(state.verdict, verdict), displacement, space.draws,
        space.evaluations, effective,
    )  # fmt: skip
    setup.progress(str(line), _STAGE * (number + 1))
    state = replace(state, stages=(*state.stages, line), tried=space, timing=timing)
    if not line.kept:
        return state
    return replace(state, kept=(*state.kept, stage), space=space, rows=rows, verdict=verdict)


def _with_gain(
    setup: Setup, state: State, verdict: Verdict, logit: Logit, constant: float
) -> Verdict:
    """The verdict on samples that were thinned, with what that adds to the likelihood."""
    points = state.space.points(setup.real.drawn, setup.seed, Stream.LIKELIHOOD)
    drawn = state.space.logits(logit, points)
    real = in_batches(logit, setup.real.test, setup.batch_size)
    kept = [budgeted_log_acceptance(x, constant) for x in (real, drawn)]
    if divergence(kept[1], torch.zeros_like(kept[1])) < SAME:
        return verdict  # all samples are taken as often: whatever real rows are, none is nearer
    gain = likelihood_gain(*kept)
    verdict.measure.details["gain"] = gain[0]
    return replace(verdict, gain=gain)


def _measured(setup: Setup, state: State, stage: KeptStage) -> tuple[float | None, float]:
    """How far a stage moves samples, by their spread, and the share that counts by weight."""
    points = state.space.points(setup.measured, setup.seed, Stream.DISPLACEMENT)
    displacement, effective = None, 1.0
    mover = stage.mover(state.space)
    if mover is not None:
        moved = mover(points, generator_of(setup.seed, Stream.DISPLACEMENT))
        displacement = _displacement(*(state.space.decoded(x) for x in (points, moved)))
    if stage.logit is not None:
        weights = importance_weights(state.space.logits(stage.logit, points).double())
        effective = effective_sample_size(weights) / len(points)
    return displacement, effective


def _displacement(start: Tensor, end: Tensor) -> float | None:
    """Root mean square distance of rows by the spread of the first; None where it overflows."""
    start, end = (rows.flatten(1).double() for rows in (start, end))
    spread = (start - start.mean(dim=0)).square().sum(dim=1).mean().clamp(min=1e-30)
    distance = float(((end - start).square().sum(dim=1).mean() / spread).sqrt())
    return distance if math.isfinite(distance) else None
