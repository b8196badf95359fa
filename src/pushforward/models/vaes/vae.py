"""The variational autoencoder, with a lower bound on its likelihood."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from ...deprecation import renamed
from ...devices import inference
from ...errors import DataError
from ...training import Batch, Phase
from ...validation import COUNT, POSITIVE, Rule, as_seed, check
from ..image_generator import FAST
from ..mixins import WithPosterior

__all__ = ["VAE"]

_LN2 = math.log(2)


@renamed(rate="learning_rate")
@dataclass(kw_only=True, eq=False, repr=False)
class VAE(WithPosterior):
    """An encoder and a generator that raise a lower bound on the likelihood together.

    Kingma and Welling, *Auto-Encoding Variational Bayes* (2014), eq. 10: codes are normal around
    what the encoder says, pixels are Laplace around what the generator makes of a code.

    Args:
        preset: "fast", made for minutes on a processor.
        scale: of the Laplace density, where pixels are in (-1, 1); None takes the preset's.
        networks: modules of your own: "generator", and "encoder", which makes 2 ``latent``
            numbers, means first, then log-variances.
        architecture, width, latent, flip, batch_size, learning_rate, ema, steps, minutes, device,
            random_state, verbose: as of :class:`~pushforward.DCGAN`.
        validation_fraction: share of the images held out to choose the best weights, at most
            1,000, by the bound.

    Examples:
        >>> import numpy as np, pushforward
        >>> X = np.random.default_rng(0).integers(0, 256, (64, 16, 16), dtype=np.uint8)
        >>> model = pushforward.VAE(width=4, steps=3, batch_size=8, random_state=0).fit(X)
        >>> model.elbo(X, n_draws=5).shape
        (64,)
    """

    scale: float | None = None

    _rules: ClassVar[Mapping[str, Rule]] = {
        "scale": POSITIVE | None,
    }
    _cites: ClassVar[tuple[str, ...]] = ("kingma2014auto",)
    _parts: ClassVar[tuple[str, ...]] = ("encoder", "generator")
    _noise_of_bytes: ClassVar[bool] = True
    _presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "fast": {**FAST, "learning_rate": 1e-3, "betas": [0.9, 0.999], "scale": 0.1},
    }

    def _network(self, name: str, shape: tuple[int, int, int]) -> nn.Module:
        nets, latent = self._architecture(shape), self.settings_["latent"]
        return nets.generator(latent) if name == "generator" else nets.encoder(2 * latent)

    def _phases(self) -> list[Phase]:
        return [Phase("vae", ("encoder", "generator"), self._loss, self._optimiser())]

    def _refresh(self) -> None:
        """Nothing: the generator learned from codes of the posterior, and so did its moments."""

    def _loss(self, batch: Batch) -> dict[str, Tensor]:
        """Nats a pixel: the distortion and, in closed form, the divergence from the prior."""
        posterior = self._posterior(batch.x)
        z = self._drawn(*posterior, self._prior(batch))
        n = self.pixels_.n_values
        return {
            "distortion": -self._log_likelihood(batch.x, z).mean() / n,
            "divergence": self._divergence(*posterior).mean() / n,
        }

    def _log_likelihood(self, x: Tensor, z: Tensor) -> Tensor:
        """log p(x|z), (n,), of continuous x."""
        scale = self.settings_["scale"]
        apart = (x - self._generate(z)).abs() / scale + math.log(2 * scale)
        return -apart.flatten(1).sum(1)

    @renamed(n_samples="n_draws", seed="random_state")
    def elbo(self, X: Any, *, n_draws: int = 1, random_state: Any = 0) -> np.ndarray:
        """A lower bound, in expectation, on the log-probability of each discrete image, in nats.

        With one sample the evidence lower bound; with k the importance-weighted bound
        log 1/k sum_i p(x, z_i) / q(z_i|x), which rises to the log-probability with k (Burda,
        Grosse and Salakhutdinov, *Importance Weighted Autoencoders*, 2016, eq. 8).

        Args:
            X: uint8 images like those of ``fit``.
            n_draws: codes k drawn for each image, each with its own dequantisation noise.
            random_state: of the codes.

        Returns:
            (n,) float64.

        Raises:
            DataError: for images of another shape, and where the bound is not finite.
        """
        seed = as_seed(random_state)
        self._check_fitted()
        check({"n_draws": COUNT}, {"n_draws": n_draws})
        generator = torch.Generator().manual_seed(int(seed))
        parts = []
        with inference():
            for _, images in self._chunks(X):
                draws = [self._weight(images, k, generator) for k in range(int(n_draws))]
                parts.append(torch.stack(draws).logsumexp(0) - math.log(n_draws))
        bound = torch.cat(parts).numpy()
        if not np.isfinite(bound).all():
            bad = np.flatnonzero(~np.isfinite(bound))
            raise DataError(f"The bound of {len(bad)} image(s), first {bad[0]}, is not finite.")
        return bound

    def _weight(self, images: np.ndarray, draw: int, generator: torch.Generator) -> Tensor:
        """log p(x, z) / q(z|x) with the volume of a byte's cell, (n,) float64."""
        x, log_det = self.pixels_.encode(images, draw)
        x = x.to(self._device())
        mean, log_variance = self._posterior(x)
        noise = torch.randn(mean.shape, generator=generator).to(mean)
        z = self._drawn(mean, log_variance, noise)
        ratio = 0.5 * (noise.square() + log_variance - z.square()).double().sum(1)
        return (self._log_likelihood(x, z).double() + ratio).cpu() + log_det

    @renamed(n_samples="n_draws", seed="random_state")
    def bits_per_dim(self, X: Any, *, n_draws: int = 1, random_state: Any = 0) -> float:
        """Mean bound in bits per dimension; lower is better. Arguments as of :meth:`elbo`."""
        seed = as_seed(random_state)
        bound = self.elbo(X, n_draws=n_draws, random_state=seed)
        return float(-bound.mean() / (self.pixels_.n_values * _LN2))

    def _measures(self, images: np.ndarray, labels: np.ndarray | None) -> Mapping[str, float]:
        generator = torch.Generator().manual_seed(0)
        size = self._at_once()
        few = [images[k : k + size] for k in range(0, len(images), size)]
        parts = [self._weight(part, 0, generator) for part in few]
        bits = -torch.cat(parts).mean() / (self.pixels_.n_values * _LN2)
        return {"bits_per_dim": float(bits), **super()._measures(images, labels)}
