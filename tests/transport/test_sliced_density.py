"""Banks of flows, and the mixture they end in: one by one, there and back, whole."""

import math

import numpy as np
import pytest
import torch

from pushforward.models.sliced.layer_growth import Layering, grow
from pushforward.transport import (
    Component,
    Margins,
    MixtureDensity,
    SlicedDensity,
    SlicedFlow,
    SliceLayer,
    Splines,
    gaussianising_splines,
    max_sliced_directions,
)
from pushforward.transport.numerics import normal_log_prob
from pushforward.transport.row_blocks import RowBlocks

D, DEPTHS = 3, (6, 4, 4, 0)


def grown(seed, depth, dtype=torch.float64, d=D):
    """A flow as training makes it."""
    g = torch.Generator().manual_seed(seed)
    x = torch.randn(d, 400, generator=g, dtype=dtype)
    x[0] += 0.7 * x[1] ** 2
    growth = grow(
        RowBlocks.of(x), None, Layering(2, step=0.5), generator=g, max_layers=depth, patience=99
    )
    assert len(growth.layers) == depth
    return growth.layers


@pytest.fixture(scope="module")
def flows():
    return [grown(i, depth) for i, depth in enumerate(DEPTHS)]


@pytest.fixture(scope="module")
def density(flows):
    g = torch.Generator().manual_seed(5)
    components = [
        Component(
            float(torch.randn(1, generator=g)),
            torch.randn(D, generator=g, dtype=torch.float64),
            torch.tril(torch.randn(D, D, generator=g, dtype=torch.float64), -1)
            + torch.diag(torch.rand(D, generator=g, dtype=torch.float64) + 0.5),
            layers,
        )
        for layers in flows
    ]
    return SlicedDensity.assemble(components)


def alone(layers, x):
    log_det = torch.zeros(x.shape[1], dtype=torch.float64)
    for layer in layers:
        x, change = layer.forward(x)
        log_det = log_det + change
    return x, log_det


def test_a_bank_equals_its_flows_one_by_one(flows):
    bank = SlicedFlow.stack(flows)
    x = torch.randn(len(flows), D, 50, dtype=torch.float64)
    kept = x.clone()
    z, log_det = bank(x)
    assert torch.equal(x, kept)
    for i, layers in enumerate(flows):
        expected, expected_det = alone(layers, x[i])
        assert torch.allclose(z[i], expected, atol=1e-12)
        assert torch.allclose(log_det[i], expected_det, atol=1e-12)
    assert torch.allclose(bank.solve(z), x, atol=1e-9)


@pytest.mark.parametrize("which", [[0], [3], [0, 0, 2], [1, 2, 3, 3], [2, 2]])
def test_a_bank_runs_chosen_flows_there_and_back(flows, which):
    bank = SlicedFlow.stack(flows)
    chosen = torch.tensor(which)
    x = torch.randn(len(which), D, 20, dtype=torch.float64)
    z, log_det = bank(x, chosen)
    for i, c in enumerate(which):
        expected, expected_det = alone(flows[c], x[i])
        assert torch.allclose(z[i], expected, atol=1e-12)
        assert torch.allclose(log_det[i], expected_det, atol=1e-12)
    assert torch.allclose(bank.solve(z, chosen), x, atol=1e-9)


def test_single_takes_a_flow_out_of_the_bank(flows):
    bank = SlicedFlow.stack(flows)
    x = torch.randn(D, 30, dtype=torch.float64)
    for i, layers in enumerate(flows):
        assert len(bank.single(i)) == DEPTHS[i]
        assert torch.allclose(alone(bank.single(i), x)[0], alone(layers, x)[0], atol=1e-12)


@pytest.mark.parametrize("d", [1, 2, 8])
def test_the_log_determinant_is_that_of_autograds_jacobian(d):
    layers = grown(1, 40, d=d) if d > 1 else single_column_flow()
    bank = SlicedFlow.stack([layers])
    for point in torch.randn(10, d, dtype=torch.float64):
        jacobian = torch.autograd.functional.jacobian(
            lambda p: bank(p[None, :, None])[0][0, :, 0], point
        )
        _, log_det = bank(point[None, :, None])
        assert abs(float(torch.linalg.slogdet(jacobian)[1] - log_det)) < 1e-8 * d


