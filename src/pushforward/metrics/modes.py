"""Modes found and missed: of sets whose modes are known, or named by a classifier."""

from typing import Any

import numpy as np

from ..errors import DataError
from .arrays import as_rows, as_scores, blocks, pair, squared_distances
from .measure import Measure
from .uncertainty import jackknife_moments, normal_interval, share_interval

__all__ = ["class_modes", "grid_of_gaussians", "modes", "swiss_roll_curve"]

_FAIR = 0.1  # of its fair share makes a mode count as found


def grid_of_gaussians(side: int = 5) -> tuple[np.ndarray, float]:
    """Centres (side², 2) and standard deviation of the 25 Gaussians of the literature.

    Centres two apart, standard deviation 0.05, all divided by 2.828.

    >>> centres, sd = grid_of_gaussians()
    >>> centres.shape, round(sd, 4)
    ((25, 2), 0.0177)
    """
    line = 2.0 * (np.arange(side) - (side - 1) / 2)
    return np.stack(np.meshgrid(line, line), axis=-1).reshape(-1, 2) / 2.828, 0.05 / 2.828


def swiss_roll_curve(noise: float = 0.25) -> tuple[np.ndarray, float]:
    """Points (2000, 2) of the middle of the 2-D Swiss roll, and its standard deviation.

    The first and last column of scikit-learn's ``make_swiss_roll(noise=0.25)``, divided by 7.5.

    >>> swiss_roll_curve()[0].shape
    (2000, 2)
    """
    t = 1.5 * np.pi * np.linspace(1, 3, 2000)
    return np.stack([t * np.cos(t), t * np.sin(t)], axis=1) / 7.5, noise / 7.5


def modes(
    generated: Any, centres: Any, sd: float, *, within: float = 4.0, curve: bool = False
) -> tuple[Measure, ...]:
    """High-quality share, and modes found and their balance, of samples of known modes.

    A row is of high quality within ``within`` standard deviations of the nearest centre. A mode
    is found that has at least a tenth of its fair share of high-quality rows; the imbalance is
    the Kullback-Leibler divergence, in nats, of the shares of the modes from equal ones.

    **The high-quality share alone misleads**: it reaches 1 as samples collapse to points.
    ``details["spread"]`` is the root mean square deviation of high-quality rows from their
    centre over what it is in the data: 1 is right, under 1 is collapse.

    Source: Srivastava et al., "VEEGAN: reducing mode collapse in GANs using implicit variational
    learning", 2017, section 4.1 (3 standard deviations there); Azadi et al., "Discriminator
    rejection sampling", 2019, section 5.1 (4).

    Args:
        generated: (n, d).
        centres: (k, d), the modes, or points along a curve.
        sd: standard deviation of each mode in every dimension.
        within: standard deviations that are near enough.
        curve: the centres are points of one curve: only the share is measured.

    Returns:
        ``(high_quality,)`` for a curve, else ``(high_quality, modes_found, mode_imbalance)``.

    Examples:
        >>> centres, sd = grid_of_gaussians()
        >>> rows = np.repeat(centres[:20], 50, axis=0)
        >>> [round(float(m.value), 3) for m in modes(rows, centres, sd)]
        [1.0, 20.0, 0.223]
    """
    generated, middle = pair(generated, centres, minimum=1)
    generated, middle = generated.astype(np.float64), middle.astype(np.float64)
    if not sd > 0:
        raise DataError(f"sd is {sd}. Expected the standard deviation of a mode, above 0.")
    nearest, square = [], []
    for rows in blocks(generated, len(middle)):
        distance = squared_distances(rows, middle)
        nearest.append(distance.argmin(axis=1))
        square.append(distance.min(axis=1))
    nearest, square = np.concatenate(nearest), np.concatenate(square)
    good = square <= (within * sd) ** 2
    n, d = generated.shape
    details = {"n_generated": n, "within": within, "interval": "Wilson"}
    hits = int(good.sum())
    if hits and not curve:
        details["spread"] = float(np.sqrt(square[good].mean() / d) / sd)
    quality = Measure("high_quality", hits / n, share_interval(hits, n), "higher", details)
    if curve:
        return (quality,)
    counts = np.bincount(nearest[good], minlength=len(middle))
    return (quality, *_found(counts, np.full(len(middle), 1 / len(middle)), nearest[good]))


