"""Shifts and flips move whole pixels, fill with the edge, and are as likely as they should be."""

from collections import Counter

import numpy as np
import pytest
import torch

from pushforward.data import Pixels
from pushforward.data.images.augment import flip_and_shift


def shifted(image, down, across):
    """One image moved by whole pixels, by hand."""
    _, height, width = image.shape
    rows = np.clip(np.arange(height) + down, 0, height - 1)
    columns = np.clip(np.arange(width) + across, 0, width - 1)
    return image[:, rows][:, :, columns]


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize(("down", "across"), [(0, 0), (2, 1), (0, 3), (5, 0)])
def test_each_image_is_one_of_its_shifts(pictures, generator, down, across, flip):
    images = pictures(1, 3, 6, 7).repeat(4000, axis=0)
    kept = images.copy()
    seen = Counter(
        image.tobytes() for image in flip_and_shift(images, down, across, flip, generator)
    )
    expected = {
        shifted(side, dy, dx).tobytes(): (side is not images[0], dy, dx)
        for side in ((images[0], images[0][..., ::-1]) if flip else (images[0],))
        for dy in range(-down, down + 1)
        for dx in range(-across, across + 1)
    }
    assert set(seen) == set(expected)
    share = 4000 / len(expected)
    chi_square = sum((count - share) ** 2 / share for count in seen.values())
    freedom = len(expected) - 1
    assert chi_square <= freedom + 5 * np.sqrt(2 * freedom) + 1e-9
    np.testing.assert_array_equal(images, kept)


def test_images_move_each_on_its_own(pictures, generator):
    images = pictures(50, 2, 5, 5)
    moved = flip_and_shift(images, 1, 1, True, generator)
    for before, after in zip(images, moved, strict=True):
        options = [
            shifted(side, dy, dx)
            for side in (before, before[..., ::-1])
            for dy in (-1, 0, 1)
            for dx in (-1, 0, 1)
        ]
        assert any((after == option).all() for option in options)


def test_share_of_the_side(pictures):
    """A tenth of 32 is 3 pixels, as in Glow's code; a share too small for a pixel moves none."""
    images = pictures(1, 1, 32, 8).repeat(500, axis=0)
    x, log_det = Pixels((1, 32, 8), "nhw", shift=0.1, dequantise=False).encode(
        images, torch.Generator().manual_seed(0), augment=True
    )
    plain, same = Pixels((1, 32, 8), "nhw").encode(images[:1], None)
    kinds = {tuple(image.flatten().tolist()) for image in x}
    assert len(kinds) == 7
    assert (log_det == same).all()
    expected = {tuple(shifted(plain[0].numpy(), dy, 0).flatten().tolist()) for dy in range(-3, 4)}
    assert kinds == expected


def test_only_when_asked(pictures, generator):
    images = pictures(20, 1, 6, 6)
    pixels = Pixels((1, 6, 6), "nchw", shift=0.5, flip=True)
    np.testing.assert_array_equal(pixels.decode(pixels.encode(images, generator)[0]), images)
