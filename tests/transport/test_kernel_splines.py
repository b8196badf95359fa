"""The histogram-and-FFT kernel estimate against the sum of normals it stands for."""

import numpy as np
import pytest
import torch
from scipy.stats import norm

from pushforward.transport import gaussianising_splines
from pushforward.transport.numerics import gaussian_scores


def slices(kind, n, seed=0):
    r = np.random.default_rng(seed)
    return {
        "normal": lambda: r.normal(size=n),
        "clusters": lambda: np.where(r.random(n) < 0.3, -2, 1) + 0.4 * r.normal(size=n),
        "skewed": lambda: r.exponential(size=n),
        "uniform": lambda: r.random(n),
        "shifted": lambda: 1e3 + 1e-2 * r.normal(size=n),
    }[kind]()


def exact_map(x, p, weight=None):
    """sqrt(1 + h^2) Phi^-1 of the kernel estimate, its sum written out."""
    weight = np.full(len(p), 1 / len(p)) if weight is None else weight / weight.sum()
    size = 1 / np.square(weight).sum()
    sigma = np.sqrt(weight @ np.square(p - weight @ p))
    relative = size**-0.2
    cdf = norm.cdf((x[:, None] - p) / (relative * sigma)) @ weight
    return np.sqrt(1 + relative**2) * norm.ppf(cdf)


@pytest.mark.parametrize("kind", ["normal", "clusters", "skewed", "uniform", "shifted"])
@pytest.mark.parametrize("n", [50, 1000])
def test_knots_lie_on_the_exact_kernel_estimate(kind, n):
    p = slices(kind, n)
    splines = gaussianising_splines(torch.from_numpy(p)[None], knots=64)
    expected = exact_map(splines.x[0].numpy(), p)
    assert np.abs(splines.y[0].numpy() - expected).max() < 2e-3


@pytest.mark.parametrize("kind", ["normal", "clusters", "skewed"])
def test_the_map_between_knots_is_near_the_exact_one(kind):
    p = slices(kind, 1000)
    splines = gaussianising_splines(torch.from_numpy(p)[None], knots=128)
    x = torch.linspace(float(splines.x[0, 0]), float(splines.x[0, -1]), 1001).double()
    y, _ = splines.forward(x[None])
    assert np.abs(y[0].numpy() - exact_map(x.numpy(), p))[50:-50].max() < 5e-3


def test_weights_count_as_in_the_weighted_sum():
    p = slices("clusters", 400)
    weight = np.random.default_rng(1).exponential(size=400)
    splines = gaussianising_splines(torch.from_numpy(p)[None], weight=torch.from_numpy(weight))
    expected = exact_map(splines.x[0].numpy(), p, weight)
    assert np.abs(splines.y[0].numpy() - expected).max() < 2e-3


def test_equal_weights_are_no_weights():
    p = torch.from_numpy(slices("skewed", 300))[None]
    plain = gaussianising_splines(p)
    weighted = gaussianising_splines(p, weight=torch.full((300,), 7.0).double())
    assert torch.allclose(plain.y, weighted.y, atol=1e-9)


def test_whole_weights_give_the_targets_of_repeated_rows():
    """The reference gave weighted rows the target quantiles of unweighted ones."""
    p = slices("normal", 3000)
    count = np.where(p > 0, 4, 1)
    bandwidth = 0.3
    repeated = gaussianising_splines(
        torch.from_numpy(p.repeat(count))[None], bandwidth=bandwidth, tail_damping=0.0
    )
    weighted = gaussianising_splines(
        torch.from_numpy(p)[None],
        weight=torch.from_numpy(count.astype(float)),
        bandwidth=bandwidth,
        tail_damping=0.0,
    )
    x = torch.linspace(-2, 2, 100).double()[None]
    assert (repeated.forward(x)[0] - weighted.forward(x)[0]).abs().max() < 0.05


def test_full_step_gaussianises_and_no_step_is_the_identity():
    p = torch.from_numpy(slices("skewed", 5000))[None]
    z, _ = gaussianising_splines(p, bandwidth=0.3, tail_damping=0.0).forward(p)
    difference = z[0].sort().values - gaussian_scores(5000)
    assert float(p[0].sub(1).sort().values.sub(gaussian_scores(5000)).square().mean()) > 0.1
    assert float(difference[25:-25].square().mean()) < 5e-3
    same, log_slope = gaussianising_splines(p, damping=1.0, tail_damping=1.0).forward(p)
    assert torch.allclose(same, p, atol=1e-9)
    assert log_slope.abs().max() < 1e-9


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    "values",
    [
        np.zeros(100),
        np.full(100, 10.0),
        np.repeat([0.0, 1.0], 50),
        np.append(np.zeros(99), 1.0),
        np.append(np.random.default_rng(0).normal(size=999), 1e5),
        np.array([1.0]),
        np.array([-1.0, 1.0]),
        np.full(100, 1e-30),
    ],
    ids=["zero", "constant", "two-valued", "rare", "outlier", "one", "two", "tiny"],
)
def test_strange_slices_give_finite_rising_maps(values, dtype):
    p = torch.from_numpy(values).to(dtype)[None]
    splines = gaussianising_splines(p, damping=0.7, tail_damping=0.997)
    y, log_slope = splines.forward(p)
    assert torch.isfinite(y).all()
    assert torch.isfinite(log_slope).all()
    assert (splines.y.diff() > 0).all()
    assert (splines.slope > 0).all()


def test_an_outlier_does_not_blur_the_rest():
    r = np.random.default_rng(0)
    p = r.normal(size=2000)
    with_outlier = np.append(p, 20.0)
    x = torch.linspace(-2, 2, 50).double()[None]
    plain, _ = gaussianising_splines(torch.from_numpy(p)[None]).forward(x)
    marked, _ = gaussianising_splines(torch.from_numpy(with_outlier)[None]).forward(x)
    assert (plain - marked).abs().max() < 0.1


def test_many_slices_equal_one_at_a_time():
    p = torch.from_numpy(np.stack([slices(k, 500) for k in ("normal", "clusters", "skewed")]))
    together = gaussianising_splines(p)
    for i in range(3):
        alone = gaussianising_splines(p[[i]])
        assert torch.allclose(together.y[i], alone.y[0], atol=1e-12)
