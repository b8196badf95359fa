"""Grids of images in one PNG, with captions where they help."""

import io
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import DataError, ParameterError
from ...storage.atomic import write_file_atomically

__all__ = ["grid", "need_pillow", "write_grid", "write_picture"]

_PAGE = 1000  # pixels of the longer side up to which small images are enlarged
_TILE = 112  # and of an image
_GAP = 2
_FONT = 14
_INK = (40, 40, 40)


def grid(images: np.ndarray, columns: int | None = None) -> np.ndarray:
    """Lay images side by side, row after row, small ones enlarged by a whole factor.

    Args:
        images: uint8 (n, C, H, W) with 1 or 3 channels; of 4 the first three are shown, of other
            numbers the first.
        columns: images a row; None makes the grid about square.

    Returns:
        uint8 of shape (height, width, 3).

    Raises:
        DataError: for no images.

    >>> grid(np.zeros((6, 1, 28, 28), np.uint8), columns=3).shape
    (230, 344, 3)
    """
    if images.ndim != 4 or not len(images):
        raise DataError(f"A grid of shape {images.shape} was asked for. Expected (n, C, H, W).")
    n, channels, height, width = images.shape
    across = columns or math.ceil(math.sqrt(n))
    down = math.ceil(n / across)
    colour = images[:, :3] if channels >= 3 else images[:, :1].repeat(3, axis=1)
    times = _enlargement(height, width, across, down)
    colour = colour.repeat(times, axis=2).repeat(times, axis=3)
    high, wide = height * times + _GAP, width * times + _GAP
    canvas = np.full((down * across, 3, high, wide), 255, np.uint8)
    canvas[:n, :, _GAP:, _GAP:] = colour
    laid = canvas.reshape(down, across, 3, high, wide).transpose(0, 3, 1, 4, 2)
    page = laid.reshape(down * high, across * wide, 3)
    return np.pad(page, ((0, _GAP), (0, _GAP), (0, 0)), constant_values=255)


def _enlargement(height: int, width: int, across: int, down: int) -> int:
    fits = _PAGE // max(across * width, down * height)
    return max(1, min(fits, math.ceil(_TILE / max(height, width))))


def write_grid(
    path: str | os.PathLike[str],
    images: np.ndarray,
    columns: int | None = None,
    *,
    heads: Sequence[str] = (),
    sides: Sequence[str] = (),
) -> None:
    """Write :func:`grid` as a PNG, whole or not at all; folders on the way are made.

    Args:
        path: ends in .png.
        images, columns: as of :func:`grid`.
        heads: captions above the columns.
        sides: captions left of the rows.

    Raises:
        ParameterError: if the name does not end in .png, or Pillow is not installed.
        DataError: for no images.
    """
    Image = need_pillow()
    path = Path(path)
    if path.suffix.lower() != ".png":
        raise ParameterError(f"{path} was asked for. Expected a name that ends in .png.")
    page = Image.fromarray(grid(images, columns))
    if heads or sides:
        across = columns or math.ceil(math.sqrt(len(images)))
        page = _captioned(page, across, math.ceil(len(images) / across), heads, sides)
    data = io.BytesIO()
    page.save(data, "PNG")
    path.parent.mkdir(parents=True, exist_ok=True)
    write_file_atomically(path, data.getvalue())


def write_picture(path: str | os.PathLike[str], image: np.ndarray) -> None:
    """Write one image (C, H, W) of 1, 3 or 4 channels as a PNG.

    Raises:
        DataError: for other numbers of channels.
        ParameterError: if Pillow is not installed.
    """
    if len(image) not in (1, 3, 4):
        raise DataError(
            f"Images of {len(image)} channels are no pictures. Expected 1, 3 or 4: write arrays."
        )
    pixels = image[0] if len(image) == 1 else np.ascontiguousarray(image.transpose(1, 2, 0))
    need_pillow().fromarray(pixels).save(path, "PNG")


def need_pillow() -> Any:
    """Return the module of pictures of Pillow.

    Raises:
        ParameterError: where it is not installed, with the command that installs it.
    """
    try:
        from PIL import Image
    except ImportError as error:
        raise ParameterError("Pictures need Pillow: pip install 'pushforward[images]'.") from error
    return Image


def _captioned(
    page: Any, across: int, down: int, heads: Sequence[str], sides: Sequence[str]
) -> Any:
    """The page with text above its columns and left of its rows, in margins that are added."""
    from PIL import Image, ImageDraw, ImageFont

    font = ImageFont.load_default(_FONT)
    left = math.ceil(max((font.getlength(text) for text in sides), default=-8)) + 8
    top = _FONT + 8 if heads else 0
    whole = Image.new("RGB", (page.width + left, page.height + top), "white")
    whole.paste(page, (left, top))
    draw = ImageDraw.Draw(whole)
    wide, high = (page.width - _GAP) / across, (page.height - _GAP) / down
    for j, text in enumerate(heads):
        middle = left + (j + 0.5) * wide + _GAP / 2
        draw.text((middle, top / 2), text, fill=_INK, font=font, anchor="mm")
    for i, text in enumerate(sides):
        middle = top + (i + 0.5) * high + _GAP / 2
        draw.text((left - 4, middle), text, fill=_INK, font=font, anchor="rm")
    return whole
