"""Margins of pixels and the Gaussian of all latents."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal
from sklearn.datasets import load_digits

import pushforward
from pushforward.errors import DataError, ParameterError
from pushforward.models.flows.gaussian_start import LatentGaussian, PixelMargins
from pushforward.models.flows.glow_network import GlowNetwork


def _images(n, seed=0, shape=(2, 4, 4), cells=16):
    """Correlated images of whole numbers, with a noise of one cell."""
    draw = torch.Generator().manual_seed(seed)
    mix = torch.randn(math.prod(shape), math.prod(shape), generator=draw) / 4
    draw = torch.Generator().manual_seed(seed + 1)
    z = torch.randn(n, math.prod(shape), generator=draw) @ mix
    bytes_ = (z * 3 + 5).round().clamp(0, cells - 1)
    noise = torch.rand(bytes_.shape, generator=draw) * 0.98 + 0.01
    return ((bytes_ + noise) / cells - 0.5).view(n, *shape)


def test_margins_are_normal_and_exactly_inverse():
    x = _images(4000)
    margins = PixelMargins((2, 4, 4), -0.5, 0.5, 16)
    margins.fit(x.split(300))
    z, _ = margins(x)
    assert z.mean(0).abs().max() < 0.05
    assert (z.std(0) - 1).abs().max() < 0.05
    back = margins.inverse(z)
    assert (((back + 0.5) * 16).floor() == ((x + 0.5) * 16).floor()).all()
    assert (back - x).abs().max() < 1e-4


def test_log_determinant_is_that_of_autograd():
    x = _images(500).double()
    margins = PixelMargins((2, 4, 4), -0.5, 0.5, 16)
    margins.fit([x])
    few = x[:3].clone().requires_grad_()
    z, log_det = margins(few)
    (slope,) = torch.autograd.grad(z.sum(), few)  # each pixel depends on itself alone
    torch.testing.assert_close(slope.flatten(1).log().sum(1), log_det.detach())


def test_probabilities_of_bytes_sum_to_one_and_none_is_impossible():
    x = _images(50)
    margins = PixelMargins((2, 4, 4), -0.5, 0.5, 16)
    margins.fit([x])
    assert margins.masses.min() > 1e-6
    torch.testing.assert_close(margins.masses.sum(1), torch.ones(32))
    lowest, highest = torch.full((1, 2, 4, 4), -0.499), torch.full((1, 2, 4, 4), 0.499)
    for extreme in (lowest, highest):
        assert (margins.inverse(margins(extreme)[0]) - extreme).abs().max() < 2e-3


def test_margins_of_no_images():
    with pytest.raises(DataError, match="no images"):
        PixelMargins((1, 2, 2), 0.0, 1.0, 4).fit([])


def test_the_latent_gaussian_whitens():
    draw = torch.Generator().manual_seed(0)
    eps = torch.randn(20_000, 6, generator=draw) @ torch.randn(6, 6, generator=draw) + 3
    latent = LatentGaussian(6)
    latent.fit(eps)
    parts = [eps[:, :2].reshape(-1, 1, 2, 1), eps[:, 2:].reshape(-1, 2, 2, 1)]
    coded = torch.cat([e.flatten(1) for e in latent.encode(parts)], 1)
    assert (torch.cov(coded.T) - torch.eye(6)).abs().max() < 0.05
    back = latent.decode(latent.encode(parts))
    assert max((a - b).abs().max() for a, b in zip(parts, back, strict=True)) < 1e-3
    law = torch.distributions.MultivariateNormal(eps.mean(0), torch.cov(eps.T))
    normal = -0.5 * (eps.square().sum(1) + 6 * math.log(2 * math.pi))
    found = torch.stack(latent.log_ratio(parts)).sum(0) + normal
    torch.testing.assert_close(found, law.log_prob(eps), atol=0.05, rtol=0)


def _copula(x, classes=None):
    network = GlowNetwork(
        (1, 8, 8), levels=2, steps=2, width=8, gate_floor=0.5, classes=classes,
        margins=PixelMargins((1, 8, 8), -0.5, 0.5, 32),
    )  # fmt: skip
    network.start(lambda: x.split(200), x[:256])
    return network


def _digits():
    images = torch.from_numpy(load_digits().images).float()[:, None]
    noise = torch.rand(images.shape, generator=torch.Generator().manual_seed(0)) * 0.98 + 0.01
    return (images + noise) / 32 - 0.5


def test_a_flow_begins_no_worse_than_a_gaussian_of_the_same_rows():
    x = _digits()
    train, new = x[::2], x[1::2]
    with torch.no_grad():
        begun = _copula(train).log_prob(new).mean()
    flat = train.flatten(1).double()
    law = torch.distributions.MultivariateNormal(flat.mean(0), torch.cov(flat.T))
    gaussian = law.log_prob(new.flatten(1).double()).mean()
    assert begun > gaussian + 10  # nats an image


def test_samples_begin_with_margins_and_correlations_of_the_data():
    x = _digits()
    network = _copula(x)
    with torch.no_grad():
        made = network.decode(
            network.sample_latent(2000, 1.0, torch.Generator().manual_seed(0))
        ).flatten(1)
    real = x.flatten(1)
    assert (made.mean(0) - real.mean(0)).abs().max() < 0.02
    real_cov, made_cov = torch.cov(real.T), torch.cov(made.T)
    # a copula of atoms with noise in them weakens correlations: not zero, far from shuffled ones
    assert (made_cov - real_cov).norm() / real_cov.norm() < 0.3
    shuffled = torch.cov(torch.stack([row[torch.randperm(len(row))] for row in real.T]))
    assert (shuffled - real_cov).norm() / real_cov.norm() > 0.5


@pytest.mark.parametrize("classes", [None, 3])
def test_the_density_is_that_of_the_map(classes):
    x = _digits()
    network = _copula(x, classes).double()
    with torch.no_grad():  # as after training: nothing is the identity
        draw = torch.Generator().manual_seed(1)
        for value in network.parameters():
            value.add_(0.05 * torch.randn(value.shape, generator=draw, dtype=value.dtype))
    few = x[:2].double()
    y = None if classes is None else torch.tensor([2, 0])

    def latent(row):
        eps = network.folded().encode(row.view(1, 1, 8, 8), None if y is None else y[:1])
        return torch.cat([e.flatten() for e in eps])

    e = latent(few[0].flatten())
    jacobian = torch.autograd.functional.jacobian(latent, few[0].flatten())
    expected = -0.5 * (e.square().sum() + 64 * math.log(2 * math.pi))
    expected = expected + torch.linalg.slogdet(jacobian)[1]
    with torch.no_grad():
        own = network.log_prob(few, y)
        torch.testing.assert_close(own[0], expected, rtol=1e-6, atol=1e-6)
        levels = network.log_prob(few, y, per_level=True)
        torch.testing.assert_close(levels.sum(1), own)
        back = network.freeze().decode(network.freeze().encode(few, y), y)
        assert (back - few).abs().max() < 1e-5
        if classes is not None:
            each = [network.log_prob(few, torch.full((2,), k)) for k in range(classes)]
            mean = torch.stack(each).logsumexp(0) - math.log(classes)
            torch.testing.assert_close(network.log_prob(few), mean)


def test_gradients_pass_through_samples_and_densities():
    network = _copula(_digits())
    eps = [torch.zeros(1, *shape, requires_grad=True) for shape in network.latent_shapes]
    slopes = torch.autograd.grad(network.decode(eps).sum(), eps)
    assert all(bool((slope != 0).any()) for slope in slopes)
    x = _digits()[:2].requires_grad_()
    (slope,) = torch.autograd.grad(network.log_prob(x).sum(), x)
    assert bool(slope.isfinite().all())
    assert slope.norm() > 0


def test_a_fitted_model_begins_as_a_gaussian_copula_and_does_what_others_do(tmp_path):
    X = (load_digits().images * 15).astype(np.uint8)
    y = load_digits().target
    train, new = X[::2], X[1::2]
    options = {"depth": 2, "width": 8, "steps": 1, "device": "cpu", "random_state": 0}
    model = pushforward.Glow(**options, conditional=True)
    with pytest.warns(UserWarning, match="The labels hardly act"):  # after one step
        model.fit(train, y[::2])
    flat = train.reshape(len(train), -1) + np.random.default_rng(0).random((len(train), 64))
    law = multivariate_normal(flat.mean(0), np.cov(flat.T))
    noisy = new.reshape(len(new), -1) + np.random.default_rng(1).random((len(new), 64))
    gaussian = -law.logpdf(noisy).mean() / (64 * math.log(2))
    bits = model.bits_per_dim(new, y[1::2])
    plain = pushforward.Glow(**options, gaussianise=False).fit(train)
    assert bits < gaussian
    assert bits < plain.bits_per_dim(new) - 2
    assert (model.reconstruct(new, y[1::2]) == new).all()
    ways = model.interpolate(new[:2], new[2:4], y=3)
    assert (ways[0] == new[:2]).all()
    assert (ways[-1] == new[2:4]).all()
    assert model.sample(5, random_state=0, y=[0, 1, 2, 3, 4]).shape == (5, 8, 8)
    again = pushforward.load(model.save(tmp_path / "model"))
    assert (again.score_samples(new) == model.score_samples(new)).all()
    assert (again.sample(4, random_state=1) == model.sample(4, random_state=1)).all()


def test_photographs_begin_as_published():
    """Of CIFAR-10, 900 steps from margins had 4.51 bits, and from the usual start 4.26."""
    rng = np.random.default_rng(0)
    field = rng.normal(size=(60, 16, 16, 3)).cumsum(1).cumsum(2)
    photographs = (128 + 40 * field / field.std()).clip(0, 255).astype(np.uint8)
    options = {"depth": 1, "width": 4, "levels": 1, "steps": 1, "device": "cpu", "batch_size": 8}
    assert not pushforward.Glow(**options).fit(photographs).settings_["gaussianise"]
    drawings = np.where(field > field.std(), photographs, 0).astype(np.uint8)
    assert pushforward.Glow(**options).fit(drawings).settings_["gaussianise"]
    asked = pushforward.Glow(**options, gaussianise=True).fit(photographs)
    assert asked.settings_["gaussianise"]


def test_large_images_and_the_published_preset_have_no_such_start():
    X = np.random.default_rng(0).integers(0, 256, (40, 72, 72), dtype=np.uint8)
    options = {"depth": 1, "width": 4, "levels": 1, "steps": 1, "device": "cpu", "batch_size": 4}
    assert not pushforward.Glow(**options).fit(X).settings_["gaussianise"]
    with pytest.raises(ParameterError, match="gaussianise is True, and the images have 5184"):
        pushforward.Glow(**options, gaussianise=True).fit(X)
    paper = pushforward.Glow(**options, preset="paper").fit(X[:, :8, :8])
    assert not paper.settings_["gaussianise"]
    assert not any("masses" in name for name in paper._tensors())
