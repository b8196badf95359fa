"""PPGN: chains of codes towards the classes asked for."""

import dataclasses

import numpy as np
import pytest
import torch
from torch import nn

import pushforward
from pushforward.errors import (
    DataError,
    NotFittedError,
    ParameterError,
    TrainingError,
    UnsupportedError,
)
from pushforward.metrics.features import find_features
from pushforward.models.gans import ppgn


@pytest.fixture(autouse=True)
def _short(monkeypatch):
    """What a denoiser of so few codes knows it has learned in a third of the steps."""
    monkeypatch.setitem(ppgn._DENOISER, "steps", 300)


SMALL = {"width": 2, "latent": 3, "batch_size": 8, "device": "cpu", "random_state": 0}


def point(h):
    """Codes as images of as many channels of one pixel."""
    return h[:, :, None, None]


def sides(x):
    """Logits of three classes: left, middle, right by the first channel."""
    first = x[:, 0, 0, 0]
    return torch.stack([-6 * first, torch.full_like(first, 3), 6 * first], 1)


def test_without_a_push_codes_stay_standard_normal():
    codes = pushforward.PPGN(point, sides, latent=2, push=0.0, pull=0.3, steps=20).sample(
        6000, random_state=0
    )
    codes = codes.flatten(1)
    torch.testing.assert_close(codes.mean(0), torch.zeros(2), atol=0.05, rtol=0)
    torch.testing.assert_close(codes.T.cov(), torch.eye(2), atol=0.06, rtol=0)


def test_langevin_samples_the_posterior():
    # log C(right | h) = log sigmoid(2 h) of a standard normal h: moments by quadrature
    def logits(x):
        return torch.cat([-x, x], 1).flatten(1)

    model = pushforward.PPGN(point, logits, latent=1, pull=0.04, push=0.04, steps=80)
    h = model.sample(3000, random_state=0, y=1).flatten().double()
    grid = torch.linspace(-8, 8, 4001, dtype=torch.float64)
    weight = torch.exp(-grid.square() / 2) * torch.sigmoid(2 * grid)
    mean = (weight * grid).sum() / weight.sum()
    square = (weight * grid.square()).sum() / weight.sum()
    assert h.mean().item() == pytest.approx(mean.item(), abs=0.06)
    assert h.square().mean().item() == pytest.approx(square.item(), abs=0.1)


def test_classes_asked_for_are_classes_seen():
    model = pushforward.PPGN(point, sides, latent=2)
    wanted = np.repeat([0, 1, 2], 30)
    seen = sides(model.sample(90, random_state=0, y=wanted)).argmax(1).numpy()
    assert (seen == wanted).mean() > 0.95
    drawn = sides(model.sample(120, random_state=0)).argmax(1)
    assert drawn.bincount(minlength=3).min() > 20


@pytest.fixture(scope="module")
def zeros_and_ones():
    """A generator of digits 0 and 1 that knows no class, and two classifiers that never met."""
    X = pushforward.open_images("digits")
    assert X.labels is not None
    rows = np.flatnonzero(X.labels < 2)
    images, labels = X.images[rows], X.labels[rows] + 5  # labels need not be places of logits
    settings = {**SMALL, "width": 8, "latent": 4, "batch_size": 32, "steps": 100}
    parts = (slice(0, None, 2), slice(1, None, 2))
    guide, judge = (
        find_features("classifier", train=images[p], y=labels[p], cache=False) for p in parts
    )
    return images, pushforward.VAE(**settings).fit(images), guide, judge


def test_digits_of_the_classes_asked_for(zeros_and_ones):
    images, generator, guide, judge = zeros_and_ones
    model = pushforward.PPGN(generator, guide, steps=40)
    wanted = np.repeat([5, 6], 20)

    def seen():
        made = model.sample(40, random_state=0, y=wanted)
        assert made.shape == (40, *images.shape[1:])
        assert made.dtype == np.uint8
        return judge.class_values[judge.probabilities(made).argmax(1)]

    assert (seen() == wanted).mean() > 0.9
    assert (model.sample(4, 1, y=5) == model.sample(4, 1, y=[5, 5, 5, 5])).all()
    assert "nguyen2017plug" in model.cite()
    assert "kingma2014auto" in model.cite()
    # a denoiser that has seen encodings tells where they lie
    model.fit(images, random_state=0)
    codes = torch.from_numpy(generator.draw_codes(images, 0))
    codes = (codes - model.centre_) / model.scale_
    noise = torch.randn(codes.shape, generator=torch.Generator().manual_seed(0))
    off = codes + model.blur_ * noise
    apart = [(h - codes).norm(dim=1).mean() for h in (off, model.denoiser_(off))]
    assert apart[1] < 0.95 * apart[0]
    assert (seen() == wanted).mean() > 0.9
    with pytest.raises(DataError, match="Known: 5, 6"):
        model.sample(2, y=7)


