"""Wasserstein distances between samples: exact, and by slices."""

from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

from ..deprecation import renamed
from ..errors import DataError
from ..validation import COUNT, OneOf, as_seed, check
from .arrays import as_scores, pair
from .measure import Measure
from .uncertainty import jackknife, normal_interval

__all__ = ["max_sliced_wasserstein", "sliced_wasserstein", "wasserstein", "wasserstein_1d"]

_LARGEST = 5000
_ASCENTS, _STARTS = 30, 5


def wasserstein_1d(
    a: Any, b: Any, *, p: int = 1, a_weight: Any = None, b_weight: Any = None
) -> float:
    """Exact p-Wasserstein distance of two samples of numbers, of any sizes and weights.

    The p-th root of the integral of ``|F⁻¹(u) - G⁻¹(u)|^p``, summed over the steps of both
    quantile functions.

    Args:
        a, b: (n,) and (m,).
        p: 1 or 2.
        a_weight, b_weight: (n,) and (m,), not negative; by default all equal.

    Raises:
        DataError: for values that are not finite or weights that are negative or all zero.
        ParameterError: for another p.

    Examples:
        >>> wasserstein_1d([0.0, 1.0], [0.5], p=1)
        0.5
    """
    _check_p(p)
    a, b = as_scores(a, "a"), as_scores(b, "b")
    sides = []
    for values, weight, name in ((a, a_weight, "a_weight"), (b, b_weight, "b_weight")):
        weight = np.ones(len(values)) if weight is None else as_scores(weight, name)
        if len(weight) != len(values) or (weight < 0).any() or not weight.sum() > 0:
            raise DataError(
                f"{name} has shape {weight.shape} for {len(values)} values. Expected one for "
                "each, none negative, not all zero."
            )
        order = np.argsort(values)
        sides.append((values[order], np.cumsum(weight[order]) / weight.sum()))
    (a, to_a), (b, to_b) = sides
    index_a, index_b, width = _steps(to_a, to_b)
    return float(np.sum(np.abs(a[index_a] - b[index_b]) ** p * width) ** (1 / p))


