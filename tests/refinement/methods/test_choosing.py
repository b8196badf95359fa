"""Methods that choose: what they take from samples, and what a kept sample costs."""

from dataclasses import replace

import pytest

from pushforward.errors import ParameterError
from pushforward.refinement.budget import Budget
from pushforward.refinement.methods import (
    BudgetedRejection,
    DiscriminatorRejection,
    MetropolisHastings,
    Resampling,
)
from pushforward.refinement.samplers.rejection import budgeted_acceptance


def test_budgeted_rejection_keeps_one_in_its_budget(context):
    tuned = BudgetedRejection(4.0).tune(context)
    share = budgeted_acceptance(context.pool, tuned.constants["constant"]).mean()
    assert float(share) == pytest.approx(0.25, abs=1e-6)
    space = tuned.apply(context.space, context.logit)
    assert (space.draws, space.evaluations) == (4, 4)
    with pytest.raises(ParameterError, match="budget is 1"):
        BudgetedRejection(1.0).tune(context)


def test_discriminator_rejection_keeps_one_in_what_it_may_draw(context):
    tuned = DiscriminatorRejection().tune(context)
    assert tuned.percentile == pytest.approx(95.0)
    assert tuned.constants["highest"] == float(context.pool.max())
    half = DiscriminatorRejection().tune(replace(context, budget=Budget(draws=2)))
    assert half.percentile == pytest.approx(50.0)
    space = half.apply(context.space, context.logit)
    assert space.draws == pytest.approx(1 / half.constants["rate"])
    for percentile in (0, 100):
        with pytest.raises(ParameterError, match="above 0 and below 100"):
            DiscriminatorRejection(percentile)


def test_chains_and_pools_are_as_long_as_is_asked_or_as_the_budget_allows(context):
    tight = replace(context, budget=Budget(evaluations=6))
    for method, name, usual in ((MetropolisHastings, "length", 100), (Resampling, "pool", 8)):
        assert getattr(method().tune(context), name) == usual
        assert getattr(method().tune(tight), name) == 6
        tuned = method(3).tune(tight)
        assert getattr(tuned, name) == 3
        assert tuned.apply(context.space, context.logit).draws == 3
        with pytest.raises(ParameterError, match=f"{name} is 0"):
            method(0).tune(context)
        assert tuned.mover(context.space, context.logit) is None


@pytest.mark.parametrize(
    "method",
    [BudgetedRejection(4.0), DiscriminatorRejection(80.0), MetropolisHastings(30), Resampling(16)],
)
def test_what_is_kept_lies_where_the_logit_is_high(context, method):
    space = method.tune(context).apply(context.space, context.logit)
    assert 0.5 < float(space.points(1500, 0).mean()) < 1.2  # of the generator 0, of the data 1
