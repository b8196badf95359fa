"""Both constructions of coloured digits have the statistics they are defined by."""

import numpy as np
import pytest

from pushforward.data import ImageSet, as_images, color_mnist
from pushforward.errors import DataError, ParameterError


def test_metz():
    """Noise-free parts follow clip(I C + (I - 1)); black stays at -1 up to clipped noise."""
    grey = np.zeros((9000, 2, 3), np.uint8)
    grey[:, 0], grey[:, 1, 0] = 255, 128
    found = color_mnist("metz", grey, np.arange(9000) % 10, random_state=1)
    x = (found.images[:].astype(np.float64) + 0.5) / 128 - 1
    assert found.images.shape == (3, 2, 3)
    black = x[:, :, 1, 1:]
    assert (black < -0.99).mean() == pytest.approx(0.5, abs=0.02)  # half of the noise is cut off
    white = x[:, :, 0]
    assert white.mean() == pytest.approx(0, abs=0.02)
    colour = white.mean(axis=2)  # N(0, 0.5^2) and a third of the noise, the ends clipped
    assert np.median(np.abs(colour)) == pytest.approx(
        0.6745 * np.hypot(0.5, 0.2 / np.sqrt(3)), rel=0.03
    )
    noise = np.diff(white, axis=2)[np.abs(colour) < 0.3]
    assert noise.std() == pytest.approx(0.2 * np.sqrt(2), rel=0.03)
    between = np.corrcoef(colour.T)
    assert np.abs(between - np.eye(3)).max() < 0.05
    assert np.median(x[:, :, 1, 0]) == pytest.approx(128 / 255 - 1, abs=0.02)
    assert found.labels.tolist() == [*range(10)] * 900


def test_stacked(pictures):
    grey, labels = pictures(3000, 4, 4), np.arange(3000) % 10
    found = color_mnist(
        "stacked", ImageSet(as_images(grey)[0], labels, split="test"), random_state=2
    )
    assert (found.name, found.split, found.images.shape) == ("stacked_mnist", "test", (3, 4, 4))
    assert found.class_names[407] == "407"
    modes = np.stack([found.labels // 100, found.labels // 10 % 10, found.labels % 10], 1)
    images = found.images[:]
    where = {image.tobytes(): label for image, label in zip(grey, labels, strict=True)}
    for channel in range(3):
        told = [where[plane.tobytes()] for plane in images[:100, channel]]
        np.testing.assert_array_equal(told, modes[:100, channel])
    assert 900 < len(np.unique(found.labels)) <= 1000


@pytest.mark.parametrize("kind", ["metz", "stacked"])
def test_seeds(pictures, kind):
    grey, labels = pictures(50, 4, 4), np.arange(50) % 10

    def draw(seed):
        return color_mnist(kind, grey, labels, seed).images[:]

    np.testing.assert_array_equal(draw(3), draw(3))
    assert (draw(3) != draw(4)).any()


def test_refused(pictures):
    grey, colour = pictures(5, 4, 4), pictures(5, 4, 4, 3)
    with pytest.raises(ParameterError, match="'rgb'"):
        color_mnist("rgb", grey)
    with pytest.raises(DataError, match="3 channels"):
        color_mnist("metz", colour)
    with pytest.raises(DataError, match=r"shape \(4,\)"):
        color_mnist("metz", grey, np.zeros(4))
    for labels in (None, np.arange(5) + 6, np.arange(5) - 1):
        with pytest.raises(DataError, match="0 to 9"):
            color_mnist("stacked", grey, labels)
    with pytest.raises(DataError, match="NoneType"):
        color_mnist()
