"""VAE-GAN: each player follows its own loss, in the direction that is meant."""

import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import softplus

import pushforward
from pushforward.errors import ParameterError
from pushforward.training import Stream, TensorSource
from pushforward.training.optimiser_step import OptimiserStep
from pushforward.training.processes import Processes

SMALL = {"width": 2, "latent": 3, "batch_size": 8, "device": "cpu", "random_state": 0, "steps": 1}


@pytest.fixture
def model():
    images = np.random.default_rng(0).integers(0, 256, (40, 16, 16), dtype=np.uint8)
    return pushforward.VAEGAN(**SMALL, norm="none").fit(images)


def batch_of(x, seed=0):
    return Stream(TensorSource(x), len(x), seed=seed).batch(0)


def applied(model, phase, batch):
    """The gradients that a move of the loop would take its step by, of every network."""
    moves = OptimiserStep(model.networks_, model._phases(), Processes())
    found = {}

    def step():
        for name, network in model.networks_.items():
            slopes = [p.grad for p in network.parameters() if p.grad is not None]
            found[name] = torch.cat([s.flatten() for s in slopes]) if slopes else None

    moves.optimisers[phase].step = step
    for index in range(phase + 1):  # those before it leave nothing behind
        moves.move(index, batch, step=0, draw=0, share=0.0)
    return found


def flat(slopes):
    return torch.cat([s.flatten() for s in slopes])


def test_the_generator_follows_the_critic_and_not_away_from_it(model):
    # elsewhere three losses were differentiated through one graph, so that the critic's loss
    # reached the generator: the cosine of what was meant and what was done was -1
    model.settings_["weight"] = 1e-12
    x = torch.rand(16, 1, 16, 16) * 2 - 1
    found = applied(model, 1, batch_of(x))
    assert found["encoder"] is None
    assert found["critic"] is None

    batch, generator = batch_of(x), model.networks_["generator"]
    batch.normal(3)  # the encoder's move drew its codes first
    code = model._drawn(*model._posterior(batch.x), batch.normal(3)).detach()
    codes = torch.cat([code, batch.normal(3)])
    for network in model.networks_.values():
        network.requires_grad_(True)

    def meant():
        return 2 * softplus(-model.networks_["critic"](generator(codes))).mean()

    before = meant()
    intended = flat(torch.autograd.grad(before, list(generator.parameters())))
    assert torch.cosine_similarity(found["generator"], intended, dim=0) > 0.9999
    with torch.no_grad():
        moved = nn.utils.parameters_to_vector(generator.parameters()) - 1e-3 * found["generator"]
        nn.utils.vector_to_parameters(moved, generator.parameters())
        assert meant() < before


def test_the_encoder_follows_the_features_and_not_the_critics_word(model):
    batch = batch_of(torch.rand(8, 1, 16, 16))
    encoder, critic = model.networks_["encoder"], model.networks_["critic"]
    for network in model.networks_.values():
        network.requires_grad_(True)
    terms = model._encoder_loss(batch)
    last = [m for m in critic.modules() if isinstance(m, nn.Linear)][-1]
    slopes = torch.autograd.grad(
        sum(terms.values()), [*last.parameters(), *encoder.parameters()], allow_unused=True
    )
    assert slopes[:2] == (None, None)  # the last layer has no part in it
    assert flat(slopes[2:]).abs().sum() > 0


def test_the_losses_by_hand(model, monkeypatch):
    critic = nn.Sequential(nn.Flatten(), nn.Linear(16, 5), nn.ReLU(), nn.Linear(5, 1))
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(16, 6))
    generator = nn.Sequential(nn.Linear(3, 16), nn.Unflatten(1, (1, 4, 4)))
    model.networks_ = {"encoder": encoder, "generator": generator, "critic": critic}
    model.settings_["weight"] = 0.25
    x = torch.rand(8, 1, 4, 4)
    batch = batch_of(x)
    mean, log_variance = encoder(batch.x).chunk(2, 1)
    q = torch.distributions.Normal(mean, (log_variance / 2).exp())
    noise, prior = batch.normal(3), batch.normal(3)
    back, sample = generator(q.mean + q.stddev * noise), generator(prior)
    apart = 0.5 * (critic[:3](back) - critic[:3](batch.x)).square().sum(1).mean()
    kl = torch.distributions.kl_divergence(q, torch.distributions.Normal(0.0, 1.0))

    said = model._encoder_loss(batch_of(x))
    torch.testing.assert_close(said["divergence"], kl.sum(1).mean())
    torch.testing.assert_close(said["features"], apart)
    said = model._generator_loss(batch_of(x))
    torch.testing.assert_close(said["features"], 0.25 * apart)
    torch.testing.assert_close(said["back"], softplus(-critic(back)).mean())
    torch.testing.assert_close(said["sample"], softplus(-critic(sample)).mean())
    said = model._critic_loss(batch_of(x))
    torch.testing.assert_close(said["real"], softplus(-critic(batch.x)).mean())
    torch.testing.assert_close(said["back"], softplus(critic(back)).mean())
    torch.testing.assert_close(said["sample"], softplus(critic(sample)).mean())


def test_the_critic_at_rest(model):
    # where all three laws are one the best critic says 1/3: one image to two samples
    class Third(nn.Module):
        def forward(self, x):
            return torch.full((len(x),), -math.log(2))

    model.networks_["critic"] = Third()
    terms = model._critic_loss(batch_of(torch.rand(8, 1, 16, 16)))
    assert terms["of_rest"].item() == pytest.approx(1, rel=1e-6)
    at = torch.linspace(-3, 3, 6001, dtype=torch.float64)
    least = (softplus(-at) + 2 * softplus(at)).min().item()
    total = sum(terms[k].item() for k in ("real", "back", "sample"))
    assert total == pytest.approx(least, abs=1e-6)


def test_a_critic_without_features(model):
    model.networks_["critic"] = nn.Sequential(nn.Flatten(), nn.Linear(256, 1))
    with pytest.raises(ParameterError, match="two at least"):
        model._encoder_loss(batch_of(torch.rand(8, 1, 16, 16)))


def test_wrong_settings():
    with pytest.raises(ParameterError, match="weight"):
        pushforward.VAEGAN(**SMALL, weight=0).fit(np.zeros((30, 16, 16), np.uint8))


def test_published_settings():
    model = pushforward.VAEGAN(preset="paper")
    s = model.settings_ = model._resolve((3, 64, 64), 100)
    found = (s["optimiser"], s["learning_rate"], s["latent"], s["batch_size"], s["weight"])
    assert found == ("rmsprop", 3e-4, 128, 64, 1e-5)
    assert [phase.name for phase in model._phases()] == ["encoder", "generator", "critic"]


@pytest.mark.parametrize("shape", [(28, 28), (32, 32, 3)])
def test_grey_and_colour(shape):
    X = np.random.default_rng(0).integers(0, 256, (21, *shape), dtype=np.uint8)
    model = pushforward.VAEGAN(**SMALL).fit(X)
    assert model.sample(2).shape == model.reconstruct(X[:2]).shape == (2, *shape)
