"""The refinement: move, learn anew, move, learn anew, thin; each stage kept only if it helps.

In the order of the papers: *samplers* are functions of tensors (:mod:`.samplers`), which *methods*
give settings (:mod:`.methods`); a *density ratio* says where samples are too rare or too many
(:mod:`.density_ratio`); an *acceptance test* on held-out rows (:mod:`.acceptance_test`) judges a
*stage* (:mod:`.trial`); settings are found by *search* (:mod:`.dgflow_search`,
:mod:`.thinning_search`); and a *report* (:mod:`.report`) says what became of all.
"""

import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, cast

import torch
from torch import Tensor

from ..data import Columns
from ..errors import DataError
from .acceptance_test import Verdict
from .cost_estimate import MOST_DRAWS, ROUNDS, estimated
from .logit import Logit
from .logit_gradients import in_batches, one_per_row
from .methods import METHODS, BudgetedRejection, DGflow, RepeatedMargins, no_logit
from .report import RefinementReport
from .resumption import kept_logit, kept_method, kept_number
from .row_checks import CHECKED, check_rows_alone
from .setup import Setup
from .state import State, Timing
from .streams import Stream
from .thinning_search import draws_for
from .trial import attempt, attempt_or_leave_out, evaluate, left_out, out_of_time

__all__ = ["Refinement", "run"]

_BUDGETS = (1.25, 1.5, 2.0, 3.0, 4.0)  # draws a sample that thinning is tried with
_FEW = 128  # samples that are checked before more are drawn
_LEARNING, _SCHEDULE, _ALONE = 0.05, 0.9, 0.5  # of the progress that is reported


@dataclass(frozen=True)
class Refinement:
    """What a run came to.

    Attributes:
        setup: by which it ran; with little time by fewer rows than it was given.
        state: at the end.
        report: what was tried and what helped.
        place: what its first stage moves or draws, "latent" or "data".
    """

    setup: Setup
    state: State
    report: RefinementReport
    place: str

    @property
    def first(self) -> Logit:
        """The logit that the run began with."""
        assert self.state.first is not None
        return self.state.first


def run(
    setup: Setup,
    method: str,
    settings: Mapping[str, Any],
    requested: str,
    *,
    earlier: State | None = None,
) -> Refinement:
    """Refine by one method, or by all of the automatic schedule.

    Args:
        setup: generator, real rows and the like.
        method: "auto", or one of the methods.
        settings: of that method.
        requested: "auto", "data" or "latent": what is moved.
        earlier: of another run by the same setup, whose logits have other random numbers.

    Raises:
        DataError: for samples of another shape, or that are not finite; by one method, also for
            what it makes.
        ParameterError: for settings that are out of their range or over the budget.
        UnsupportedError: for latents where there are none, or where a method needs them.
    """
    setup, start, expected = _start(setup, method, settings, requested, earlier)
    if method == "auto":
        state = _automatic(setup, start)
    else:
        state = _single_method(setup, start, method, settings)
    after_rows, after = state.rows, state.verdict
    if state.helped and not setup.out_of_time(state.timing.evaluating):
        # others than those it was kept for
        after_rows = state.space.quantised(setup.real.drawn, setup.seed, Stream.FINAL)
        after = setup.real.verdict(after_rows)
    if state.helped and after.measure.value > start.verdict.measure.value:
        state = _reverted(setup, state, requested)
        after_rows, after = start.rows, start.verdict
    setup.progress("done", 1.0)
    report = _report(setup, start, state, (after_rows, after), expected)
    return Refinement(setup, state, report, setup.first_place(requested))


