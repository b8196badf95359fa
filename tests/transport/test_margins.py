"""The marginal layer is a distribution: it inverts, knows its slope, integrates to one."""

import math

import numpy as np
import pytest
import torch
from scipy.integrate import trapezoid
from scipy.stats import norm

from pushforward.transport.margins import Margins, of_many_coordinates
from pushforward.transport.mixed_margins import MixedMargins
from pushforward.transport.numerics import normal_log_prob
from pushforward.transport.smooth_margins import SmoothMargins


def column(kind, n=1000, seed=0):
    r = np.random.default_rng(seed)
    x = {
        "normal": lambda: r.normal(size=n),
        "student": lambda: r.standard_t(2, size=n),
        "lognormal": lambda: np.exp(1.5 * r.normal(size=n)),
        "clusters": lambda: np.where(r.random(n) < 0.3, -2, 1) + 0.2 * r.normal(size=n),
        "uniform": lambda: r.random(n),
        "rounded": lambda: np.round(r.normal(size=n), 1),
        "zero-inflated": lambda: np.where(r.random(n) < 0.6, 0.0, r.exponential(size=n)),
        "two-valued": lambda: (np.arange(n) % 2).astype(float),
    }[kind]()
    return torch.from_numpy((x - x.mean()) / x.std())


KINDS = ["normal", "student", "lognormal", "clusters", "uniform", "rounded", "zero-inflated"]


def smooth(x, weight=None):
    x = x[None] if x.ndim == 1 else x
    plain = torch.zeros(len(x)).double()
    return Margins.fit(x, torch.zeros(len(x)).bool(), plain, plain + 1, weight)


def cells(k, weight=None):
    """Whole numbers, dequantised; cell 0 is [0, 1)."""
    noise = torch.rand(k.shape, generator=torch.Generator().manual_seed(9), dtype=torch.float64)
    x = (k + noise)[None]
    one = torch.ones(1).double()
    return Margins.fit(x, torch.ones(1).bool(), 0 * one, one, weight), x


def log_density(margins, x):
    z, log_det = margins(x)
    return normal_log_prob(z, 0) + log_det


def grid(reach, margins):
    """Points fine near zero, far out to ``reach``, and finest where the margin is steep."""
    inner = np.linspace(-8, 8, 80001)
    outer = np.logspace(math.log10(8), math.log10(reach), 20001)[1:]
    steep = margins.inverse(torch.linspace(-7, 7, 400001).double()[None])[0].numpy()
    return torch.from_numpy(np.sort(np.concatenate([-outer[::-1], inner, outer, steep])))


@pytest.mark.parametrize("kind", [*KINDS, "two-valued"])
def test_smooth_margins_integrate_to_one(kind):
    margins = smooth(column(kind))
    x = grid(1e9, margins)
    total = trapezoid(log_density(margins, x[None]).exp().numpy(), x.numpy())
    assert total == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("kind", [*KINDS, "two-valued"])
def test_smooth_margins_round_trip_however_far_out(kind):
    x = column(kind)
    margins = smooth(x)
    far = torch.tensor([10.0, 1e2, 1e4, 1e6]).double()
    points = torch.cat([x, torch.linspace(-5, 5, 999).double(), far, -far])[None]
    z, log_det = margins(points)
    assert torch.isfinite(z).all()
    assert torch.isfinite(log_det).all()
    error = (margins.inverse(z) - points).abs() / points.abs().clamp_min(1)
    assert float(error.max()) < 1e-6
    assert float(error.median()) < 1e-10


@pytest.mark.parametrize("kind", KINDS)
def test_smooth_margins_rise(kind):
    margins = smooth(column(kind))
    z, _ = margins(grid(1e6, margins)[None])
    assert (z.diff() > -1e-9).all()
    assert (z.diff() > 0).double().mean() > 0.9


@pytest.mark.parametrize("kind", KINDS)
def test_the_log_derivative_is_that_of_finite_differences(kind):
    margins = smooth(column(kind))
    x = torch.cat([torch.linspace(-6, 6, 777), torch.tensor([-1e3, 1e3])]).double()[None]
    step = 1e-6 * x.abs().clamp_min(1)
    rise = (margins(x + step)[0] - margins(x - step)[0]) / (2 * step)
    error = (rise[0].log() - margins(x)[1]).abs()
    assert float(error.quantile(0.95)) < 1e-4  # but for the few points beside a knot
    assert float(error.max()) < 1e-2


