"""The kernel Inception distance."""

from typing import Any

import numpy as np

from ..deprecation import renamed
from ..errors import ParameterError
from ..validation import as_seed
from .arrays import pair
from .measure import Measure
from .mmd import discrepancy
from .uncertainty import normal_interval

__all__ = ["kid", "polynomial_kernel"]


def polynomial_kernel(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """``(a · b / d + 1)³`` between rows: (n, d), (m, d) -> (n, m).

    >>> polynomial_kernel(np.ones((1, 4)), np.ones((2, 4))).tolist()
    [[8.0, 8.0]]
    """
    values = a @ b.T
    values /= a.shape[1]
    values += 1
    return np.multiply(np.square(values), values, out=values)


@renamed(seed="random_state")
def kid(
    real: Any, generated: Any, *, subsets: int | None = None, subset_size: int = 1000,
    random_state: Any = 0, details: dict[str, Any] | None = None,
) -> Measure:  # fmt: skip
    """Unbiased MMD² with the cubic kernel (KID with Inception features).

    By default all pairs of rows count and the standard error is analytic. With ``subsets`` it is
    the figure of papers: the mean over random subsets, of both samples, of ``subset_size`` rows,
    and its interval holds for the choice of subsets alone.

    Source: Bińkowski et al., "Demystifying MMD GANs", 2018, section 4.

    Args:
        real, generated: features of shape (n, d) and (m, d).
        subsets: how many (100 is usual); None for all pairs.
        subset_size: rows of each subset (1000 is usual).
        random_state: of the subsets.
        details: what is known of the features, to go into the measure's details.

    Raises:
        DataError: for samples that are not finite, of different widths or of under 2 rows.
        ParameterError: for subsets larger than a sample.

    Examples:
        >>> rng = np.random.default_rng(0)
        >>> measure = kid(rng.normal(size=(300, 8)), rng.normal(size=(300, 8)))
        >>> measure.interval[0] < 0 < measure.interval[1]
        True
    """
    seed = as_seed(random_state)
    real, generated = pair(real, generated)
    details = {
        "n_real": len(real),
        "n_generated": len(generated),
        "dimension": real.shape[1],
        "precision": "float64",
        **(details or {}),
    }
    if subsets is None:
        value, error = discrepancy(real, generated, polynomial_kernel)
        details |= {"estimator": "all pairs", "interval": "projections of rows, normal"}
    else:
        if subsets < 2 or not 2 <= subset_size <= min(len(real), len(generated)):
            raise ParameterError(
                f"{subsets} subsets of {subset_size} rows, of {len(real)} real and "
                f"{len(generated)} generated. Expected at least 2 subsets, of 2 rows to as many "
                "as the smaller sample has."
            )
        rng = np.random.default_rng(seed)
        found = np.array(
            [
                discrepancy(
                    real[rng.permutation(len(real))[:subset_size]],
                    generated[rng.permutation(len(generated))[:subset_size]],
                    polynomial_kernel,
                ).value
                for _ in range(subsets)
            ]
        )
        value, error = float(found.mean()), float(found.std(ddof=1) / np.sqrt(subsets))
        details |= {
            "estimator": f"mean of {subsets} subsets of {subset_size}",
            "subsets_std": float(found.std()),
            "interval": "subsets, normal",
            "seed": seed,
        }
    details["standard_error"] = error
    return Measure("kid", value, normal_interval(value, error), "lower", details)
