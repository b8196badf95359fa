"""The Metropolis-Hastings GAN as a method: chains that begin at held-out real rows."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Self

import torch

from ...validation import COUNT, Rule
from ..logit_gradients import Score, in_batches
from ..sample_spaces import Space, chained
from .base import Context, Method

__all__ = ["MetropolisHastings"]

_STARTS = 500  # real rows that chains begin at
_LENGTH = 100


@dataclass(frozen=True)
class MetropolisHastings(Method):
    """Metropolis-Hastings over samples of the generator (Turner et al., 2019).

    Attributes:
        length: proposals a chain; None takes 100, or as many as the budget allows.
    """

    length: int | None = None

    name: ClassVar[str] = "mh"
    papers: ClassVar[tuple[str, ...]] = ("turner2019metropolis",)
    _rules: ClassVar[Mapping[str, Rule]] = {"length": COUNT | None}

    def tune(self, context: Context) -> Self:
        """Take the logits of real rows that chains begin at."""
        rows, size = context.real.validation[:_STARTS], context.space.batch_size
        starts = in_batches(context.logit, rows, size).double().tolist()
        length = context.most_draws(_LENGTH) if self.length is None else self.length
        return self.tuned({"starts": starts}, length=length)

    def apply(self, space: Space, logit: Score) -> Space:
        """The space of the last states of the chains."""
        assert self.length is not None
        return chained(space, logit, torch.tensor(self.constants["starts"]), self.length)
