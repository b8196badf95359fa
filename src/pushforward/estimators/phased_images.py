"""Models of images that are trained by phases."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..data.images import ImageSource, Pixels
from .image_model import GivenImages, ImageModel
from .phased_model import DividedRows, PhasedModel

__all__ = ["PhasedImages", "PixelSource"]


@dataclass(frozen=True)
class PixelSource:
    """Rows of a source of images, as inputs of the networks.

    Attributes:
        images: all of them.
        rows: (n,) which of them count.
        labels: (n,) class numbers of the rows, or None.
        pixels: what carries bytes to tensors.
    """

    images: ImageSource
    rows: np.ndarray
    labels: np.ndarray | None
    pixels: Pixels

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, rows: np.ndarray, generator: torch.Generator) -> tuple[Tensor, Tensor | None]:
        """Images (n, C, H, W) with fresh noise, shifted and flipped, and their classes."""
        x, _ = self.pixels.encode(self.images[self.rows[rows]], generator, augment=True)
        return x, None if self.labels is None else torch.from_numpy(self.labels[rows])


class PhasedImages(PhasedModel, ImageModel):
    """A generative model of uint8 images, trained by the phases it names."""

    def _divide(self, data: GivenImages) -> DividedRows:
        rows, held_out = self._held_out(data)
        rows, labels = np.sort(rows), data.labels
        own = None if labels is None else labels[rows]
        source = PixelSource(data.images, rows, own, self.pixels_)
        return DividedRows(source, held_out, lambda: self._identity(data))
