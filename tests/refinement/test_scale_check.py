"""Data and samples on two scales are refused, with what mends it; images come as they are."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn

import pushforward
from pushforward.errors import DataError
from pushforward.refinement import refine
from pushforward.refinement.scale_check import check_scale, pixels_like, spread_note


@pytest.fixture
def tanh():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(8, 64), nn.Tanh(), nn.Unflatten(1, (1, 8, 8)))


@pytest.fixture(scope="module")
def pixels():
    """Digits as bytes (n, 1, 8, 8)."""
    return torch.from_numpy(np.minimum(load_digits().images * 16, 255)).byte()[:, None]


@pytest.mark.parametrize(
    ("scale", "mend"),
    [(lambda x: x, "data / 127.5 - 1"), (lambda x: x / 255, r"2 \* data - 1")],
)
def test_a_tanh_generator_beside_data_on_another_scale_is_refused(tanh, pixels, scale, mend):
    with pytest.raises(DataError, match=mend):
        refine(tanh, scale(pixels), prior=8, method="resampling")
    mended = pixels / 127.5 - 1
    check_scale(mended, tanh(torch.randn(100, 8)).detach())


def test_bytes_and_shares_are_told_apart_whichever_side_they_are_on(pixels):
    as_bytes, unit, signed = pixels.float(), pixels / 255, pixels / 127.5 - 1
    for a in (as_bytes, unit, signed):
        for b in (as_bytes, unit, signed):
            if a is b:
                check_scale(a, b)
                continue
            with pytest.raises(DataError, match="Expected both on one scale: give ") as error:
                check_scale(a, b)
            mend = str(error.value).partition("give ")[2].partition(" as data")[0]
            check_scale(eval(mend, {"data": a}), b)


def test_bad_generators_are_not_refused():
    draw = torch.Generator().manual_seed(0)
    data = torch.randn(500, 3, generator=draw)
    check_scale(data, data + 5)
    check_scale(data, 0.001 * data)  # collapsed
    check_scale(data, torch.zeros(500, 3))
    check_scale(data, data[:, :2])  # which is another error
    check_scale(data * torch.tensor([1.0, 1.0, 0.0]), 30 * data)
    unit = torch.rand(200, 30, generator=draw)
    check_scale(unit, unit - 0.3)
    with pytest.raises(DataError, match="spread 100 times"):
        check_scale(data, 100 * data)
    with pytest.raises(DataError, match=r"spread 0\.01 times"):
        check_scale(100 * data + 2000, data)


def test_a_set_of_images_is_data_for_any_generator(tanh, pixels):
    images = pushforward.open_images("digits")
    model = refine(tanh, images, prior=8, method="resampling", settings={"pool": 2})
    assert model.sample(3, random_state=0).shape == (3, 1, 8, 8)
    assert sum(model.report_.rows) == len(images)
    x = pixels[:9]
    unit = pixels_like(x, torch.rand(4, 8, 8, 1))
    assert unit.shape == (9, 8, 8, 1)
    assert (unit >= 0).all()
    assert 0.9 < unit.max() <= 1
    assert torch.equal(pixels_like(x, 255 * torch.rand(4, 64)), x.flatten(1).float())
    assert pixels_like(x, torch.rand(4, 8, 8) - 0.5).min() == -1
    with pytest.raises(DataError, match="channels last"):
        pixels_like(x, torch.rand(4, 9, 9))


def test_samples_that_hardly_vary_beside_the_data_are_noted(generator):
    real, shares = (torch.randn(500, 3, generator=generator) for _ in range(2))
    assert "spread 0.00097 times as far" in spread_note(1000 * real, shares)
    assert spread_note(real, shares) == ""
    some = torch.cat([0.001 * shares[:, :1], shares[:, 1:]], dim=1)  # one number has collapsed
    assert spread_note(real, some) == ""
