"""Writers of the published layouts, from small arrays."""

import gzip
import struct

import numpy as np
import pytest
from PIL import Image


def write_idx(path, array, magic=None):
    head = struct.pack(">BBBB", 0, 0, 8, array.ndim) if magic is None else magic
    data = head + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def write_picture(path, pixels, **options):
    """Write (H, W) or (H, W, 3) uint8, without loss."""
    path.parent.mkdir(parents=True, exist_ok=True)
    options = options | ({"lossless": True} if path.suffix == ".webp" else {})
    Image.fromarray(pixels).save(path, **options)
    return path


@pytest.fixture(name="write_idx")
def write_idx_fixture():
    return write_idx


@pytest.fixture(name="write_picture")
def write_picture_fixture():
    return write_picture


@pytest.fixture
def pictures(rng):
    """Make uint8 images of a shape."""

    def make(*shape):
        return rng.integers(0, 256, size=shape, dtype=np.uint8)

    return make
