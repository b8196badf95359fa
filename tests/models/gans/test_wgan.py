"""WGAN: weights in a cube, and a critic that climbs the right way."""

import numpy as np
import pytest
import torch

import pushforward
from pushforward.errors import ParameterError
from pushforward.training import Stream, TensorSource
from pushforward.training.optimiser_step import OptimiserStep
from pushforward.training.processes import Processes

SMALL = {"width": 2, "latent": 3, "batch_size": 8, "device": "cpu", "random_state": 0, "steps": 1}


@pytest.fixture
def model():
    images = np.random.default_rng(0).integers(0, 256, (40, 16, 16), dtype=np.uint8)
    return pushforward.WGAN(**SMALL, clip=0.05, ema=0).fit(images)


def test_the_weights_stay_in_their_cube(model):
    moves = OptimiserStep(model.networks_, model._phases(), Processes())
    stream = Stream(TensorSource(torch.rand(40, 1, 16, 16)), 8, seed=0)
    with torch.no_grad():
        for weight in model.networks_["generator"].parameters():
            weight += 0.3
    for k in range(6):
        moves.move(0, stream.batch(k), step=k, draw=k, share=0.0)
        sizes = [w.abs().max().item() for w in model.networks_["critic"].parameters()]
        assert max(sizes) == pytest.approx(0.05)
        moves.move(1, stream.batch(k), step=k, draw=k, share=0.0)
    free = [w.abs().max().item() for w in model.networks_["generator"].parameters()]
    assert min(free) > 0.2


def test_the_critic_rates_data_above_samples(model):
    # bright images against what the generator makes; a reversed sign would rate them below
    images = torch.full((40, 1, 16, 16), 0.9) + 0.05 * torch.randn(40, 1, 16, 16)
    moves = OptimiserStep(model.networks_, model._phases(), Processes())
    stream = Stream(TensorSource(images), 8, seed=0)
    for network in model.networks_.values():
        network.train()
    first, *_, last = [
        moves.move(0, stream.batch(k), step=k, draw=k, share=0.0)["critic.distance"]
        for k in range(40)
    ]
    assert last < min(first, 0)
    with torch.no_grad():
        fake = model._generate(torch.randn(8, 3))
        batch = stream.batch(50)
        assert model._logit("critic", batch.x).mean() > model._logit("critic", fake).mean()
        player = model._generator_loss(stream.batch(51))["player"]
        fake = model._generate(stream.batch(51).normal(3))
        assert player == -model._logit("critic", fake).mean()


def test_published_settings():
    model = pushforward.WGAN(preset="paper")
    s = model._resolve((3, 64, 64), 100)
    assert (s["optimiser"], s["learning_rate"], s["clip"], s["critic_steps"]) == (
        "rmsprop",
        5e-5,
        0.01,
        5,
    )
    model.settings_ = s
    critic, generator = model._phases()
    assert (critic.repeats, generator.repeats, generator.after) == (5, 1, None)
    assert critic.optimiser.kind == generator.optimiser.kind == "rmsprop"


@pytest.mark.parametrize(
    ("wrong", "match"), [({"norm": "spectral"}, "clip"), ({"clip": 0.0}, "clip")]
)
def test_wrong_settings(wrong, match):
    with pytest.raises(ParameterError, match=match):
        pushforward.WGAN(**SMALL, **wrong).fit(np.zeros((30, 16, 16), np.uint8))


@pytest.mark.parametrize("shape", [(28, 28), (32, 32, 3)])
def test_grey_and_colour(shape):
    X = np.random.default_rng(0).integers(0, 256, (21, *shape), dtype=np.uint8)
    model = pushforward.WGAN(**SMALL).fit(X)
    assert model.sample(2).shape == (2, *shape)
    assert model.critic(X[:3]).shape == (3,)
