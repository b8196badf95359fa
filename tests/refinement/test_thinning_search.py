"""How many draws thinning takes: as many as help, by held-out rows."""

import pytest
import torch

from pushforward.refinement.acceptance_test import RealRows
from pushforward.refinement.methods import Context
from pushforward.refinement.sample_spaces import Space
from pushforward.refinement.thinning_search import draws_for

BUDGETS = (1.25, 1.5, 2.0, 3.0, 4.0)


def context(logit, d, moments, strangers=0.5):
    """Samples of which a share lies elsewhere."""
    rows = torch.randn(2000, d, generator=torch.Generator().manual_seed(0))

    def draw(n, generator):
        x = torch.randn(n, d, generator=generator)
        away = torch.rand(n, generator=generator) < strangers
        return torch.where(away[:, None], 0.7 * x + 1.5, x)

    real = RealRows.split(rows, lambda x: x.numpy(), 0, moments=moments)
    return Context(Space(draw, lambda x: x), logit, real, seed=0)


def exact(d, strangers=0.5):
    def logit(x):
        strange = -((x - 1.5) / 0.7).square().sum(dim=1) / 2 - d * torch.tensor(0.7).log()
        own = -x.square().sum(dim=1) / 2
        shares = torch.tensor([1 - strangers, strangers]).log()
        return own - torch.logsumexp(torch.stack([own, strange]) + shares[:, None], dim=0)

    return logit


@pytest.mark.parametrize(("strangers", "draws"), [(0.05, 1.25), (0.5, 2.0), (0.8, 4.0)])
def test_rows_of_few_numbers_cost_no_more_draws_than_change_them(strangers, draws, all_fits):
    """The exact ratio is never over one in the share that are none: 1.05, 2 and 5."""
    given = context(exact(2, strangers), 2, False, strangers)
    assert draws_for(given, BUDGETS) == draws


def test_half_of_the_samples_of_wide_rows_cost_about_two_draws():
    """More change nothing but chance."""
    found = draws_for(context(exact(20), 20, True), BUDGETS)
    assert found is not None
    assert 1.5 <= found <= 4.0


@pytest.mark.parametrize(("d", "moments"), [(2, False), (20, True)])
def test_a_logit_that_is_wrong_costs_none(d, moments):
    right = exact(d)
    assert draws_for(context(lambda x: -right(x), d, moments), BUDGETS) is None


def test_no_budget_no_draws():
    assert draws_for(context(exact(2), 2, False), ()) is None


def test_what_brings_the_area_down_and_the_distance_up_costs_none(monkeypatch):
    """Of images: the distance of what a network sees decides which budgets may be chosen."""
    given, said = context(exact(20), 20, True), []

    def nearness(self, samples, most):
        said.append(len(samples))
        return 0.9 - 0.1 * len(said), {3: 0.9}.get(len(said), 1.0 + 0.1 * (len(said) > 1))

    monkeypatch.setattr(RealRows, "nearness", nearness)
    assert draws_for(given, BUDGETS) == BUDGETS[1]
    assert len(said) == 1 + len(BUDGETS)
