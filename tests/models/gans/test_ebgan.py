"""EBGAN: the energy, its margin and the pulling-away term."""

import numpy as np
import pytest
import torch
from torch import nn

import pushforward
from pushforward.errors import ParameterError
from pushforward.models.gans.ebgan import pulling_away
from pushforward.networks import Autoencoder
from pushforward.training import Stream, TensorSource

SMALL = {"width": 2, "latent": 3, "code": 4, "batch_size": 8, "device": "cpu", "random_state": 0}


@pytest.fixture
def images(rng):
    return rng.integers(0, 256, (40, 16, 16), dtype=np.uint8)


def test_pulling_away_is_the_loop_of_the_paper():
    codes = torch.randn(7, 5, dtype=torch.float64)
    total = 0.0
    for i in range(7):
        for j in range(7):
            if i != j:
                cosine = codes[i] @ codes[j] / (codes[i].norm() * codes[j].norm())
                total += cosine.item() ** 2
    assert pulling_away(codes).item() == pytest.approx(total / (7 * 6))


def test_pulling_away_of_parallel_and_orthogonal_codes():
    assert pulling_away(torch.ones(5, 3)).item() == pytest.approx(1)
    assert pulling_away(torch.tensor([[1.0, 2.0], [-3.0, -6.0]])).item() == pytest.approx(1)
    assert pulling_away(3 * torch.eye(4)).item() == pytest.approx(0, abs=1e-7)


class Shifted(nn.Module):
    """A decoder whose images differ from those that were encoded by ``by`` everywhere."""

    def __init__(self, by):
        super().__init__()
        self.by = nn.Parameter(torch.tensor(by))

    def forward(self, code):
        return code.unflatten(1, (1, 16, 16)) + self.by


@pytest.mark.parametrize(("by", "short"), [(0.1, 0.2), (-0.25, 0.05), (0.5, 0.0)])
def test_the_energy_and_its_margin(by, short, images):
    # an error of the same size at each pixel has that size for its energy, at any size of image
    critic = Autoencoder(nn.Flatten(), Shifted(by))
    model = pushforward.EBGAN(
        **SMALL, steps=1, learning_rate=1e-9, margin=0.3, networks={"critic": critic}
    ).fit(images)
    batch = Stream(TensorSource(torch.rand(8, 1, 16, 16)), 8, seed=0).batch(0)
    terms = model._critic_loss(batch)
    assert terms["real"].item() == pytest.approx(abs(by), abs=1e-5)
    assert terms["fake"].item() == pytest.approx(short, abs=1e-5)
    np.testing.assert_allclose(model.critic(images), -abs(by), atol=1e-5)


def test_the_player_lowers_the_energy_and_spreads_codes(images):
    model = pushforward.EBGAN(**SMALL, steps=1, weight=0.5).fit(images)
    stream = Stream(TensorSource(torch.rand(8, 1, 16, 16)), 8, seed=0)
    with torch.no_grad():
        terms = model._generator_loss(stream.batch(0))
        sample = model._generate(model._prior(stream.batch(0)))
        code = model.networks_["critic"].encoder(sample)
        torch.testing.assert_close(terms["player"], model._energy(sample).mean())
        torch.testing.assert_close(terms["pulling_away"], 0.5 * pulling_away(code))


def test_wrong_settings(images):
    wrong = ({"margin": 0.0}, {"weight": -1.0}, {"code": 0}, {"norm": "spectral"})
    for setting in wrong:
        with pytest.raises(ParameterError, match=next(iter(setting))):
            pushforward.EBGAN(**{**SMALL, "steps": 1, **setting}).fit(images)
    with pytest.raises(ParameterError, match="Autoencoder"):
        pushforward.EBGAN(**SMALL, steps=1, networks={"critic": nn.Linear(16, 16)}).fit(images)


def test_colour(rng):
    X = rng.integers(0, 256, (24, 32, 32, 3), dtype=np.uint8)
    model = pushforward.EBGAN(**SMALL, weight=0.0, steps=1).fit(X)
    assert model.sample(2).shape == (2, 32, 32, 3)