def _steps(to_a: np.ndarray, to_b: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Which order statistics face each other, and on how much of the mass."""
    ends = np.union1d(to_a[:-1], to_b[:-1])
    starts = np.concatenate([[0.0], ends])
    width = np.diff(np.concatenate([starts, [1.0]]))
    index_a = np.minimum(np.searchsorted(to_a, starts, side="right"), len(to_a) - 1)
    index_b = np.minimum(np.searchsorted(to_b, starts, side="right"), len(to_b) - 1)
    return index_a, index_b, width


@renamed(seed="random_state")
def wasserstein(
    real: Any, generated: Any, *, p: int = 2, random_state: Any = 0,
    details: dict[str, Any] | None = None,
) -> Measure:  # fmt: skip
    """Exact p-Wasserstein distance between two samples of equal size, by optimal assignment.

    Far above 0 for samples of the same distribution (like n^(-1/d) in d dimensions): compare it
    with the value of real against real of the same size, which ``details["floor"]`` gives at half
    the size, beside ``details["at_floor_size"]``, the value of the two samples at that size.

    Args:
        real, generated: (n, d) both, or (n,) and (m,) numbers, of up to 5,000 rows. Time grows
            with the cube of n.
        p: 1 or 2, with Euclidean distance.
        random_state: of the groups of the jackknife and of the halves.
        details: what is known of the features, to go into the measure's details.

    Raises:
        DataError: for unequal or too large samples in more than one dimension.

    Examples:
        >>> X = np.random.default_rng(0).normal(size=(100, 3))
        >>> round(wasserstein(X, X + 1, p=2).value ** 2, 6)
        3.0
    """
    seed = as_seed(random_state)
    _check_p(p)
    real, generated = (x.astype(np.float64) for x in pair(real, generated, minimum=4))
    line = real.shape[1] == 1
    n, m = len(real), len(generated)
    if not line and (n != m or n > _LARGEST):
        raise DataError(
            f"{n} real and {m} generated rows. Expected equally many, at most {_LARGEST}: take a "
            "random part of each, or use sliced_wasserstein, which takes any sizes."
        )

    def distance(a: np.ndarray, b: np.ndarray) -> float:
        if line:
            return wasserstein_1d(a[:, 0], b[:, 0], p=p)
        return _assigned(a, b, p)

    def of_rows(i: np.ndarray, j: np.ndarray) -> float:
        size = min(len(i), len(j))
        return distance(real[i if line else i[:size]], generated[j if line else j[:size]])

    value = distance(real, generated)
    error, _ = jackknife(of_rows, n, m, value, seed)
    rng = np.random.default_rng(seed)
    halves = np.array_split(rng.permutation(n), 2)
    size = min(len(halves[0]), len(halves[1]), m)
    other = rng.permutation(m)[:size]
    floor = distance(real[halves[0][:size]], real[halves[1][:size]])
    here = distance(real[halves[0][:size]], generated[other])
    details = {
        "n_real": n,
        "n_generated": m,
        "standard_error": error,
        "floor": floor,
        "at_floor_size": here,
        "floor_size": size,
        "interval": "rows left out in groups, normal",
        "precision": "float64",
        "seed": seed,
        **(details or {}),
    }
    warnings = ()
    if floor > 0.5 * here:
        warnings = (
            f"Real rows against real rows give {floor:.3g} where these give {here:.3g}, at "
            f"{size} rows: most of the value is the size of the sample.",
        )
    interval = normal_interval(value, error, low=0.0)
    return Measure(f"wasserstein_{p}", value, interval, "lower", details, warnings)


def _assigned(a: np.ndarray, b: np.ndarray, p: int) -> float:
    cost = cdist(a, b, "euclidean" if p == 1 else "sqeuclidean")
    rows, columns = linear_sum_assignment(cost)
    return float(cost[rows, columns].mean() ** (1 / p))


@renamed(seed="random_state")
def sliced_wasserstein(
    real: Any, generated: Any, *, p: int = 2, slices: int = 500, random_state: Any = 0,
    details: dict[str, Any] | None = None,
) -> Measure:  # fmt: skip
    """p-Wasserstein distance of the projections on random directions, averaged.

    ``(mean over directions of W_p^p)^(1/p)``, each one exact, for samples of any sizes.

    Source: Bonneel et al., "Sliced and Radon Wasserstein barycenters of measures", 2015, eq. 7.

    Args:
        real, generated: (n, d) and (m, d).
        p: 1 or 2.
        slices: random directions.
        random_state: of the directions and of the groups of the jackknife.
        details: what is known of the features, to go into the measure's details.

    Raises:
        DataError: for samples that are not finite, of different widths or of under 4 rows.

    Examples:
        >>> X = np.random.default_rng(0).normal(size=(500, 2))
        >>> 0.6 < sliced_wasserstein(X, X + 1).value ** 2 < 1.4
        True
    """
    seed = as_seed(random_state)
    _check_p(p)
    real, generated = (x.astype(np.float64) for x in pair(real, generated, minimum=4))
    directions = _directions(real.shape[1], slices, seed)
    a, b = (np.sort((x @ directions).T, axis=1) for x in (real, generated))
    value = float(_of_sorted(a, b, p).mean() ** (1 / p))
    few = _directions(real.shape[1], min(slices, 100), seed)
    near, far = real @ few, generated @ few
    some = float(_of_projected(near, far, p).mean() ** (1 / p))
    error, _ = jackknife(
        lambda i, j: float(_of_projected(near[i], far[j], p).mean() ** (1 / p)),
        len(real),
        len(generated),
        some,
        seed,
    )
    details = {
        "n_real": len(real),
        "n_generated": len(generated),
        "slices": slices,
        "standard_error": error,
        "interval": "rows left out in groups, normal",
        "precision": "float64",
        "seed": seed,
        **(details or {}),
    }
    interval = normal_interval(value, error, low=0.0)
    return Measure(f"sliced_wasserstein_{p}", value, interval, "lower", details)


@renamed(seed="random_state")
def max_sliced_wasserstein(
    real: Any, generated: Any, *, slices: int = 500, random_state: Any = 0,
    details: dict[str, Any] | None = None,
) -> Measure:  # fmt: skip
    """2-Wasserstein distance of the projections on the direction where it is largest.

    Source: Deshpande et al., "Max-sliced Wasserstein distance and its use for GANs", 2019. From
    the best of the random directions, each step takes ``θ`` to ``M θ``, M being the second
    moments of the differences between facing rows; the value is a lower bound of the maximum.
    Fitted to the very rows it is measured on, so it is far above 0 for equal distributions in
    many dimensions.

    Args:
        real, generated: (n, d) and (m, d).
        slices: random directions to start from the best of.
        random_state: of the directions.
        details: what is known of the features, to go into the measure's details.

    Examples:
        >>> X = np.random.default_rng(0).normal(size=(500, 4))
        >>> round(max_sliced_wasserstein(X, X + [0, 0, 3, 0]).value, 2)
        3.0
    """
    seed = as_seed(random_state)
    real, generated = (x.astype(np.float64) for x in pair(real, generated, minimum=4))
    n, m = len(real), len(generated)
    directions = _directions(real.shape[1], slices, seed)
    first = _of_projected(real @ directions, generated @ directions, 2)
    index_a, index_b, width = _steps(np.arange(1, n + 1) / n, np.arange(1, m + 1) / m)
    best, where = float(first.max()), directions[:, first.argmax()]
    for start in np.argsort(first)[::-1][:_STARTS]:
        theta = directions[:, start]
        for _ in range(_ASCENTS):
            a, b = np.argsort(real @ theta), np.argsort(generated @ theta)
            apart = real[a[index_a]] - generated[b[index_b]]
            theta = apart.T @ (width * (apart @ theta))
            length = float(np.linalg.norm(theta))
            if length == 0:
                break
            theta = theta / length
        reached = float(_of_projected(real @ theta[:, None], generated @ theta[:, None], 2)[0])
        if reached > best:
            best, where = reached, theta
    details = {
        "n_real": n,
        "n_generated": m,
        "direction": where.tolist(),
        "precision": "float64",
        "seed": seed,
        **(details or {}),
    }
    return Measure("max_sliced_wasserstein_2", best**0.5, None, "lower", details)


def _directions(d: int, slices: int, seed: int) -> np.ndarray:
    check({"slices": COUNT}, {"slices": slices})
    if d == 1:
        return np.ones((1, 1))
    directions = np.random.default_rng(seed).normal(size=(d, slices))
    return directions / np.linalg.norm(directions, axis=0)


def _of_projected(a: np.ndarray, b: np.ndarray, p: int) -> np.ndarray:
    """W_p^p of each column: (n, s), (m, s) -> (s,)."""
    return _of_sorted(np.sort(a.T, axis=1), np.sort(b.T, axis=1), p)


def _of_sorted(a: np.ndarray, b: np.ndarray, p: int) -> np.ndarray:
    n, m = a.shape[1], b.shape[1]
    if n == m:
        return np.mean(np.abs(a - b) ** p, axis=1)
    index_a, index_b, width = _steps(np.arange(1, n + 1) / n, np.arange(1, m + 1) / m)
    return (np.abs(a[:, index_a] - b[:, index_b]) ** p) @ width


def _check_p(p: int) -> None:
    check({"p": OneOf(1, 2)}, {"p": p})
