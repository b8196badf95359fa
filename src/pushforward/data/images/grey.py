"""Colour images as grey ones, and grey images in three channels."""

import numpy as np

from ...errors import DataError
from ...validation import OneOf, check
from .image_sources import ImageSource, Which

__all__ = ["RecolouredImages"]

_LUMA = np.array([19595, 38470, 7471])  # ITU-R 601-2 in 1/65536, as Pillow has it


class RecolouredImages:
    """Images of a source as grey (1) or RGB (3), changed when they are read.

    Grey is the luma of ITU-R 601-2, rounded as Pillow rounds it; of four channels the last,
    transparency, is dropped.

    Args:
        source: images of 1, 3 or 4 channels.
        channels: 1 or 3.

    Raises:
        ParameterError: for another number of channels.
        DataError: for images of another number.
    """

    def __init__(self, source: ImageSource, channels: int) -> None:
        check({"channels": OneOf(1, 3, why="grey or RGB")}, {"channels": channels})
        if source.shape[0] not in (1, 3, 4):
            raise DataError(
                f"The images have {source.shape[0]} channels, which have no known colours. "
                "Expected 1, 3 or 4: leave channels out."
            )
        self.source = source
        self.shape: tuple[int, int, int] = (channels, *source.shape[1:])

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, which: Which) -> np.ndarray:
        images = self.source[which]
        if images.shape[1] == self.shape[0]:
            return images
        if images.shape[1] == 1:
            return images.repeat(3, axis=1)
        if self.shape[0] == 3:
            return np.ascontiguousarray(images[:, :3])
        luma = np.tensordot(images[:, :3].astype(np.int64), _LUMA, axes=(1, 0))
        return ((luma + 0x8000) >> 16).astype(np.uint8)[:, None]
