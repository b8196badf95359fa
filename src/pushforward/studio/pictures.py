"""Images as PNG: in an answer, or as one picture."""

import base64
import io
import math
from typing import Any

import numpy as np

from ..data import ArrayImages
from ..data.images.grid import grid, need_pillow
from ..estimators.capabilities import Capabilities

__all__ = ["as_nchw", "bits_per_dim", "grid_png", "heat", "png_uri"]

_LN2 = math.log(2)
_COSTS, _EARNS = np.array((213, 60, 0)), np.array((0, 114, 178))  # orange and blue, as elsewhere


def as_nchw(can: Capabilities, images: Any) -> np.ndarray:
    """Images as a model gives them, uint8 of shape (n, C, H, W)."""
    assert can.pixels is not None
    return ArrayImages(np.asarray(images), can.pixels.layout)[:]


def png_uri(image: np.ndarray) -> str:
    """One image (C, H, W) as an address that holds its own picture."""
    colour = image[:3] if len(image) >= 3 else image[0]
    pixels = np.ascontiguousarray(colour.transpose(1, 2, 0) if colour.ndim == 3 else colour)
    data = io.BytesIO()
    need_pillow().fromarray(pixels).save(data, "PNG", compress_level=1)
    return "data:image/png;base64," + base64.b64encode(data.getvalue()).decode()


def grid_png(images: np.ndarray, columns: int | None = None) -> bytes:
    """Images (n, C, H, W) side by side as one PNG."""
    data = io.BytesIO()
    need_pillow().fromarray(grid(images, columns)).save(data, "PNG")
    return data.getvalue()


def heat(values: np.ndarray, most: float) -> np.ndarray:
    """A map (H, W) as an image (3, H, W): orange where a place costs, blue where it is likely."""
    share = np.clip(values / (most or 1.0), -1, 1)[..., None]
    ink = np.where(share < 0, _COSTS, _EARNS)
    return (255 + np.abs(share) * (ink - 255)).round().astype(np.uint8).transpose(2, 0, 1)


def bits_per_dim(can: Capabilities, scores: np.ndarray) -> np.ndarray:
    """Log densities of images in nats as bits per dimension; lower is more likely."""
    assert can.pixels is not None
    return -np.asarray(scores) / (can.pixels.n_values * _LN2)
