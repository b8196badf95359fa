"""Held-out likelihood: nats a row, and bits per dimension of images."""

import math
from typing import Any

import numpy as np

from ..validation import COUNT, check
from .arrays import as_scores
from .measure import Measure
from .uncertainty import mean_interval

__all__ = ["bits_per_dimension", "nats_per_row"]


def nats_per_row(log_prob: Any, *, details: dict[str, Any] | None = None) -> Measure:
    """Mean log density of held-out rows, in nats, with Student's interval.

    Densities change with the units of the columns: compare models of the same table only.

    Args:
        log_prob: (n,) log densities of rows the model was not fitted on.
        details: what is known of model and rows, to go into the measure's details.

    Raises:
        DataError: for log densities that are not finite: their mean would say nothing.

    Examples:
        >>> nats_per_row([1.0, 2.0, 3.0]).value
        2.0
    """
    scores = as_scores(log_prob, "log_prob", minimum=2)
    details = {
        "n_real": len(scores),
        "median": float(np.median(scores)),
        "interval": "Student",
        **(details or {}),
    }
    return Measure("nats_per_row", float(scores.mean()), mean_interval(scores), "higher", details)


def bits_per_dimension(
    log_prob: Any, dimensions: int, *, details: dict[str, Any] | None = None
) -> Measure:
    """Minus the mean log probability of held-out images, in bits a number of the image.

    Args:
        log_prob: (n,) log *probabilities* of 8-bit images, in nats, or lower bounds of them: of
            dequantised images the log density with the log-determinant of the scaling, 256 levels
            a unit each (Theis, van den Oord and Bethge, "A note on the evaluation of generative
            models", 2016, section 3.1).
        dimensions: channels times height times width.
        details: what is known of model and images, to go into the measure's details.

    Raises:
        DataError: for log probabilities that are not finite.
        ParameterError: for dimensions under 1.

    Examples:
        >>> round(bits_per_dimension([-784 * math.log(256)] * 2, 784).value, 6)
        8.0
    """
    check({"dimensions": COUNT}, {"dimensions": dimensions})
    bits = -as_scores(log_prob, "log_prob", minimum=2) / (dimensions * math.log(2))
    details = {
        "n_real": len(bits),
        "dimensions": dimensions,
        "interval": "Student",
        **(details or {}),
    }
    return Measure("bits_per_dimension", float(bits.mean()), mean_interval(bits), "lower", details)
