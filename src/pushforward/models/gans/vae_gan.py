"""VAE-GAN: a variational autoencoder with a likelihood of a critic's features of images."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ...deprecation import renamed
from ...errors import ParameterError
from ...networks import layer_inputs
from ...training import Batch, Phase
from ...validation import POSITIVE, OneOf, Rule
from ..image_generator import FAST, QUICK
from ..mixins import WithCritic, WithPosterior
from .losses import find_loss

__all__ = ["VAEGAN"]

_LOSS = find_loss("non-saturating")
_AT_REST = 3 * math.log(3) - 2 * math.log(2)  # one image to two samples: D = 1/3


@renamed(rate="learning_rate")
@dataclass(kw_only=True, eq=False, repr=False)
class VAEGAN(WithPosterior, WithCritic):
    """Encoder, generator and a critic whose features measure the reconstruction error.

    Larsen, Sonderby, Larochelle and Winther, *Autoencoding beyond Pixels using a Learned
    Similarity Metric* (2016), algorithm 1. With v drawn from q(v|x) as the encoder says, y = G(v),
    s = G(z), z ~ N(0, I), D a logit and f what the critic's last layer sees, the players minimise
    in turn

        E   KL(q(v|x) || N(0, I)) + |f(x) - f(y)|^2 / 2
        G   weight |f(x) - f(y)|^2 / 2 + softplus(-D(y)) + softplus(-D(s))
        D   softplus(-D(x)) + softplus(D(y)) + softplus(D(s))      at rest 3 log 3 - 2 log 2

    where |.|^2 is the sum over features. Each player follows its own loss only.

    Args:
        preset: "fast", made for minutes on a processor; "paper", its RMSprop, batch and latents,
            with the weight of the released code.
        weight: of the generator's distance of features; it has as many terms as there are
            features, the critic's last width times the pixels that are left.
        norm: of the critic, "batch", "spectral", "layer" or "none".
        weight, norm: None takes the preset's.
        learning_rate: learning rate of Adam, or with "paper" of RMSprop.
        networks: modules of your own: "generator"; "critic"; and "encoder", which makes 2
            ``latent`` numbers, means first, then log-variances.
        architecture, width, latent, flip, batch_size, ema, steps, minutes,
            validation_fraction, device, random_state, verbose: as of
            :class:`~pushforward.DCGAN`.

    Examples:
        >>> import numpy as np, pushforward
        >>> X = np.random.default_rng(0).integers(0, 256, (64, 16, 16), dtype=np.uint8)
        >>> model = pushforward.VAEGAN(width=4, steps=2, batch_size=8, random_state=0).fit(X)
        >>> model.reconstruct(X[:3]).shape, model.critic(X[:3]).shape
        ((3, 16, 16), (3,))
    """

    weight: float | None = None
    norm: str | None = None

    _rules: ClassVar[Mapping[str, Rule]] = {
        "weight": POSITIVE | None,
        "norm": OneOf("batch", "spectral", "layer", "none") | None,
    }
    _cites: ClassVar[tuple[str, ...]] = ("larsen2016autoencoding",)
    _parts: ClassVar[tuple[str, ...]] = ("encoder", "generator", "critic")
    _presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "fast": {**FAST, **QUICK, "weight": 1e-3, "norm": "batch"},
        "paper": {
            **FAST,
            **{
                "width": 64,
                "latent": 128,
                "optimiser": "rmsprop",
                "learning_rate": 3e-4,
                "ema": None,
            },
            **{"steps": 100_000, "minutes": None, "weight": 1e-5, "norm": "batch"},
        },
    }

    def _network(self, name: str, shape: tuple[int, int, int]) -> nn.Module:
        s, nets = self.settings_, self._architecture(shape)
        if name == "encoder":
            return nets.encoder(2 * s["latent"])
        return nets.generator(s["latent"]) if name == "generator" else nets.critic(s["norm"])

    def _phases(self) -> list[Phase]:
        move = self._optimiser()
        return [
            Phase("encoder", ("encoder",), self._encoder_loss, move),
            Phase("generator", ("generator",), self._generator_loss, move),
            Phase("critic", ("critic",), self._critic_loss, move),
        ]

    def _encoder_loss(self, batch: Batch) -> dict[str, Tensor]:
        posterior = self._posterior(batch.x)
        back = self._generate(self._drawn(*posterior, self._prior(batch)))
        return {
            "divergence": self._divergence(*posterior).mean(),
            "features": self._apart(
                self._critic_features(batch.x)[1], self._critic_features(back)[1]
            ),
        }

    def _generator_loss(self, batch: Batch) -> dict[str, Tensor]:
        back, sample = self._both(batch)
        (_, real), (logit, features) = self._critic_features(batch.x), self._critic_features(back)
        return {
            "features": self.settings_["weight"] * self._apart(real, features),
            "back": _LOSS.player(logit).mean(),
            "sample": _LOSS.player(self._logit("critic", sample)).mean(),
        }

    def _critic_loss(self, batch: Batch) -> dict[str, Tensor]:
        with torch.no_grad():
            back, sample = self._both(batch)
        real, *fake = (self._logit("critic", x) for x in (batch.x, back, sample))
        terms = {
            "real": _LOSS.real(real).mean(),
            "back": _LOSS.fake(fake[0]).mean(),
            "sample": _LOSS.fake(fake[1]).mean(),
        }
        sides = _AT_REST / _LOSS.at_rest
        return terms | _LOSS.diagnostics(terms, real, torch.cat(fake), sides)

    def _both(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Images through drawn codes and back, and samples."""
        with torch.no_grad():
            code = self._drawn(*self._posterior(batch.x), self._prior(batch))
        return self._generate(code), self._generate(self._prior(batch))

    def _critic_features(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The critic's logits (n,), and its features (n, d): what its last layer sees."""
        with layer_inputs(self.networks_["critic"]) as inside:
            logit = self._logit("critic", x)
        if len(inside) < 2:
            raise ParameterError(
                f"The network 'critic' has {len(inside)} linear or convolutional layer(s). "
                "Expected two at least: what goes into the last says how near images are."
            )
        return logit, inside[-1].flatten(1)

    @staticmethod
    def _apart(a: Tensor, b: Tensor) -> Tensor:
        return 0.5 * (a - b).square().sum(1).mean()
