"""Confidence intervals: of a share, of a mean, and of any statistic by the jackknife."""

import math
from collections.abc import Callable

import numpy as np
from scipy.special import stdtrit

__all__ = [
    "GROUPS",
    "Z",
    "jackknife",
    "jackknife_moments",
    "mean_interval",
    "normal_interval",
    "share_interval",
]

Z = 1.959963984540054  # 97.5 % point of the standard normal
GROUPS = 10


def normal_interval(
    value: float, error: float, low: float = -math.inf, high: float = math.inf
) -> tuple[float, float]:
    """Value -+ 1.96 standard errors, cut off at the ends of the measure's range."""
    return max(low, value - Z * error), min(high, value + Z * error)


def mean_interval(values: np.ndarray) -> tuple[float, float]:
    """Student's interval of the mean of (n,) independent values; n of at least 2.

    >>> low, high = mean_interval(np.array([1.0, 2.0, 3.0]))
    >>> round(low, 3), round(high, 3)
    (-0.484, 4.484)
    """
    n = len(values)
    half = float(stdtrit(n - 1, 0.975)) * float(np.std(values, ddof=1)) / math.sqrt(n)
    mean = float(np.mean(values))
    return mean - half, mean + half


def share_interval(hits: int, n: int) -> tuple[float, float]:
    """Wilson's interval of a share (Wilson, "Probable inference", 1927): never outside [0, 1].

    >>> low, high = share_interval(0, 10)
    >>> low, round(high, 3)
    (0.0, 0.278)
    """
    share, spread = hits / n, Z * Z / n
    centre = (share + spread / 2) / (1 + spread)
    half = math.sqrt(share * (1 - share) * spread + spread * spread / 4) / (1 + spread)
    return max(0.0, min(share, centre - half)), min(1.0, max(share, centre + half))


def jackknife(
    statistic: Callable[[np.ndarray, np.ndarray], float],
    n_real: int,
    n_generated: int,
    value: float,
    seed: int,
    groups: int = GROUPS,
) -> tuple[float, float]:
    """Standard error and bias of a statistic of two samples, by leaving out groups of rows.

    The delete-a-group jackknife (Shao and Tu, "The Jackknife and Bootstrap", 1995, 2.3): both
    samples are dealt into ``groups``, and each group is left out of both at once. Unlike the
    bootstrap it makes no ties, which distances between samples would take for closeness. The bias
    assumes that it falls like 1 / n.

    Args:
        statistic: of the numbers of the rows kept, of the real and of the generated sample.
        n_real, n_generated: rows there are.
        value: the statistic of all rows.
        seed: of the dealing.
        groups: how many; fewer where a sample has fewer rows than twice that.

    Returns:
        (standard error, bias); what is left of the value without bias is ``value - bias``.
    """
    groups = max(2, min(groups, n_real // 2, n_generated // 2))
    rng = np.random.default_rng(seed)
    real = rng.permutation(n_real) % groups
    generated = rng.permutation(n_generated) % groups
    left = [
        statistic(np.flatnonzero(real != g), np.flatnonzero(generated != g)) for g in range(groups)
    ]
    return jackknife_moments(np.array(left), value)


def jackknife_moments(left: np.ndarray, value: float) -> tuple[float, float]:
    """Standard error and bias from the values (g,) that leave out each of g groups."""
    groups = len(left)
    error = math.sqrt((groups - 1) / groups * float(np.sum((left - left.mean()) ** 2)))
    return error, (groups - 1) * float(left.mean() - value)
