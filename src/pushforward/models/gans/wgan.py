"""WGAN: a critic of clipped weights measures a Wasserstein distance, up to a factor."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ...deprecation import renamed
from ...training import Batch, Phase
from ...validation import COUNT, POSITIVE, OneOf, Rule
from ..image_generator import FAST
from ..mixins import WithConvolutionalCritic

__all__ = ["WGAN"]

_RMSPROP = {key: value for key, value in FAST.items() if key != "betas"} | {"optimiser": "rmsprop"}

_NO_SIZE = "weights divided by their norm have no size to clip"


@renamed(rate="learning_rate")
@dataclass(kw_only=True, eq=False, repr=False)
class WGAN(WithConvolutionalCritic):
    """A generator that lowers the Wasserstein distance a critic of clipped weights sees.

    Arjovsky, Chintala and Bottou, *Wasserstein Generative Adversarial Networks* (2017),
    algorithm 1. Weights in a small cube bound the critic's slope by some constant; what it
    measures is the distance times that constant.

    Args:
        preset: "fast", made for minutes on a processor; "paper", its RMSprop, clipping and five
            critic steps.
        clip: largest size of a weight of the critic, after each of its moves.
        norm: of the critic, "batch", "layer" or "none".
        critic_steps: of the critic for each of the generator.
        hidden: numbers that a layer makes before the critic's last; 0 has none, as published.
        clip, norm, critic_steps, hidden: None takes the preset's.
        learning_rate: learning rate of RMSprop.
        architecture, width, latent, networks, flip, batch_size, ema, steps, minutes,
            validation_fraction, device, random_state, verbose: as of
            :class:`~pushforward.DCGAN`.

    Examples:
        >>> import numpy as np, pushforward
        >>> X = np.random.default_rng(0).integers(0, 256, (64, 16, 16), dtype=np.uint8)
        >>> model = pushforward.WGAN(width=4, steps=2, batch_size=8, random_state=0).fit(X)
        >>> model.critic(X[:3]).shape
        (3,)
    """

    clip: float | None = None
    critic_steps: int | None = None

    _rules: ClassVar[Mapping[str, Rule]] = {
        "clip": POSITIVE | None,
        "norm": OneOf("batch", "layer", "none", why=_NO_SIZE) | None,
        "critic_steps": COUNT | None,
    }
    _cites: ClassVar[tuple[str, ...]] = ("arjovsky2017wasserstein",)
    _parts: ClassVar[tuple[str, ...]] = ("generator", "critic")
    _presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "fast": {**_RMSPROP, "clip": 0.01, "norm": "batch", "critic_steps": 2, "hidden": 128},
        "paper": {
            **_RMSPROP,
            **{"width": 64, "latent": 100, "learning_rate": 5e-5, "ema": None},
            **{"steps": 200_000, "minutes": None},
            **{"clip": 0.01, "norm": "batch", "critic_steps": 5, "hidden": 0},
        },
    }

    def _network(self, name: str, shape: tuple[int, int, int]) -> nn.Module:
        if name == "critic":
            return self._critic_network(shape)
        return self._architecture(shape).generator(self.settings_["latent"])

    def _phases(self) -> list[Phase]:
        move, again = self._optimiser(), self.settings_["critic_steps"]
        return [
            Phase("critic", ("critic",), self._critic_loss, move, again, after=self._clip),
            Phase("generator", ("generator",), self._generator_loss, move),
        ]

    def _clip(self) -> None:
        bound = self.settings_["clip"]
        for weight in self.networks_["critic"].parameters():
            weight.clamp_(-bound, bound)

    def _critic_loss(self, batch: Batch) -> dict[str, Tensor]:
        with torch.no_grad():
            fake = self._generate(self._prior(batch))
        distance = self._logit("critic", fake).mean() - self._logit("critic", batch.x).mean()
        return {"distance": distance}

    def _generator_loss(self, batch: Batch) -> dict[str, Tensor]:
        return {"player": -self._logit("critic", self._generate(self._prior(batch))).mean()}
