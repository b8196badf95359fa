"""MMD-GAN: the terms of its losses, by hand."""

import numpy as np
import pytest
import torch
from torch import nn

import pushforward
from pushforward.errors import ParameterError
from pushforward.models.gans import kernels
from pushforward.training import Stream, TensorSource

SMALL = {"width": 2, "latent": 3, "batch_size": 8, "device": "cpu", "random_state": 0, "steps": 1}


@pytest.fixture(scope="module")
def model():
    images = np.random.default_rng(0).integers(0, 256, (40, 16, 16), dtype=np.uint8)
    return pushforward.MMDGAN(**SMALL, penalty=3.0, activity=0.5).fit(images)


def batch_of(x):
    return Stream(TensorSource(x), len(x), seed=0).batch(0)


class Constant(nn.Module):
    def forward(self, z):
        return torch.zeros(len(z), 1, 4, 4)


@pytest.mark.parametrize("norm", [1.0, 2.0, 0.5])
def test_the_witness_of_a_linear_map_is_fined_by_its_slope(model, monkeypatch, norm):
    # with features that are the pixels and the dot product for a kernel, the slope of the
    # witness is the difference of the means
    monkeypatch.setattr(kernels, "ALPHAS", ())
    monkeypatch.setitem(model.networks_, "critic", nn.Flatten())
    monkeypatch.setitem(model.networks_, "generator", Constant())
    x = torch.randn(8, 1, 4, 4)
    x = x - x.mean(0) + norm / 4  # 16 pixels
    terms = model._critic_loss(batch_of(x))
    assert terms["penalty"].item() == pytest.approx(3 * (norm - 1) ** 2, abs=1e-4)


def test_the_penalty_is_of_the_witness_between_images_and_samples(model):
    x = torch.rand(8, 1, 16, 16)
    terms, batch = model._critic_loss(batch_of(x)), batch_of(x)
    critic = model.networks_["critic"]
    fake = model._generate(batch.normal(3)).detach()
    share = batch.uniform()
    real_features, fake_features = critic(batch.x), critic(fake)
    fines = []
    for k in range(8):
        at = (batch.x[k] + share[k] * (fake[k] - batch.x[k])).detach().requires_grad_()
        value = kernels.witness(critic(at[None]), real_features, fake_features)
        (slope,) = torch.autograd.grad(value.sum(), at, retain_graph=True)
        fines.append((slope.norm() - 1) ** 2)
    expected = 3 * torch.stack(fines).mean()
    torch.testing.assert_close(terms["penalty"], expected, rtol=1e-3, atol=1e-4)
    assert terms["distance"] == -kernels.mmd2(real_features, fake_features)
    player = model._generator_loss(batch_of(x))["player"]
    torch.testing.assert_close(player, -terms["distance"].detach(), check_stride=False)


def test_the_activity_of_each_layer(model, monkeypatch):
    critic = nn.Sequential(nn.Flatten(), nn.Linear(16, 5), nn.ReLU(), nn.Linear(5, 4))
    monkeypatch.setitem(model.networks_, "critic", critic)
    monkeypatch.setitem(model.networks_, "generator", Constant())
    batch = batch_of(torch.rand(8, 1, 4, 4))
    expected = 0
    for x in (batch.x, torch.zeros(8, 1, 4, 4)):
        hidden = critic[:3](x)
        expected += hidden.square().mean() + critic[3](hidden).square().mean()
    torch.testing.assert_close(model._critic_loss(batch)["activity"], 0.5 * expected)


def test_what_a_critic_must_make(model, monkeypatch):
    monkeypatch.setitem(model.networks_, "critic", nn.Sequential(nn.Flatten(), nn.Flatten(0)))
    with pytest.raises(ParameterError, match="vector"):
        model._generator_loss(batch_of(torch.rand(8, 1, 16, 16)))


@pytest.mark.parametrize(
    ("wrong", "match"),
    [({"norm": "batch"}, "slope"), ({"features": 0}, "features"), ({"activity": -1}, "activity")],
)
def test_wrong_settings(wrong, match):
    with pytest.raises(ParameterError, match=match):
        pushforward.MMDGAN(**SMALL, **wrong).fit(np.zeros((30, 16, 16), np.uint8))


def test_published_settings():
    model = pushforward.MMDGAN(preset="paper")
    s = model._resolve((3, 32, 32), 100)
    found = (
        s["learning_rate"],
        s["betas"],
        s["features"],
        s["critic_steps"],
        s["steps"],
        s["batch_size"],
    )
    assert found == (1e-4, [0.5, 0.9], 16, 5, 150_000, 64)
    assert s["penalty"] == s["activity"] == 1


@pytest.mark.parametrize("shape", [(28, 28), (32, 32, 3)])
def test_grey_and_colour(shape):
    X = np.random.default_rng(0).integers(0, 256, (21, *shape), dtype=np.uint8)
    assert pushforward.MMDGAN(**SMALL).fit(X).sample(2).shape == (2, *shape)