def class_modes(
    generated: Any,
    real: Any,
    *,
    classes: int | None = None,
    details: dict[str, Any] | None = None,
) -> tuple[Measure, Measure]:
    """Classes found and their balance, by the answers of a classifier.

    As :func:`modes`, with the shares of the real rows for the fair ones.

    Args:
        generated, real: class numbers (n,) and (m,), or probabilities (n, classes) whose largest
            counts.
        classes: how many there are; by default as many as were seen.
        details: what is known of the classifier, to go into the measures' details.

    Returns:
        ``(modes_found, mode_imbalance)``.

    Examples:
        >>> found, imbalance = class_modes([0, 0, 1, 1], [0, 1, 2, 2], classes=3)
        >>> found.value, round(imbalance.value, 3)
        (2.0, 0.693)
    """
    mine, theirs = _labels(generated, "generated"), _labels(real, "real")
    classes = classes or int(max(mine.max(), theirs.max())) + 1
    if max(mine.max(), theirs.max()) >= classes:
        raise DataError(
            f"There are class numbers of {classes} or more. Expected 0 to {classes - 1}."
        )
    fair = np.bincount(theirs, minlength=classes) / len(theirs)
    return _found(np.bincount(mine, minlength=classes), fair, mine, details)


def _labels(values: Any, name: str) -> np.ndarray:
    array = np.asarray(values)
    if array.ndim == 2:
        return as_rows(array, name, 1).argmax(axis=1)
    labels = as_scores(array, name)
    if (labels < 0).any() or (labels != np.floor(labels)).any():
        raise DataError(f"{name} holds values that are no class numbers. Expected 0, 1, 2, ...")
    return labels.astype(np.intp)


def _found(
    counts: np.ndarray, fair: np.ndarray, assigned: np.ndarray,
    details: dict[str, Any] | None = None,
) -> tuple[Measure, Measure]:  # fmt: skip
    total = int(counts.sum())
    expected = int((fair > 0).sum())
    details = {"n_generated": total, "modes": expected, **(details or {})}
    enough = (counts > 0) & (fair > 0) & (counts >= _FAIR * fair * total)
    missing = np.flatnonzero((fair > 0) & ~enough)
    notes = ()
    if total * fair[fair > 0].min() < 20:
        notes = (
            f"{total} rows for {expected} modes leave under 20 for the rarest. Take more rows.",
        )
    details_found = {
        **details,
        "missing": missing.tolist(),
        "any": int(np.sum((counts > 0) & (fair > 0))),
    }
    found = Measure("modes_found", float(enough.sum()), None, "higher", details_found, notes)
    if total == 0:
        raise DataError("No row is near any mode: there are no shares to compare.")
    # a class that real rows lack counts as one real row's share, so that the figure is finite
    fair = np.maximum(fair, 1 / (10 * len(assigned) + 10))
    fair = fair / fair.sum()
    value = _divergence(counts / total, fair)
    group = np.arange(len(assigned)) % 10
    tables = np.bincount(group * len(counts) + assigned, minlength=10 * len(counts))
    left = counts - tables.reshape(10, len(counts))
    kept = [row for row in left if row.sum()]
    error = 0.0
    if len(kept) > 1:
        error, _ = jackknife_moments(
            np.array([_divergence(row / row.sum(), fair) for row in kept]), value
        )
    imbalance = Measure(
        "mode_imbalance", value, normal_interval(value, error, low=0.0), "lower",
        {**details, "bias": (expected - 1) / (2 * total), "interval": "groups left out, normal"},
        notes,
    )  # fmt: skip
    return found, imbalance


def _divergence(share: np.ndarray, fair: np.ndarray) -> float:
    there = share > 0
    return max(0.0, float(np.sum(share[there] * np.log(share[there] / fair[there]))))