def _start(
    setup: Setup, method: str, settings: Mapping[str, Any], requested: str, earlier: State | None
) -> tuple[Setup, State, str]:
    """The setup that fits into its time, the state before any stage, and what to expect."""
    setup = replace(setup, progress=setup.progress.restarted())
    automatic = method == "auto"
    space, place = setup.space(requested)
    setup.check(space.quantised(_FEW, setup.seed, Stream.START))
    moves = setup.moving if automatic else METHODS[method].moves
    setup = setup.in_time(space, moves=moves)
    started = time.monotonic()
    rows = space.quantised(setup.real.drawn, setup.seed, Stream.START)
    drawing = time.monotonic() - started
    setup.check(rows)
    searches = (automatic and setup.moving) or (
        method == DGflow.name and not {"step", "preset"} & {*settings}
    )
    estimate = estimated(setup, space, rows, method, searches=searches)
    setup.progress(estimate.text, 0.0)
    started = time.monotonic()
    verdict = setup.real.verdict(rows)
    testing = time.monotonic() - started
    # the report tests real rows against each other, which takes as long
    setup = replace(setup, budget=replace(setup.budget, reserve=testing))
    learned, learning = (0, 0.0) if earlier is None else (earlier.learned, earlier.timing.learning)
    if estimate.learning is not None:
        learning = estimate.learning
    start = State(
        space, place, rows, verdict, setup.kept, notes=setup.notes, learned=learned,
        timing=Timing(learning, drawing + testing, testing),
    )  # fmt: skip
    return setup, start, estimate.text


def _automatic(setup: Setup, state: State) -> State:
    """The state after the whole schedule; a stage that cannot be tested ends it with a note."""
    states = _schedule(setup, state)
    while True:
        try:
            state = next(states)
        except StopIteration:
            return state
        except DataError as error:
            if state.first is None:  # before there is a logit nothing else is at fault
                raise
            return left_out(setup, state, "what was to follow", error)


def _schedule(setup: Setup, state: State) -> Iterator[State]:
    """States of the automatic refinement, one after the other.

    Samples are moved while that helps, then thinned; of mixed rows the margins come in between.
    """
    rounds, number = ROUNDS if setup.moving else 0, 0
    while number < rounds:
        if number and out_of_time(setup, state, state.timing.evaluating):
            state = setup.note(state, "moving further was left out: there was no time")
            break
        share = _SCHEDULE * number / (rounds + 1)
        state, logit = _ratio(setup, state, moves=True, share=share)
        yield state
        before, state = state, attempt_or_leave_out(setup, state, DGflow(), logit)
        yield state
        if len(state.kept) == len(before.kept):  # it did not help
            if number or logit.kind not in ("critic", "given"):
                break
            rounds += 1  # what a critic cannot do, a network learned afterwards may
        number += 1
    if setup.adapter.numbers is not None:
        state = _with_margins(setup, state)
        yield state
    pool = (1 + MOST_DRAWS) * state.timing.evaluating  # samples to draw, and those that are kept
    if state.first is not None and out_of_time(setup, state, pool):
        yield setup.note(state, "thinning was left out: there was no time")
        return
    if setup.logit is not None and not state.helped:
        assert state.first is not None
        state = _thinned(setup, state, state.first)
        yield state
        if state.helped:
            return
    share = _SCHEDULE * rounds / (rounds + 1)
    state, logit = _ratio(setup, state, moves=False, share=share)
    yield state
    yield _thinned(setup, state, logit)


def _single_method(setup: Setup, state: State, method: str, settings: Mapping[str, Any]) -> State:
    """One method, by the logit there is; by a network where the generator's critic is no use.

    A logit of the user is what was asked for, and stays.
    """
    chosen = METHODS[method].with_settings(settings)
    state, logit = _ratio(setup, state, moves=chosen.moves, share=_LEARNING)
    state = attempt(setup, state, chosen, logit)
    if state.helped or logit.kind not in ("given", "critic"):
        return state
    if logit.kind == "given":
        return setup.note(
            state,
            f"{method} went by the given logit alone, which does not help: leave logit out, "
            "or method, for a network that is learned",
        )
    if out_of_time(setup, state, state.timing.evaluating):
        text = "a network instead of the critic was left out: there was no time"
        return setup.note(state, text)
    state, logit = _ratio(setup, state, moves=chosen.moves, share=_ALONE)
    return attempt(setup, state, chosen, logit)


