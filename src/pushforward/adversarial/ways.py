"""What a model can do besides making images: a critic's word, and a way back to codes."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..errors import DataError, ParameterError
from .adversarial_model import AdversarialModel

__all__ = ["WithCritic", "WithEncoder"]


class WithCritic(AdversarialModel):
    """A model with a network that tells data from samples."""

    def critic(self, X: Any) -> np.ndarray:
        """What the critic says of images, (n,) float32: higher is more like the data.

        A logit where it was trained as a classifier, so that odds are its exponential. It was
        trained against this generator only; it is no likelihood.

        Raises:
            DataError: for images of another shape.
        """
        self._check_fitted()
        with torch.no_grad():
            parts = [self._logit("critic", self._seen(x)).cpu() for _, x in self._chunks(X)]
        return torch.cat(parts).numpy()


class WithEncoder(AdversarialModel):
    """A model with a way back, from images to codes.

    Sampling from a density fitted to the codes instead of the prior is composition::

        model.decode(pushforward.GIS().fit(model.encode(X)).sample(64))
    """

    def _code(self, x: Tensor) -> Tensor:
        """Codes (n, latent) of what the networks see."""
        return self.networks_["encoder"](x)

    def encode(self, X: Any, y: Any = None) -> np.ndarray:
        """Codes of images: (n, latent) float32. ``y`` is not used.

        Raises:
            DataError: for images of another shape.
        """
        self._check_fitted()
        with torch.no_grad():
            return torch.cat([self._code(self._seen(x)).cpu() for _, x in self._chunks(X)]).numpy()

    def reconstruct(self, X: Any) -> np.ndarray:
        """Images through their codes and back: like the images, not equal to them."""
        return self.decode(self.encode(X))

    def interpolate(self, a: Any, b: Any, steps: int = 9) -> np.ndarray:
        """Images on the way from ``a`` to ``b``, straight between their codes.

        Args:
            a, b: n images each.
            steps: images on the way, both ends (reconstructed) among them.

        Returns:
            uint8 of shape (n, steps, ...), the rest in the layout of ``fit``.
        """
        if not isinstance(steps, (int, np.integer)) or steps < 2:
            raise ParameterError(f"steps is {steps!r}. Expected a whole number of at least 2.")
        start, end = self.encode(a), self.encode(b)
        if start.shape != end.shape:
            raise DataError(f"a has {len(start)} images and b {len(end)}. Expected as many.")
        share = np.linspace(0, 1, int(steps), dtype=np.float32)[None, :, None]
        way = (1 - share) * start[:, None] + share * end[:, None]
        images = self.decode(way.reshape(-1, way.shape[-1]))
        return images.reshape(len(start), int(steps), *images.shape[1:])

    def latent_report(self, X: Any) -> dict[str, float]:
        """How near the codes of images are to the prior, N(0, I).

        Args:
            X: images, at least twice as many as a code is long for steady figures.

        Returns:
            ``mean``, root mean square of the codes' means (0 under the prior); ``deviation``,
            mean of their standard deviations (1); ``correlation``, the largest between two
            coordinates in size (0); ``frechet``, the 2-Wasserstein distance squared of a normal
            with the codes' moments from the prior, for each coordinate (0).
        """
        codes = self.encode(X).astype(np.float64)
        if len(codes) < 2:
            raise DataError("latent_report has 1 image. Expected several.")
        mean, deviation = codes.mean(0), codes.std(0)
        covariance = np.atleast_2d(np.cov(codes, rowvar=False, bias=True))
        standard = covariance / np.maximum(np.outer(deviation, deviation), 1e-24)
        np.fill_diagonal(standard, 0.0)
        roots = np.sqrt(np.linalg.eigvalsh(covariance).clip(0))
        return {
            "mean": float(np.sqrt((mean**2).mean())),
            "deviation": float(deviation.mean()),
            "correlation": float(np.abs(standard).max()),
            "frechet": float(((mean**2).sum() + ((roots - 1) ** 2).sum()) / len(mean)),
        }
