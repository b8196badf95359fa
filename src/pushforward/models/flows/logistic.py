"""The standard logistic distribution, and its exact map to the standard normal."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["logistic_log_prob", "logistic_to_normal", "normal_to_logistic"]


def logistic_log_prob(z: Tensor) -> Tensor:
    """Log density, in nats, of each row (n, ...) under independent standard logistics: (n,)."""
    return -(F.softplus(z) + F.softplus(-z)).flatten(1).sum(1)


def normal_to_logistic(eps: Tensor) -> Tensor:
    """The logit of the normal distribution function, right to the last digits in both tails.

    >>> normal_to_logistic(torch.tensor([-30.0, 0.0, 1.0])).round(decimals=2)
    tensor([-454.3200,    0.0000,    1.6700])
    """
    log_ndtr = torch.special.log_ndtr
    return log_ndtr(eps) - log_ndtr(-eps)


def logistic_to_normal(z: Tensor) -> Tensor:
    """The inverse of :func:`normal_to_logistic`: what follows it is standard normal.

    Solves ``log Phi(-e) = log sigmoid(-|z|)`` for ``e >= 0`` by Newton's method, from the quantile
    near the centre and from the tail's ``sqrt(2 |z|)`` beyond. Differentiable once.

    >>> logistic_to_normal(torch.tensor([-454.32, 1.67])).round(decimals=2)
    tensor([-30.,   1.])
    """
    side = torch.where(z < 0, -1.0, 1.0).to(z.dtype)
    level = F.logsigmoid(-side * z)
    with torch.no_grad():
        near = torch.special.ndtri(level.clamp_min(-30).exp())
        e = torch.where(level > -30, near, -(-2 * level).sqrt())
        for _ in range(4):
            e = _newton(e, level)
    return -side * _newton(e, level)


def _newton(e: Tensor, level: Tensor) -> Tensor:
    """One step towards the root of the concave, increasing ``log Phi(e) - level``, ``e <= 0``."""
    cdf_over_pdf = math.sqrt(math.pi / 2) * torch.special.erfcx(-e / math.sqrt(2))
    log_cdf = cdf_over_pdf.log() - 0.5 * (e.square() + math.log(2 * math.pi))
    return e - (log_cdf - level) * cdf_over_pdf
