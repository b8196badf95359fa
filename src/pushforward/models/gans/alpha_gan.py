"""alpha-GAN: an autoencoder whose likelihood and prior are played for by two critics."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ...deprecation import renamed
from ...networks import MLP
from ...training import Batch, Phase
from ...validation import COUNT, FLAG, POSITIVE, OneOf, Rule
from ..image_generator import FAST, QUICK
from ..mixins import WithConvolutionalCritic, WithEncoder
from .losses import find_loss

__all__ = ["AlphaGAN"]

_PLAYERS = {"weight": 10.0, "norm": "batch", "player_steps": 1, "hidden": 0}


@renamed(rate="learning_rate")
@dataclass(kw_only=True, eq=False, repr=False)
class AlphaGAN(WithEncoder, WithConvolutionalCritic):
    """Encoder, generator, a critic of images and one of codes.

    Rosca, Lakshminarayanan, Warde-Farley and Mohamed, *Variational Approaches for Auto-Encoding
    Generative Adversarial Networks* (2017), algorithm 1. Of the evidence lower bound

        E_q[log p(x|z)] - KL(q(z|x) || p(z))

    the likelihood is a Laplace density and a density ratio that a critic D tells, the divergence a
    ratio that a critic C of codes tells. With v = E(x), y = G(v), s = G(z), z ~ N(0, I), and D
    and C as logits, so that log D/(1 - D) is the logit itself, the players minimise in turn

        E   weight |x - y| - C(v)
        G   weight |x - y| - D(y) - D(s)
        D   2 softplus(-D(x)) + softplus(D(y)) + softplus(D(s))     at rest 4 log 2
        C   softplus(-C(z)) + softplus(C(v))                        at rest 2 log 2

    where |x - y| is the mean over pixels and channels. (The first version of the paper has
    the terms of C swapped.)

    Args:
        preset: "fast", made for minutes on a processor; "paper", its Adam and batch, with
            encoder and generator twice for each step of the critics.
        joint: let encoder and generator move together by the sum of their losses, which saves a
            pass through each. The encoder then also follows D, as in published
            implementations; in the paper it does not.
        weight: of the mean absolute difference; per pixel it is weight / (C H W).
        player_steps: of encoder and generator for each of the critics.
        norm: of the critic of images, "batch", "spectral", "layer" or "none".
        hidden: numbers that a layer makes before the last of the critic of images; 0 has none,
            as published.
        weight, player_steps, norm, hidden: None takes the preset's.
        networks: modules of your own, "encoder", "generator", "critic" and "code_critic".
        architecture, width, latent, flip, batch_size, learning_rate, ema, steps, minutes,
            validation_fraction, device, random_state, verbose: as of
            :class:`~pushforward.DCGAN`.

    Examples:
        >>> import numpy as np, pushforward
        >>> X = np.random.default_rng(0).integers(0, 256, (64, 16, 16), dtype=np.uint8)
        >>> model = pushforward.AlphaGAN(width=4, steps=2, batch_size=8, random_state=0).fit(X)
        >>> model.encode(X[:3]).shape, model.reconstruct(X[:3]).shape
        ((3, 64), (3, 16, 16))
    """

    joint: bool = False
    weight: float | None = None
    player_steps: int | None = None

    _rules: ClassVar[Mapping[str, Rule]] = {
        "joint": FLAG,
        "weight": POSITIVE | None,
        "player_steps": COUNT | None,
        "norm": OneOf("batch", "spectral", "layer", "none") | None,
    }
    _cites: ClassVar[tuple[str, ...]] = ("rosca2017variational",)
    _parts: ClassVar[tuple[str, ...]] = ("encoder", "generator", "critic", "code_critic")
    _presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "fast": {**FAST, **_PLAYERS, **QUICK, "hidden": 128},
        "paper": {
            **FAST,
            **_PLAYERS,
            **{"width": 64, "latent": 128, "ema": None, "player_steps": 2},
            **{"steps": 100_000, "minutes": None},
        },
    }

    def _resolve(self, shape: tuple[int, int, int], n: int) -> dict[str, Any]:
        settings = super()._resolve(shape, n) | {"joint": bool(self.joint)}
        return settings

    def _network(self, name: str, shape: tuple[int, int, int]) -> nn.Module:
        s = self.settings_
        if name == "code_critic":
            return MLP(s["latent"], (750, 750))
        if name == "critic":
            return self._critic_network(shape)
        nets = self._architecture(shape)
        return nets.encoder(s["latent"]) if name == "encoder" else nets.generator(s["latent"])

    def _phases(self) -> list[Phase]:
        adam, again = self._optimiser(), self.settings_["player_steps"]
        players = [
            Phase("encoder", ("encoder",), self._encoder_loss, adam, repeats=again),
            Phase("generator", ("generator",), self._generator_loss, adam, repeats=again),
        ]
        if self.settings_["joint"]:
            both = ("encoder", "generator")
            players = [Phase("players", both, self._joint_loss, adam, repeats=again)]
        return [
            *players,
            Phase("critic", ("critic",), self._critic_loss, adam),
            Phase("code_critic", ("code_critic",), self._code_critic_loss, adam),
        ]

    def _encoder_loss(self, batch: Batch) -> dict[str, Tensor]:
        code = self._code(batch.x)
        return {
            "difference": self._difference(batch.x, self._generate(code)),
            "code": -self._logit("code_critic", code).mean(),
        }

    def _generator_loss(self, batch: Batch) -> dict[str, Tensor]:
        with torch.no_grad():
            code = self._code(batch.x)
        return self._against_critic(batch, code)

    def _joint_loss(self, batch: Batch) -> dict[str, Tensor]:
        code = self._code(batch.x)
        terms = self._against_critic(batch, code)
        return terms | {"code": -self._logit("code_critic", code).mean()}

    def _against_critic(self, batch: Batch, code: Tensor) -> dict[str, Tensor]:
        back, sample = self._generate(code), self._generate(self._prior(batch))
        return {
            "difference": self._difference(batch.x, back),
            "back": -self._logit("critic", back).mean(),
            "sample": -self._logit("critic", sample).mean(),
        }

    def _critic_loss(self, batch: Batch) -> dict[str, Tensor]:
        with torch.no_grad():
            back = self._generate(self._code(batch.x))
            sample = self._generate(self._prior(batch))
        pair = find_loss("ratio")
        real, *fake = (self._logit("critic", x) for x in (batch.x, back, sample))
        terms = {
            "real": 2 * pair.real(real).mean(),
            "back": pair.fake(fake[0]).mean(),
            "sample": pair.fake(fake[1]).mean(),
        }
        return terms | pair.diagnostics(terms, real, torch.cat(fake), sides=2)

    def _code_critic_loss(self, batch: Batch) -> dict[str, Tensor]:
        with torch.no_grad():
            code = self._code(batch.x)
        prior = self._logit("code_critic", self._prior(batch))
        return find_loss("ratio").critic(prior, self._logit("code_critic", code))

    def _difference(self, x: Tensor, back: Tensor) -> Tensor:
        return self.settings_["weight"] * (x - back).abs().mean()