def test_training_rows_become_nearly_normal():
    x = torch.stack([column(k) for k in ("student", "lognormal", "clusters", "uniform")])
    z, _ = smooth(x).smooth(x)
    for row in z:
        assert norm.cdf(row.sort().values.numpy()) == pytest.approx(
            (np.arange(1000) + 0.5) / 1000, abs=0.08
        )


@pytest.mark.parametrize("kind", ["student", "lognormal"])
def test_heavy_tails_are_denser_than_a_gaussian_on_fresh_rows(kind):
    everything = column(kind, n=4000)
    train, fresh = everything[:2000], everything[2000:]
    value = log_density(smooth(train), fresh[None]).mean()
    gaussian = torch.distributions.Normal(train.mean(), train.std()).log_prob(fresh).mean()
    assert value > gaussian + 0.2


def test_the_truth_is_not_far_above_the_margin():
    x = column("normal", n=4000)
    train, fresh = x[:2000], x[2000:]
    value = log_density(smooth(train), fresh[None]).mean()
    truth = torch.distributions.Normal(0.0, 1.0).log_prob(fresh).mean()
    assert float(truth - value) < 0.01


def test_equal_weights_are_no_weights():
    x = column("lognormal")
    a, b = smooth(x), smooth(x, torch.full((1000,), 3.0).double())
    assert torch.allclose(a(x[None])[0], b(x[None])[0], atol=1e-6)


def test_weights_move_the_margin_to_the_rows_they_stress():
    x = torch.cat([column("normal"), column("normal", seed=1) + 5])
    weight = torch.cat([torch.full((1000,), 0.05), torch.ones(1000)]).double()
    margins = smooth(x, weight)
    median = float(margins.inverse(torch.zeros(1, 1).double()))
    share = 0.05 / 1.05
    expected = 5 + norm.ppf((0.5 - share) / (1 - share))
    assert median == pytest.approx(expected, abs=0.1)


@pytest.mark.parametrize("values", [[0.0, 0.0, 0.0], [-1.0, 1.0], [0.0] * 99 + [9.9]])
def test_margins_of_degenerate_columns_are_finite(values):
    x = torch.tensor(values).double()
    margins = smooth(x)
    z, log_det = margins(x[None])
    assert torch.isfinite(z).all()
    assert torch.isfinite(log_det).all()
    assert torch.isfinite(margins.inverse(torch.linspace(-9, 9, 99).double()[None])).all()


def test_outside_probability_grows_with_the_tail_of_the_data():
    far = torch.tensor([[30.0]]).double()
    assert log_density(smooth(column("student")), far) > log_density(
        smooth(column("uniform")), far
    )


# Whole numbers


@pytest.mark.parametrize("top", [2, 10, 300])
def test_a_table_of_probabilities_and_its_tails_sum_to_one(top):
    k = torch.from_numpy(np.random.default_rng(0).integers(3, 3 + top, 500)).double()
    margins, _ = cells(k)
    assert margins.cells is not None
    assert margins.smooth is None
    middles = torch.arange(-200, 700).double() + 0.5
    # a cell's density is flat inside the table: its middle times its width is its probability
    probability = log_density(margins, middles[None]).exp()
    inside = (middles > 3) & (middles < 3 + int(k.max()) - 2)
    tail = 1 - probability[inside].sum()
    assert 0 < float(tail) < 0.05
    edge = torch.tensor([[float(k.min()), float(k.max() + 1)]]).double()
    below, above = torch.special.ndtr(margins(edge)[0][0]).tolist()
    assert probability[inside].sum() + below + 1 - above == pytest.approx(1, abs=1e-9)


def test_probabilities_of_cells_are_the_shares_of_rows():
    r = np.random.default_rng(1)
    k = torch.from_numpy(np.where(r.random(4000) < 0.7, 0, r.poisson(4, 4000))).double()
    margins, _ = cells(k)
    for value in range(5):
        probability = float(log_density(margins, torch.tensor([[value + 0.5]]).double()).exp())
        assert probability == pytest.approx(float((k == value).double().mean()), abs=2e-3)


def test_cells_round_trip_keep_their_cell_and_integrate_to_one():
    k = torch.from_numpy(np.random.default_rng(2).poisson(3, 1000)).double()
    margins, x = cells(k)
    z, _ = margins(x)
    back = margins.inverse(z)
    assert torch.allclose(back, x, atol=1e-9)
    assert torch.equal(back.floor(), x.floor())
    far = torch.tensor([[-1e6, -1e2, -10.0, 60.0, 1e3, 1e6]]).double()
    assert torch.allclose(margins.inverse(margins(far)[0]), far, rtol=1e-6)
    points = torch.linspace(-80, 120, 400001).double()
    total = trapezoid(log_density(margins, points[None]).exp().numpy(), points.numpy())
    assert total == pytest.approx(1, abs=1e-3)


