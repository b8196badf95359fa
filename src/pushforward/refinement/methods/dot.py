"""Discriminator optimal transport as a method: its constant from random pairs of samples."""

from dataclasses import dataclass
from typing import ClassVar, Self

import torch
from torch import Tensor

from ...training import generator_of
from ..logit_gradients import Score
from ..sample_spaces import Mover, Space
from ..samplers.dot import dot, lipschitz_estimate
from ..streams import Stream
from .base import Context, Moving

__all__ = ["DOT"]

_PAIRED = 2000  # samples that pairs are drawn from
_STEPS = 100


@dataclass(frozen=True)
class DOT(Moving):
    """Discriminator optimal transport (Tanaka, 2019).

    Attributes:
        constant: K; None estimates it.
        steps: None takes 100, or as many as the budget allows.
        learning_rate, low, high, sphere: as of :func:`~pushforward.refinement.samplers.dot.dot`.
    """

    constant: float | None = None
    steps: int | None = None
    learning_rate: float = 0.01
    low: float | None = None
    high: float | None = None
    sphere: bool = False

    name: ClassVar[str] = "dot"
    papers: ClassVar[tuple[str, ...]] = ("tanaka2019discriminator",)

    def tune(self, context: Context) -> Self:
        """Estimate the constant where it is not set."""
        space, constant = context.space, self.constant
        if constant is None:
            constant = lipschitz_estimate(
                space.score(context.logit),
                space.points(_PAIRED, context.seed, Stream.LIPSCHITZ),
                generator=generator_of(context.seed, Stream.LIPSCHITZ),
                batch_size=space.batch_size,
            )
        steps = context.most_steps(_STEPS) if self.steps is None else self.steps
        return self.tuned(constant=constant, steps=steps)

    def mover(self, space: Space, logit: Score) -> Mover:
        """What moves points to their nearest place, without chance."""
        score, settings, size = space.score(logit), self.settings, space.batch_size

        def transport(points: Tensor, generator: torch.Generator) -> Tensor:
            return dot(points, score, **settings, batch_size=size)

        return transport
