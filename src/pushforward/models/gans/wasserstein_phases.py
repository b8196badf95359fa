"""The phases of WGAN-GP for any rows: a critic with a gradient penalty, and a generator."""

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor

from ...estimators.generator_model import CriticModel
from ...training import Batch, Phase
from ...validation import COUNT, POSITIVE, Rule
from .penalties import gradient_penalty

__all__ = ["WassersteinGame"]


class WassersteinGame(CriticModel):
    """A generator that lowers the Wasserstein distance a critic of slope 1 sees.

    Gulrajani, Ahmed, Arjovsky, Dumoulin and Courville, *Improved Training of Wasserstein GANs*
    (2017), algorithm 1. The settings have ``penalty`` and ``critic_steps``.
    """

    _rules: ClassVar[Mapping[str, Rule]] = {
        "penalty": POSITIVE | None,
        "critic_steps": COUNT | None,
    }

    def _phases(self) -> list[Phase]:
        adam, again = self._optimiser(), self.settings_["critic_steps"]
        return [
            Phase("critic", ("critic",), self._critic_loss, adam, repeats=again),
            Phase("generator", ("generator",), self._generator_loss, adam),
        ]

    def _value(self, x: Tensor) -> Tensor:
        return self._logit("critic", x)

    def _critic_loss(self, batch: Batch) -> dict[str, Tensor]:
        with torch.no_grad():
            fake = self._generate(self._prior(batch))
        slope = gradient_penalty(self._value, batch.x, fake, batch.uniform())
        return {
            "distance": self._value(fake).mean() - self._value(batch.x).mean(),
            "penalty": self.settings_["penalty"] * slope,
        }

    def _generator_loss(self, batch: Batch) -> dict[str, Tensor]:
        return {"player": -self._value(self._generate(self._prior(batch))).mean()}
