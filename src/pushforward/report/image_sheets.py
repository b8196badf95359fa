"""Images on a page: sheets of tiles with clear gaps, as PNG."""

import base64
import io
import math

import numpy as np

from ..errors import DataError, UnsupportedError
from .page_parts import Picture

__all__ = ["sheet"]

_TILE = 64  # pixels up to which the sides of small images are enlarged
_GAP = 4


def sheet(
    images: np.ndarray,
    alt: str,
    *,
    columns: int | None = None,
    title: str = "",
    caption: str = "",
    apart: tuple[int, ...] = (),
) -> Picture:
    """Lay images side by side, row after row.

    Args:
        images: uint8 (n, C, H, W); of 4 or more channels the first three are shown, of 2
            the first.
        alt: what they are.
        columns: images a row; None makes the sheet about square.
        title, caption: lines above and below it.
        apart: columns that a wider gap goes before.

    Raises:
        DataError: for no images.
        UnsupportedError: if Pillow is not installed.

    >>> sheet(np.zeros((6, 1, 28, 28), np.uint8), "nothing").src[:22]
    'data:image/png;base64,'
    """
    try:
        from PIL import Image
    except ImportError as error:
        raise UnsupportedError(
            'Images need Pillow, which is not installed: pip install "pushforward[report]"'
        ) from error
    if images.ndim != 4 or not len(images):
        raise DataError(f"A sheet of shape {images.shape} was asked for. Expected (n, C, H, W).")
    n, channels, height, width = images.shape
    across = columns or math.ceil(math.sqrt(n))
    down = math.ceil(n / across)
    tiles = images[:, :3] if channels >= 3 else images[:, :1].repeat(3, axis=1)
    times = max(1, math.ceil(_TILE / max(height, width)))
    tiles = tiles.repeat(times, axis=2).repeat(times, axis=3)
    high, wide = tiles.shape[2:]
    left = np.arange(across) * (wide + _GAP)
    for column in apart:
        left[column:] += 3 * _GAP
    canvas = np.zeros((down * (high + _GAP) - _GAP, left[-1] + wide, 4), np.uint8)
    for i, tile in enumerate(tiles):
        y, x = (i // across) * (high + _GAP), left[i % across]
        canvas[y : y + high, x : x + wide, :3] = tile.transpose(1, 2, 0)
        canvas[y : y + high, x : x + wide, 3] = 255
    data = io.BytesIO()
    Image.fromarray(canvas).save(data, "PNG", optimize=True)
    src = "data:image/png;base64," + base64.b64encode(data.getvalue()).decode()
    return Picture(src, alt, caption, title)