def test_weighted_cells_equal_repeated_rows():
    r = np.random.default_rng(3)
    k = torch.from_numpy(r.integers(0, 6, 200)).double()
    count = torch.from_numpy(r.integers(1, 4, 200))
    weighted, _ = cells(k, count.double())
    repeated, _ = cells(k.repeat_interleave(count))
    x = torch.arange(6).double()[None] + 0.5
    assert torch.allclose(
        log_density(weighted, x).exp(), log_density(repeated, x).exp(), atol=5e-3
    )


def test_many_different_whole_numbers_are_smoothed():
    k = torch.from_numpy(np.random.default_rng(4).integers(0, 10**6, 500)).double()
    margins, x = cells(k)
    assert margins.smooth is not None
    z, _ = margins(x)
    assert torch.allclose(margins.inverse(z), x, rtol=1e-6)


def test_both_kinds_side_by_side_and_rebuilt_from_their_state_are_the_same():
    r = np.random.default_rng(5)
    x = torch.from_numpy(np.stack([r.normal(size=300), r.integers(0, 4, 300) + r.random(300)]))
    margins = Margins.fit(
        x, torch.tensor([False, True]), torch.zeros(2).double(), torch.ones(2).double()
    )
    again = Margins.from_state(dict(margins.state_dict()))
    for a, b in zip(margins(x), again(x), strict=True):
        assert torch.equal(a, b)
    z = torch.randn(2, 50, dtype=torch.float64)
    assert torch.equal(margins.inverse(z), again.inverse(z))
    assert torch.allclose(margins.inverse(margins(x)[0]), x, atol=1e-8)
    alone = SmoothMargins.fit(x[:1])(x[:1])
    assert torch.allclose(margins(x)[0][:1], alone[0], atol=1e-12)


@pytest.mark.parametrize("seed", range(20))
def test_values_above_the_last_of_many_atoms_have_latents(seed):
    """The masses above it sum to zero, not to a negative last bit, which has no logarithm."""
    r = np.random.default_rng(seed)
    low = 2.0 * np.arange(9)
    x = r.choice(low, size=300) + r.random(300) + (r.random(300) < 0.3)
    cells = torch.from_numpy(np.stack([low, low + 1], 1))
    ((_, margin),) = MixedMargins.fit(torch.from_numpy(x)[None], [cells])
    z, log_derivative = margin(torch.from_numpy(x)[None])
    assert torch.isfinite(z).all()
    assert torch.isfinite(log_derivative).all()
    above = torch.linspace(17, 30, 100).double()[None]
    np.testing.assert_allclose(margin.inverse(margin(above)[0]), above, rtol=1e-6)


def test_coordinates_with_atoms_have_their_own_maps_and_come_back_from_their_state():
    r = np.random.default_rng(2)
    x = r.normal(size=(5, 600))
    cells = [np.empty((0, 2)), np.array([[3.0, 4.0]]), np.empty((0, 2))]
    cells += [np.array([[-6.0, -5.5]]), np.array([[-6.0, -5.0], [5.0, 6.0]])]
    for j, share in [(1, 0.2), (3, 0.95), (4, 0.3)]:
        at = r.random(600) < share
        chosen = cells[j][r.integers(0, len(cells[j]), at.sum())]
        x[j, at] = chosen[:, 0] + r.random(at.sum()) * (chosen[:, 1] - chosen[:, 0])
    x = torch.from_numpy(x)
    no, zero, one = (
        torch.zeros(5, dtype=torch.bool),
        torch.zeros(5).double(),
        torch.ones(5).double(),
    )
    atoms = [torch.from_numpy(own) for own in cells]
    margins = Margins.fit(x, no, zero, one, atoms=atoms)
    z, slopes = margins.slopes(x)
    for j in range(5):
        alone = Margins.fit(x[[j]], no[:1], zero[:1], one[:1], atoms=[atoms[j]])
        torch.testing.assert_close(z[[j]], alone(x[[j]])[0], atol=1e-9, rtol=0)
    torch.testing.assert_close(margins(x)[1], slopes.sum(0))
    torch.testing.assert_close(margins.inverse(z), x, atol=1e-6, rtol=0)
    again = Margins.from_state(dict(margins.state_dict()))
    assert torch.equal(again(x)[0], z)
    state = {f"a.{key}": value for key, value in margins.state_dict().items()}
    assert of_many_coordinates(state, "a.") is state
