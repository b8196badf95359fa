"""The Inception score of class probabilities."""

from typing import Any

import numpy as np

from ..errors import DataError, ParameterError
from .arrays import as_rows
from .measure import Measure
from .uncertainty import mean_interval

__all__ = ["inception_score"]

_LARGE_BIAS = 0.05  # of the value


def inception_score(
    probabilities: Any, *, splits: int = 10, details: dict[str, Any] | None = None
) -> Measure:
    """``exp(E KL(p(y|x) || p(y)))`` of a classifier's answers: sure of each, various over all.

    The mean over ``splits`` equal parts, as is the convention; the interval is Student's of that
    mean. Small parts make the score smaller: ``details["bias"]`` estimates by how much, from
    parts of half the size.

    Source: Salimans et al., "Improved techniques for training GANs", 2016, section 4. Only scores
    by the same classifier compare; say which.

    Args:
        probabilities: (n, classes), each row summing to 1.
        splits: parts, in the order of the rows.
        details: what is known of the classifier, to go into the measure's details.

    Raises:
        DataError: for rows that are no probabilities.
        ParameterError: for fewer than 2 splits or too many for the rows.

    Examples:
        >>> round(inception_score(np.tile(np.eye(10), (100, 1))).value, 6)
        10.0
    """
    p = as_rows(probabilities, "probabilities").astype(np.float64)
    if (p < 0).any() or not np.allclose(p.sum(axis=1), 1, atol=1e-3):
        raise DataError(
            "The rows of probabilities are negative or do not sum to 1. Expected the softmax of "
            "a classifier's logits."
        )
    if not 2 <= splits <= len(p) // 4:
        raise ParameterError(
            f"splits is {splits} and there are {len(p)} rows. Expected at least 2 splits of at "
            "least 4 rows."
        )
    scores = _scores(p, splits)
    value = float(scores.mean())
    bias = min(0.0, float(_scores(p, 2 * splits).mean()) - value)
    warnings = ()
    if -bias > _LARGE_BIAS * value:
        warnings = (
            f"Splits of {len(p) // splits} rows make the score smaller by about {-bias:.3g}. "
            "Take 50,000 rows, or compare only with scores of as many.",
        )
    details = {
        "n_generated": len(p),
        "classes": p.shape[1],
        "splits": splits,
        "splits_std": float(scores.std()),
        "bias": bias,
        "interval": "splits, Student",
        "precision": "float64",
        **(details or {}),
    }
    low, high = mean_interval(scores)
    return Measure("inception_score", value, (max(1.0, low), high), "higher", details, warnings)


def _scores(p: np.ndarray, splits: int) -> np.ndarray:
    with np.errstate(divide="ignore", invalid="ignore"):
        own = np.where(p > 0, p * np.log(p), 0.0).sum(axis=1)
        found = []
        for part, rows in zip(np.array_split(p, splits), np.array_split(own, splits), strict=True):
            q = part.mean(axis=0)
            found.append(np.exp(rows.mean() - np.where(q > 0, q * np.log(q), 0.0).sum()))
    return np.array(found)
