"""Colour to grey as Pillow has it, grey to three channels."""

import numpy as np
import pytest
from PIL import Image

from pushforward.data import open_images
from pushforward.errors import DataError, ParameterError


def test_grey_is_pillows(pictures):
    colour = pictures(20, 16, 16, 3)
    grey = open_images(colour, channels=1).images
    assert grey.shape == (1, 16, 16)
    expected = [np.asarray(Image.fromarray(image).convert("L")) for image in colour]
    np.testing.assert_array_equal(grey[:][:, 0], expected)
    with_alpha = np.concatenate([colour, colour[..., :1]], -1)
    np.testing.assert_array_equal(open_images(with_alpha, channels=1).images[:], grey[:])
    rgb = open_images(with_alpha, channels=3).images[:]
    np.testing.assert_array_equal(rgb, colour.transpose(0, 3, 1, 2))


def test_three_equal_channels(pictures):
    grey = pictures(5, 4, 4)
    found = open_images(grey, channels=3).images[1:3]
    for channel in range(3):
        np.testing.assert_array_equal(found[:, channel], grey[1:3])
    np.testing.assert_array_equal(open_images(grey, channels=1).images[:][:, 0], grey)


def test_refused(pictures):
    for channels in (2, True, "grey", 0):
        with pytest.raises(ParameterError, match="channels"):
            open_images(pictures(2, 4, 4), channels=channels)
    with pytest.raises(DataError, match="5 channels"):
        open_images(pictures(2, 5, 9, 9), channels=1)
