"""Maximum mean discrepancy between two samples, by a kernel."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ..deprecation import renamed
from ..errors import ParameterError
from ..validation import as_seed
from .arrays import blocks, pair, squared_distances
from .measure import Measure
from .uncertainty import normal_interval

__all__ = ["Discrepancy", "Kernel", "discrepancy", "gaussian_mixture", "mmd"]

#: From rows (n, d) and rows (m, d), float64, to the kernel's values (n, m).
Kernel = Callable[[np.ndarray, np.ndarray], np.ndarray]

_SCALES = 5  # bandwidths: a quarter to four times the median distance


class Discrepancy(NamedTuple):
    """An estimate of MMD² and its standard error."""

    value: float
    error: float


def discrepancy(real: np.ndarray, generated: np.ndarray, kernel: Kernel) -> Discrepancy:
    """The unbiased estimate of MMD² from all pairs, in blocks of constant memory.

    Source: Gretton et al., "A kernel two-sample test", 2012, eq. 3. The standard error is that of
    the means of each row's kernel values (its Hoeffding projection), errs on the large side, and
    holds for equal distributions too.

    Args:
        real, generated: (n, d) and (m, d) with n, m of at least 2.
        kernel: symmetric.
    """
    real, generated = np.asarray(real, np.float64), np.asarray(generated, np.float64)
    n, m = len(real), len(generated)
    own_real, own_generated = _row_sums(real, kernel), _row_sums(generated, kernel)
    across_real, across_generated = np.empty(n), np.zeros(m)
    start = 0
    for rows in blocks(real, m):
        values = kernel(rows, generated)
        across_real[start : start + len(rows)] = values.sum(axis=1)
        across_generated += values.sum(axis=0)
        start += len(rows)
    value = (
        own_real.sum() / (n * (n - 1))
        + own_generated.sum() / (m * (m - 1))
        - 2 * across_real.sum() / (n * m)
    )
    of_real = np.var(own_real / (n - 1) - across_real / m, ddof=1)
    of_generated = np.var(own_generated / (m - 1) - across_generated / n, ddof=1)
    return Discrepancy(float(value), 2 * math.sqrt(of_real / n + of_generated / m))


def _row_sums(x: np.ndarray, kernel: Kernel) -> np.ndarray:
    """Sum of each row's kernel values with all other rows."""
    sums, start = np.empty(len(x)), 0
    for rows in blocks(x, len(x)):
        values = kernel(rows, x)
        here = np.arange(len(rows))
        sums[start : start + len(rows)] = values.sum(axis=1) - values[here, start + here]
        start += len(rows)
    return sums


def gaussian_mixture(bandwidth: float) -> Kernel:
    """The mean of Gaussian kernels whose bandwidths are 1/4, 1/2, 1, 2 and 4 times one.

    One exponential, of the widest; each narrower one is the fourth power of the last.

    >>> kernel = gaussian_mixture(1.0)
    >>> float(kernel(np.zeros((1, 2)), np.zeros((1, 2)))[0, 0])
    1.0
    """
    widest = bandwidth * 2 ** (_SCALES // 2)

    def kernel(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        values = squared_distances(a, b)
        values *= -0.5 / widest**2
        np.exp(values, out=values)
        total = values.copy()
        for _ in range(_SCALES - 1):
            np.square(values, out=values)
            np.square(values, out=values)
            total += values
        total /= _SCALES
        return total

    return kernel


@renamed(seed="random_state")
def mmd(
    real: Any, generated: Any, *, bandwidth: float | None = None, permutations: int = 500,
    random_state: Any = 0, details: dict[str, Any] | None = None,
) -> Measure:  # fmt: skip
    """MMD² with a mixture of Gaussian kernels, unbiased, and the p-value of equal distributions.

    The p-value, in ``details["p_value"]``, is exact for any sample size: the share of
    ``permutations`` random ways to deal all rows into two samples that give an MMD² at least as
    large. All of them are computed at once, as one product of the kernel matrix with the
    memberships, a block of rows at a time.

    Source: Gretton et al., "A kernel two-sample test", 2012; mixtures of bandwidths: Li et al.,
    "Generative moment matching networks", 2015.

    Args:
        real, generated: (n, d) and (m, d). Time grows with the square of n + m: a few thousand
            rows of each are enough.
        bandwidth: the middle one of five; by default the median distance between rows.
        permutations: how many; 0 for no test.
        random_state: of the permutations, and of the rows the median is taken of.
        details: what is known of the features, to go into the measure's details.

    Raises:
        DataError: for samples that are not finite, of different widths or of under 2 rows.
        ParameterError: for a bandwidth that is not positive.

    Examples:
        >>> rng = np.random.default_rng(0)
        >>> X, Y = rng.normal(size=(200, 3)), rng.normal(size=(200, 3))
        >>> mmd(X, Y).details["p_value"] > 0.05 > mmd(X, Y + 1).details["p_value"]
        True
    """
    seed = as_seed(random_state)
    real, generated = pair(real, generated)
    both = np.concatenate([real, generated]).astype(np.float64)
    both -= both.mean(axis=0)
    rng = np.random.default_rng(seed)
    if bandwidth is None:
        bandwidth = _median_distance(both[rng.permutation(len(both))[:1000]])
    if not bandwidth > 0:
        raise ParameterError(f"bandwidth is {bandwidth!r}. Expected a positive distance.")
    kernel = gaussian_mixture(bandwidth)
    n = len(real)
    value, error = discrepancy(both[:n], both[n:], kernel)
    details = {
        "n_real": n,
        "n_generated": len(generated),
        "bandwidth": bandwidth,
        "standard_error": error,
        "interval": "projections of rows, normal",
        "seed": seed,
        **(details or {}),
    }
    if permutations:
        dealt = _permuted(both, n, kernel, permutations, rng)
        details["p_value"] = (1 + int(np.sum(dealt >= value))) / (1 + permutations)
        details["permutations"] = permutations
    return Measure("mmd2", value, normal_interval(value, error), "lower", details)


def _median_distance(rows: np.ndarray) -> float:
    square = squared_distances(rows, rows)[np.triu_indices(len(rows), 1)]
    middle = float(np.median(square))
    return math.sqrt(middle if middle > 0 else float(square.mean()) or 1.0)


def _permuted(
    both: np.ndarray, n: int, kernel: Kernel, permutations: int, rng: np.random.Generator
) -> np.ndarray:
    """MMD² under random permutations of which n rows are real: (permutations,)."""
    total = len(both)
    m = total - n
    member = np.zeros((total, permutations))
    member[:n] = 1
    member = rng.permuted(member, axis=0)
    row_sums, within, start = np.empty(total), np.zeros(permutations), 0
    for rows in blocks(both, total):
        values = kernel(rows, both)
        here = np.arange(len(rows))
        values[here, start + here] = 0
        row_sums[start : start + len(rows)] = values.sum(axis=1)
        within += np.einsum("ij,ij->j", member[start : start + len(rows)], values @ member)
        start += len(rows)
    # all pairs fall within the first sample, within the second, or across
    touching = row_sums @ member
    across = touching - within
    outside = row_sums.sum() - touching - across
    return within / (n * (n - 1)) + outside / (m * (m - 1)) - 2 * across / (n * m)