def _ratio(setup: Setup, state: State, *, moves: bool, share: float) -> tuple[State, Logit]:
    """The logit of what the space draws now: one that is there, or one that is learned.

    Args:
        setup: of the refinement.
        state: before.
        moves: whether points are to move along its gradient, or only to be weighed.
        share: of the refinement that is done.
    """
    begins = state.first is None
    score = setup.logit if setup.logit is not None else setup.adapter.critic
    if begins and moves in setup.known:
        logit = setup.known[moves]
    elif begins and score is not None and not setup.kept:
        kind = "critic"
        if setup.logit is not None:
            kind, some = "given", setup.real.test[:CHECKED]
            check_rows_alone("logit", score, some)
            one_per_row(score(some), len(some))
        logit = kept_logit(
            setup, f"{kind} logit",
            lambda: setup.estimator.calibrated(kind, score, state.space, number=state.learned),
            score,
        )  # fmt: skip
    else:
        setup.progress("learning the ratio of densities", share)
        state = replace(state, learned=state.learned + 1)
        left = setup.budget.minutes_left
        learn = partial(
            setup.estimator.learned, state.space, moves=moves, near=bool(state.kept),
            number=state.learned,
            minutes=None if left is None else left / 2,  # the other half is to use it
        )  # fmt: skip
        use = "moves" if moves else "weighs"
        logit = kept_logit(setup, f"logit {state.learned}, which {use}", learn)
    return (replace(state, first=logit) if begins else state), logit


def _with_margins(setup: Setup, state: State) -> State:
    """Give numbers whose values repeat the margins of the data, where that helps."""
    method = RepeatedMargins(names=tuple(cast(Columns, setup.adapter.codec).names))
    try:
        tuned = kept_method(
            setup, method.name, lambda: method.tune(setup.context(state, no_logit))
        )
        return state if tuned is None else evaluate(setup, state, tuned, None)
    except DataError as error:
        return left_out(setup, state, method.name, error)


def _thinned(setup: Setup, state: State, logit: Logit) -> State:
    """Thin by a logit, where the validation rows show that it helps."""
    context = setup.context(state, logit)  # whose pool of samples serves both
    budget, space = setup.budget, state.space
    most = MOST_DRAWS if budget.draws is None else budget.draws / space.draws
    logits = math.inf if budget.evaluations is None else budget.evaluations
    tries = [n for n in _BUDGETS if n <= most and n * (space.evaluations + 1) <= logits]
    draws = kept_number(
        setup, f"draws by logit {state.learned}", lambda: draws_for(context, tries)
    )
    if draws is None:
        return state
    return attempt_or_leave_out(setup, state, BudgetedRejection(draws), logit, context)


def _reverted(setup: Setup, state: State, requested: str) -> State:
    """The state where nothing is kept: a stage may have been kept for a lucky draw of samples."""
    space, place = setup.space(requested)
    stages = tuple(replace(stage, kept=False) for stage in state.stages)
    state = replace(state, space=space, place=place, kept=setup.kept, stages=stages)
    text = "all was taken back: samples drawn anew are no nearer to the data"
    return setup.note(state, text)


def _report(
    setup: Setup, start: State, state: State, after: tuple[Tensor, Verdict], expected: str
) -> RefinementReport:
    """What was tried and what it did."""
    real, (rows, verdict) = setup.real, after
    reference = setup.reference or state.first
    assert reference is not None
    logits = {
        name: _percentiles(in_batches(reference, part, setup.batch_size))
        for name, part in {"real": real.test, "before": start.rows, "after": rows}.items()
    }
    return RefinementReport(
        floor=real.floor(),
        before=start.verdict.measure,
        after=verdict.measure,
        stages=state.stages,
        logits=logits,
        rows=(len(real.train), len(real.validation), len(real.test)),
        expected=expected,
        seconds=setup.budget.seconds,
        notes=state.notes,
    )


def _percentiles(values: Tensor) -> list[float]:
    share = torch.linspace(0, 1, 101, dtype=torch.float64, device=values.device)
    return torch.quantile(values.double(), share).tolist()
