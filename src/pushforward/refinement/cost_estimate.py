"""What a refinement will take at most, from samples and steps of learning that are timed."""

import time
from typing import NamedTuple

from torch import Tensor

from .dgflow_search import search_of
from .methods import METHODS
from .sample_spaces import Space
from .setup import Setup

__all__ = ["MOST_DRAWS", "ROUNDS", "Estimate", "estimated"]

ROUNDS = 3  # the most, of moving; one more where the first was by a critic that did not help
MOST_DRAWS = 4.0  # that thinning takes for a sample where the user says nothing
_TIMED = 256  # samples that are decoded
_SPARE = 3  # times what was timed


class Estimate(NamedTuple):
    """What a refinement will take.

    Attributes:
        text: for people.
        learning: seconds that a network which moves points wants; None where none is learned.
    """

    text: str
    learning: float | None


def estimated(
    setup: Setup, space: Space, rows: Tensor, method: str, *, searches: bool
) -> Estimate:
    """Estimate what a refinement will take at most.

    Args:
        setup: of the refinement.
        space: before it begins.
        rows: samples of the space.
        method: "auto", or one of the methods.
        searches: whether settings of DGflow are searched for.
    """
    points = space.points(_TIMED, setup.seed)
    started = time.perf_counter()
    space.decoded(points)
    each = (time.perf_counter() - started) / _TIMED
    search, budget = search_of(points[0].numel()), setup.budget
    trials = search.evaluations if searches else 0
    rounds = (ROUNDS if setup.moving else 0) if method == "auto" else 1
    steps = max(search.steps) if rounds else 0
    samples = 2 * (setup.real.drawn + len(setup.real.train))
    drawn = (ROUNDS + 2) * samples * (steps / 2 + 1)
    seconds = _SPARE * each * (rounds * trials + drawn)
    learning, one = _learning(setup, method, rows)
    seconds += learning
    limit = "" if budget.minutes is None else f", {budget.minutes:.3g} min at most"
    most = MOST_DRAWS if budget.draws is None else budget.draws
    logits = most * (rounds * steps + 1)
    if budget.evaluations is not None:
        logits = min(logits, budget.evaluations)
    cost = f"a sample then takes at most {most:g} draws and {logits:g} logits"
    if method != "auto":
        cost = "a sample then takes what the method's settings say"
    text = (
        f"expected: {trials * rounds:,} trial steps, about "
        f"{max(1, round(seconds))} s{limit}; {cost}"
    )
    return Estimate(text, one)


def _learning(setup: Setup, method: str, rows: Tensor) -> tuple[float, float | None]:
    """Seconds that learning all networks takes, and that of the first one, which moves points."""
    estimator = setup.estimator
    known = setup.logit is not None or (setup.adapter.critic is not None and not setup.kept)
    if method != "auto":
        if known:
            return 0.0, None
        first = estimator.seconds(rows, moves=METHODS[method].moves)
        return first, first
    if not setup.moving:
        return estimator.seconds(rows, moves=False), None
    first = estimator.seconds(rows, moves=True)
    later = estimator.seconds(rows, moves=True, near=True) if estimator.narrow else first
    weighs = estimator.seconds(rows, moves=False)
    return (ROUNDS - 1) * later + (later if known else first) + weighs, first
