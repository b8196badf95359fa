"""Factor analysis with missing values against the Gaussian it is."""

import pytest
import torch

from pushforward.transport.factor_analysis import FactorAnalysis


@pytest.fixture(scope="module")
def rows():
    generator = torch.Generator().manual_seed(0)
    loading = torch.randn(12, 2, generator=generator, dtype=torch.float64)
    noise = 0.1 + torch.rand(12, generator=generator, dtype=torch.float64)
    f = torch.randn(3000, 2, generator=generator, dtype=torch.float64)
    e = noise.sqrt() * torch.randn(3000, 12, generator=generator, dtype=torch.float64)
    known = torch.rand(3000, 12, generator=generator) > 0.3
    return 1.0 + f @ loading.T + e, known, loading @ loading.T + torch.diag(noise)


@pytest.fixture(scope="module")
def model(rows):
    y, known, _ = rows
    return FactorAnalysis.fit(torch.where(known, y, torch.nan).nan_to_num(1e6), known, factors=2)


def test_it_finds_the_covariance_of_what_it_has_not_seen(rows, model):
    covariance = model.loading @ model.loading.T + torch.diag(model.noise)
    assert torch.allclose(covariance, rows[2], atol=0.5)  # of up to 4.5, by 3,000 rows
    assert torch.allclose(model.mean, torch.ones(12).double(), atol=0.1)


def test_the_density_of_known_values_is_that_of_the_gaussian(rows, model):
    y, known, _ = rows
    covariance = model.loading @ model.loading.T + torch.diag(model.noise)
    for i in range(20):
        own = known[i]
        normal = torch.distributions.MultivariateNormal(model.mean[own], covariance[own][:, own])
        expected = normal.log_prob(y[i, own])
        found = model.log_prob_known(y[i : i + 1], known[i : i + 1])[0]
        assert found == pytest.approx(expected.item(), abs=1e-8)


def test_completed_rows_keep_what_is_known_and_have_the_covariance(rows, model):
    y, known, truth = rows
    made = model.complete(torch.where(known, y, 0.0), known, torch.Generator().manual_seed(1))
    assert torch.equal(made[known], y[known])
    assert torch.allclose(torch.cov(made.T), truth, atol=0.5)
    error = (made - y)[~known].square().mean() / y.var()
    assert error < 0.7  # twice the variance that is left; 2 where the others said nothing


def test_a_step_never_makes_known_values_less_likely(rows):
    y, known, _ = rows
    there = known.double()
    model = FactorAnalysis(
        torch.zeros(12).double(), 0.1 * torch.ones(12, 1).double(), torch.ones(12).double()
    )
    last = model.log_prob_known(y, known).mean()
    for _ in range(10):
        model = model._improved(torch.where(known, y, 0.0), known, there)
        now = model.log_prob_known(y, known).mean()
        assert now > last - 1e-3  # but for the prior of a row
        last = now
