"""DFM: the denoiser of the critic's features."""

import numpy as np
import pytest
import torch
from torch import nn

import pushforward
from pushforward.errors import ParameterError
from pushforward.networks import layer_inputs
from pushforward.training import Stream, TensorSource
from pushforward.training.optimiser_step import OptimiserStep
from pushforward.training.processes import Processes

SMALL = {"width": 2, "latent": 3, "batch_size": 8, "device": "cpu", "random_state": 0}


@pytest.fixture
def images(rng):
    return rng.integers(0, 256, (40, 16, 16), dtype=np.uint8)


@pytest.fixture
def model(images):
    return pushforward.DFM(**SMALL, features=5, steps=1).fit(images)


def stream():
    return Stream(TensorSource(torch.rand(16, 1, 16, 16) * 2 - 1), 8, seed=0)


def test_the_phase_of_the_denoiser_moves_only_it(model):
    for network in model.networks_.values():
        network.train().requires_grad_(True)
    moves = OptimiserStep(model.networks_, model._phases(), Processes())
    assert [phase.name for phase in moves.phases] == ["critic", "denoiser", "generator"]
    before = {n: [p.clone() for p in net.parameters()] for n, net in model.networks_.items()}
    moves.move(1, stream().batch(0), step=0, draw=0, share=0.0)
    for name, network in model.networks_.items():
        same = all(
            torch.equal(p, q) for p, q in zip(network.parameters(), before[name], strict=True)
        )
        assert same == (name != "denoiser")


def test_losses_by_hand(model):
    batch, again = stream().batch(0), stream().batch(0)
    critic, denoiser = model.networks_["critic"], model.networks_["denoiser"]
    with torch.no_grad():
        terms = model._denoiser_loss(batch)
        with layer_inputs(critic) as seen:
            critic(again.x)
        features = seen[-1]
        back = denoiser(features + again.normal(5))
        torch.testing.assert_close(terms["distance"], (back - features).square().mean())

        batch, again = stream().batch(1), stream().batch(1)
        terms = model._generator_loss(batch)
        with layer_inputs(critic) as seen:
            logit = critic(model._generate(model._prior(again)))
        apart = (denoiser(seen[-1]) - seen[-1]).square().mean()
        torch.testing.assert_close(terms["features"], model.settings_["weight"] * apart)
        torch.testing.assert_close(terms["player"], nn.functional.softplus(-logit).mean())


def test_the_denoiser_points_to_where_features_are_dense(images):
    # features (x0, x1) of data near (2, -1): what is denoised is nearer to them than it was
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.last = nn.Linear(2, 1)

        def forward(self, x):
            return self.last(x.flatten(1)[:, :2]).flatten()

    dense = torch.tensor([2.0, -1.0])
    model = pushforward.DFM(
        **SMALL, features=2, noise=1.0, learning_rate=3e-3, steps=1, networks={"critic": Two()}
    ).fit(images)
    x = torch.zeros(512, 1, 16, 16)
    x[:, 0, 0, :2] = dense + 0.1 * torch.randn(512, 2)
    networks = {name: n.train().requires_grad_(True) for name, n in model.networks_.items()}
    moves = OptimiserStep(networks, model._phases(), Processes())
    batches = Stream(TensorSource(x), 128, seed=0)
    for step in range(150):
        moves.move(1, batches.batch(step), step=step, draw=step, share=0.0)
    denoiser = model.networks_["denoiser"].eval()
    off = dense + torch.randn(256, 2)
    with torch.no_grad():
        assert (denoiser(off) - dense).norm(dim=1).mean() < 0.5 * (off - dense).norm(dim=1).mean()


def test_wrong_settings(images):
    wrong = ({"weight": 0.0}, {"noise": -1.0}, {"features": 0}, {"layers": 0})
    for setting in (*wrong, {"norm": "spectral"}):
        with pytest.raises(ParameterError, match=next(iter(setting))):
            pushforward.DFM(**{**SMALL, "steps": 1, **setting}).fit(images)
    own = nn.Sequential(nn.Flatten(), nn.Linear(256, 7), nn.ReLU(), nn.Linear(7, 1))
    with pytest.raises(ParameterError, match="features=7"):
        pushforward.DFM(**SMALL, steps=1, networks={"critic": own}).fit(images)


def test_colour(rng):
    X = rng.integers(0, 256, (24, 32, 32, 3), dtype=np.uint8)
    model = pushforward.DFM(**SMALL, features=4, norm="layer", steps=1).fit(X)
    assert model.sample(2).shape == (2, 32, 32, 3)
