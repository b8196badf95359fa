"""DFM: a generator that also moves its samples to where the critic's features of data are."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ...deprecation import renamed
from ...errors import ParameterError
from ...networks import MLP, layer_inputs
from ...training import Batch, Phase
from ...validation import COUNT, POSITIVE, OneOf, Rule
from ..image_generator import FAST
from ..mixins import WithCritic
from .losses import find_loss

__all__ = ["DFM"]

_LOSS = find_loss("non-saturating")


@renamed(rate="learning_rate")
@dataclass(kw_only=True, eq=False, repr=False)
class DFM(WithCritic):
    """A DCGAN with a denoiser of the critic's features.

    Warde-Farley and Bengio, *Improving Generative Adversarial Networks with Denoising Feature
    Matching* (2017), section 3. Let h(x) be what the last layer of the critic D sees. A denoiser r
    of the features of data, with e ~ N(0, I), tells where they are dense: (r(h) - h) / noise^2
    tends to the gradient of their log-density. Critic, denoiser and generator minimise in turn

        D   softplus(-D(x)) + softplus(D(s))
        r   |r(h(x) + noise e) - h(x)|^2
        G   softplus(-D(s)) + weight |r(h(s)) - h(s)|^2

    where s = G(z), z ~ N(0, I), and |.|^2 is the mean over features.

    Args:
        preset: "fast", made for minutes on a processor; "paper", its Adam and denoiser.
        weight: of the distance of samples from what the denoiser makes of them.
        noise: standard deviation of what the denoiser takes away.
        features: numbers that the critic's last layer sees.
        layers: hidden ones of the denoiser, each as wide as twice the features.
        norm: of the critic, "batch", "layer" or "none".
        weight, noise, features, layers, norm: None takes the preset's.
        networks: modules of your own, "generator", "critic" (whose last linear map or convolution
            sees ``features`` numbers) and "denoiser" (that many to that many).
        architecture, width, latent, flip, batch_size, learning_rate, ema, steps, minutes,
            validation_fraction, device, random_state, verbose: as of
            :class:`~pushforward.DCGAN`.

    Examples:
        >>> import numpy as np, pushforward
        >>> X = np.random.default_rng(0).integers(0, 256, (64, 16, 16), dtype=np.uint8)
        >>> model = pushforward.DFM(width=4, steps=2, batch_size=8, random_state=0).fit(X)
        >>> sorted(model.networks_)
        ['critic', 'denoiser', 'generator']
    """

    weight: float | None = None
    noise: float | None = None
    features: int | None = None
    layers: int | None = None
    norm: str | None = None

    _rules: ClassVar[Mapping[str, Rule]] = {
        "weight": POSITIVE | None,
        "noise": POSITIVE | None,
        "features": COUNT | None,
        "layers": COUNT | None,
        "norm": OneOf("batch", "layer", "none") | None,
    }
    _cites: ClassVar[tuple[str, ...]] = ("wardefarley2017improving", "radford2016unsupervised")
    _parts: ClassVar[tuple[str, ...]] = ("generator", "critic", "denoiser")
    _presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "fast": {
            **FAST,
            **{"weight": 0.03, "noise": 1.0, "features": 128, "layers": 2, "norm": "batch"},
        },
        "paper": {
            **FAST,
            **{"width": 64, "latent": 100, "batch_size": 128, "learning_rate": 1e-4},
            **{"betas": [0.5, 0.999], "ema": None, "steps": 100_000, "minutes": None},
            **{"weight": 0.03, "noise": 1.0, "features": 1024, "layers": 10, "norm": "batch"},
        },
    }

    def _network(self, name: str, shape: tuple[int, int, int]) -> nn.Module:
        s, nets = self.settings_, self._architecture(shape)
        wide = s["features"]
        if name == "generator":
            return nets.generator(s["latent"])
        if name == "critic":
            return nets.deep_critic(s["norm"], wide)
        return MLP(wide, (2 * wide,) * s["layers"], head=wide, slope=0.0, norm="batch")

    def _phases(self) -> list[Phase]:
        adam = self._optimiser()
        return [
            Phase("critic", ("critic",), self._critic_loss, adam),
            Phase("denoiser", ("denoiser",), self._denoiser_loss, adam),
            Phase("generator", ("generator",), self._generator_loss, adam),
        ]

    def _critic_loss(self, batch: Batch) -> dict[str, Tensor]:
        with torch.no_grad():
            sample = self._generate(self._prior(batch))
        return _LOSS.critic(self._logit("critic", batch.x), self._logit("critic", sample))

    def _denoiser_loss(self, batch: Batch) -> dict[str, Tensor]:
        with torch.no_grad():
            _, features = self._critic_features(batch.x)
        noise = self.settings_["noise"] * batch.normal(self.settings_["features"])
        denoised = self.networks_["denoiser"](features + noise)
        return {"distance": (denoised - features).square().mean()}

    def _generator_loss(self, batch: Batch) -> dict[str, Tensor]:
        logit, features = self._critic_features(self._generate(self._prior(batch)))
        apart = (self.networks_["denoiser"](features) - features).square().mean()
        return {"player": _LOSS.player(logit).mean(), "features": self.settings_["weight"] * apart}

    def _critic_features(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The critic's logits (n,), and its features (n, d): what its last layer sees."""
        with layer_inputs(self.networks_["critic"]) as inside:
            logit = self._logit("critic", x)
        features = inside[-1].flatten(1)
        if features.shape[1] != self.settings_["features"]:
            raise ParameterError(
                f"The last layer of the network 'critic' sees {features.shape[1]} numbers. Say "
                f"so: features={features.shape[1]}."
            )
        return logit, features