def test_where_the_prior_is_another_its_noise_moves(rng):
    X = rng.integers(0, 256, (24, 16, 16), dtype=np.uint8)
    generator = pushforward.BEGAN(**SMALL, steps=1).fit(X)

    def logits(x):
        return x.flatten(1)[:, :2]

    model = pushforward.PPGN(generator, logits, push=0.0, steps=3)
    made = model.sample(6, random_state=0, y=1)
    assert made.shape == (6, 16, 16)
    seen = []
    generator._generate, make = lambda z: (seen.append(z), make(z))[1], generator._generate
    model.sample(6, random_state=0, y=1)
    assert all(z.abs().max() <= 1 for z in seen)


def test_modules_are_as_they_were():
    network = nn.Sequential(nn.Flatten(), nn.Linear(2, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))
    before = {k: v.clone() for k, v in network.state_dict().items()}
    state = torch.random.get_rng_state()
    pushforward.PPGN(point, network, latent=2, steps=3).sample(5, random_state=0, y=0)
    assert network.training
    assert all(p.requires_grad and p.grad is None for p in network.parameters())
    assert all(torch.equal(v, before[k]) for k, v in network.state_dict().items())
    assert torch.equal(state, torch.random.get_rng_state())


@pytest.mark.parametrize(
    ("wrong", "match"),
    [
        ({"pull": 0.0}, "pull"),
        ({"pull": 1.5}, "pull"),
        ({"push": -1.0}, "push"),
        ({"steps": 0}, "steps"),
        ({"latent": None}, "latent"),
        ({"latent": 0}, "latent"),
    ],
)
def test_wrong_settings(wrong, match):
    with pytest.raises(ParameterError, match=match):
        pushforward.PPGN(point, sides, **{"latent": 2, **wrong}).sample(2, y=0)


def test_wrong_requests():
    model = pushforward.PPGN(point, sides, latent=2, steps=2)
    with pytest.raises(DataError, match="Known: 0, 1, 2"):
        model.sample(2, y=3)
    with pytest.raises(DataError, match="shape"):
        model.sample(2, y=[0, 1, 2])
    with pytest.raises(ParameterError, match="n_samples"):
        model.sample(0, y=1)
    with pytest.raises(UnsupportedError, match="encode"):
        model.fit(np.zeros((4, 2)))
    with pytest.raises(TrainingError, match="bounds"):
        pushforward.PPGN(point, lambda x: sides(x) / 0, latent=2, steps=2).sample(2, y=0)
    with pytest.raises(NotFittedError):
        pushforward.PPGN(pushforward.DCGAN(), sides).sample(2, y=0)


def test_classes_by_name(zeros_and_ones):
    named = pushforward.PPGN(point, sides, latent=2, class_names=["left", "middle", "right"])
    by_name = named.sample(6, random_state=0, y="right")
    assert torch.equal(by_name, named.sample(6, random_state=0, y=2))
    with pytest.raises(DataError, match=r"up is one .* Known: left, middle"):
        named.sample(2, y="up")
    few = pushforward.PPGN(point, sides, latent=2, class_names=["left", "right"])
    with pytest.raises(ParameterError, match="class_names has 2 names, and the classifier 3"):
        few.sample(2, y="left")


def test_a_classifier_of_a_set_brings_the_names():
    X = pushforward.open_images("digits")
    names = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
    named = dataclasses.replace(X, class_names=names)
    guide = find_features("classifier", train=named, y=named.labels, cache=False)
    assert guide.class_names[3] == "three"
    model = pushforward.PPGN(pushforward.VAE(**SMALL, steps=2).fit(X), guide, steps=2)
    by_name = model.sample(2, random_state=0, y=["three", "nine"])
    assert (by_name == model.sample(2, random_state=0, y=[3, 9])).all()


def test_a_fit_keeps_the_class_where_the_codes_hardly_vary():
    digits = pushforward.open_images("digits")
    few = np.flatnonzero(digits.labels < 3)
    images, labels = digits.images[few][:, 0], digits.labels[few]
    judge = find_features("classifier", train=images, y=labels, cache=False, random_state=0)
    generator = pushforward.VAEGAN(width=16, steps=80, random_state=0).fit(images)
    model = pushforward.PPGN(generator, judge)
    wanted = np.repeat([0, 1, 2], 10)

    def right():
        made = model.sample(30, random_state=0, y=wanted)[:, None]
        return (judge.class_values[judge.probabilities(made).argmax(1)] == wanted).mean()

    before = right()
    model.fit(images, random_state=0)
    assert before > 0.8
    assert right() > 0.8
