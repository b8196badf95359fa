"""The Fréchet distance between two samples of features: FID."""

import math
from typing import Any

import numpy as np
from scipy.linalg import eigh, eigvalsh, get_lapack_funcs, solve_triangular, svd, svdvals

from ..deprecation import renamed
from ..validation import as_seed
from .arrays import pair
from .measure import Measure
from .moments import Moments
from .uncertainty import normal_interval

__all__ = ["fid", "frechet_distance", "frechet_influence"]

_INFLUENCE_ROWS = 2048  # enough of a sample for the variance of its influence
_LARGE_BIAS = 0.1  # of the value
_TINY = 1e-7  # of the largest singular value: what squares lose

_pstrf, _sygst = get_lapack_funcs(("pstrf", "sygst"), dtype=np.float64)


def frechet_distance(real: Moments, generated: Moments, *, overwrite: bool = False) -> float:
    """Squared Wasserstein-2 distance between the Gaussians with these moments.

    ``|μ_a - μ_b|² + tr Σ_a + tr Σ_b - 2 tr (Σ_a Σ_b)^(1/2)``, where the last trace is the sum of
    the square roots of the eigenvalues of ``Lᵀ Σ_b L``, ``L Lᵀ`` being the Cholesky factorisation
    of ``Σ_a`` with pivots: symmetric and real throughout, and right for covariances of any rank.

    Source: Dowson and Landau, "The Fréchet distance between multivariate normal distributions",
    1982, eq. 4.

    Args:
        real, generated: moments of features of the same width d.
        overwrite: work in the place of both scatters, which halves the memory and spoils them.

    Examples:
        >>> X = np.random.default_rng(0).normal(size=(1000, 4))
        >>> round(frechet_distance(Moments.of(X), Moments.of(X + 1)), 9)
        4.0
    """
    shift = float(np.sum((real.mean - generated.mean) ** 2))
    trace = float(real.variance().sum() + generated.variance().sum())
    lower, order = _pivoted_cholesky(real.covariance(overwrite))
    other = generated.covariance(overwrite)
    _permute(other, order)
    other, _ = _sygst(other, lower, itype=2, lower=True, overwrite_a=True)
    roots = eigvalsh(other, lower=True, overwrite_a=True, check_finite=False)
    return max(0.0, shift + trace - 2 * float(np.sqrt(np.maximum(roots, 0)).sum()))


@renamed(seed="random_state")
def fid(
    real: Any,
    generated: Any,
    *,
    interval: bool = True,
    random_state: Any = 0,
    details: dict[str, Any] | None = None,
) -> Measure:
    """Fréchet distance between two samples of features (FID with Inception features).

    Biased: a finite sample makes it larger, by a term that falls like 1 / n and depends on the
    generator (Chong and Forsyth, "Effectively unbiased FID and Inception Score", 2020). What both
    halves of the samples give beside the whole tells that term; ``details["bias"]`` is it and
    ``details["fid_infinity"]`` the value without it. Compare values of equal n only.

    The interval is value -+ 1.96 standard errors, by the influence of each row on the distance
    (the infinitesimal jackknife): how the value would move with other rows, as many of them.

    Source: Heusel et al., "GANs trained by a two time-scale update rule converge to a local Nash
    equilibrium", 2017, eq. 6.

    Args:
        real: features of shape (n, d).
        generated: features of shape (m, d), of the same network.
        interval: False leaves interval and bias out, for half the time and a third of the memory.
        random_state: of the halves, and of the rows whose influence is taken.
        details: what is known of the features, to go into the measure's details.

    Raises:
        DataError: for samples that are not finite, of different widths or of under 4 rows.

    Examples:
        >>> rng = np.random.default_rng(0)
        >>> measure = fid(rng.normal(size=(2000, 8)), rng.normal(size=(2000, 8)) + 0.5)
        >>> round(measure.value, 1), measure.interval[0] < 2 < measure.interval[1]
        (2.0, True)
    """
    seed = as_seed(random_state)
    real, generated = pair(real, generated, minimum=4)
    details = {
        "n_real": len(real),
        "n_generated": len(generated),
        "dimension": real.shape[1],
        "precision": "float64",
        **(details or {}),
    }
    wide = max(len(real), len(generated)) <= real.shape[1]
    if not interval:
        value = (
            _distance_of_rows(real, generated)
            if wide
            else frechet_distance(Moments.of(real), Moments.of(generated), overwrite=True)
        )
        return Measure("fid", value, None, "lower", details)
    rng = np.random.default_rng(seed)
    halves = [_halves(x, rng) for x in (real, generated)]
    if wide:
        smaller = [
            _distance_of_rows(a[x], b[y])
            for (a, b) in [(real, generated)]
            for x, y in zip(*halves, strict=True)
        ]
        value, *of_rows = _influence_of_rows(real, generated)
        error = _error(of_rows[0], len(real), of_rows[1], len(generated))
    else:
        parts = [
            [Moments.of(np.take(x, half, axis=0)) for half in both]
            for x, both in zip((real, generated), halves, strict=True)
        ]
        smaller = [frechet_distance(a, b) for a, b in zip(*parts, strict=True)]
        whole = [first.merge(second) for first, second in parts]
        value, error = _with_error(real, generated, whole[0], whole[1], rng)
    bias = max(0.0, float(np.mean(smaller)) - value)
    details |= {
        "standard_error": error,
        "bias": bias,
        "fid_infinity": max(0.0, value - bias),
        "interval": "influence of rows, normal",
        "seed": seed,
    }
    return Measure(
        "fid",
        value,
        normal_interval(value, error, low=0.0),
        "lower",
        details,
        _warnings(value, bias, real, generated),
    )


