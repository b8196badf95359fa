"""Tails are a distribution: continuous, rising, finite however far, as heavy as data say."""

import math

import pytest
import torch
from scipy.stats import genpareto

from pushforward.transport.numerics import normal_log_prob
from pushforward.transport.tails import Tails, pareto


def tails(shape, high=8.0):
    """Both tails of a column seen in [-2, high], with a tenth of the rows each."""
    edge = torch.tensor([[-1.0], [1.0]]).double()
    log_mass = torch.full((2, 1), math.log(0.1)).double()
    one = torch.ones(2, 1).double()
    low, top = torch.tensor([-2.0]).double(), torch.tensor([high]).double()
    return Tails.fit(edge, log_mass, shape * one, 0.8 * one, low, top)


def forward(t, x):
    z, log_derivative = torch.zeros_like(x), torch.zeros_like(x)
    t(x, z, log_derivative)
    return z, log_derivative


@pytest.mark.parametrize("shape", [0.0, 0.3, 0.6])
def test_within_what_was_seen_the_excess_is_generalised_pareto(shape):
    x = torch.linspace(1.01, 7.99, 50).double()[None]
    z, log_derivative = forward(tails(shape), x)
    beyond = torch.special.ndtr(-z[0])
    expected = 0.1 * torch.from_numpy(genpareto.sf((x[0] - 1).numpy() / 0.8, shape))
    assert torch.allclose(beyond, expected, rtol=1e-9)
    density = normal_log_prob(z, 0) + log_derivative[0]
    logpdf = genpareto.logpdf((x[0] - 1).numpy() / 0.8, shape) - math.log(0.8)
    assert torch.allclose(density, math.log(0.1) + torch.from_numpy(logpdf), atol=1e-9)


@pytest.mark.parametrize("shape", [0.0, 0.3, 0.6])
def test_the_map_goes_on_without_a_jump_where_the_values_end(shape):
    t = tails(shape)
    for end, below, above in ((8.0, 7.9999999, 8.0000001), (-2.0, -1.9999999, -2.0000001)):
        z, log_derivative = forward(t, torch.tensor([[below, end, above]]).double())
        assert float(z.amax() - z.amin()) < 1e-6
        assert torch.isfinite(log_derivative).all()
    # beyond, equal steps of the value are equal steps of the latent
    z, _ = forward(t, torch.tensor([[9.0, 10.0, 11.0, 1e9]]).double())
    assert float(z[0, 1] - z[0, 0]) == pytest.approx(float(z[0, 2] - z[0, 1]), rel=1e-9)
    assert torch.isfinite(z).all()


@pytest.mark.parametrize("shape", [0.0, 0.6])
def test_tails_invert(shape):
    t = tails(shape)
    x = torch.tensor([[-1e6, -50.0, -2.0, -1.2, 1.0001, 3.0, 8.0, 30.0, 1e6]]).double()
    z, _ = forward(t, x)
    back = torch.zeros_like(x)
    t.inverse(z, back)
    assert torch.allclose(back, x, rtol=1e-9)


def test_hardly_a_latent_comes_a_whole_range_beyond_what_was_seen():
    for shape in (0.0, 0.6):
        z, _ = forward(tails(shape), torch.tensor([[8.0 + 10.0, -2.0 - 10.0]]).double())
        assert float(z.abs().min()) >= 4.5 - 1e-9


def test_tails_of_a_column_that_is_constant_in_these_rows_are_finite():
    zero, one = torch.zeros(1).double(), torch.ones(2, 1).double()
    t = Tails.fit(0 * one, math.log(0.1) * one, 0 * one, 1e-6 * one, zero, zero)
    z, log_derivative = forward(t, torch.tensor([[-3.0, -1e-9, 1e-9, 3.0]]).double())
    assert torch.isfinite(z).all()
    assert torch.isfinite(log_derivative).all()
    assert (z.diff() > 0).all()


@pytest.mark.parametrize("shape", [0.0, 0.2, 0.4])
def test_pareto_finds_shape_and_scale(shape):
    t = torch.from_numpy(genpareto.rvs(shape, scale=3.0, size=20_000, random_state=0))
    t = torch.stack([t, torch.cat([-t[:10_000], 2 * t[10_000:]])]).sort().values
    found, scale = pareto(t, torch.full_like(t, 1 / 20_000))
    assert found.tolist() == pytest.approx([shape, shape], abs=0.05)
    assert scale.tolist() == pytest.approx([3.0, 6.0], rel=0.1)


def test_pareto_counts_a_row_by_its_weight_and_knows_no_excess():
    t = torch.from_numpy(genpareto.rvs(0.2, size=200, random_state=0)).sort().values
    count = torch.arange(200) % 3 + 1
    share = (count.double() / count.sum())[None]
    weighted = pareto(t[None], share)
    again = t.repeat_interleave(count)[None]
    repeated = pareto(again, torch.full_like(again, 1 / again.shape[1]))
    for a, b in zip(weighted, repeated, strict=True):
        assert float(a) == pytest.approx(float(b), abs=0.02)
    shape, scale = pareto(-t.flip(0)[None], share)
    assert (float(shape), float(scale)) == (0.0, 0.0)


@pytest.mark.parametrize(
    ("part", "value"),
    [
        *[("scale", 0.0), ("scale", -1.0), ("rise", 0.0), ("rise", math.nan)],
        *[("shape", -0.1), ("last", -1.0), ("log_mass", 0.0)],
    ],
)
def test_a_torn_state_is_refused(part, value):
    state = dict(tails(0.3).state_dict())
    assert torch.equal(Tails.from_state(state, "").rise, state["rise"])
    state[part] = torch.full_like(state[part], value)
    with pytest.raises(ValueError, match="tails"):
        Tails.from_state(state, "")
