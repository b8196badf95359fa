"""Precision, recall, density and coverage: fidelity and diversity, measured separately."""

from typing import Any

import numpy as np

from ..errors import DataError
from ..validation import COUNT, check
from .arrays import blocks, pair, squared_distances
from .measure import Measure
from .uncertainty import mean_interval, share_interval

__all__ = ["prdc"]

_FEW = 1000


def prdc(
    real: Any, generated: Any, *, k: int = 5, details: dict[str, Any] | None = None
) -> tuple[Measure, Measure, Measure, Measure]:
    """Precision, recall, density and coverage, by balls that reach to the k-th neighbour.

    With a ball around each row of a sample, out to its k-th nearest neighbour of that sample:

    * **precision**: share of generated rows that lie in a ball of a real one;
    * **recall**: share of real rows that lie in a ball of a generated one;
    * **density**: mean number of real balls that a generated row lies in, over k; may pass 1;
    * **coverage**: share of real rows whose ball holds a generated one.

    Source: Kynkäänniemi et al., "Improved precision and recall metric for assessing generative
    models", 2019; Naeem et al., "Reliable fidelity and diversity metrics for generative models",
    2020. Intervals are of the share (Wilson) or mean of the rows counted, the balls as they are.

    Args:
        real, generated: features of shape (n, d) and (m, d). Values depend on n and m: compare
            those of equal sizes, and of equal n and m where possible.
        k: which neighbour the balls reach to. The first of the cited papers takes 3, the second
            5.
        details: what is known of the features, to go into the measures' details.

    Raises:
        DataError: for samples that are not finite, of different widths or of k rows or fewer.
        ParameterError: for a k under 1.

    Examples:
        >>> X = np.random.default_rng(0).normal(size=(400, 2))
        >>> precision, recall, density, coverage = prdc(X[:200], X[200:] / 4)
        >>> precision.value > 0.95, recall.value < 0.4
        (True, True)
    """
    check({"k": COUNT}, {"k": k})
    real, generated = pair(real, generated)
    n, m = len(real), len(generated)
    if min(n, m) <= k:
        raise DataError(f"{n} real and {m} generated rows. Expected more than k = {k} of each.")
    middle = real.mean(axis=0, dtype=np.float64)
    real, generated = real - middle, generated - middle
    real_radius, generated_radius = _radius(real, k), _radius(generated, k)
    balls = np.zeros(m)  # real balls that each generated row lies in
    held = np.zeros(n)  # generated rows that each real ball holds
    recalled = np.zeros(n, dtype=bool)
    start = 0
    for rows in blocks(real, m):
        stop = start + len(rows)
        square = squared_distances(rows, generated)
        inside = square <= real_radius[start:stop, None]
        balls += inside.sum(axis=0)
        held[start:stop] = inside.sum(axis=1)
        recalled[start:stop] = (square <= generated_radius).any(axis=1)
        start = stop
    details = {"n_real": n, "n_generated": m, "k": k, "precision": "float64", **(details or {})}
    notes = _warnings(n, m)
    shares = {"precision": balls > 0, "recall": recalled, "coverage": held > 0}
    found = {
        name: Measure(
            name, float(hit.mean()), share_interval(int(hit.sum()), len(hit)), "higher",
            {**details, "interval": "Wilson, balls as they are"}, notes,
        )
        for name, hit in shares.items()
    }  # fmt: skip
    low, high = mean_interval(balls / k)
    details["interval"] = "Student, balls as they are"
    density = Measure(
        "density", float(balls.mean() / k), (max(0.0, low), high), "higher", details, notes
    )
    return found["precision"], found["recall"], density, found["coverage"]


def _radius(x: np.ndarray, k: int) -> np.ndarray:
    """Squared distance of each row to its k-th nearest other row: (n,)."""
    found = []
    for rows in blocks(x, len(x)):
        square = squared_distances(rows, x)
        found.append(np.partition(square, k, axis=1)[:, k])  # the nearest is the row itself
    return np.concatenate(found)


def _warnings(n: int, m: int) -> tuple[str, ...]:
    found = []
    if min(n, m) < _FEW:
        found.append(f"{min(n, m)} rows are few for balls around rows: take {_FEW} or more.")
    if max(n, m) > 2 * min(n, m):
        found.append(
            f"{n} real and {m} generated rows: balls shrink as rows are added, which moves "
            "precision and recall apart. Take as many of both."
        )
    return tuple(found)
