"""Rejection as methods: optimal with a budget of draws, and as its first authors do it."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import ClassVar, Self

from ...validation import Number, Rule
from ..logit_gradients import Score
from ..sample_spaces import Space, thinned
from ..samplers.rejection import budgeted_acceptance, budgeted_constant, drs_acceptance, drs_gamma
from .base import Context, Method

__all__ = ["BudgetedRejection", "DiscriminatorRejection"]

_KEPT = 20  # draws for a sample, of which discriminator rejection keeps one
_RAREST = 1e-3  # share that is kept at the least


@dataclass(frozen=True)
class BudgetedRejection(Method):
    """Optimal budgeted rejection sampling (Verine et al., 2024).

    Attributes:
        budget: draws that a kept sample costs.
    """

    budget: float = 2.0

    name: ClassVar[str] = "rejection"
    papers: ClassVar[tuple[str, ...]] = ("verine2024optimal",)

    def tune(self, context: Context) -> Self:
        """Take the constant by which so many samples are kept."""
        return self.tuned({"constant": budgeted_constant(context.pool, self.budget)})

    def apply(self, space: Space, logit: Score) -> Space:
        """The space of the points that are kept."""
        accept = partial(budgeted_acceptance, constant=float(self.constants["constant"]))
        return thinned(space, logit, accept, 1 / self.budget)


@dataclass(frozen=True)
class DiscriminatorRejection(Method):
    """Discriminator rejection sampling (Azadi et al., 2019).

    Attributes:
        percentile: of samples, whose acceptance is a half; None keeps one in 20, or in as many as
            the budget allows.
    """

    percentile: float | None = None

    name: ClassVar[str] = "drs"
    papers: ClassVar[tuple[str, ...]] = ("azadi2019discriminator",)
    _rules: ClassVar[Mapping[str, Rule]] = {"percentile": Number(0, 100) | None}

    def tune(self, context: Context) -> Self:
        """Take the highest logit, and gamma."""
        percentile = self.percentile
        if percentile is None:
            percentile = 100 * (1 - 1 / context.most_draws(_KEPT))
        pool = context.pool
        highest = float(pool.max())
        gamma = drs_gamma(pool, highest, percentile)
        rate = max(float(drs_acceptance(pool, highest, gamma).mean()), _RAREST)
        constants = {"highest": highest, "gamma": gamma, "rate": rate}
        return self.tuned(constants, percentile=percentile)

    def apply(self, space: Space, logit: Score) -> Space:
        """The space of the points that are kept."""
        highest, gamma, rate = (float(self.constants[k]) for k in ("highest", "gamma", "rate"))
        accept = partial(drs_acceptance, highest=highest, gamma=gamma)
        return thinned(space, logit, accept, rate)