def single_column_flow():
    g = torch.Generator().manual_seed(0)
    x = torch.randn(1, 500, generator=g, dtype=torch.float64).exp()
    return grow(RowBlocks.of(x), None, Layering(1), generator=g, max_layers=20, patience=99).layers


def test_the_log_determinant_in_float32_is_that_of_float64():
    layers = grown(1, 60, torch.float32, d=4)
    bank = SlicedFlow.stack([layers])
    state = {k: v.double() if v.is_floating_point() else v for k, v in bank.state_dict().items()}
    exact = SlicedFlow(**state)
    x = 2 * torch.randn(1, 4, 500)
    error = (bank(x)[1] - exact(x.double())[1]).abs() / 4
    assert float(error.median()) < 1e-4


def test_log_prob_is_the_sum_over_components_written_out(density):
    x = 2 * torch.randn(200, D, dtype=torch.float64)
    total = []
    for c in density.components():
        z = torch.linalg.solve_triangular(c.factor, (x - c.mean).T, upper=False)
        z, log_det = alone(c.layers, z)
        constant = c.log_weight - float(c.factor.diagonal().log().sum())
        total.append(constant + log_det + normal_log_prob(z, 0))
    expected = torch.stack(total, 1)
    assert torch.allclose(density.component_log_prob(x), expected, atol=1e-9)
    assert torch.allclose(density.log_prob(x), expected.logsumexp(1), atol=1e-9)


def test_blocks_of_rows_change_nothing(density, monkeypatch):
    x = torch.randn(500, D, dtype=torch.float64)
    whole = density.log_prob(x)
    monkeypatch.setattr("pushforward.transport.sliced_density._BLOCK", 1)
    assert torch.allclose(density.log_prob(x), whole, atol=1e-12)
    one_by_one = torch.cat([density.log_prob(row[None]) for row in x[:20]])
    assert torch.allclose(one_by_one, whole[:20], atol=1e-12)


@pytest.mark.parametrize("weight", [1e38, -1e38, float("nan")])
def test_weights_of_a_state_that_are_no_shares_are_refused(density, weight):
    state = dict(density.state_dict())
    state["log_weight"] = state["log_weight"].clone()
    state["log_weight"][0] = weight
    with pytest.raises(ValueError, match="no shares"):
        SlicedDensity.from_state(state)


def test_the_order_in_which_components_come_is_of_no_account(density):
    x = torch.randn(100, D, dtype=torch.float64)
    turned = SlicedDensity.assemble(density.components()[::-1])
    assert torch.allclose(turned.log_prob(x), density.log_prob(x), atol=1e-12)
    depths = [len(c.layers) for c in turned.components()]
    assert depths == sorted(depths, reverse=True)
    assert float(turned.log_weight.exp().sum()) == pytest.approx(1)


def test_latents_go_there_and_back(density):
    which = torch.randint(len(DEPTHS), (300,))
    x = 3 * torch.randn(300, D, dtype=torch.float64)
    z = density.to_latent(x, which)
    assert torch.allclose(density.from_latent(z, which), x, atol=1e-8)
    for i in (0, 7, 299):
        expected = density.to_latent(x[i : i + 1], which[i : i + 1])
        assert torch.allclose(z[i : i + 1], expected, atol=1e-10)


def test_an_average_of_densities_is_logmeanexp(density):
    other = SlicedDensity.assemble(
        [Component(0.0, torch.ones(D).double(), torch.eye(D).double(), [])]
    )
    x = torch.randn(100, D, dtype=torch.float64)
    parts = torch.stack([density.log_prob(x), other.log_prob(x)])
    expected = parts.logsumexp(0) - math.log(2)
    assert torch.allclose(MixtureDensity([density, other], torch.zeros(2)).log_prob(x), expected)


