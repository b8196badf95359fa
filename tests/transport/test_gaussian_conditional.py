"""Conditionals of mixtures of Gaussians against their closed forms."""

import math

import pytest
import torch

from pushforward.transport import Component, Rows, SlicedDensity
from pushforward.transport.conditioning import Conditioner
from pushforward.transport.gaussian_conditional import GaussianConditional
from pushforward.transport.mixture_density import MixtureDensity
from pushforward.transport.row_noise import RowNoise


def two_gaussians(margins=None):
    means = torch.tensor([[0.0, 1.0, -1.0], [2.0, -1.0, 0.5]]).double()
    factors = torch.tensor(
        [
            [[1.0, 0.0, 0.0], [0.8, 0.6, 0.0], [-0.3, 0.2, 0.9]],
            [[0.5, 0.0, 0.0], [-0.4, 1.0, 0.0], [0.6, -0.1, 0.4]],
        ]
    ).double()
    weights = torch.tensor([0.3, 0.7]).double()
    terms = [
        Component(math.log(w), m, f, [], spread=1.2)
        for w, m, f in zip(weights, means, factors, strict=True)
    ]
    return SlicedDensity.assemble(terms, margins), weights, means, 1.2 * factors


def test_marginals_and_conditionals_are_those_of_the_formula():
    density, weights, means, factors = two_gaussians()
    exact = GaussianConditional.of(density)
    assert exact is not None
    x = torch.randn(7, 3, generator=torch.Generator().manual_seed(0)).double()
    given = torch.tensor([True, False, True])
    parts = [
        torch.distributions.MultivariateNormal(m[given], (f @ f.T)[given][:, given]).log_prob(
            x[:, given]
        )
        + w.log()
        for w, m, f in zip(weights, means, factors, strict=True)
    ]
    expected = torch.stack(parts).logsumexp(0)
    torch.testing.assert_close(exact.log_prob(x, given), expected, atol=1e-10, rtol=1e-10)
    # and the density of all is the joint
    every = torch.ones(3, dtype=torch.bool)
    torch.testing.assert_close(exact.log_prob(x, every), density.log_prob(x), atol=1e-10, rtol=0)


def test_draws_have_the_moments_of_the_conditional():
    density, weights, means, factors = two_gaussians()
    exact = GaussianConditional.of(density)
    assert exact is not None
    at, given = (
        torch.tensor([0.7, 0.0, 0.0], dtype=torch.float64),
        torch.tensor([True, False, False]),
    )
    noise = RowNoise.of(at[None], 0).spread(200_000)
    drawn = exact.sample(at.repeat(200_000, 1), given, noise)
    assert (drawn[:, 0] == 0.7).all()
    terms, centres, seconds = [], [], []
    for w, m, f in zip(weights, means, factors, strict=True):
        s = f @ f.T
        gain = s[1:, 0] / s[0, 0]
        centre = m[1:] + gain * (0.7 - m[0])
        terms.append(w.log() - 0.5 * s[0, 0].log() - 0.5 * (0.7 - m[0]) ** 2 / s[0, 0])
        centres.append(centre)
        left = s[1:, 1:] - gain[:, None] * s[0, 1:]
        seconds.append(left + centre[:, None] * centre)
    share = torch.stack(terms).softmax(0)
    mean = share @ torch.stack(centres)
    second = (share[:, None, None] * torch.stack(seconds)).sum(0)
    torch.testing.assert_close(drawn[:, 1:].mean(0), mean, atol=0.02, rtol=0)
    torch.testing.assert_close(
        torch.cov(drawn[:, 1:].T), second - mean[:, None] * mean, atol=0.05, rtol=0
    )


@pytest.mark.parametrize("open_", [(1,), (0, 2), (0, 1, 2)])
def test_behind_margins_conditional_times_marginal_is_the_joint(open_):
    generator = torch.Generator().manual_seed(1)
    rows = Rows.continuous(torch.randn(400, 3, generator=generator).double().exp())
    density, *_ = two_gaussians(rows.fit_margins())
    other, *_ = two_gaussians()
    mixed = MixtureDensity([density, other], torch.tensor([0.4, 0.6]).log())
    exact = GaussianConditional.of(mixed)
    assert exact is not None
    given = torch.ones(3, dtype=torch.bool)
    given[list(open_)] = False
    x = rows.x[:5]
    noise = RowNoise.of(x, 1).spread(20000)
    drawn = exact.sample(x.repeat_interleave(20000, 0), given, noise).view(5, 20000, 3)
    # the mean of 1 / p(open | given) over draws is the volume they cover: use a box of it
    log_conditional = mixed.log_prob(drawn.flatten(0, 1)).view(5, 20000)
    log_conditional = log_conditional - exact.log_prob(x, given)[:, None]
    low = drawn.quantile(0.25, dim=1, keepdim=True)[..., ~given]
    high = drawn.quantile(0.75, dim=1, keepdim=True)[..., ~given]
    inside = ((drawn[..., ~given] > low) & (drawn[..., ~given] < high)).all(2)
    volume = torch.where(inside, (-log_conditional).exp(), 0.0).mean(1)
    expected = (high - low).prod(2)[:, 0]
    # single draws where the density is low weigh much: the middle one of the five rows
    assert float((volume / expected).median()) == pytest.approx(1, abs=0.15)


def test_what_has_closed_forms_is_asked_without_losing_draws():
    density, *_ = two_gaussians()
    samples = density.sample(2000, torch.Generator().manual_seed(0))
    conditioner = Conditioner(density, Rows.continuous(samples), 0)
    x, given = samples[:3], torch.tensor([True, False, False])
    draws = conditioner.condition(x, given, 100, RowNoise.of(x, 0))
    assert draws.effective_size.tolist() == pytest.approx([100.0] * 3)
    exact = GaussianConditional.of(density)
    assert exact is not None
    torch.testing.assert_close(draws.log_given, exact.log_prob(x, given), atol=1e-10, rtol=0)
    assert "proposal" not in vars(conditioner)  # none is fitted
