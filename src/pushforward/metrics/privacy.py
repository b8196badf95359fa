"""Do samples lie closer to the training rows than new rows would?"""

from typing import Any

import numpy as np

from ..errors import DataError
from ._arrays import blocks, pair, squared_distances
from .measure import Measure
from .uncertainty import share_interval

__all__ = ["nearest_neighbour_privacy"]

_EQUAL = 1e-12  # of the mean square distance: the same row, but for rounding


def nearest_neighbour_privacy(
    train: Any, held_out: Any, generated: Any, *, seed: int = 0,
    details: dict[str, Any] | None = None,
) -> Measure:  # fmt: skip
    """Share of samples closer to a training row than to any held-out row: 0.5 without memory.

    As many training as held-out rows are compared, ties counting half, so that samples of the
    true distribution fall to either side alike. ``details["memorised"]`` says whether the share is
    above 0.5 beyond chance; ``details["copies"]`` is the share of samples equal to a training row.

    Source: Platzer and Reutterer, "Holdout-based empirical assessment of mixed-type synthetic
    data", 2021, section 3.2.

    Args:
        train: (n, d) rows the generator was fitted on.
        held_out: (m, d) rows of the same distribution that it has not seen.
        generated: (k, d) samples.
        seed: of the choice of rows where one side has more.
        details: what is known of the features, to go into the measure's details.

    Raises:
        DataError: for samples that are not finite or of different widths.

    Examples:
        >>> X = np.random.default_rng(0).normal(size=(600, 3))
        >>> nearest_neighbour_privacy(X[:200], X[200:400], X[:200]).value
        1.0
        >>> nearest_neighbour_privacy(X[:200], X[200:400], X[400:]).details["memorised"]
        False
    """
    train, generated = pair(train, generated)
    held_out, _ = pair(held_out, generated)
    if len(generated) < 4:
        raise DataError(f"{len(generated)} samples. Expected at least 4.")
    rng = np.random.default_rng(seed)
    size = min(len(train), len(held_out))
    middle = held_out.mean(axis=0, dtype=np.float64)
    train, held_out = (x[rng.permutation(len(x))[:size]] - middle for x in (train, held_out))
    generated = generated - middle
    near, far = _nearest(generated, train), _nearest(generated, held_out)
    natural = _nearest(held_out, train)
    equal = _EQUAL * float(np.mean(np.sum(held_out**2, axis=1)))
    near, far, natural = (np.where(x <= equal, 0.0, x) for x in (near, far, natural))
    closer = float(np.mean((near < far) + 0.5 * (near == far)))
    interval = share_interval(round(closer * len(generated)), len(generated))
    low = interval[0]
    told = {
        "n_real": size,
        "n_held_out": size,
        "n_generated": len(generated),
        "memorised": bool(low > 0.5),
        "copies": float(np.mean(near == 0)),
        "copies_of_held_out": float(np.mean(far == 0)),
        "median_distance_to_train": float(np.median(np.sqrt(near))),
        "median_distance_to_held_out": float(np.median(np.sqrt(far))),
        "median_distance_held_out_to_train": float(np.median(np.sqrt(natural))),
        "interval": "Wilson, rows compared with as they are",
        "precision": "float64",
        "seed": seed,
        **(details or {}),
    }
    warnings = []
    if low > 0.5:
        warnings.append(
            f"{100 * closer:.0f} % of the samples lie closer to a training row than to any of as "
            "many held-out ones: the generator remembers training rows."
        )
    return Measure("closer_to_train", closer, interval, "lower", told, tuple(warnings))


def _nearest(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Squared distance of each row of a to the nearest of b, exact where it is small.

    The product form picks the neighbour; the distance to it is then taken of the difference.
    """
    found = []
    for rows in blocks(a, len(b)):
        nearest = squared_distances(rows, b).argmin(axis=1)
        found.append(np.sum((rows - b[nearest]) ** 2, axis=1))
    return np.concatenate(found)
