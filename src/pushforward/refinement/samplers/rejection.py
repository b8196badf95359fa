"""Rejection: keep the samples that a logit finds real, at a price in draws."""

import math

import torch
from torch import Tensor

from ...errors import DataError
from ...validation import Number, check

__all__ = [
    "budgeted_acceptance",
    "budgeted_constant",
    "budgeted_log_acceptance",
    "drs_acceptance",
    "drs_gamma",
]


def drs_acceptance(logit: Tensor, highest: float, gamma: float = 0.0) -> Tensor:
    """Probability of acceptance in discriminator rejection sampling: (n,).

    ``sigmoid(F)``, ``F = q - log(1 - e^(q - 1e-6)) - gamma`` with ``q = d - highest``. With gamma
    0 and the true maximum it is rejection sampling, ``e^q``.

    Source: Azadi, Olsson, Darrell, Goodfellow and Odena, "Discriminator rejection sampling",
    2019.

    Args:
        logit: (n,) calibrated.
        highest: the largest logit of a burn-in; logits above it count as it.
        gamma: as of :func:`drs_gamma`.

    Examples:
        >>> drs_acceptance(torch.tensor([0.0, -1.0, -1000.0]), 0.0).round(decimals=3)
        tensor([1.0000, 0.3680, 0.0000])
    """
    return torch.sigmoid(_drs_exponent(logit, highest) - gamma)


def drs_gamma(logit: Tensor, highest: float, percentile: float = 95.0) -> float:
    """The gamma that the authors take: a percentile of F over a batch of samples.

    95 for 25 Gaussians and 80 for ImageNet: the share of samples whose acceptance is under 1/2.

    >>> logit = torch.linspace(-4, 0, 101)
    >>> gamma = drs_gamma(logit, 0.0, 80.0)
    >>> int((drs_acceptance(logit, 0.0, gamma) >= 0.499).sum())
    21
    """
    return float(torch.quantile(_drs_exponent(logit, highest).double(), percentile / 100))


def _drs_exponent(logit: Tensor, highest: float) -> Tensor:
    q = (logit - highest).clamp(max=0.0)
    return q - torch.log(-torch.expm1(q.double() - 1e-6)).to(q)


def budgeted_constant(logit: Tensor, budget: float) -> float:
    """log c of the best acceptance ``min(1, c e^d)`` that keeps one in ``budget`` samples.

    Source: Verine, Pydi, Negrevergne and Chevaleyre, "Optimal budgeted rejection sampling for
    generative models", 2024: the least f-divergence from the data, for every f, of
    all rules that keep so many.

    Args:
        logit: (n,) of samples.
        budget: draws a kept sample may cost, above 1.

    Raises:
        ParameterError: for a budget of 1 or less.
        DataError: for logits that are not finite.

    Examples:
        >>> logit = torch.tensor([0.0, 0.0, -50.0, -50.0])
        >>> budgeted_acceptance(logit, budgeted_constant(logit, 4.0)).round(decimals=4)
        tensor([0.5000, 0.5000, 0.0000, 0.0000])
    """
    check({"budget": Number(1)}, {"budget": budget})
    if not (len(logit) and logit.isfinite().all()):
        raise DataError("Expected finite logits of at least one sample.")
    values = logit.double()
    # all are taken at the upper end, less than one in `budget` at the lower
    low, high = -float(values.max()) - math.log(budget), -float(values.min())
    for _ in range(200):
        middle = (low + high) / 2
        if float(budgeted_acceptance(values, middle).mean()) > 1 / budget:
            high = middle
        else:
            low = middle
    return (low + high) / 2


def budgeted_acceptance(logit: Tensor, constant: float) -> Tensor:
    """Probability of acceptance ``min(1, e^(constant + d))``: (n,)."""
    return budgeted_log_acceptance(logit, constant).exp()


def budgeted_log_acceptance(logit: Tensor, constant: float) -> Tensor:
    """Its logarithm, finite wherever the logit is: (n,)."""
    return (logit + constant).clamp(max=0.0)
