"""Expectation maximisation with missing values against what is known in closed form."""

import pytest
import torch

from pushforward.transport.product_mixture import ProductMixture

NONE = torch.zeros(1500, 0, dtype=torch.long)


@pytest.fixture(scope="module")
def gaussian():
    generator = torch.Generator().manual_seed(0)
    covariance = torch.tensor([[1.0, 0.8, 0.3], [0.8, 2.0, 0.5], [0.3, 0.5, 1.0]]).double()
    noise = torch.randn(1500, 3, generator=generator, dtype=torch.float64)
    y = noise @ torch.linalg.cholesky(covariance).T + torch.tensor([1.0, -2.0, 0.5]).double()
    known = torch.rand(1500, 3, generator=generator) > 0.4
    known[~known.any(1), 0] = True
    return torch.where(known, y, torch.nan), known


def fitted(y, known, **options):
    options = {"shrinkage": 0.0, "diagonal": 0.0, "iterations": 300} | options
    there = torch.where(known, y, 0.0)
    return ProductMixture.fit(
        there, NONE, [], components=1, seed=0, known=(known, NONE.bool()), **options
    )


def test_one_gaussian_of_rows_with_missing_values_has_the_most_likely_moments(gaussian):
    y, known = gaussian
    found = fitted(y, known).gaussians
    mean = found.mean[0].requires_grad_()
    covariance = (found.factor @ found.factor.mT)[0].requires_grad_()
    total = torch.zeros(())
    for pattern in known.unique(dim=0):
        rows = (known == pattern).all(1)
        own = covariance[pattern][:, pattern]
        normal = torch.distributions.MultivariateNormal(mean[pattern], own)
        total = total + normal.log_prob(y[rows][:, pattern]).sum()
    (total / len(y)).backward()
    assert mean.grad.abs().max() < 1e-8  # the likelihood of what is observed has its maximum here
    assert covariance.grad.abs().max() < 1e-5  # but for the ridge


def test_where_one_value_is_missing_from_half_of_the_rows_the_fit_is_that_of_regression():
    # Anderson (1957): a monotone pattern has a closed form
    generator = torch.Generator().manual_seed(1)
    y = torch.randn(1500, 2, generator=generator, dtype=torch.float64)
    y[:, 1] += 0.7 * y[:, 0]
    known = torch.ones(1500, 2).bool()
    known[y[:, 0] > 0.2, 1] = False  # by the other value, so that rows dropped would be biased
    found = fitted(torch.where(known, y, 0.0), known)
    x, z = y[known[:, 1]].T
    slope = ((x - x.mean()) * (z - z.mean())).mean() / x.var(correction=0)
    expected = z.mean() + slope * (y[:, 0].mean() - x.mean())
    assert found.gaussians.mean[0, 1].item() == pytest.approx(
        expected.item(), abs=1e-5
    )  # the ridge
    assert (expected - z.mean()).abs() > 0.3


def test_completed_rows_have_the_moments_and_keep_what_is_known(gaussian):
    y, known = gaussian
    mixture = fitted(y, known)
    there = torch.where(known, y, 0.0)
    made, _ = mixture.complete(there, NONE, (known, NONE.bool()), torch.Generator().manual_seed(2))
    assert torch.equal(made[known], y[known])
    covariance = (mixture.gaussians.factor @ mixture.gaussians.factor.mT)[0]
    assert torch.allclose(torch.cov(made.T), covariance, atol=0.1)
    assert torch.allclose(made.mean(0), mixture.gaussians.mean[0], atol=0.1)


def test_discrete_values_follow_the_smooth_ones_and_the_other_way_round():
    generator = torch.Generator().manual_seed(0)
    k = torch.randint(3, (3000, 1), generator=generator)
    y = 6.0 * k.double() + torch.randn(3000, 1, generator=generator, dtype=torch.float64)
    smooth = torch.rand(3000, 1, generator=generator) > 0.3
    discrete = torch.rand(3000, 1, generator=generator) > 0.3
    known = smooth, discrete | ~smooth
    mixture = ProductMixture.fit(y, k, [3], components=3, seed=0, known=known)
    made, value = mixture.complete(y, k, known, torch.Generator().manual_seed(1))
    assert (value == k).double().mean() > 0.98
    assert (made - 6.0 * k).abs().quantile(0.99) < 4.0
    assert torch.equal(value[known[1]], k[known[1]])


def test_a_missing_value_leaves_no_trace(gaussian):
    y, known = gaussian
    other = torch.where(known, y, 1e6)
    assert torch.equal(fitted(y, known).gaussians.mean, fitted(other, known).gaussians.mean)


def test_rows_without_missing_values_are_fitted_as_without_the_argument():
    generator = torch.Generator().manual_seed(0)
    y = torch.randn(400, 2, generator=generator, dtype=torch.float64)
    k = (y[:, :1] > 0).long()
    every = torch.ones(400, 2).bool(), torch.ones(400, 1).bool()
    plain = ProductMixture.fit(y, k, [2], components=3, seed=0)
    same = ProductMixture.fit(y, k, [2], components=3, seed=0, known=every)
    assert torch.equal(plain.gaussians.mean, same.gaussians.mean)
    # one missing cell of many changes little
    every[0][0, 0] = False
    near = ProductMixture.fit(y, k, [2], components=3, seed=0, known=every)
    assert (plain.log_prob(y, k) - near.log_prob(y, k)).mean().abs() < 0.05


def test_the_products_that_steps_keep_give_the_densities(rng):
    from pushforward.transport.mixture import Points

    y = torch.from_numpy(rng.normal(size=(300, 3)) @ rng.normal(size=(3, 3)))
    k = torch.zeros(300, 0, dtype=torch.long)
    mixture = ProductMixture.fit(y, k, [], components=3, seed=0)
    kept = mixture.gaussians.joint(Points(y))
    assert torch.allclose(kept, mixture.component_log_prob(y, k), atol=1e-8)
