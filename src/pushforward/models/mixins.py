"""What a model can do besides making images: a critic's word, and a way back to codes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from ..devices import inference
from ..errors import DataError, ParameterError
from ..estimators.generator_model import CriticModel
from ..estimators.parameters import drawn_seed
from ..validation import Integer, Rule, check
from .image_generator import AdversarialModel

__all__ = ["WithConvolutionalCritic", "WithCritic", "WithEncoder", "WithEnergy", "WithPosterior"]


class WithCritic(AdversarialModel, CriticModel):
    """A model with a critic, a network that discriminates data from samples."""


@dataclass(kw_only=True, eq=False, repr=False)
class WithConvolutionalCritic(WithCritic):
    """A model whose critic is the architecture's, with a hidden layer before its last if asked."""

    norm: str | None = None
    hidden: int | None = None

    _rules: ClassVar[Mapping[str, Rule]] = {"hidden": Integer(0) | None}

    def _critic_network(self, shape: tuple[int, int, int]) -> nn.Module:
        """The critic of images of that shape, with the weights it begins with."""
        nets, norm = self._architecture(shape), self.settings_["norm"]
        hidden = self.settings_.get("hidden", 0)  # folders of older versions do not say
        return nets.deep_critic(norm, hidden) if hidden else nets.critic(norm)


class WithEnergy(WithCritic):
    """A model whose critic is an autoencoder: images it cannot redraw have a high energy."""

    def _energy(self, x: Tensor) -> Tensor:
        """How far each row is from what the critic redraws, (n,)."""
        raise NotImplementedError

    def _missed(self, x: Tensor, redrawn: Tensor) -> Tensor:
        """What is missing of images (n, C, H, W) in what the critic made of them."""
        if redrawn.shape != x.shape:
            raise ParameterError(
                f"The network 'critic' made {tuple(redrawn.shape)} of images "
                f"{tuple(x.shape)}. Expected an autoencoder: the same shape."
            )
        return x - redrawn

    def critic(self, X: Any) -> np.ndarray:
        """Minus the energy of images, (n,) float32: higher is more like the data.

        The energy is how far an image is from what the critic, an autoencoder, makes of it.

        Raises:
            DataError: for images of another shape.
        """
        return super().critic(X)

    def _logit(self, name: str, x: Tensor) -> Tensor:
        return -self._energy(x)


class WithEncoder(AdversarialModel):
    """A model with a way back, from images to codes.

    Sampling from a density fitted to the codes instead of the prior is composition::

        model.decode(pushforward.GIS().fit(model.encode(X)).sample(64))
    """

    def _code(self, x: Tensor) -> Tensor:
        """Codes (n, latent) of inputs of the networks."""
        return self.networks_["encoder"](x)

    def _encoder(self) -> Callable[[Tensor], Tensor]:
        return self._code

    def encode(self, X: Any, y: Any = None) -> np.ndarray:
        """Codes of images: (n, latent) float32. ``y`` is not used.

        Raises:
            DataError: for images of another shape.
        """
        self._check_fitted()
        with inference():
            return torch.cat(
                [self._code(self._to_network(x)).cpu() for _, x in self._chunks(X)]
            ).numpy()

    def draw_codes(self, X: Any, random_state: Any = None) -> np.ndarray:
        """Codes of images as the generator gets them in training: (n, latent) float32.

        Of models with a posterior they are draws from it, whose spread is near the prior's where
        that of :meth:`encode`, its means, may be far less; of others they are those of ``encode``.

        Args:
            X: images.
            random_state: seed, RandomState, or None for numpy's global one.
        """
        return self.encode(X)

    def reconstruct(self, X: Any) -> np.ndarray:
        """Images through their codes and back: like the images, not equal to them."""
        return self.decode(self.encode(X))

    def interpolate(self, a: Any, b: Any, steps: int = 9) -> np.ndarray:
        """Images on the way from ``a`` to ``b``, straight between their codes.

        Args:
            a, b: n images each.
            steps: images on the way, both ends (reconstructed) among them.

        Returns:
            uint8 of shape (steps, n, ...), the rest in the layout of ``fit``: of each step the n
            images, as all models have it.
        """
        check({"steps": Integer(2)}, {"steps": steps})
        start, end = self.encode(a), self.encode(b)
        if start.shape != end.shape:
            raise DataError(f"a has {len(start)} images and b {len(end)}. Expected as many.")
        share = np.linspace(0, 1, int(steps), dtype=np.float32)[:, None, None]
        way = (1 - share) * start + share * end
        images = self.decode(way.reshape(-1, way.shape[-1]))
        return images.reshape(int(steps), len(start), *images.shape[1:])

    def latent_report(self, X: Any) -> dict[str, float]:
        """How near the codes of images are to the prior, of mean 0 and covariance I.

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


class WithPosterior(WithEncoder):
    """A model whose encoder gives mean and variance of a normal posterior.

    Kingma and Welling, *Auto-Encoding Variational Bayes* (2014), appendix B; a code is the mean.
    """

    def _posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Means and log-variances of the codes, (n, latent) each."""
        mean, log_variance = self.networks_["encoder"](x).chunk(2, dim=1)
        return mean, log_variance

    def _code(self, x: Tensor) -> Tensor:
        return self._posterior(x)[0]

    def draw_codes(self, X: Any, random_state: Any = None) -> np.ndarray:
        self._check_fitted()
        draw = torch.Generator().manual_seed(drawn_seed(random_state))
        codes = []
        with inference():
            for _, x in self._chunks(X):
                mean, log_variance = (part.cpu() for part in self._posterior(self._to_network(x)))
                noise = torch.randn(mean.shape, generator=draw)
                codes.append(self._drawn(mean, log_variance, noise))
        return torch.cat(codes).numpy()

    @staticmethod
    def _drawn(mean: Tensor, log_variance: Tensor, noise: Tensor) -> Tensor:
        """Codes (n, latent) of the posteriors, from standard normal noise."""
        return mean + (0.5 * log_variance).exp() * noise

    @staticmethod
    def _divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
        """KL(posterior || prior) in nats, (n,)."""
        return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(1)