def frechet_influence(real: Any, generated: Any) -> tuple[float, np.ndarray, np.ndarray]:
    """The Fréchet distance of features, and the influence of each row on it.

    The variance of a side's influences, over its rows, is what the distance varies by with other
    rows of that side. Of two distances to the same real rows the influences of those are alike,
    and it is the variance of their differences that counts.

    Source: the infinitesimal jackknife: Efron, "The jackknife, the bootstrap and other resampling
    plans", 1982, chapter 6.

    Args:
        real, generated: features of shapes (n, d) and (m, d).

    Returns:
        The distance, and influences (n,) and (m,), of mean zero.

    Raises:
        DataError: as :func:`fid`.

    Examples:
        >>> rng = np.random.default_rng(0)
        >>> real, made = rng.normal(size=(500, 4)), rng.normal(size=(800, 4)) + 1
        >>> value, of_real, of_made = frechet_influence(real, made)
        >>> error = (of_real.var() / 500 + of_made.var() / 800) ** 0.5
        >>> round(value, 1), round(float(error), 2), of_real.shape, of_made.shape
        (4.4, 0.24, (500,), (800,))
    """
    real, generated = pair(real, generated, minimum=4)
    if max(len(real), len(generated)) <= real.shape[1]:
        value, *influences = _influence_of_rows(real, generated)
    else:
        value, *influences = _influence(real, generated, Moments.of(real), Moments.of(generated))
    of_real, of_generated = (x - x.mean() for x in influences)
    return value, of_real, of_generated


def _warnings(
    value: float, bias: float, real: np.ndarray, generated: np.ndarray
) -> tuple[str, ...]:
    (n, d), m, found = real.shape, len(generated), []
    if min(n, m) <= d:
        found.append(
            f"{min(n, m)} rows of {d} features: the covariance has not full rank. Take more than "
            f"{d} rows, better ten times as many, or narrower features."
        )
    if bias > _LARGE_BIAS * value:
        found.append(
            f"The finite sample adds about {bias:.3g} to the value of {value:.3g}. Compare it "
            f"only with values of {n} real and {m} generated rows, or take more rows."
        )
    return tuple(found)


def _halves(X: np.ndarray, rng: np.random.Generator) -> list[np.ndarray]:
    """Row numbers of two random halves, each in order."""
    return [np.sort(half) for half in np.array_split(rng.permutation(len(X)), 2)]


# Covariances of full size


