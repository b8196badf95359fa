"""Sizes and crops: which part of a picture, at what size."""

from collections import Counter

import numpy as np
import pytest
from PIL import Image

from pushforward.data import ArrayImages
from pushforward.data.images.cropping import FramedImages, Framing, one_size
from pushforward.errors import DataError, ParameterError


def ramp(width, height):
    """A picture whose brightness is the column, and one whose brightness is the row."""
    columns, rows = np.meshgrid(np.arange(width), np.arange(height))
    return np.stack([columns, rows]).astype(np.uint8)


def framed(image, **options):
    return np.asarray(Framing(**options).apply(Image.fromarray(image)))


def test_a_centred_square():
    columns, rows = (framed(plane, crop=148) for plane in ramp(178, 218))
    assert columns.shape == (148, 148)
    assert (columns[0, 0], columns[0, -1]) == (15, 162)
    assert (rows[0, 0], rows[-1, 0]) == (35, 182)


def test_closecrop():
    columns, rows = (framed(plane, crop="closecrop") for plane in ramp(178, 218))
    assert columns.shape == (64, 64)
    middle = np.arange(64) * 140 / 64 + 140 / 128 - 0.5  # of each of the 64 parts of 140 pixels
    np.testing.assert_allclose(columns[30], 19 + middle, atol=1.1)
    np.testing.assert_allclose(rows[:, 30], 39 + middle, atol=1.1)
    assert framed(ramp(178, 218)[0], crop="closecrop", size=32).shape == (32, 32)


def test_resizecrop():
    columns, rows = (framed(plane, crop="resizecrop") for plane in ramp(178, 218))
    assert columns.shape == (64, 64)
    np.testing.assert_allclose(columns[30], (np.arange(64) + 0.5) * 178 / 64 - 0.5, atol=1.6)
    np.testing.assert_allclose(rows[:, 30], (np.arange(7, 71) + 0.5) * 218 / 78 - 0.5, atol=1.6)


def test_size_takes_the_largest_centred_part():
    columns, rows = (framed(plane, size=(10, 20)) for plane in ramp(100, 80))
    assert columns.shape == (10, 20)
    np.testing.assert_allclose(columns[5], np.arange(20) * 5 + 2, atol=1.1)
    np.testing.assert_allclose(rows[:, 5], np.arange(10) * 5 + 2 + 15, atol=1.1)


def test_nothing_to_do(pictures):
    image = pictures(9, 7)
    np.testing.assert_array_equal(framed(image), image)
    np.testing.assert_array_equal(framed(image, size=(9, 7)), image)
    assert not Framing().changes


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5])
def test_arrays_of_any_number_of_channels(pictures, channels):
    images = pictures(3, channels, 12, 10)
    source = FramedImages(ArrayImages(images), Framing(size=5, crop=8))
    assert (len(source), source.shape) == (3, (channels, 5, 5))
    got = source[1:]
    assert got.shape == (2, channels, 5, 5)
    np.testing.assert_array_equal(got[1, -1], framed(images[2, -1], size=5, crop=8))


@pytest.mark.parametrize(
    "options",
    [
        *({"size": 0}, {"size": 1.5}, {"size": (3,)}, {"size": True}, {"size": (0, 4)}),
        *({"crop": 0}, {"crop": "centre"}, {"crop": (3, 3)}, {"crop": True}),
        {"crop": "resizecrop", "size": 32},
    ],
)
def test_refused_options(options):
    with pytest.raises(ParameterError, match=r"size|crop"):
        Framing(**options)


def test_crops_that_do_not_fit():
    with pytest.raises(DataError, match="178 x 218, and these are 64 x 64"):
        Framing(crop="closecrop").output(64, 64)
    with pytest.raises(DataError, match="too small"):
        Framing(crop=65).output(64, 80)


def test_sizes_are_named():
    sizes = Counter({(64, 48): 3, (48, 64): 1})
    with pytest.raises(DataError, match=r"2 sizes: 64 x 48 \(3\), 48 x 64 \(1\).*size=SIDE"):
        one_size(sizes, Framing(), "folder")
    assert one_size(sizes, Framing(size=32), "folder") == (32, 32)
    assert one_size(sizes, Framing(crop=40), "folder") == (40, 40)
