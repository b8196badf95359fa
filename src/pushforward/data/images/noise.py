"""Dequantisation noise of images that is a function of their own content.

The score of an image has to be the same alone, in any batch and in any order, so the noise under
it is a hash of its bytes, the place in the image and the number of the draw. See also
``data/noise.py``, which does this for the rows of tables.
"""

import numpy as np

from ..tables.dequantisation import GOLDEN, mix

__all__ = ["content_noise"]


def content_noise(images: np.ndarray, draw: int, levels: int) -> np.ndarray:
    """Whole numbers, uniform on 0 to levels - 1, for every byte.

    Args:
        images: uint8 (n, C, H, W).
        draw: which draw it is; every draw gives fresh numbers.
        levels: a power of two, at most 2^31.

    Returns:
        int32 of the shape of ``images``.

    >>> images = np.arange(32, dtype=np.uint8).reshape(2, 1, 4, 4)
    >>> alone = content_noise(images[1:], 0, 256)
    >>> bool((content_noise(images, 0, 256)[1:] == alone).all())
    True
    """
    flat = np.ascontiguousarray(images).reshape(len(images), -1)
    places = np.arange(flat.shape[1], dtype=np.uint64) * np.uint64(GOLDEN)
    # multilinear hashing: a random odd number a place, summed, then mixed
    odd = mix(places + np.uint64(1)) | np.uint64(1)
    keys = (flat + np.uint64(1)) @ odd
    keys = mix(keys + np.uint64((draw + 1) * GOLDEN % 2**64))
    bits = mix(keys[:, None] + places[None])
    shift = np.uint64(64 - (levels - 1).bit_length())
    return (bits >> shift).astype(np.int32).reshape(images.shape)
