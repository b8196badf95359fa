"""Tests whether samples lie closer to the training rows than new rows would."""

import math
from itertools import chain
from typing import Any

import numpy as np

from ..deprecation import renamed
from ..errors import DataError
from ..validation import as_seed
from .arrays import blocks, pair, squared_distances
from .measure import Measure
from .uncertainty import normal_interval

__all__ = ["nearest_neighbour_privacy"]

_EQUAL = 1e-12  # of the mean square distance: the same row, but for rounding
_LEVEL = 0.025  # one-sided
_PERMUTATIONS = 1999
_NATURAL = 0.01  # of new rows are as near to one row, compared with the next
_FIRST, _RATIO = 6, 2**0.5  # places the evidence is looked at after: under six prove nothing


@renamed(seed="random_state")
def nearest_neighbour_privacy(
    train: Any, held_out: Any, generated: Any, *, random_state: Any = 0,
    details: dict[str, Any] | None = None,
) -> Measure:  # fmt: skip
    """Share of samples closer to a training row than to any held-out row: 0.5 without memory.

    As many training as held-out rows are compared, ties counting half, so that samples of the
    true distribution fall to either side alike. ``details["copies"]`` is the share of samples
    equal to a training row.

    ``details["memorised"]`` is the verdict of a permutation test at 2.5 %. Where a generator
    remembers nothing, training and held-out rows could have changed places: the test deals them
    out 1,999 times. What it looks at counts rows, not samples, for a sample shares its neighbour
    with many others: each row that is the nearest of some sample has the smallest ratio of the
    distances to the nearest and to the second nearest row, and the rows of the smallest ratios,
    6, 8, 12 and so on up to all of them, are counted by side. So is each sample once. Samples
    count only with a ratio that one in a hundred held-out rows has at most, beside the training
    rows: whoever remembers makes samples nearer to single rows than new ones are. A share above
    0.5 without that verdict is overfitting: any model of many parameters fits the rows it saw
    better than others. The largest of these counts, standardised, decides. At least six copied
    rows are needed: fewer may be chance.

    Source: Platzer and Reutterer, "Holdout-based empirical assessment of mixed-type synthetic
    data", 2021, section 3.2, for the share; the ratio is that of Lowe, "Distinctive image
    features from scale-invariant keypoints", 2004, section 7.1.

    Args:
        train: (n, d) rows the generator was fitted on.
        held_out: (m, d) rows of the same distribution that it has not seen.
        generated: (k, d) samples.
        random_state: of the choice of rows where one side has more, and of the permutations.
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
    seed = as_seed(random_state)
    train, generated = pair(train, generated)
    held_out, _ = pair(held_out, generated)
    if len(generated) < 4:
        raise DataError(f"{len(generated)} samples. Expected at least 4.")
    rng = np.random.default_rng(seed)
    size = min(len(train), len(held_out))
    middle = held_out.mean(axis=0, dtype=np.float64)
    train, held_out = (x[rng.permutation(len(x))[:size]] - middle for x in (train, held_out))
    generated = generated - middle
    equal = _EQUAL * float(np.mean(np.sum(held_out**2, axis=1)))
    (near, far, natural) = (
        _nearest(a, b, equal)
        for a, b in ((generated, train), (generated, held_out), (held_out, train))
    )
    closer = float(np.mean((near < far) + 0.5 * (near == far)))
    both = np.concatenate([train, held_out])
    limit = float(np.quantile(_ratios(held_out, np.unique(train, axis=0), equal)[1], _NATURAL))
    counts, weights = _evidence(both, generated, equal, limit, rng)
    side = np.repeat([1.0, -1.0], size)
    p_value = _permutation_p_value(weights, side, rng)
    error = _error(counts, len(generated))
    memorised = p_value <= _LEVEL
    details = {
        "n_real": size,
        "n_held_out": size,
        "n_generated": len(generated),
        "memorised": memorised,
        "p_value": p_value,
        "copies": float(np.mean(near == 0)),
        "copies_of_held_out": float(np.mean(far == 0)),
        "median_distance_to_train": float(np.median(np.sqrt(near))),
        "median_distance_to_held_out": float(np.median(np.sqrt(far))),
        "median_distance_held_out_to_train": float(np.median(np.sqrt(natural))),
        "interval": "training and held-out rows dealt out anew, normal",
        "standard_error": error,
        "precision": "float64",
        "seed": seed,
        **(details or {}),
    }
    warnings = []
    if memorised:
        warnings.append(
            f"{100 * closer:.0f} % of the samples lie closer to a training row than to any of as "
            f"many held-out ones, and {100 * details['copies']:.2g} % are copies: more than "
            f"chance explains (p {p_value:.2g}). The generator remembers training rows, unless "
            "the held-out rows are of another distribution."
        )
    interval = normal_interval(closer, error, 0.0, 1.0)
    return Measure("closer_to_train", closer, interval, "lower", details, tuple(warnings))


def _evidence(
    rows: np.ndarray, generated: np.ndarray, equal: float, limit: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """How many samples each row is the nearest of (n,), and weights (statistics, n) of rows.

    None of them knows of which side a row is. The first weights count those samples whose ratio
    is ``limit`` at most, the others the rows of the smallest of these ratios. Rows that are equal
    share their weight.
    """
    places, place = np.unique(rows, axis=0, return_inverse=True)
    place = place.ravel()
    nearest, ratio = _ratios(generated, places, equal)
    all_samples = np.bincount(nearest, minlength=len(places)).astype(np.float64)
    nearest, ratio = nearest[ratio <= limit], ratio[ratio <= limit]
    best = np.full(len(places), np.inf)
    np.minimum.at(best, nearest, ratio)
    # in an order of chance where ratios are equal, as those of copies are
    order = np.lexsort([rng.random(len(places)), best])[: int(np.isfinite(best).sum())]
    sizes = _FIRST * _RATIO ** np.arange(64)
    sizes = np.unique(np.ceil(sizes[sizes < len(order)]).astype(int)).tolist()
    counts = [np.bincount(nearest, minlength=len(places)).astype(np.float64)]
    for size in (*sizes, len(order)):
        among = np.zeros(len(places))
        among[order[:size]] = 1.0
        counts.append(among)
    shared = np.bincount(place)[place]
    return all_samples[place] / shared, np.stack(counts)[:, place] / shared


def _permutation_p_value(weights: np.ndarray, side: np.ndarray, rng: np.random.Generator) -> float:
    """Probability of a largest standardised sum of one side's weights as large as this one's."""
    held = weights.any(axis=0)
    if np.count_nonzero(held) < _FIRST:  # that many on one side may be chance
        return 1.0
    weights = weights[:, held]
    dealt = (rng.permutation(side)[held] for _ in range(_PERMUTATIONS))
    sums = np.stack([weights @ x for x in chain([side[held]], dealt)])
    spread = sums.std(axis=0)
    sums = (sums - sums.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    largest = sums.max(axis=1)
    return float(np.mean(largest >= largest[0] - 1e-9))


def _error(counts: np.ndarray, samples: int) -> float:
    """Standard error of the share, under random assignment of rows to training and held-out.

    Args:
        counts: of samples that each row of both sides is the nearest of.
        samples: their number.
    """
    return math.sqrt(len(counts) / 4 * float(np.var(counts, ddof=1))) / samples


def _nearest(a: np.ndarray, b: np.ndarray, equal: float) -> np.ndarray:
    """Squared distance of each row of a to the nearest of b, exact where it is small; 0 if equal.

    The product form picks the neighbour; the distance to it is then taken of the difference.
    """
    found = []
    for rows in blocks(a, len(b)):
        nearest = squared_distances(rows, b).argmin(axis=1)
        found.append(np.sum((rows - b[nearest]) ** 2, axis=1))
    squares = np.concatenate(found)
    return np.where(squares <= equal, 0.0, squares)


def _ratios(a: np.ndarray, b: np.ndarray, equal: float) -> tuple[np.ndarray, np.ndarray]:
    """The nearest row of b to each of a, and its squared distance over that to the second.

    1 where both are as near; also where there is no second.
    """
    which, ratios = [], []
    for rows in blocks(a, len(b)):
        two = squared_distances(rows, b)
        two = np.argpartition(two, min(1, len(b) - 1), axis=1)[:, :2]
        squares = np.sum((rows[:, None] - b[two]) ** 2, axis=2)
        squares[squares <= equal] = 0.0
        order = np.argsort(squares, axis=1, kind="stable")
        first, second = np.take_along_axis(squares, order, axis=1)[:, [0, -1]].T
        which.append(np.take_along_axis(two, order, axis=1)[:, 0])
        ratios.append(np.where(second > 0, first / np.where(second > 0, second, 1.0), 1.0))
    return np.concatenate(which), np.concatenate(ratios)
