"""Weighted draws of open coordinates against Gaussians in closed form."""

import math

import pytest
import torch

from pushforward.transport import Component, Rows, SlicedDensity
from pushforward.transport.conditioning import Conditioner
from pushforward.transport.product_mixture import ProductMixture
from pushforward.transport.row_noise import RowNoise

MEAN = torch.tensor([1.0, -2.0, 0.5]).double()
COVARIANCE = torch.tensor([[1.0, 0.8, 0.3], [0.8, 2.0, 0.5], [0.3, 0.5, 1.0]]).double()
GIVEN = torch.tensor([True, False, False])


@pytest.fixture(scope="module")
def gaussian():
    factor = torch.linalg.cholesky(COVARIANCE)
    density = SlicedDensity.assemble([Component(0.0, MEAN, factor, [])])
    rows = Rows.continuous(density.sample(4000, torch.Generator().manual_seed(0)))
    conditioner = Conditioner(density, rows, 0)
    conditioner.exact = None  # as of a density without closed forms
    return conditioner


def normal(x, mean, variance):
    return -0.5 * (x - mean) ** 2 / variance - 0.5 * math.log(2 * math.pi * variance)


def test_the_mean_weight_is_the_density_of_what_is_given(gaussian):
    x = torch.zeros(50, 3).double()
    x[:, 0] = torch.linspace(-2, 4, 50)
    draws = gaussian.condition(x, GIVEN, 2000, RowNoise.of(x, 1))
    expected = normal(x[:, 0], 1.0, 1.0)
    error = (1 / draws.effective_size - 1 / 2000).clamp_min(0).sqrt()
    assert ((draws.log_given - expected).abs() <= 5 * error + 1e-3).all()
    assert (draws.effective_size > 500).all()


def test_given_coordinates_stay_and_open_ones_have_the_conditional_moments(gaussian):
    x = torch.tensor([[2.5, 0.0, 0.0]]).double()
    draws = gaussian.condition(x, GIVEN, 20_000, RowNoise.of(x, 2))
    assert (draws.points[..., 0] == 2.5).all()
    weight = draws.log_weight.exp()[..., None]
    mean = (weight * draws.points).sum(1)[0]
    off = draws.points[0] - mean
    covariance = (weight[0] * off).T @ off
    rest, across = COVARIANCE[1:, 1:], COVARIANCE[1:, 0]
    error = 4 / float(draws.effective_size) ** 0.5
    assert torch.allclose(mean[1:], MEAN[1:] + across * 1.5, atol=2 * error)
    assert torch.allclose(covariance[1:, 1:], rest - across[:, None] * across, atol=2 * error)


def test_one_open_coordinate_is_integrated(gaussian):
    given = torch.tensor([True, True, False])
    x = torch.cat([torch.randn(40, 2).double(), torch.zeros(40, 1).double()], dim=1)
    draws = gaussian.condition(x, given, 1, RowNoise.of(x, 0))
    assert draws.summed
    gain = torch.linalg.solve(COVARIANCE[:2, :2], COVARIANCE[:2, 2])
    mean = (draws.log_weight.exp() * draws.points[..., 2]).sum(1)
    assert torch.allclose(mean, MEAN[2] + (x[:, :2] - MEAN[:2]) @ gain, atol=2e-3)
    margin = torch.distributions.MultivariateNormal(MEAN[:2], COVARIANCE[:2, :2])
    assert torch.allclose(draws.log_given, margin.log_prob(x[:, :2]), atol=2e-3)


def test_effective_sizes_say_how_repeated_runs_scatter(gaussian):
    x = torch.tensor([[4.0, 0.0, 0.0]]).double()
    runs = [gaussian.condition(x, GIVEN, 200, RowNoise.of(x, seed)) for seed in range(60)]
    scatter = float(torch.stack([run.log_given for run in runs]).std())
    stated = float(torch.stack([1 / run.effective_size - 1 / 200 for run in runs]).mean()) ** 0.5
    assert 0.5 * stated < scatter < 2 * stated


def test_what_is_not_allowed_has_no_weight(gaussian):
    x = torch.tensor([[1.0, 0.0, 0.0]]).double()
    draws = gaussian.condition(x, GIVEN, 4000, RowNoise.of(x, 0), lambda points: points[:, 1] > -2)
    assert (draws.points[0][draws.log_ratio[0] > -math.inf, 1] > -2).all()
    share = float((draws.log_given - normal(torch.tensor(1.0), 1.0, 1.0)).exp())
    assert share == pytest.approx(0.5, abs=0.05)


def test_a_product_mixture_has_consistent_margins():
    y = torch.randn(300, 2).double()
    k = torch.stack([(y[:, 0] > 0).long(), (y[:, 1] > 1).long()], dim=1)
    mixture = ProductMixture.fit(y, k, [2, 2], components=5, seed=0).widened(0.02, 2.0)
    every, first = torch.ones(2, dtype=torch.bool), torch.tensor([True, False])
    total = torch.stack(
        [mixture.log_prob(y, torch.stack([k[:, 0], torch.full((300,), v)], 1)) for v in (0, 1)]
    ).logsumexp(0)
    assert torch.allclose(total, mixture.log_prob(y, k, every, first), atol=1e-9)
    line = torch.linspace(-12, 12, 4001).double()
    points = torch.stack([y[0, 0].expand(len(line)), line], dim=1)
    joint = mixture.log_prob(points, k[:1].expand(len(line), -1)).exp()
    integral = torch.trapezoid(joint, line)
    margin = mixture.log_prob(y[:1], k[:1], first, every).exp()
    assert integral == pytest.approx(float(margin), rel=1e-6)


