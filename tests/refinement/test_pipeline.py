"""The run: states that follow one another, and what ends it."""

from dataclasses import FrozenInstanceError, replace

import pytest
import torch

from pushforward.errors import DataError
from pushforward.refinement import Prior, density_ratio, pipeline
from pushforward.refinement.acceptance_test import RealRows
from pushforward.refinement.adapters import adapter_of
from pushforward.refinement.budget import Budget
from pushforward.refinement.density_ratio import RatioEstimator
from pushforward.refinement.methods import BudgetedRejection, DGflow
from pushforward.refinement.setup import Progress, Setup
from pushforward.refinement.trial import attempt, attempt_or_leave_out, evaluate


def identity(z):
    return z


@pytest.fixture(autouse=True)
def _shorter(monkeypatch):
    """Networks that learn next to nothing: which are learned is what counts here."""
    for name in ("_STEPS", "_STEPS_THAT_WEIGH"):
        monkeypatch.setattr(density_ratio, name, 10)


@pytest.fixture
def lines():
    return []


@pytest.fixture
def setup(generator, shifted, lines):
    """N(0, 1), which is to become N(1, 1) by the exact logit."""
    rows = torch.randn(900, 1, generator=generator) + 1
    real = RealRows.split(rows, lambda x: x.numpy(), 0)
    adapter = adapter_of(identity, Prior.normal(1))
    progress = Progress(lambda text, share: lines.append(text))
    estimator = RatioEstimator(real)
    return Setup(adapter, real, estimator, Budget(), 0, 1000, shifted, progress=progress)


@pytest.fixture
def begun(setup):
    """The setup and the state before any stage, with the logit that is given."""
    setup, state, _ = pipeline._start(setup, "rejection", {}, "latent", None)
    return setup, *pipeline._ratio(setup, state, moves=False, share=0.0)


def test_a_stage_that_helps_is_kept_and_the_state_before_it_stays(begun):
    setup, before, logit = begun
    after = attempt(setup, before, BudgetedRejection(8.0), logit)
    assert after.helped
    assert after.verdict.measure.value < before.verdict.measure.value - 0.1
    assert [kept.method.name for kept in after.kept] == ["rejection"]
    assert after.space is after.tried
    assert float(after.rows.mean()) == pytest.approx(0.95, abs=0.2)
    assert (before.kept, before.stages, before.tried) == ((), (), None)
    with pytest.raises(FrozenInstanceError):
        after.notes = ()


def test_a_stage_that_does_not_help_is_in_the_report_only(begun):
    setup, before, logit = begun
    after = evaluate(setup, before, DGflow("kl", 0.5, 0.0, None, 10), logit)
    assert not after.helped
    assert (after.kept, after.space, after.rows) == ((), before.space, before.rows)
    (stage,) = after.stages
    slope = float(logit.line.values[1])
    assert stage.displacement == pytest.approx(10 * 0.5 * slope, rel=0.1)
    assert after.tried.evaluations == 10


def test_a_stage_that_cannot_be_judged_is_refused_or_left_out_with_a_note(begun):
    setup, before, logit = begun
    ends = replace(logit, frozen=lambda x: torch.log(2 - x[:, 0]))
    method = DGflow("kl", 0.1, 0.0, None, 2)
    with pytest.raises(DataError, match="not finite"):
        attempt(setup, before, method, ends)
    after = attempt_or_leave_out(setup, before, method, ends)
    assert after.stages == ()
    assert after.notes[0].startswith("dgflow by a given logit was left out: The logit")


def test_a_flat_logit_moves_nothing_and_says_so(begun, lines):
    setup, before, logit = begun
    flat = replace(logit, frozen=lambda x: 0 * x[:, 0])
    assert attempt(setup, before, DGflow(), flat) is before
    assert lines[-1] == "the given logit is flat: nothing moves by it"


def test_the_logit_that_is_there_comes_first_and_then_others_are_learned(setup):
    setup, state, _ = pipeline._start(setup, "auto", {}, "auto", None)
    state, given = pipeline._ratio(setup, state, moves=True, share=0.0)
    assert (given.kind, state.learned) == ("given", 0)
    assert state.first is given
    state, learned = pipeline._ratio(setup, state, moves=True, share=0.0)
    assert (learned.kind, state.learned) == ("direct", 1)
    assert state.first is given
    known = replace(setup, known={False: learned})
    assert pipeline._ratio(known, replace(state, first=None), moves=False, share=0.0)[1] is learned


class Ends(RatioEstimator):
    """An estimator that learns nothing."""

    def learned(self, space, **options):
        raise DataError("there is nothing to learn")


def test_what_ends_the_schedule_leaves_what_there_is(setup):
    """DGflow by the given logit is tried and does not help; the network that follows fails."""
    wrong = replace(setup, logit=lambda x: torch.sin(40 * x[:, 0]), estimator=Ends(setup.real))
    made = pipeline.run(wrong, "auto", {}, "auto")
    assert made.state.notes[-1] == "what was to follow was left out: there is nothing to learn"
    assert not made.report.helped
    assert made.report.notes == made.state.notes
    assert made.first.kind == "given"


def test_without_any_logit_what_fails_is_an_error(setup):
    with pytest.raises(DataError, match="nothing to learn"):
        pipeline.run(replace(setup, logit=None, estimator=Ends(setup.real)), "auto", {}, "auto")


def test_a_run_leaves_its_setup_as_it_was_and_repeats(setup):
    before = dict(vars(setup))
    one, two = (pipeline.run(setup, "rejection", {"budget": 8.0}, "latent") for _ in range(2))
    assert dict(vars(setup)) == before
    assert one.place == "latent"
    assert torch.equal(one.state.rows, two.state.rows)
    assert replace(one.report, seconds=0, expected="") == replace(
        two.report, seconds=0, expected=""
    )
    assert one.report.rows == (495, 180, 225)


def test_a_run_that_goes_on_has_other_networks(setup):
    setup = replace(setup, logit=None)
    once = pipeline.run(setup, "rejection", {}, "latent")
    again = pipeline.run(setup, "rejection", {}, "latent", earlier=once.state)
    assert (once.state.learned, again.state.learned) == (1, 2)
    assert not torch.equal(once.first(once.state.rows), again.first(once.state.rows))
