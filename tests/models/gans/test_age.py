"""AGE: codes on a sphere, and a divergence that has its optimum there."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import normalize

import pushforward
from pushforward.errors import ParameterError
from pushforward.models.gans.age import divergence
from pushforward.training import Stream, TensorSource

SMALL = {"width": 2, "latent": 16, "batch_size": 8, "device": "cpu", "random_state": 0, "steps": 1}


@pytest.fixture(scope="module")
def model():
    images = np.random.default_rng(0).integers(0, 256, (40, 16, 16), dtype=np.uint8)
    return pushforward.AGE(**SMALL).fit(images)


def on_sphere(z):
    return normalize(z) * z.shape[1] ** 0.5


def test_the_divergence_is_that_of_normals():
    x = torch.randn(1000, 3, dtype=torch.float64) * torch.tensor([0.5, 1, 2]) + 0.3
    fitted = torch.distributions.Normal(x.mean(0), x.std(0, correction=0))
    expected = torch.distributions.kl_divergence(fitted, torch.distributions.Normal(0.0, 1.0))
    torch.testing.assert_close(divergence(x), expected.mean(), rtol=1e-6, atol=0)
    standard = (x - x.mean(0)) / x.std(0, correction=0)
    standard.requires_grad_()
    assert divergence(standard).item() == pytest.approx(0, abs=1e-7)
    (slope,) = torch.autograd.grad(divergence(standard), standard)
    assert slope.abs().max() < 1e-7


def test_on_the_sphere_it_is_minus_half_the_mean_log_variance():
    codes = on_sphere(torch.randn(200, 16, dtype=torch.float64) * torch.linspace(0.2, 2, 16) + 0.1)
    variance = codes.var(0, correction=0)
    torch.testing.assert_close(divergence(codes), -0.5 * variance.log().mean(), rtol=1e-6, atol=0)


def test_the_released_loss_is_twice_the_divergence_and_a_constant():
    # the released code has codes of length 1 and takes their variance for their deviation: of
    # its loss at the best codes there are, log d is left, and its slope is twice the divergence's
    def released(raw):
        codes = normalize(raw)
        mean, taken = codes.mean(0), codes.var(0, correction=0)
        return ((taken.square() + mean.square()) / 2 - taken.log() - 0.5).mean()

    d = 64
    best = torch.randn(20_000, d, dtype=torch.float64)
    assert divergence(on_sphere(best)).item() == pytest.approx(0, abs=1e-4)
    assert released(best).item() == pytest.approx(np.log(d) - 0.5, abs=1e-2)

    raw = torch.randn(128, d, dtype=torch.float64) * torch.linspace(0.5, 1.5, d) + 0.2
    raw.requires_grad_()
    (ours,) = torch.autograd.grad(divergence(on_sphere(raw)), raw)
    (theirs,) = torch.autograd.grad(released(raw), raw)
    torch.testing.assert_close(theirs, 2 * ours, rtol=0, atol=0.03 * ours.abs().max().item())
    assert torch.cosine_similarity(ours.flatten(), theirs.flatten(), dim=0) > 0.999


class Flat(nn.Module):
    def forward(self, x):
        return x.flatten(1)


class Square(nn.Module):
    def forward(self, z):
        return z.unflatten(1, (1, 4, 4))


def test_the_losses_where_the_players_are_done(model, monkeypatch):
    # data that are the prior, and an encoder that is the inverse of the generator
    monkeypatch.setitem(model.networks_, "encoder", Flat())
    monkeypatch.setitem(model.networks_, "generator", Square())
    data = on_sphere(torch.randn(8192, 16)).unflatten(1, (1, 4, 4))
    stream = Stream(TensorSource(data), 8192, seed=0)
    done = model._encoder_loss(stream.batch(0)) | model._generator_loss(stream.batch(1))
    assert all(value.abs() < 1e-3 for value in done.values())
    # what each is fined for
    far = Stream(TensorSource(data * 0.5), 8192, seed=0).batch(0)
    expected = 5 * far.x.abs().mean()
    torch.testing.assert_close(model._encoder_loss(far)["difference"], expected)
    monkeypatch.setitem(model.networks_, "encoder", nn.Sequential(Flat(), Minus()))
    codes = model._generator_loss(stream.batch(1))["codes"]
    assert codes.item() == pytest.approx(2 * 8, rel=1e-4)


class Minus(nn.Module):
    def forward(self, x):
        return -x


def test_the_prior_is_the_sphere_everywhere(model):
    codes = model.prior(4000, random_state=0)
    np.testing.assert_allclose((codes**2).sum(1), 16, rtol=1e-5)
    assert np.abs(codes.mean(0)).max() < 0.1
    assert np.abs(np.cov(codes.T) - np.eye(16)).max() < 0.15
    images = np.random.default_rng(1).integers(0, 256, (9, 16, 16), dtype=np.uint8)
    assert (model.decode(3 * codes[:20]) == model.decode(codes[:20])).all()
    np.testing.assert_allclose((model.encode(images) ** 2).sum(1), 16, rtol=1e-5)


def test_the_report_of_codes_that_are_the_prior(model, monkeypatch):
    monkeypatch.setattr(model, "encode", lambda X: model.prior(20_000, random_state=0))
    expected = {"mean": 0, "deviation": 1, "correlation": 0, "frechet": 0}
    assert model.latent_report(None) == pytest.approx(expected, abs=0.03)


def test_published_settings():
    model = pushforward.AGE(preset="paper")
    s = model.settings_ = model._resolve((3, 32, 32), 100)
    assert (s["learning_rate"], s["betas"], s["latent"]) == (2e-4, [0.5, 0.999], 128)
    assert [phase.repeats for phase in model._phases()] == [1, 2]


@pytest.mark.parametrize("name", ["image_weight", "code_weight", "player_steps"])
def test_wrong_settings(name):
    with pytest.raises(ParameterError, match=name):
        pushforward.AGE(**SMALL, **{name: -1}).fit(np.zeros((30, 16, 16), np.uint8))


@pytest.mark.parametrize("shape", [(28, 28), (32, 32, 3)])
def test_grey_and_colour(shape):
    X = np.random.default_rng(0).integers(0, 256, (21, *shape), dtype=np.uint8)
    model = pushforward.AGE(**SMALL).fit(X)
    assert model.sample(2).shape == model.reconstruct(X[:2]).shape == (2, *shape)
