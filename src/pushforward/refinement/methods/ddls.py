"""Discriminator-driven latent sampling as a method: Langevin dynamics of prior times ratio."""

from dataclasses import dataclass
from typing import ClassVar, Self

import torch
from torch import Tensor

from ...errors import UnsupportedError
from ...wording import setting
from ..logit_gradients import Score
from ..sample_spaces import Mover, Space
from ..samplers.ddls import langevin
from .base import Context, Moving

__all__ = ["DDLS"]

_STEPS = 200


@dataclass(frozen=True)
class DDLS(Moving):
    """Discriminator-driven latent sampling (Che et al., 2020).

    Attributes:
        step, metropolis: as of :func:`~pushforward.refinement.samplers.ddls.langevin`.
        steps: None takes 200, or as many as the budget allows.
    """

    step: float = 0.01
    steps: int | None = None
    metropolis: bool = True

    name: ClassVar[str] = "ddls"
    papers: ClassVar[tuple[str, ...]] = ("che2020your",)
    _at_start: ClassVar[int] = 1  # the density that the first proposal is compared with

    def tune(self, context: Context) -> Self:
        """Choose the number of steps.

        Raises:
            UnsupportedError: for points whose density is not known.
        """
        if context.space.log_prior is None:
            raise UnsupportedError(
                "Langevin dynamics needs the density of what it moves: latents of a prior with "
                f"log_prob. Give {setting('space', 'latent')} to a generator that has them, or "
                "take another method."
            )
        if self.steps is not None:
            return self.tuned()
        return self.tuned(steps=max(1, context.most_steps(_STEPS + 1) - 1))

    def mover(self, space: Space, logit: Score) -> Mover:
        """What runs a chain from every point."""
        density, settings, size = _LogDensity(space, logit), self.settings, space.batch_size

        def diffusion(points: Tensor, generator: torch.Generator) -> Tensor:
            return langevin(points, density, **settings, generator=generator, batch_size=size)[0]

        return diffusion


@dataclass(frozen=True)
class _LogDensity:
    """Log density of the data by their latents, up to a constant: log prior and logit."""

    space: Space
    logit: Score

    def __call__(self, points: Tensor) -> Tensor:
        assert self.space.log_prior is not None
        return self.space.log_prior(points) + self.logit(self.space.decode(points))
