"""Scores on one scale: the logarithms of their p-values among rows that are known.

Scores of several kinds, such as log densities of two models, spread over ranges that have nothing
to do with each other: far out a row may lose hundreds of nats by one and a few by another, and
their mean would be the first alone. A p-value, the share of known rows that score as low, is the
same scale for all; the mean of their logarithms is Fisher's combination of tests (Fisher,
*Statistical Methods for Research Workers*, 1932, section 21.1).
"""

import numpy as np
import torch
from torch import Tensor

__all__ = ["check_levels", "log_p_values", "score_levels"]

_TAIL = 0.2  # share of known rows below which p-values are extrapolated
_LEVELS = 65
_FARTHEST = -1e300  # a score that is no finite number any more


def score_levels(views: list[Tensor]) -> tuple[Tensor, Tensor]:
    """What :func:`log_p_values` needs to know of the scores of known rows.

    Args:
        views: v tensors (n,) of scores, higher for what is more normal; each may have its own n.

    Returns:
        (v, q) quantiles, rising from the tail upwards, and (v,) the mean shortfall in the tail.
    """
    at = torch.linspace(_TAIL, 1, _LEVELS, dtype=torch.float64).numpy()
    known = [view.clamp_min(_FARTHEST) for view in views]
    level = torch.stack([torch.from_numpy(np.quantile(view.numpy(), at)) for view in known])
    tails = zip(level[:, 0], known, strict=True)
    scale = torch.stack([edge - view[view <= edge].mean() for edge, view in tails])
    return level, torch.maximum(scale, 1e-6 * (level[:, -1] - level[:, 0]) + 1e-12)


def log_p_values(views: Tensor, level: Tensor, scale: Tensor) -> Tensor:
    """Log p-values of scores (v, n), of the same shape: exponential below the lowest level.

    Args:
        views: v scores of each row, higher for what is more normal.
        level, scale: of the scores of known rows, by :func:`score_levels`.

    Examples:
        >>> level, scale = score_levels([torch.linspace(0, 100, 101).double()])
        >>> log_p_values(torch.tensor([[50.0, 100.0]]).double(), level, scale).exp().tolist()
        [[0.5, 1.0]]
    """
    views = torch.where(views > _FARTHEST, views, _FARTHEST)
    count = level.shape[1]
    right = torch.searchsorted(level, views.contiguous()).clamp(1, count - 1)
    low, high = level.gather(1, right - 1), level.gather(1, right)
    part = ((views - low) / (high - low).clamp_min(1e-300)).clamp(0, 1)
    p = _TAIL + (1 - _TAIL) * (right - 1 + part) / (count - 1)
    beyond = (level[:, :1] - views).clamp_min(0) / scale[:, None]
    return p.log() - beyond


def check_levels(level: Tensor, scale: Tensor, views: int) -> None:
    """Refuse what is no result of :func:`score_levels` for so many views.

    Raises:
        ValueError: for wrong shapes, or values that are not finite or do not rise.
    """
    if level.shape != (views, _LEVELS) or scale.shape != (views,):
        raise ValueError("the p-values of the detector have wrong sizes")
    if not bool(level.isfinite().all() and scale.isfinite().all()):
        raise ValueError("the detector holds values that are not finite")
    if bool((level.diff(dim=1) < 0).any()) or not bool((scale > 0).all()):
        raise ValueError("the p-values of the detector do not rise")
