"""What flows of images that are trained by gradient share: where they begin, and their loss."""

import math
from collections.abc import Mapping
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from ...estimators.image_flow import ImageFlow
from ...estimators.phased_images import PhasedImages, PixelSource
from ...training import Batch

__all__ = ["TrainedFlow"]

_LN2 = math.log(2)
_INITIAL = 256  # images for data-dependent initialisation; fewer where they are large


class TrainedFlow(ImageFlow, PhasedImages):
    """An invertible network of images, trained by maximum likelihood.

    Subclasses build a flow network that has ``initialise`` besides.
    """

    _autocast: ClassVar[bool] = False  # latents and log-determinants stay in float32

    def _prepare(self, source: PixelSource) -> None:
        """Initialise from one large batch, the same in every process."""
        _, h, w = self.pixels_.shape
        count = min(len(source), max(16, _INITIAL * 32 * 32 // max(h * w, 32 * 32)))
        rows = np.random.default_rng(self._seed).permutation(len(source))[:count]
        x, y = source.take(rows, torch.Generator().manual_seed(self._seed))
        y = None if y is None else y.to(self._device())
        self._initialise(source, x.to(self._device()), y)

    def _initialise(self, source: PixelSource, x: Tensor, y: Tensor | None) -> None:
        """Initialise the network from images ``x``, some of the source."""
        self._flow.initialise(x, y)

    def _loss(self, batch: Batch) -> dict[str, Tensor]:
        """Bits per dimension of the batch, under its own noise."""
        return {"bits": self._bits(self._flow.log_prob(batch.x, batch.y), batch.x).mean()}

    def _bits(self, log_prob: Tensor, x: Tensor) -> Tensor:
        """Bits per dimension (n,) of the images that became ``x``."""
        return -(log_prob + self._log_det(x)) / (self.pixels_.n_values * _LN2)

    def _log_det(self, x: Tensor) -> Tensor | float:
        """Log-determinant of bytes to ``x``, (n,) or a number."""
        p = self.pixels_
        if p.logit is None:
            return p.n_values * math.log((p.high - p.low) / 2**p.bits)
        width = (1 - 2 * p.logit) / 2**p.bits
        steep = torch.nn.functional.softplus(x) + torch.nn.functional.softplus(-x)
        return steep.flatten(1).sum(1) + p.n_values * math.log(width)

    def _measures(self, images: np.ndarray, labels: np.ndarray | None) -> Mapping[str, float]:
        few, size = slice(0, self.settings_["judged"]), self._at_once()
        images = images[few]
        classes = None if labels is None else torch.from_numpy(labels[few])
        scores = torch.cat(
            [
                self._scored(
                    images[k : k + size],
                    None if classes is None else classes[k : k + size],
                    draw=0,
                )
                for k in range(0, len(images), size)
            ]
        )
        return {"bits_per_dim": float(-scores.mean() / (self.pixels_.n_values * _LN2))}
