"""DGflow as a method: with settings as given, as published, or found by a two-sample test."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Self

import torch
from torch import Tensor

from ...errors import ParameterError
from ...validation import OneOf, Rule
from ..dgflow_search import search_of
from ..logit_gradients import Score
from ..sample_spaces import Mover, Space
from ..samplers.dgflow import PUBLISHED, dgflow
from .base import Context, Moving

__all__ = ["DGflow"]


@dataclass(frozen=True)
class DGflow(Moving):
    """Discriminator gradient flow (Ansari, Ang and Soh, 2021, algorithm 1).

    With ``preset`` the other settings are published ones unless they are given; with ``step`` they
    are the usual ones; with neither all are chosen by :mod:`.dgflow_search`.

    Attributes:
        divergence, step, noise, longest, steps: as of
            :func:`~pushforward.refinement.samplers.dgflow.dgflow`.
        preset: one of :data:`~pushforward.refinement.samplers.dgflow.PUBLISHED`.
    """

    divergence: str | None = None
    step: float | None = None
    noise: float | None = None
    longest: float | None = None
    steps: int | None = None
    preset: str | None = None

    name: ClassVar[str] = "dgflow"
    papers: ClassVar[tuple[str, ...]] = ("ansari2021refining",)
    _rules: ClassVar[Mapping[str, Rule]] = {"preset": OneOf(*PUBLISHED) | None}
    _only_tuned_by: ClassVar[frozenset[str]] = frozenset({"preset"})

    def tune(self, context: Context) -> Self | None:
        """Choose what is not set; None where the logit is flat or there is no time."""
        given = {name: value for name, value in self.settings.items() if value is not None}
        if self.preset is not None:
            return self.tuned(**{**PUBLISHED[self.preset], **given}, preset=None)
        if self.step is not None:
            return self.tuned(**{"divergence": "kl", "noise": 0.0, "steps": 25, **given})
        if given:
            raise ParameterError(
                f"dgflow has {', '.join(given)} and no step. Expected a step with them, or none "
                "of them: without a step all are chosen on held-out rows."
            )
        space, most = context.space, context.budget.evaluations
        search = search_of(space.points(1, context.seed).numel())
        search = search.within(None if most is None else most / space.draws - space.evaluations)
        found = search and search.best(
            space, context.logit, context.real, context.seed, context.out_of_time
        )
        if not found:
            return None
        return self.tuned(**{name: value for name, value in found.items() if name != "auc"})

    def mover(self, space: Space, logit: Score) -> Mover:
        """What moves points along the flow."""
        score, settings, size = space.score(logit), self.settings, space.batch_size

        def flow(points: Tensor, generator: torch.Generator) -> Tensor:
            return dgflow(points, score, **settings, generator=generator, batch_size=size)

        return flow
