"""Detection of out-of-distribution data by scores, and how well it works."""

import math
import zlib
from typing import Any

import numpy as np
from scipy.stats import rankdata

from ..errors import DataError, ParameterError
from .arrays import as_scores
from .measure import Measure
from .uncertainty import Z, share_interval

__all__ = ["auroc", "average_precision", "fpr_at_95", "input_complexity", "typicality"]


def auroc(inside: Any, outside: Any, *, name: str = "auroc") -> Measure:
    """Probability that a row of the model's own kind scores above one of another kind.

    By ranks, ties counting half, with DeLong's interval on the scale of the logit, so that it
    stays within (0, 1).

    Source: DeLong, DeLong and Clarke-Pearson, "Comparing the areas under two or more correlated
    receiver operating characteristic curves", 1988, in the form by ranks of Sun and Xu, "Fast
    implementation of DeLong's algorithm", 2014.

    Args:
        inside: (n,) scores of rows of the kind the model was fitted on; higher is more normal.
        outside: (m,) scores of rows of another kind.
        name: of the measure.

    Raises:
        DataError: for scores that are not finite.

    Examples:
        >>> auroc([3.0, 2.0, 1.0], [0.0, 1.0]).value  # 5.5 of 6 pairs
        0.9166666666666666
    """
    inside, outside = as_scores(inside, "inside"), as_scores(outside, "outside")
    n, m = len(inside), len(outside)
    ranks = rankdata(np.concatenate([inside, outside]))
    above = (ranks[:n] - rankdata(inside)) / m  # share of the others that each row beats
    below = 1 - (ranks[n:] - rankdata(outside)) / n
    value = float(above.mean())
    details = {"n_real": n, "n_other": m, "interval": "DeLong, logit"}
    variance = sum(float(np.var(x, ddof=1)) / len(x) for x in (above, below) if len(x) > 1)
    if 0 < value < 1 and min(n, m) > 1 and variance > 0:
        centre = math.log(value / (1 - value))
        half = Z * math.sqrt(variance) / (value * (1 - value))
        ends = [
            1 / (1 + math.exp(-min(max(x, -700), 700))) for x in (centre - half, centre + half)
        ]
        interval = (ends[0], ends[1])
    else:  # all pairs alike: what as many rows alike still leave open
        interval = share_interval(round(value * min(n, m)), min(n, m))
        details["interval"] = "Wilson, of the smaller sample"
    return Measure(name, value, interval, "higher", details)


def average_precision(inside: Any, outside: Any, *, name: str = "average_precision") -> Measure:
    """Mean precision over the rows of another kind, as the threshold rises past each.

    The other kind counts as positive; rows with equal scores are found together. It depends on
    the shares of both kinds, ``details["prevalence"]`` being what chance gives. The interval is
    that of its logit (Boyd, Eng and Page, "Area under the precision-recall curve", 2013).

    Args:
        inside, outside: as of :func:`auroc`; higher is more normal.
        name: of the measure.

    Examples:
        >>> average_precision([3.0, 2.0, 1.0], [0.0, 2.5]).value
        0.75
    """
    inside, outside = as_scores(inside, "inside"), as_scores(outside, "outside")
    scores = np.concatenate([inside, outside])
    positive = np.arange(len(scores)) >= len(inside)
    order = np.argsort(scores, kind="stable")
    scores, positive = scores[order], positive[order]
    last = np.append(np.flatnonzero(np.diff(scores)), len(scores) - 1)
    hits = np.cumsum(positive)[last]
    gained = np.diff(np.concatenate([[0], hits]))
    m = len(outside)
    value = float(np.sum(gained * hits / (last + 1)) / m)
    if value < 1:
        centre, half = math.log(value / (1 - value)), Z / math.sqrt(m * value * (1 - value))
        interval = (1 / (1 + math.exp(half - centre)), 1 / (1 + math.exp(-half - centre)))
    else:
        interval = share_interval(m, m)
    details = {
        "n_real": len(inside),
        "n_other": m,
        "prevalence": m / len(scores),
        "interval": "logit of a share of the other rows",
    }
    return Measure(name, value, interval, "higher", details)


