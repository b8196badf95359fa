"""How far sampled lines are from lines of the text: what the best weights are chosen by."""

import numpy as np

__all__ = ["ngram_divergence"]


def ngram_divergence(lines: np.ndarray, samples: np.ndarray, n: int = 4) -> float:
    """Jensen-Shannon divergence between the n-grams of two sets of lines, in bits (JS-n).

    Gulrajani et al., *Improved Training of Wasserstein GANs* (2017), section 5.3. Padding counts
    as a character. :func:`pushforward.metrics.ngram_divergence` measures text, with an interval.

    Args:
        lines, samples: (m, length) numbers of characters, 0 or more.
        n: length of an n-gram.

    Returns:
        0 for equal distributions, 1 where they share no n-gram. Few lines make it larger.

    Examples:
        >>> a, b = np.array([[1, 2, 1, 2, 1]]), np.array([[1, 2, 1, 2, 3]])
        >>> ngram_divergence(a, a), round(ngram_divergence(a, b, n=2), 3)
        (0.0, 0.156)
    """
    base = int(max(lines.max(), samples.max())) + 1
    grams = []
    for rows in (lines, samples):
        windows = np.lib.stride_tricks.sliding_window_view(rows.astype(np.int64), n, axis=1)
        grams.append(windows @ base ** np.arange(n))
    kinds, numbers = np.unique(np.concatenate([g.ravel() for g in grams]), return_inverse=True)
    parts = np.split(numbers, [grams[0].size])
    p, q = (np.bincount(part, minlength=len(kinds)) / len(part) for part in parts)
    middle = (p + q) / 2
    bits = sum(float(np.sum(x[x > 0] * np.log2(x[x > 0] / middle[x > 0]))) for x in (p, q))
    return max(0.0, bits / 2)