def _pivoted_cholesky(covariance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """L and the order of the rows with ``Σ[order][:, order] = L Lᵀ``, in the place of Σ.

    The columns of L beyond the rank of Σ are zero.
    """
    lower, pivots, rank, _ = _pstrf(covariance, lower=True, overwrite_a=True)
    lower[:, rank:] = 0
    return lower, pivots - 1


def _permute(matrix: np.ndarray, order: np.ndarray) -> None:
    """Bring rows and columns into that order, in place, a strip at a time."""
    for start in range(0, len(matrix), 64):
        strip = matrix[:, start : start + 64]
        strip[:] = strip[order]
    for start in range(0, len(matrix), 64):
        strip = matrix[start : start + 64]
        strip[:] = strip[:, order]


def _with_error(
    real: np.ndarray, generated: np.ndarray, a: Moments, b: Moments, rng: np.random.Generator
) -> tuple[float, float]:
    """Distance and its standard error, by the influence of some of the rows."""
    some = []
    for rows in (real, generated):
        if len(rows) > _INFLUENCE_ROWS:
            rows = np.take(rows, rng.choice(len(rows), _INFLUENCE_ROWS, replace=False), axis=0)
        some.append(rows)
    value, of_real, of_generated = _influence(some[0], some[1], a, b)
    return value, _error(of_real, a.n, of_generated, b.n)


def _error(of_a: np.ndarray, n: float, of_b: np.ndarray, m: float) -> float:
    return math.sqrt(float(np.var(of_a, ddof=1)) / n + float(np.var(of_b, ddof=1)) / m)


def _influence(
    real: np.ndarray, generated: np.ndarray, a: Moments, b: Moments
) -> tuple[float, np.ndarray, np.ndarray]:
    """Distance of the moments a and b, and the influence of rows of both on it.

    The distance changes with Σ_b as ``I - T``, T the optimal map from b to a, and with μ_b as
    ``2 (μ_b - μ_a)``. For a row ``x = μ_b + L_b y`` and ``L_aᵀ L_b = U S Vᵀ`` the form of T is
    ``yᵀ V S Vᵀ y``, with ``V = (L_aᵀ L_b)ᵀ U S⁻¹``; for rows of a it is ``yᵀ U S Uᵀ y``.
    """
    factors = [_pivoted_cholesky(x.covariance()) for x in (a, b)]
    full = []
    for lower, order in factors:
        placed = np.empty_like(lower)
        placed[order] = np.tril(lower)
        full.append(placed)
    cross = full[0].T @ full[1]
    square, u = eigh(cross @ cross.T, overwrite_a=True, check_finite=False)
    s = np.sqrt(np.maximum(square, 0))
    kept = s > _TINY * s[-1]
    shift = a.mean - b.mean
    trace = float(a.variance().sum() + b.variance().sum())
    value = max(0.0, float(shift @ shift) + trace - 2 * float(s.sum()))
    u, root = u[:, kept], np.sqrt(s[kept])
    to_a, to_b = u.T * root[:, None], (u.T @ cross) / root[:, None]
    influences = []
    sides = ((real, a, factors[0], to_a, shift), (generated, b, factors[1], to_b, -shift))
    for rows, moments, (lower, order), mapping, apart in sides:
        x = rows - moments.mean
        rank = int(np.count_nonzero(np.diag(lower)))
        y = solve_triangular(
            lower[:rank, :rank], x[:, order[:rank]].T, lower=True, check_finite=False
        )
        influences.append(_of_rows(x, apart, np.sum((mapping[:, :rank] @ y) ** 2, axis=0)))
    return value, influences[0], influences[1]


def _of_rows(x: np.ndarray, apart: np.ndarray, mapped: np.ndarray) -> np.ndarray:
    """Influence of centred rows: what their mean and their square change, less the overlap."""
    return np.einsum("ij,ij->i", x, x) + 2 * (x @ apart) - mapped


# Fewer rows than features: everything happens in the span of the rows


def _centred(X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    mean = X.mean(axis=0, dtype=np.float64)
    return mean, X - mean


def _distance_of_rows(real: np.ndarray, generated: np.ndarray) -> float:
    (mean_a, a), (mean_b, b) = _centred(real), _centred(generated)
    n, m = len(a) - 1, len(b) - 1
    overlap = float(np.sum(svdvals(a @ b.T, overwrite_a=True))) / math.sqrt(n * m)
    trace = float(np.sum(a * a)) / n + float(np.sum(b * b)) / m
    return max(0.0, float(np.sum((mean_a - mean_b) ** 2)) + trace - 2 * overlap)


def _influence_of_rows(
    real: np.ndarray, generated: np.ndarray
) -> tuple[float, np.ndarray, np.ndarray]:
    """As :func:`_influence`, with the centred rows themselves for factors: y is a unit vector."""
    (mean_a, a), (mean_b, b) = _centred(real), _centred(generated)
    n, m = len(a) - 1, len(b) - 1
    u, s, vt = svd(a @ b.T / math.sqrt(n * m), full_matrices=False)
    shift = mean_a - mean_b
    trace = float(np.sum(a * a)) / n + float(np.sum(b * b)) / m
    value = max(0.0, float(shift @ shift) + trace - 2 * float(s.sum()))
    return value, _of_rows(a, shift, n * (u**2 @ s)), _of_rows(b, -shift, m * (vt.T**2 @ s))
