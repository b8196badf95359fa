"""Arrays that are no bytes: taken on the scale that is said, else advised by their values."""

import numpy as np
import pytest
import torch

from pushforward.data import as_images, open_images
from pushforward.errors import DataError, ParameterError


@pytest.fixture
def held(pictures):
    """Bytes that reach both ends."""
    images = pictures(6, 5, 7)
    images[0, 0, :2] = 0, 255
    return images


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("pixel_range", [(-1, 1), (0, 1), (0, 255), (-0.5, 0.5)])
def test_every_byte_comes_back(held, dtype, pixel_range):
    low, high = pixel_range
    X = (low + (high - low) * (held / 255)).astype(dtype)
    source, layout = as_images(X, pixel_range=pixel_range)
    assert layout == "nhw"
    assert source[:].dtype == np.uint8
    np.testing.assert_array_equal(source[:][:, 0], held)
    np.testing.assert_array_equal(source[[3, 1]][:, 0], held[[3, 1]])


@pytest.mark.parametrize(
    ("X", "advice"),
    [
        (lambda b: b / 127.5 - 1, (-1, 1)),
        (lambda b: b / 255, (0, 1)),
        (lambda b: b.astype(float), (0, 255)),
        (lambda b: b.astype(np.int64), (0, 255)),
        (lambda b: b.astype(np.uint16) * 257, (0, 65535)),
        (lambda b: b / 255 - 0.5, (-0.5, 0.5)),
        (lambda b: torch.tensor(b / 127.5 - 1, dtype=torch.bfloat16), (-1, 1)),
    ],
)
def test_advice_brings_the_bytes_back(held, X, advice):
    """What the error advises is done, and gives the images again."""
    with pytest.raises(DataError, match=rf"pixel_range=\({advice[0]}, {advice[1]}\)"):
        as_images(X(held))
    got = as_images(X(held), pixel_range=advice)[0][:][:, 0]
    most = 1 if isinstance(X(held), torch.Tensor) else 0  # of bfloat16's 8 bits
    assert np.abs(got.astype(int) - held).max() <= most


def test_masks():
    mask = np.array([[[True, False]]])
    with pytest.raises(DataError, match=r"pixel_range=\(0, 1\)"):
        as_images(mask)
    assert as_images(mask, pixel_range=(0, 1))[0][:].ravel().tolist() == [255, 0]
    ones = mask.astype(np.uint8)
    assert as_images(ones, pixel_range=(0, 1))[0][:].ravel().tolist() == [255, 0]
    assert as_images(ones)[0][:].ravel().tolist() == [1, 0]  # bytes are bytes


@pytest.mark.parametrize(("white", "all_"), [(16, 255), (4095, 65535)])
def test_a_white_that_is_not_the_usual(held, white, all_):
    """As scikit-learn's digits, from 0 to 16: what is white cannot be known."""
    X = np.round(held / 255 * white)
    with pytest.raises(DataError, match=rf"\(0, {white}\) where {white} is white, \(0, {all_}\)"):
        as_images(X)
    assert as_images(X, pixel_range=(0, white))[0][:].max() == 255


def test_standardised_values_are_not_guessed(held):
    with pytest.raises(DataError, match=r"from -1\.7.* to 1\.7.*pixel_range=\(low, high\)"):
        as_images((held / 255.0 - 0.5) / 0.29)


def test_values_beyond_the_range(held):
    with pytest.raises(DataError, match=r"from 0 to 1, beyond pixel_range \(-1\.0, 0\.5\).*clip"):
        as_images(held / 255, pixel_range=(-1, 0.5))
    X = held / 255
    X[4, 1, 1] = np.nan
    with pytest.raises(DataError, match="NaN"):
        as_images(X, pixel_range=(0, 1))
    with pytest.raises(DataError, match="NaN"):
        as_images(X)
    with pytest.raises(DataError, match="complex128"):
        as_images(X.astype(complex))


@pytest.mark.parametrize("bad", [(1, 0), (0, 0), 1, "01", (0, np.inf), (0, np.nan), (0, 1, 2)])
def test_no_range(held, bad):
    with pytest.raises(ParameterError, match="pixel_range"):
        as_images(held, pixel_range=bad)


def test_files(tmp_path, held):
    np.save(tmp_path / "a.npy", held / 127.5 - 1)
    with pytest.raises(DataError, match=r"pixel_range=\(-1, 1\)"):
        open_images(tmp_path / "a.npy")
    found = open_images(tmp_path / "a.npy", pixel_range=(-1, 1))
    np.testing.assert_array_equal(found.images[:][:, 0], held)
    with pytest.raises(ParameterError, match="pixel_range is for arrays"):
        open_images("digits", pixel_range=(0, 1))
