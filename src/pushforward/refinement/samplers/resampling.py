"""Sampling-importance-resampling: weights for samples, or samples by their weights."""

import torch
from torch import Tensor

from ...errors import DataError, ParameterError

__all__ = ["effective_sample_size", "importance_weights", "resample"]


def importance_weights(logit: Tensor) -> Tensor:
    """Weights (n,), of sum 1, that make means over samples into means over the data.

    The density ratio ``e^d``, normalised. What was weighed needs no thinning and loses no sample.

    Raises:
        DataError: for logits that are not finite.

    Examples:
        >>> importance_weights(torch.tensor([0.0, 1000.0, 1000.0]))
        tensor([0.0000, 0.5000, 0.5000])
    """
    if not (len(logit) and logit.isfinite().all()):
        raise DataError("Expected finite logits of at least one sample.")
    return torch.softmax(logit, dim=0)


def effective_sample_size(weights: Tensor) -> float:
    """How many equal weights tell as much as these: ``(sum w)^2 / sum w^2``.

    Source: Kong, Liu and Wong, "Sequential imputations and Bayesian missing data problems", 1994.

    Args:
        weights: (n,) as of :func:`importance_weights`.

    >>> effective_sample_size(torch.tensor([0.2, 0.2, 0.2, 0.0]))
    3.0
    """
    weights = torch.as_tensor(weights).double()
    return float(weights.sum().square() / weights.square().sum())


def resample(logit: Tensor, n: int, generator: torch.Generator | None = None) -> Tensor:
    """Places (n,) of samples drawn from a pool by weight, none twice.

    Source: Rubin, "The calculation of posterior distributions by data augmentation: comment",
    1987; without replacement by the largest of logit plus Gumbel noise: Efraimidis and Spirakis,
    "Weighted random sampling with a reservoir", 2006.

    Args:
        logit: (m,) of the pool.
        n: at most m; the smaller beside m, the nearer to the data.
        generator: of the draw, on the CPU.

    Raises:
        ParameterError: for n above m.
        DataError: for logits that are not finite.

    Examples:
        >>> sorted(resample(torch.tensor([0.0, 50.0, 50.0]), 2).tolist())
        [1, 2]
    """
    if not 0 < n <= len(logit):
        raise ParameterError(f"n is {n!r} for a pool of {len(logit)}. Expected 1 to the pool.")
    importance_weights(logit)
    exponential = torch.empty(len(logit), dtype=torch.float64).exponential_(generator=generator)
    keys = logit.double() - exponential.to(logit.device).log()
    return torch.topk(keys, n).indices
