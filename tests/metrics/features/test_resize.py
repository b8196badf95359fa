"""Resizing agrees with Pillow on floating-point images, torch, and TensorFlow 1's rule."""

import numpy as np
import pytest
import torch
from PIL import Image

from pushforward.errors import ParameterError
from pushforward.metrics.features.resize import RESIZERS, resize, resize_matrix


def pillow(image, size):
    kept = Image.fromarray(image.astype(np.float32), mode=None)
    assert kept.mode == "F"
    return np.asarray(kept.resize((size[1], size[0]), Image.Resampling.BICUBIC))


@pytest.mark.parametrize(
    ("before", "after"),
    [((28, 28), (299, 299)), ((97, 64), (32, 41)), ((64, 64), (7, 130)), ((5, 1), (8, 8))],
)
def test_antialiased_is_pillows_bicubic_on_floats(rng, before, after):
    image = rng.integers(0, 256, before).astype(np.float32)
    ours = resize(torch.from_numpy(image)[None, None], after)[0, 0].numpy()
    np.testing.assert_allclose(ours, pillow(image, after).clip(0, 255), atol=2e-3)


@pytest.mark.parametrize("after", [(299, 299), (13, 40)])
def test_bilinear_is_torchs_without_antialiasing(after):
    images = torch.rand(2, 3, 32, 21) * 255
    theirs = torch.nn.functional.interpolate(images, after, mode="bilinear", align_corners=False)
    torch.testing.assert_close(resize(images, after, "bilinear"), theirs, atol=1e-3, rtol=0)


def test_tf1_puts_pixel_centres_at_zero():
    line = torch.tensor([[[[0.0, 10.0]]]])
    assert resize(line, (1, 4), "tf1").flatten().tolist() == [0.0, 5.0, 10.0, 10.0]


@pytest.mark.parametrize("method", RESIZERS)
@pytest.mark.parametrize(("inputs", "outputs"), [(8, 299), (512, 299), (7, 3), (1, 5)])
def test_a_constant_stays_constant(method, inputs, outputs):
    torch.testing.assert_close(
        resize_matrix(inputs, outputs, method).sum(dim=1), torch.ones(outputs).double()
    )


def test_only_antialiasing_sees_every_pixel():
    seen = {m: (resize_matrix(40, 8, m) != 0).any(dim=0).float().mean().item() for m in RESIZERS}
    assert seen["antialiased"] > 0.95
    assert seen["bilinear"] < 0.5
    assert seen["tf1"] < 0.5


def test_the_filters_overshoot_is_clipped():
    step = torch.zeros(1, 1, 4, 4)
    step[..., 2:] = 255
    resized = resize(step, 64)
    assert resized.min() == 0
    assert resized.max() == 255


def test_an_unknown_method_is_named():
    with pytest.raises(ParameterError, match=r"'nearest'.*antialiased, bilinear, tf1"):
        resize(torch.zeros(1, 1, 4, 4), 8, "nearest")