def fpr_at_95(inside: Any, outside: Any, *, name: str = "fpr_at_95") -> Measure:
    """Share of the other kind that passes for normal when 95 % of the normal rows do.

    Args:
        inside, outside: as of :func:`auroc`; higher is more normal.
        name: of the measure.

    Examples:
        >>> fpr_at_95(np.arange(100.0), [-1.0, 50.0]).value
        0.5
    """
    inside, outside = as_scores(inside, "inside"), as_scores(outside, "outside")
    threshold = float(np.sort(inside)[math.floor(0.05 * len(inside))])
    passed = int(np.sum(outside >= threshold))
    m = len(outside)
    details = {
        "n_real": len(inside),
        "n_other": m,
        "threshold": threshold,
        "interval": "Wilson, the threshold as it is",
    }
    return Measure(name, passed / m, share_interval(passed, m), "lower", details)


def typicality(train_scores: Any, scores: Any, *, group: int = 1) -> np.ndarray:
    """Minus the distance of a log density from its mean over training rows.

    The typical set is where the log density is near minus the entropy, neither lower nor higher:
    a score to hand to :func:`auroc` when another kind of data scores *above* the model's own.

    Source: Nalisnick et al., "Detecting out-of-distribution inputs to deep generative models
    using typicality", 2019, eq. 4.

    Args:
        train_scores: (n,) log densities of rows the model was fitted on; with a column for each
            level, (n, L).
        scores: (m,) or (m, L) log densities of rows to judge.
        group: rows judged together, by their mean; what is left over at the end is not judged.

    Returns:
        (m // group,), or (m // group, L), not positive; higher is more typical.

    Raises:
        ParameterError: for a group of none or of more rows than there are.

    Examples:
        >>> typicality([1.0, 3.0], [2.0, 5.0, 2.0, 5.0]).tolist()
        [-0.0, -3.0, -0.0, -3.0]
        >>> typicality([1.0, 3.0], [2.0, 5.0, 2.0, 5.0], group=2).tolist()
        [-1.5, -1.5]
    """
    centre = np.mean(_levels(train_scores, "train_scores"), axis=0)
    scores = _levels(scores, "scores")
    if not 1 <= group <= len(scores):
        raise ParameterError(f"group is {group}. Expected 1 to {len(scores)}, the rows there are.")
    whole = scores[: len(scores) // group * group]
    means = whole.reshape(-1, group, *scores.shape[1:]).mean(axis=1)
    return -np.abs(means - centre)


def _levels(values: Any, name: str) -> np.ndarray:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim == 2 and array.size:
        return np.stack([as_scores(level, name) for level in array.T], axis=1)
    return as_scores(array, name)


def input_complexity(images: Any, log_prob: Any) -> np.ndarray:
    """Log probability of an image in bits, plus the bits a lossless codec needs for it.

    A log-likelihood ratio against the codec taken as a model of images: simple images no longer
    score high for being simple. Codecs: PNG and lossless WebP if Pillow is there, and DEFLATE of
    the bytes in any case; the shortest counts.

    Source: Serrà et al., "Input complexity and out-of-distribution detection with likelihood-based
    generative models", 2020, eq. 4; the sign here is such that higher is more normal.

    Args:
        images: uint8 (n, C, H, W).
        log_prob: (n,) log probabilities of the 8-bit images, in nats.

    Returns:
        (n,) bits, for :func:`auroc`.

    Raises:
        DataError: for other shapes or dtypes.

    Examples:
        >>> flat = np.zeros((1, 1, 8, 8), dtype=np.uint8)
        >>> bool(input_complexity(flat, [-10.0])[0] > -10 / np.log(2))
        True
    """
    array, scores = np.asarray(images), as_scores(log_prob, "log_prob")
    if array.ndim != 4 or array.dtype != np.uint8 or len(array) != len(scores):
        raise DataError(
            f"images are {array.dtype} of shape {array.shape} with {len(scores)} log "
            "probabilities. Expected uint8 of shape (n, C, H, W), and n of them."
        )
    return scores / math.log(2) + np.array([8.0 * _shortest(image) for image in array])


def _shortest(image: np.ndarray) -> int:
    """Bytes of the shortest lossless code of one image (C, H, W)."""
    lengths = [len(zlib.compress(image.tobytes(), 9))]
    try:
        from PIL import Image
    except ImportError:
        return lengths[0]
    import io

    planes = image.transpose(1, 2, 0)
    pictures = [planes] if planes.shape[2] == 3 else np.split(planes, planes.shape[2], axis=2)
    for form, options in (("PNG", {"optimize": True}), ("WEBP", {"lossless": True})):
        total = 0
        for picture in pictures:
            with io.BytesIO() as file:
                Image.fromarray(np.squeeze(picture)).save(file, form, **options)
                total += file.tell()
        lengths.append(total)
    return min(lengths)
