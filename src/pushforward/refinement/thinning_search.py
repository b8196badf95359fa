"""The draws that thinning may cost, found by held-out rows."""

from collections.abc import Sequence

import torch
from torch import Tensor

from ..training import generator_of
from .acceptance_test import SAME, likelihood_gain
from .logit_gradients import in_batches
from .methods import Context
from .samplers.rejection import budgeted_acceptance, budgeted_constant, budgeted_log_acceptance
from .streams import Stream

__all__ = ["divergence", "draws_for"]

_MOST = 2000  # samples that the test looks at


def draws_for(context: Context, budgets: Sequence[float]) -> float | None:
    """Draws a kept sample may cost; None where no budget helps.

    Of rows of few numbers the most draws that the real rows do not speak against: beyond its
    error their likelihood gains no less than at the best. Of those fewer, where samples stay
    what they are: what clipping takes from a logit is known from the samples alone. Of images
    and wide rows the one whose samples the two-sample test finds nearest, of those that do not
    raise the Fréchet distance of what a network sees: there samples and data hardly overlap, real
    rows are all taken, and what looks like a gain is a choice of the few kinds of sample that
    pass for real.

    Args:
        context: space, logit and real rows.
        budgets: to choose among, in order.
    """
    if not budgets:
        return None
    return _by_test(context, budgets) if context.real.moments else _by_likelihood(context, budgets)


def _by_likelihood(context: Context, budgets: Sequence[float]) -> float | None:
    real, kept = in_batches(context.logit, context.real.validation, context.space.batch_size), {}
    for budget in budgets:
        constant = budgeted_constant(context.pool, budget)
        kept[budget] = [budgeted_log_acceptance(x, constant) for x in (real, context.pool)]
    gains = {budget: likelihood_gain(*parts)[0] for budget, parts in kept.items()}
    best = max(budgets, key=lambda budget: gains[budget])
    if gains[best] < SAME:
        return None

    def fits(budget: float) -> bool:
        behind, error = likelihood_gain(*kept[best], *kept[budget])
        return behind <= error and gains[budget] > 0

    most = max(budget for budget in budgets if fits(budget))
    thinned = kept[most][1]
    if divergence(thinned, torch.zeros_like(thinned)) < SAME:  # samples are all alike to the logit
        return None
    return next(b for b in budgets if divergence(thinned, kept[b][1]) < SAME)


def divergence(of: Tensor, from_: Tensor) -> float:
    """Kullback-Leibler divergence of what one acceptance keeps from what another does, in nats.

    Args:
        of, from_: (n,) log acceptance of the same samples.
    """
    kept, other = (x.double().log_softmax(dim=0) for x in (of, from_))
    return float((kept.exp() * (kept - other)).sum())


def _by_test(context: Context, budgets: Sequence[float]) -> float | None:
    space, real, points = context.space, context.real, context.drawn
    n = min(_MOST, len(real.validation), int(len(points) / max(budgets)))
    uniform = torch.rand(len(points), generator=generator_of(context.seed, Stream.THINNING))

    def nearness(budget: float) -> tuple[float, float]:
        kept = points[:n]
        if budget > 1:
            accept = budgeted_acceptance(context.pool, budgeted_constant(context.pool, budget))
            kept = points[(uniform.to(accept) < accept).to(points.device)][:n]
        return real.nearness(space.quantise(space.decoded(kept)), n)

    near = {budget: nearness(budget) for budget in (1.0, *budgets)}
    nearer = [budget for budget in near if near[budget][1] <= near[1.0][1]]
    best = min(nearer, key=lambda budget: near[budget][0])
    return best if best > 1 else None
