"""Edits of images in the latent space of a flow: interpolation, and attributes as directions."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import DataError
from ..validation import Integer, check

__all__ = ["LatentEdits"]


class LatentEdits:
    """Edits of images by a model that encodes them to latents (n, D) and decodes those.

    A mixin of :class:`~pushforward.estimators.image_flow.ImageFlow`.
    """

    def encode(self, X: Any, y: Any = None) -> np.ndarray:
        """The latents of images, (n, D)."""
        raise NotImplementedError

    def decode(self, Z: Any, y: Any = None) -> np.ndarray:
        """The images of latents (n, D)."""
        raise NotImplementedError

    def interpolate(self, a: Any, b: Any, steps: int = 9, y: Any = None) -> np.ndarray:
        """Images between ``a`` and ``b``, by linear interpolation of their latents.

        Args:
            a, b: n images each.
            steps: images on the way, both ends among them.
            y: (n,) labels of the pairs or one for all, for conditional models. Both ends and all
                between are encoded and decoded under it; the ends come back under any label.

        Returns:
            uint8 of shape (steps, n, ...), the rest in the layout of ``fit``: of each step the n
            images, as all models have it.
        """
        check({"steps": Integer(2)}, {"steps": steps})
        if len(a) != len(b):
            raise DataError(f"a has {len(a)} images and b {len(b)}. Expected as many.")
        start, end = self.encode(a, y), self.encode(b, y)
        share = np.linspace(0, 1, int(steps), dtype=np.float32)[None, :, None]
        images = self._paths((1 - share) * start[:, None] + share * end[:, None], y)
        return images.swapaxes(0, 1)

    def attribute_direction(
        self, images_with: Any, images_without: Any, y_with: Any = None, y_without: Any = None
    ) -> np.ndarray:
        """The latent direction of an attribute: mean latent with it less mean without, (D,).

        Kingma and Dhariwal, "Glow", 2018, section 6; their code multiplies it by 1.6.

        Args:
            images_with, images_without: images that have it, and images that do not.
            y_with, y_without: their labels, or one for all, for conditional models: what a label
                explains is then no part of the direction.
        """
        have = self.encode(images_with, y_with).mean(0)
        return have - self.encode(images_without, y_without).mean(0)

    def manipulate(
        self, X: Any, direction: Any, amounts: float | Sequence[float], y: Any = None
    ) -> np.ndarray:
        """Images with more or less of an attribute.

        Args:
            X: n images.
            direction: (D,), as of :meth:`attribute_direction`.
            amounts: multiples of the direction to add, one or several; 0 is the image itself.
            y: (n,) labels of the images or one for all, for conditional models.

        Returns:
            uint8 of shape (n, number of amounts, ...).
        """
        z = self.encode(X, y)
        direction = np.asarray(direction, dtype=np.float32)
        if direction.shape != z.shape[1:]:
            raise DataError(f"direction has shape {direction.shape}. Expected {z.shape[1:]}.")
        alphas = np.atleast_1d(np.asarray(amounts, dtype=np.float32))
        if alphas.ndim != 1:
            raise DataError(f"amounts have shape {alphas.shape}. Expected a number or a list.")
        return self._paths(z[:, None] + alphas[None, :, None] * direction, y)

    def _paths(self, z: np.ndarray, y: Any) -> np.ndarray:
        """Images of latents (n, k, D), each row under its label."""
        n, k, _ = z.shape
        if y is not None and np.ndim(y) == 1 and len(y) == n:
            y = np.repeat(y, k)
        images = self.decode(z.reshape(n * k, -1), y)
        return images.reshape(n, k, *images.shape[1:])