@pytest.mark.parametrize("closed_form", [False, True])
def test_rows_are_conditioned_together_as_alone_whatever_is_open_of_each(gaussian, closed_form):
    conditioner = Conditioner(gaussian.density, gaussian.rows, 0)
    if not closed_form:
        conditioner.exact = None
    x = torch.randn(7, 3, generator=torch.Generator().manual_seed(3)).double()
    given = torch.tensor([[1, 0, 0], [0, 1, 0], [1, 1, 0], [0, 0, 1], [1, 0, 0], [0, 0, 0]]).bool()
    given = torch.cat([given, ~given[:1]])
    groups = [rows.tolist() for rows in conditioner.together(given)]
    nothing = [[0, 1, 3, 4, 5]] if closed_form else [[5], [0, 1, 3, 4]]
    assert groups == [*nothing, [6], [2]]
    assert [5] in [rows.tolist() for rows in gaussian.together(given, lambda points: points)]
    noise = RowNoise.of(x, 1)
    whole = conditioner.condition(x, given, 300, noise.take(slice(None)))
    for i in range(7):
        if i in groups[-1] + groups[-2] + [5]:
            continue
        alone = conditioner.condition(x[[i]], given[i], 300, noise.take([i]))
        torch.testing.assert_close(whole.points[[i]], alone.points, atol=1e-9, rtol=1e-9)
        torch.testing.assert_close(whole.log_ratio[[i]], alone.log_ratio, atol=1e-9, rtol=1e-9)
        assert whole.points[i][:, given[i]].equal(x[i, given[i]].expand(300, -1))
    some = whole.points[:, 0]
    moved = conditioner.moved(some, whole.log_joint[:, 0], given, noise.take(slice(None)))
    assert moved[given].equal(x[given])
    assert not moved[~given].equal(some[~given])


def test_copies_move_within_the_conditional_distribution(gaussian):
    # draws of the true conditional, each of them forty times, are forty different draws each
    x = torch.tensor([[2.5, 0.0, 0.0]]).double()
    noise = RowNoise.of(x, 0)
    draws = gaussian.condition(x, GIVEN, 4000, noise)
    few, value, again = draws.take(20_000, noise)
    assert torch.allclose(value[0], gaussian.density.log_prob(few[0]))
    assert again.double().mean() > 0.5
    moved = gaussian.moved(few[0], value[0], GIVEN, noise.spread(20_000))
    assert (moved[:, 0] == 2.5).all()
    assert len(moved.unique(dim=0)) > 0.98 * len(moved)
    rest, across = COVARIANCE[1:, 1:], COVARIANCE[1:, 0]
    mean, covariance = MEAN[1:] + 1.5 * across, rest - across[:, None] * across
    assert torch.allclose(moved[:, 1:].mean(0), mean, atol=0.06)
    assert torch.allclose(torch.cov(moved[:, 1:].T), covariance, atol=0.08)
    kept = gaussian.moved(
        few[0],
        value[0],
        GIVEN,
        noise.spread(20_000),
        lambda points: points[:, 1] < few[0, :, 1].max(),
    )
    assert (kept[:, 1] <= few[0, :, 1].max()).all()


def test_moves_keep_the_distribution_also_where_the_proposal_is_another(gaussian):
    # the proposal is of three clusters that the density does not have, and wider
    generator = torch.Generator().manual_seed(1)
    other = 1.5 * gaussian.rows.x[:3000] + 2 * torch.randint(-1, 2, (3000, 1), generator=generator)
    conditioner = Conditioner(gaussian.density, Rows.continuous(other), 0)
    conditioner.exact = None
    x = torch.tensor([[2.5, 0.0, 0.0]]).double().repeat(20_000, 1)
    exact = Conditioner(gaussian.density, gaussian.rows, 0)
    start = exact.condition(x, GIVEN, 1, RowNoise.of(x, 0).apart())
    assert torch.equal(start.log_ratio, start.log_ratio[:1].expand(20_000, 1))
    some, value = start.points[:, 0], start.log_joint[:, 0]
    moved = conditioner.moved(some, value, GIVEN, RowNoise.of(x, 1).apart())
    assert float((moved != some).any(1).double().mean()) > 0.8
    assert float((moved - some)[:, 1:].std()) > 0.3
    rest, across = COVARIANCE[1:, 1:], COVARIANCE[1:, 0]
    assert torch.allclose(moved[:, 1:].mean(0), MEAN[1:] + 1.5 * across, atol=0.03)
    expected = rest - across[:, None] * across
    assert torch.allclose(torch.cov(moved[:, 1:].T), expected, atol=0.05)


def test_ordered_draws_have_a_mean_of_few_near_that_of_all(gaussian):
    x = torch.tensor([[2.5, 0.0, 0.0]]).double().repeat(300, 1)
    draws = gaussian.condition(x, GIVEN, 200, RowNoise.of(x, 0).apart())
    mean = (draws.log_weight.exp()[..., None] * draws.points).sum(1)

    def off(those):
        taken, _, _ = those.take(20, RowNoise.of(x, 1).apart())
        return float((taken.mean(1) - mean)[:, 1:].std())

    assert off(draws.ordered()) < 0.85 * off(draws)
    torch.testing.assert_close(draws.ordered().log_given, draws.log_given)
