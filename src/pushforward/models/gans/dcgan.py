"""DCGAN and, by its arguments, SN-DCGAN, SN-ResNet-GAN and R3GAN: one critic, one generator."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ...deprecation import renamed
from ...errors import ParameterError
from ...training import Batch, Phase
from ...validation import COUNT, Number, OneOf, Rule
from ..image_generator import FAST, QUICK
from ..mixins import WithConvolutionalCritic
from .losses import LOSSES, find_loss
from .penalties import NO_BATCH_NORM, squared_gradient_norm

__all__ = ["DCGAN"]

_PLAIN = {
    "loss": "non-saturating",
    "norm": "batch",
    "critic_steps": 1,
    "player_batch": 1,
    "penalty": 0.0,
    "hidden": 0,
}

#: Of so many rows one has its slope measured, which takes longer than all else of a step.
_SLOPED = 4

#: What R3GAN's game is played with: its critic converges by the penalty, not by a norm.
_R3GAN = {"norm": "none", "penalty": 0.05}

_SPECTRAL = {
    "latent": 128,
    "batch_size": 64,
    "learning_rate": 2e-4,
    "ema": None,
    "minutes": None,
    "loss": "hinge",
    "norm": "spectral",
}


@renamed(rate="learning_rate")
@dataclass(kw_only=True, eq=False, repr=False)
class DCGAN(WithConvolutionalCritic):
    """A generator against a critic that discriminates its samples from the data.

    Radford, Metz and Chintala, *Unsupervised Representation Learning with Deep Convolutional
    Generative Adversarial Networks* (2016). With another loss and norm it is the SN-DCGAN or the
    SN-ResNet-GAN of Miyato et al., *Spectral Normalization for Generative Adversarial Networks*
    (2018); with ``loss="relativistic"`` and a ``penalty`` it is played as R3GAN is, by Huang,
    Gokaslan, Kuleshov and Tompkin, *The GAN is dead; long live the GAN! A Modern Baseline GAN*
    (2024), whose networks are ``architecture="r3gan"``.

    Args:
        preset: "fast", made for minutes on a processor; "paper", DCGAN's own settings;
            "sn-dcgan" (setting C of Miyato's table 1, with hinge loss); "sn-resnet" (of the
            unsupervised CIFAR-10 experiment).
        loss: "non-saturating", "minimax", "hinge", "wasserstein", "least-squares", "ratio" or
            "relativistic": which of two rows, an image and a sample, is the image.
        norm: of the critic, "batch", "spectral", "layer" or "none".
        critic_steps: of the critic for each of the generator.
        penalty: gamma, weight of R1 + R2: half the mean squared norm of the critic's slope at
            images, and at samples, as one row in four shows it. None takes 0.05 with the
            architecture "r3gan" and the relativistic loss, and none otherwise. A relativistic
            game with a penalty has no norm, unless one is named.
        hidden: numbers that a layer makes before the critic's last; 0 has none, as published.
        architecture: "conv", "residual", "r3gan" (without norms), "sn-dcgan", "sn-resnet".
        width: channels of the finest layer.
        latent: length of a code.
        networks: modules of your own, "generator" and "critic"; those not named are built.
        flip: mirror half of the images in training.
        batch_size: images a step, over all processes.
        learning_rate: learning rate of Adam.
        ema: decay of the average of the weights; 0 keeps none.
        loss, norm, critic_steps, penalty, hidden, architecture, width, latent, batch_size,
            learning_rate, ema: None takes the preset's.
        steps, minutes: budget; None of both takes the preset's.
        validation_fraction: share of the images held out to judge the weights by, at most 1,000:
            the latest average is kept unless the distance between patches of samples and of
            images was clearly less before.
        device: "cpu", "cuda"; None takes a GPU where there is one.
        random_state: seed, RandomState, or None for numpy's global one.
        verbose: print progress to stderr.

    Attributes:
        networks_, pixels_, settings_, history_, best_, stopped_: see
            :class:`~pushforward.estimators.image_model.ImageModel`. In the history "of_rest" is
            the critic's loss as a multiple of its value where samples and data are alike, and
            "accuracy" the share it places right: near 1 and 0.5 the players are balanced.

    Examples:
        >>> import numpy as np, pushforward
        >>> X = np.random.default_rng(0).integers(0, 256, (64, 16, 16), dtype=np.uint8)
        >>> model = pushforward.DCGAN(width=4, steps=3, batch_size=8, random_state=0).fit(X)
        >>> model.sample(2, random_state=0).shape
        (2, 16, 16)
    """

    loss: str | None = None
    critic_steps: int | None = None
    penalty: float | None = None

    _rules: ClassVar[Mapping[str, Rule]] = {
        "loss": OneOf(*LOSSES) | None,
        "norm": OneOf("batch", "spectral", "layer", "none") | None,
        "critic_steps": COUNT | None,
        "penalty": Number(0, ends="[") | None,
    }
    _cites: ClassVar[tuple[str, ...]] = ("radford2016unsupervised", "goodfellow2014generative")
    _parts: ClassVar[tuple[str, ...]] = ("generator", "critic")
    _presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "fast": {**FAST, **_PLAIN, **QUICK, "hidden": 128},
        "paper": {
            **FAST,
            **_PLAIN,
            **{"width": 64, "latent": 100, "batch_size": 128, "learning_rate": 2e-4},
            **{"betas": [0.5, 0.999], "ema": None, "steps": 100_000, "minutes": None},
        },
        "sn-dcgan": {
            **FAST,
            **_PLAIN,
            **_SPECTRAL,
            **{"architecture": "sn-dcgan", "betas": [0.5, 0.999], "steps": 100_000},
        },
        "sn-resnet": {
            **FAST,
            **_PLAIN,
            **_SPECTRAL,
            **{"architecture": "sn-resnet", "betas": [0.0, 0.9], "steps": 50_000},
            **{"decay": "linear", "critic_steps": 5, "player_batch": 2},
        },
    }

    def _preset(self) -> dict[str, Any]:
        chosen = super()._preset()
        relative = find_loss(self.loss or chosen["loss"]).relative
        bare = (self.architecture or chosen["architecture"]) == "r3gan"
        return chosen | _R3GAN if relative and (bare or self.penalty) else chosen

    def _check_parameters(self) -> None:
        super()._check_parameters()
        settings = self._of_preset()
        if settings["penalty"] and settings["norm"] == "batch":
            raise ParameterError(
                f"norm is 'batch' with penalty {settings['penalty']:g}. Expected 'none', 'layer' "
                f"or 'spectral': {NO_BATCH_NORM}."
            )

    def cite(self) -> str:
        """BibTeX of the papers this model is made from."""
        from ...citations import bibtex

        settings = self.settings_ if self.__sklearn_is_fitted__() else self._of_preset()
        spectral = ("miyato2018spectral",) if settings["norm"] == "spectral" else ()
        relative = find_loss(settings["loss"]).relative or settings["architecture"] == "r3gan"
        return bibtex((*self._cites, *spectral, *("huang2024gan",) * relative))

    def _network(self, name: str, shape: tuple[int, int, int]) -> nn.Module:
        if name == "critic":
            return self._critic_network(shape)
        return self._architecture(shape).generator(self.settings_["latent"])

    def _phases(self) -> list[Phase]:
        adam, again = self._optimiser(), self.settings_["critic_steps"]
        return [
            Phase("critic", ("critic",), self._critic_loss, adam, repeats=again),
            Phase("generator", ("generator",), self._generator_loss, adam),
        ]

    def _critic_loss(self, batch: Batch) -> dict[str, Tensor]:
        with torch.no_grad():
            fake = self._generate(self._prior(batch))
        pair, penalty = find_loss(self.settings_["loss"]), self.settings_["penalty"]
        terms = pair.critic(self._logit("critic", batch.x), self._logit("critic", fake))
        if not penalty:
            return terms
        some = -(-len(fake) // _SLOPED)
        x = torch.cat([batch.x[:some], fake[:some]]).requires_grad_()
        # gamma / 2 of R1 + R2 is gamma times the mean over both
        return terms | {"penalty": penalty * squared_gradient_norm(self._logit("critic", x), x)}

    def _generator_loss(self, batch: Batch) -> dict[str, Tensor]:
        pair, again = find_loss(self.settings_["loss"]), self.settings_["player_batch"]
        z = torch.cat([self._prior(batch) for _ in range(again)])
        fake = self._logit("critic", self._generate(z))
        real = self._logit("critic", batch.x).repeat(again) if pair.relative else fake
        return {"player": pair.generator(fake, real)}
