"""n-grams of the characters of lines, and how far those of two sets of lines are apart."""

from collections.abc import Sequence

import numpy as np

__all__ = ["jensen_shannon", "ngram_distance", "ngrams"]

_END = 0x110000  # after the last character there can be


def ngrams(lines: Sequence[str], n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The n-grams of lines, each of which ends in a symbol of its own.

    So "abc" has the 2-grams "ab", "bc" and "c" with the end. What is shorter than n with its end,
    a blank line above all, is one n-gram of its own. Every line has a mass of 1, whatever its
    length: few characters cannot hide behind the many of other lines.

    Args:
        lines: of text, blank ones among them or not.
        n: length of an n-gram, 1 or more.

    Returns:
        ``(kind, line, mass)``, each of shape (number of n-grams,): the number of what it is, from
        0, the line it stands in, and its mass, one over the n-grams of its line.

    Examples:
        >>> kind, line, mass = ngrams(["aaa", ""], 2)
        >>> line.tolist(), mass.round(2).tolist()
        ([0, 0, 0, 1], [0.33, 0.33, 0.33, 1.0])
        >>> len(set(kind[:2])), len(set(kind))  # "aa" twice, "a" with the end, and the blank line
        (1, 3)
    """
    if not lines:
        return np.empty(0, np.intp), np.empty(0, np.intp), np.empty(0)
    length = np.array([len(line) for line in lines])
    size = np.maximum(length + 1, n)
    line = np.repeat(np.arange(len(lines)), size)
    place = np.arange(len(line)) - np.repeat(np.cumsum(size) - size, size)
    characters = np.full(len(line), _END)
    text = "".join(lines).encode("utf-32-le", "surrogatepass")
    characters[place < length[line]] = np.frombuffer(text, np.uint32)
    symbol = _numbered(characters)
    whole = len(symbol) - n + 1
    kind = symbol[:whole]
    for k in range(1, n):
        kind = _numbered(kind * (int(symbol.max()) + 1) + symbol[k : k + whole])
    inside = line[:whole] == line[n - 1 :]
    line = line[:whole][inside]
    return _numbered(kind[inside]), line, 1 / (size - n + 1)[line]


def jensen_shannon(a: np.ndarray, b: np.ndarray) -> float:
    """The Jensen-Shannon divergence of two distributions over the same kinds, in bits.

    Args:
        a, b: (kinds,) masses of 0 or more, of any sum above 0.

    Returns:
        0 for equal ones, 1 for such as have no kind in common.

    Examples:
        >>> jensen_shannon(np.array([1, 1]), np.array([3, 3])), jensen_shannon(*np.eye(2))
        (0.0, 1.0)
    """
    p, q = a / a.sum(), b / b.sum()
    middle = (p + q) / 2
    terms = sum(float(np.sum(x[x > 0] * np.log2(x[x > 0] / middle[x > 0]))) for x in (p, q))
    return min(1.0, max(0.0, terms / 2))


def ngram_distance(lines: Sequence[str], others: Sequence[str], n: int = 4) -> float:
    """The Jensen-Shannon divergence of the n-grams of two sets of lines, in bits (JS-n).

    Gulrajani et al., *Improved Training of Wasserstein GANs* (2017), section 5.3. What weights are
    chosen by; :func:`pushforward.metrics.ngram_divergence` is the same, with an interval.

    Args:
        lines, others: at least one of each.
        n: length of an n-gram, 1 or more.

    Returns:
        0 for equal distributions, 1 where they share no n-gram. Few lines make it larger.

    Examples:
        >>> ngram_distance(["ab"], ["ab"]), ngram_distance(["a fish"], ["", ""])
        (0.0, 1.0)
        >>> round(ngram_distance(["abab"], ["abac"], n=2), 3)
        0.406
    """
    kind, line, mass = ngrams([*lines, *others], n)
    kinds, first = int(kind.max()) + 1, line < len(lines)
    sides = (np.bincount(kind[s], mass[s], kinds) for s in (first, ~first))
    return jensen_shannon(*sides)


def _numbered(values: np.ndarray) -> np.ndarray:
    return np.unique(values, return_inverse=True)[1]
