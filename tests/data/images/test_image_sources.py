"""What users have becomes (n, C, H, W), without copies, or a clear refusal."""

import numpy as np
import pytest
import torch

from pushforward.data import ArrayImages, ImageSet, as_images
from pushforward.data.images.image_sources import JoinedImages
from pushforward.errors import DataError, ParameterError

LAYOUTS = {"nhw": (0, 2, 3), "nhwc": (0, 2, 3, 1), "nchw": (0, 1, 2, 3)}


def given(inside, layout):
    """Images (n, C, H, W) as a user has them."""
    return inside[:, 0] if layout == "nhw" else inside.transpose(LAYOUTS[layout])


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("channels", [1, 3, 4, 5])
@pytest.mark.parametrize("convert", [np.asarray, torch.tensor, list])
def test_every_layout(pictures, layout, channels, convert):
    if layout == "nhw" and channels > 1:
        pytest.skip("no axis for the channels")
    inside = pictures(7, channels, 9, 9)
    source, found = as_images(convert(np.ascontiguousarray(given(inside, layout))))
    assert found == layout
    assert len(source) == 7
    assert source.shape == (channels, 9, 9)
    for which in (slice(None), slice(2, 5), [6, 0, 0], np.array([3]), inside[:, 0, 0, 0] > 90):
        got = source[which]
        assert got.dtype == np.uint8
        assert got.flags.c_contiguous
        assert got.flags.writeable
        np.testing.assert_array_equal(got, inside[which])


def test_batches_are_new_arrays(pictures):
    stored = pictures(4, 1, 3, 3)
    source = ArrayImages(stored)
    before = stored.copy()
    source[:][...] = 0
    source[[1, 2]][...] = 0
    np.testing.assert_array_equal(stored, before)
    assert source.array is stored


@pytest.mark.parametrize("which", [3, np.int64(1), [[0, 1]], [0.5], "all"])
def test_what_is_no_batch(pictures, which):
    with pytest.raises(ParameterError, match=r"slice.*images\[5:6\]"):
        ArrayImages(pictures(4, 1, 3, 3))[which]


def test_beyond_the_end(pictures):
    source = ArrayImages(pictures(4, 1, 3, 3))
    assert len(source[2:9]) == 2
    assert source[[]].shape == (0, 1, 3, 3)
    with pytest.raises(IndexError):
        source[[4]]


@pytest.mark.parametrize(
    ("X", "words"),
    [
        (np.zeros((2, 4, 4)), r"float64.*pixel_range=\(0, 1\)"),
        (np.zeros((2, 4, 4), int), "int64.*uint8"),
        (torch.zeros(2, 1, 4, 4), r"float32.*pixel_range=\(0, 1\)"),
        (np.zeros((4, 4), np.uint8), r"\(4, 4\).*\(N, H, W\)"),
        (np.zeros((2, 4, 4, 4, 4), np.uint8), "shape"),
        (np.zeros((0, 4, 4), np.uint8), "no images"),
        (np.zeros((2, 0, 4), np.uint8), "axes"),
        (np.zeros((2, 3, 3, 3), np.uint8), "layout='nhwc' or layout='nchw'"),
        (np.zeros((2, 5, 6, 7), np.uint8), "layout='nhwc' or layout='nchw'"),
        ([np.zeros((2, 2)), np.zeros((3, 3))], "one shape"),
        ("digits", "str.*open_images"),
        (None, "NoneType"),
    ],
)
def test_refused(X, words):
    with pytest.raises(DataError, match=words):
        as_images(X)


def test_a_layout_that_is_said(pictures):
    cube = pictures(2, 3, 3, 3)
    assert as_images(cube, "nhwc")[0].shape == (3, 3, 3)
    np.testing.assert_array_equal(as_images(cube, "nchw")[0][:], cube)
    np.testing.assert_array_equal(as_images(cube, "nhwc")[0][:], cube.transpose(0, 3, 1, 2))
    with pytest.raises(ParameterError, match="'hwc'"):
        as_images(cube, "hwc")
    np.testing.assert_array_equal(as_images(cube, "NHWC")[0][:], as_images(cube, "nhwc")[0][:])
    with pytest.raises(DataError, match="axes 'nhw'"):
        as_images(cube, "nhw")
    with pytest.raises(DataError, match="3 channels"):
        as_images(ArrayImages(cube), "nhw")


def test_sets_and_sources_go_through(pictures):
    grey, colour = ArrayImages(pictures(3, 1, 4, 4)), ArrayImages(pictures(3, 3, 4, 4))
    assert as_images(grey) == (grey, "nhw")
    assert as_images(ImageSet(colour)) == (colour, "nhwc")
    assert as_images(colour, "nchw") == (colour, "nchw")


def test_a_set_fits_together(pictures):
    images = ArrayImages(pictures(3, 1, 4, 4))
    found = ImageSet(images, np.arange(3), name="three", split="test")
    assert repr(found) == "ImageSet('three', 'test', 3 images of 1 x 4 x 4)"
    assert len(found) == 3
    with pytest.raises(DataError, match="labels"):
        ImageSet(images, np.arange(4))
    with pytest.raises(DataError, match="smile"):
        ImageSet(images, attributes={"smile": np.zeros(2, bool)})


def test_joined(pictures, rng):
    whole = pictures(20, 2, 3, 5)
    joined = JoinedImages([ArrayImages(part) for part in np.split(whole, [3, 4, 11])])
    assert (len(joined), joined.shape) == (20, (2, 3, 5))
    for which in (
        slice(None),
        slice(2, 15, 3),
        rng.integers(-20, 20, 50),
        [],
        whole[:, 0, 0, 0] > 9,
    ):
        np.testing.assert_array_equal(joined[which], whole[which])
    with pytest.raises(IndexError):
        joined[[20]]
    with pytest.raises(DataError, match="shapes"):
        JoinedImages([ArrayImages(whole), ArrayImages(whole[:, :1])])