def test_rebuilt_from_its_state_a_density_is_exact(density):
    r = np.random.default_rng(0)
    data = torch.from_numpy(np.stack([r.normal(size=200), r.exponential(size=200), r.random(200)]))
    plain = torch.zeros(D).double()
    margins = Margins.fit(data, plain.bool(), plain, plain + 1)
    with_margins = SlicedDensity.assemble(density.components(), margins)
    for original in (density, with_margins):
        again = SlicedDensity.from_state(dict(original.state_dict()))
        x = data.T.contiguous()
        assert torch.equal(again.log_prob(x), original.log_prob(x))
        draws = [m.sample(50, torch.Generator().manual_seed(1)) for m in (original, again)]
        assert torch.equal(*draws)


def test_margins_add_their_log_determinant(density):
    data = torch.randn(D, 300, dtype=torch.float64).exp()
    plain = torch.zeros(D).double()
    margins = Margins.fit(data, plain.bool(), plain, plain + 1)
    whole = SlicedDensity.assemble(density.components(), margins)
    z, log_det = margins(data)
    assert torch.allclose(whole.log_prob(data.T), density.log_prob(z.T) + log_det, atol=1e-9)


def test_samples_come_from_the_density(density):
    sample = density.sample(20000, torch.Generator().manual_seed(0))
    # importance weights of samples under the density itself: E[q/p] over p is one
    wide = torch.distributions.MultivariateNormal(sample.mean(0), torch.cov(sample.T) * 0.5)
    ratio = (wide.log_prob(sample) - density.log_prob(sample)).exp()
    assert float(ratio.mean()) == pytest.approx(1, abs=4 * float(ratio.std()) / math.sqrt(20000))
    shares = density.component_log_prob(sample).softmax(1).mean(0)
    assert torch.allclose(shares, density.log_weight.exp(), atol=0.02)


def test_a_density_of_no_coordinates_gives_empty_rows():
    empty = torch.zeros(0).double()
    density = SlicedDensity.assemble([Component(0.0, empty, torch.zeros(0, 0).double(), [])])
    assert density.dimension == 0
    assert density.log_prob(torch.zeros(4, 0).double()).tolist() == [0.0] * 4
    assert density.sample(3).shape == (3, 0)
    which = torch.zeros(4, dtype=torch.long)
    assert density.to_latent(torch.zeros(4, 0).double(), which).shape == (4, 0)
    assert density.from_latent(torch.zeros(4, 0).double(), which).shape == (4, 0)


def test_no_rows_give_no_values(density):
    assert density.log_prob(torch.zeros(0, D).double()).shape == (0,)


@pytest.mark.parametrize("distance", [1e3, 1e10, 1e30, 1e100])
def test_far_points_are_unlikely_not_undefined(density, distance):
    x = torch.eye(D).double() * distance
    value = density.log_prob(torch.cat([x, -x]))
    assert torch.isfinite(value).all()
    assert (value < -1e4).all()


def test_a_layer_moves_points_only_along_its_directions():
    g = torch.Generator().manual_seed(0)
    x = torch.randn(5, 300, generator=g, dtype=torch.float64) ** 3
    a = max_sliced_directions(x, 2, g)
    layer = grow(RowBlocks.of(x), None, Layering(2), generator=g, max_layers=1, patience=9).layers[
        0
    ]
    a = layer.directions
    y, _ = layer.forward(x)
    moved = y - x
    assert torch.allclose(a @ (a.T @ moved), moved, atol=1e-10)
    assert gaussianising_splines(a.T @ x).x.shape == (2, 64)


def test_many_steep_slices_do_not_overflow_the_product_of_their_slopes():
    knots = torch.linspace(-1, 1, 8).expand(20, -1).contiguous()
    slope = torch.full((20, 8), 1e30)
    layer = SliceLayer(torch.eye(20), Splines(knots, 1e30 * knots, slope))
    _, log_det = layer.forward(torch.zeros(20, 3))
    assert torch.allclose(log_det, torch.full((3,), 20 * 30 * math.log(10.0)).double(), rtol=1e-6)


def test_components_in_blocks_give_what_all_at_once_give(density, monkeypatch):
    x = torch.randn(70, D, dtype=torch.float64)
    whole = density.component_log_prob(x)
    monkeypatch.setattr("pushforward.transport.sliced_density._BLOCK", 70 * D * 2)
    assert torch.allclose(density.component_log_prob(x), whole, atol=1e-12)
