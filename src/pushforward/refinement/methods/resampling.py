"""Sampling-importance-resampling as a method."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Self

from ...validation import COUNT, Rule
from ..logit_gradients import Score
from ..sample_spaces import Space, resampled
from .base import Context, Method

__all__ = ["Resampling"]

_POOL = 8


@dataclass(frozen=True)
class Resampling(Method):
    """Resampling by weight (Rubin, 1987).

    Attributes:
        pool: draws for each sample that is kept; None takes 8, or as many as the budget allows.
    """

    pool: int | None = None

    name: ClassVar[str] = "resampling"
    papers: ClassVar[tuple[str, ...]] = ("rubin1987calculation",)
    _rules: ClassVar[Mapping[str, Rule]] = {"pool": COUNT | None}

    def tune(self, context: Context) -> Self:
        """Choose the size of the pool."""
        return self.tuned(pool=context.most_draws(_POOL) if self.pool is None else self.pool)

    def apply(self, space: Space, logit: Score) -> Space:
        """The space of the points that are drawn from pools."""
        assert self.pool is not None
        return resampled(space, logit, self.pool)
