"""Samplers with the exact logit reach the target: DDLS, MH, rejection, resampling, DOT."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import kstest

from pushforward.errors import DataError, ParameterError
from pushforward.refinement import (
    budgeted_acceptance,
    budgeted_constant,
    dot,
    drs_acceptance,
    drs_gamma,
    effective_sample_size,
    importance_weights,
    langevin,
    lipschitz_estimate,
    metropolis_hastings,
    resample,
)

N = 20_000


def is_target(x, mean=1.0):
    """N(mean, 1), by mean and variance within three standard errors and by its shape."""
    x = x.flatten().double()
    assert abs(float(x.mean()) - mean) < 3 / math.sqrt(len(x))
    assert abs(float(x.var()) - 1) < 3 * math.sqrt(2 / len(x))
    assert kstest(x.numpy() - mean, "norm").pvalue > 1e-3


def posterior(z):
    """log of N(0, 1) times the ratio of N(1, 1) to it."""
    return -0.5 * z[:, 0] ** 2 + z[:, 0] - 0.5


def test_corrected_langevin_comes_to_the_target(generator):
    start = torch.randn(N, 1, generator=generator)
    z, share = langevin(start, posterior, step=0.6, steps=30, metropolis=True, generator=generator)
    is_target(z)
    assert 0.7 < float(share.mean()) < 1.0


def test_corrected_langevin_stays_at_the_target_at_any_step(generator):
    start = torch.randn(N, 1, generator=generator) + 1
    z, share = langevin(start, posterior, step=2.5, steps=5, metropolis=True, generator=generator)
    is_target(z)
    assert float(share.mean()) < 0.95


def test_plain_langevin_is_off_by_what_its_step_gives(generator):
    step = 1.0  # z' = z - eps/2 z + sqrt(eps) n has variance 1 / (1 - eps / 4)
    start = torch.randn(N, 1, generator=generator)
    z, share = langevin(start, posterior, step=step, steps=25, generator=generator)
    assert float(z.var()) == pytest.approx(1 / (1 - step / 4), rel=0.04)
    assert float(z.mean()) == pytest.approx(1, abs=0.04)
    assert share.eq(1).all()


def test_langevin_does_not_depend_on_the_batch_size(generator):
    start = torch.randn(30, 1, generator=generator)
    one, many = (
        langevin(start, posterior, step=0.5, steps=4, metropolis=True, batch_size=size,
                 generator=torch.Generator().manual_seed(1))[0]
        for size in (1, 30)
    )  # fmt: skip
    torch.testing.assert_close(one, many)


def test_metropolis_hastings_reaches_the_target(shifted, generator):
    chains, length = 5000, 60
    proposals = torch.randn(chains * length, 1, generator=generator)
    starts = shifted(torch.randn(chains, 1, generator=generator) + 1)
    at, share = metropolis_hastings(starts, shifted(proposals).reshape(chains, length), generator)
    is_target(proposals.reshape(chains, length)[torch.arange(chains), at])
    assert 0.3 < float(share.mean()) < 0.9


def test_a_chain_that_accepts_nothing_runs_again_from_its_first_sample():
    proposals = torch.tensor([[-9.0, -1e3, -1e3], [-1e3, -2e3, 5.0]])
    at, share = metropolis_hastings(torch.tensor([1e3, 1e3]), proposals)
    assert at.tolist() == [0, 2]  # never the real row
    assert share.tolist() == pytest.approx([0, 1 / 3])


def test_certain_critics_do_not_stop_chains():
    """Odds 1 / D - 1 are 0 or infinite there; differences of logits are neither."""
    at, _ = metropolis_hastings(torch.tensor([100.0]), torch.tensor([[90.0, 120.0, 110.0]]))
    assert at.tolist() == [1]
    with pytest.raises(DataError, match="not finite"):
        metropolis_hastings(torch.tensor([math.inf]), torch.zeros(1, 2))


def test_rejection_with_the_true_maximum_reaches_the_target(shifted, generator):
    x = torch.rand(20 * N, 1, generator=generator) * 6 - 3
    bounded = shifted(x.clamp(max=2.5))  # N(1, 1) has an unbounded ratio: compare below 2.5
    keep = torch.rand(len(x), generator=generator) < drs_acceptance(bounded, 2.0)
    kept = x[keep][:, 0].numpy()
    edges = np.linspace(-3, 3, 25)
    middle = torch.from_numpy((edges[1:] + edges[:-1]) / 2)[:, None]
    expected = shifted(middle.clamp(max=2.5)).exp().numpy()
    counts, _ = np.histogram(kept, edges)
    np.testing.assert_allclose(
        counts / counts.sum(), expected / expected.sum(), rtol=0.1, atol=1e-3
    )


@pytest.mark.parametrize("budget", [1.5, 2.0, 4.0, 8.0])
def test_budgeted_rejection_keeps_its_budget(shifted, generator, budget):
    logit = shifted(torch.randn(N, 1, generator=generator))
    accept = budgeted_acceptance(logit, budgeted_constant(logit, budget))
    assert float(accept.mean()) == pytest.approx(1 / budget, rel=0.01)
    order = logit.argsort()
    assert (accept[order].diff() >= 0).all()


def test_budgeted_rejection_reaches_the_target_where_the_budget_suffices(generator):
    """The ratio of N(0, 1) to N(0, 1.5) is at most 1.5: a budget of 1.5 loses nothing."""
    x = 1.5 * torch.randn(4 * N, 1, generator=generator)
    logit = math.log(1.5) - x[:, 0].square() / 2 * (1 - 1 / 1.5**2)
    accept = budgeted_acceptance(logit, budgeted_constant(logit, 1.5))
    is_target(x[torch.rand(len(x), generator=generator) < accept], mean=0.0)


def test_budgets_stand_certain_logits():
    logit = torch.tensor([1000.0, -1000.0, 0.0, 1000.0])
    accept = budgeted_acceptance(logit, budgeted_constant(logit, 2.0))
    assert accept.tolist() == pytest.approx([1, 0, 0, 1], abs=1e-6)
    with pytest.raises(ParameterError, match="budget"):
        budgeted_constant(logit, 1.0)


def test_the_percentile_of_drs_is_the_share_it_mostly_refuses(generator):
    logit = torch.randn(N, generator=generator)
    gamma = drs_gamma(logit, float(logit.max()), 80.0)
    accept = drs_acceptance(logit, float(logit.max()), gamma)
    assert float((accept > 0.5).float().mean()) == pytest.approx(0.2, abs=0.001)
    assert accept.isfinite().all()


def test_weights_give_means_of_the_target(shifted, generator):
    x = torch.randn(N, 1, generator=generator)
    weight = importance_weights(shifted(x))
    assert float(weight.sum()) == pytest.approx(1, abs=1e-4)
    assert float((weight * x[:, 0]).sum()) == pytest.approx(1, abs=0.05)
    # E w^2 of this ratio is e
    assert effective_sample_size(weight) / N == pytest.approx(1 / math.e, rel=0.1)


def test_resampling_reaches_the_target_and_draws_none_twice(shifted, generator):
    x = torch.randn(60 * 2000, 1, generator=generator)
    chosen = resample(shifted(x), 2000, generator)
    assert len(chosen.unique()) == 2000
    is_target(x[chosen])


def test_transport_moves_up_a_steep_critic_and_stays_on_a_flat_one():
    start = torch.zeros(1, 2)
    moved = dot(start, lambda x: 2 * x[:, 0], 1.0, steps=50)
    assert float(moved[0, 0]) == pytest.approx(0.5, abs=0.05)
    assert float(moved[0, 1].abs()) < 0.05
    held = dot(start, lambda x: 2 * x[:, 0], 10.0, steps=200)
    assert float(held.norm()) < 0.05


def test_transport_keeps_to_its_bounds_and_to_its_sphere(generator):
    z = torch.randn(20, 64, generator=generator)
    inside = dot(z.clamp(-1, 1), lambda x: 9 * x.sum(dim=1), 1.0, low=-1.0, high=1.0)
    assert float(inside.abs().max()) <= 1
    # along the point itself the logit rises, but that is not where latents may go
    radial = dot(z, lambda x: 9 * x.norm(dim=1), 1.0, sphere=True, steps=20)
    assert float((radial - z).norm(dim=1).max()) < 0.7
    free = dot(z, lambda x: 9 * x.norm(dim=1), 1.0, steps=20)
    assert float(free.norm(dim=1).mean() - z.norm(dim=1).mean()) > 1


def test_the_steepest_slope_is_found_and_varies_with_the_pairs(grid, generator):
    points = grid.generated(2000, generator)
    few, many = (
        [lipschitz_estimate(grid.logit, points, pairs=pairs, repeats=1,
                            generator=torch.Generator().manual_seed(seed)) for seed in range(5)]
        for pairs in (100, 1000)
    )  # fmt: skip
    assert min(many) > np.median(few)
    assert max(few) / min(few) > 1.2  # the noise the function warns of
    with pytest.raises(DataError, match="steepest"):
        lipschitz_estimate(grid.logit, points[:1])
