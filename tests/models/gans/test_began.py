"""BEGAN: the balance of its players."""

import numpy as np
import pytest
import torch

import pushforward
from pushforward.errors import ParameterError
from pushforward.training import Stream, TensorSource

SMALL = {"width": 2, "latent": 3, "code": 4, "batch_size": 8, "device": "cpu", "random_state": 0}


@pytest.fixture
def images(rng):
    return rng.integers(0, 256, (40, 16, 16), dtype=np.uint8)


@pytest.fixture
def model(images):
    return pushforward.BEGAN(**SMALL, steps=1).fit(images)


@pytest.fixture
def batch():
    return Stream(TensorSource(torch.rand(8, 1, 16, 16) * 2 - 1), 8, seed=0).batch(0)


@pytest.mark.parametrize(
    ("k", "real", "fake", "expected"),
    [
        (0.2, 1.0, 0.1, 0.2 + 0.1 * (0.5 * 1.0 - 0.1)),  # samples too easy to redraw: k rises
        (0.2, 0.2, 0.9, 0.2 + 0.1 * (0.5 * 0.2 - 0.9)),  # too hard: k falls
        (0.2, 0.4, 0.2, 0.2),  # in balance
        (0.0, 0.2, 0.9, 0.0),
        (0.99, 1.0, 0.1, 1.0),
    ],
)
def test_k_follows_the_balance(model, k, real, fake, expected):
    model.settings_ |= {"ratio": 0.5, "gain": 0.1}
    for name, value in (("k", k), ("real", real), ("fake", fake)):
        getattr(model.networks_["balance"], name).fill_(value)
    model._control()
    assert model.networks_["balance"].k.item() == pytest.approx(expected)


def test_losses_by_hand(model, batch):
    balance = model.networks_["balance"]
    balance.k.fill_(0.3)
    with torch.no_grad():
        terms = model._critic_loss(batch)
        again = Stream(TensorSource(batch.x), 8, seed=0).batch(0)
        sample = model._generate(model._prior(again))
        critic = model.networks_["critic"]
        missed = {x: (data - critic(data)).abs().mean() for x, data in
                  (("real", batch.x), ("fake", sample))}  # fmt: skip
        torch.testing.assert_close(terms["real"], missed["real"])
        torch.testing.assert_close(terms["fake"], -0.3 * missed["fake"])
        terms = model._generator_loss(batch)
    ratio = model.settings_["ratio"]
    torch.testing.assert_close(balance.real, missed["real"])
    torch.testing.assert_close(balance.fake, terms["player"])
    apart = (ratio * balance.real - balance.fake).abs()
    torch.testing.assert_close(terms["convergence"], balance.real + apart)


def test_k_is_logged_and_is_that_of_the_run(images, tmp_path):
    settings = {**SMALL, "gain": 3.0, "ema": 0.0, "validation_fraction": 0.0}
    straight = pushforward.BEGAN(**settings, steps=6).fit(images)
    pushforward.BEGAN(**settings, steps=3).fit(images, folder=tmp_path / "run")
    resumed = pushforward.BEGAN(**settings, steps=6).fit(images, folder=tmp_path / "run")
    loaded = pushforward.load(resumed.save(tmp_path / "model"))
    ks = [m.networks_["balance"].k for m in (straight, resumed, loaded)]
    assert ks[0] > 0
    assert torch.equal(ks[0], ks[1])
    assert torch.equal(ks[0], ks[2])
    logged = [record["generator.k"] for record in straight.history_]
    assert len(set(logged)) > 1
    assert all(0 <= k <= 1 for k in logged)
    assert all(record["generator.convergence"] > 0 for record in straight.history_)


def test_the_prior_is_uniform(model):
    codes = model.prior_codes(torch.randn(20_000, 1)).flatten()
    assert codes.abs().max() <= 1
    edges = codes.sort().values[:: len(codes) // 8]
    torch.testing.assert_close(edges, torch.linspace(-1, 1, 9)[: len(edges)], atol=0.03, rtol=0)


def test_the_critic_says_minus_the_energy(model, images):
    said = model.critic(images)
    assert said.shape == (40,)
    assert (said < 0).all()
    with torch.no_grad():
        x = model.pixels_.encode(images[:, None], None)[0]
        missed = (x - model.networks_["critic"](x)).abs().flatten(1).mean(1)
    np.testing.assert_allclose(said, -missed.numpy(), rtol=1e-5)


def test_wrong_settings(images):
    for wrong in ({"ratio": 0.0}, {"gain": -1.0}, {"code": 0}, {"norm": "spectral"}):
        with pytest.raises(ParameterError, match=next(iter(wrong))):
            pushforward.BEGAN(**{**SMALL, "steps": 1, **wrong}).fit(images)
    flat = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(256, 1))
    with pytest.raises(ParameterError, match="same shape"):
        pushforward.BEGAN(**SMALL, steps=1, networks={"critic": flat}).fit(images)


@pytest.mark.parametrize("shape", [(28, 28), (32, 32, 3)])
def test_grey_and_colour(shape, rng):
    X = rng.integers(0, 256, (24, *shape), dtype=np.uint8)
    model = pushforward.BEGAN(**SMALL, steps=1).fit(X)
    assert model.sample(2).shape == (2, *shape)
    assert model.critic(X[:2]).shape == (2,)


def test_in_few_steps_samples_count_for_the_critic(images):
    # the first samples are redrawn best of all: unless k rises, the generator stays with them
    ks = {
        gain: pushforward.BEGAN(**SMALL, gain=gain, steps=10).fit(images).history_[-1]
        for gain in (None, 1e-3)
    }
    assert ks[None]["generator.k"] > 0.3
    assert ks[1e-3]["generator.k"] < 0.05
