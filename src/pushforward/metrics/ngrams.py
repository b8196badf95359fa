"""How the n-grams of characters of generated lines differ from those of real ones."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..deprecation import renamed
from ..errors import DataError
from ..validation import COUNT, as_seed, check
from .measure import Measure
from .uncertainty import GROUPS, jackknife_moments, normal_interval

__all__ = ["ngram_divergence"]

_LARGE_FLOOR = 0.5  # of the value at that size


@renamed(seed="random_state")
def ngram_divergence(
    real: Sequence[str], generated: Sequence[str], *, n: int = 4, random_state: Any = 0,
    details: dict[str, Any] | None = None,
) -> Measure:  # fmt: skip
    """Jensen-Shannon divergence, in bits, of the n-grams of characters within lines (JS-n).

    Both distributions are the plain counts, over all n-grams that occur in either; 0 for equal
    ones, 1 for such as share none. Few lines make it larger: ``details["floor"]`` is real against
    real, half against half, and ``details["at_floor_size"]`` real against generated with as many
    lines.

    Source: Gulrajani et al., "Improved training of Wasserstein GANs", 2017, section 5.3.

    Args:
        real, generated: lines of text. Padding counts as characters: strip it, or pad both.
        n: length of the n-grams; 4 and 6 are usual.
        random_state: of the halves and of the groups of the jackknife.
        details: what is known of the text, to go into the measure's details.

    Raises:
        DataError: for anything but lists of at least 4 lines, and for lines all shorter than n.
        ParameterError: for an n under 1.

    Examples:
        >>> ngram_divergence(["abab"] * 4, ["cdcd"] * 4, n=2).value
        1.0
    """
    seed = as_seed(random_state)
    check({"n": COUNT}, {"n": n})
    _check_lines(real, "real")
    _check_lines(generated, "generated")
    gram, line = _ngrams([*real, *generated], n)
    kinds = int(gram.max()) + 1 if len(gram) else 0
    rng = np.random.default_rng(seed)
    sides = []
    for first, count in ((0, len(real)), (len(real), len(generated))):
        mine = (line >= first) & (line < first + count)
        if not mine.any():
            raise DataError(f"No line of one side has {n} characters. Expected longer lines.")
        group = rng.permutation(count) % GROUPS
        cell = group[line[mine] - first] * kinds + gram[mine]
        sides.append(np.bincount(cell, minlength=GROUPS * kinds).reshape(GROUPS, kinds))
    counts = [side.sum(axis=0) for side in sides]
    value = _divergence(*counts)
    left = [
        _divergence(*pair)
        for g in range(GROUPS)
        if all(
            (pair := [total - side[g] for total, side in zip(counts, sides, strict=True)])[i].any()
            for i in range(2)
        )
    ]
    error, bias = jackknife_moments(np.array(left), value) if len(left) > 1 else (0.0, 0.0)
    half = GROUPS // 2
    first, second = sides[0][:half].sum(axis=0), sides[0][half:].sum(axis=0)
    lines = min(len(real) // 2, len(generated))
    kept = rng.permutation(len(generated))[:lines] + len(real)
    some = np.bincount(gram[np.isin(line, kept)], minlength=kinds)
    details = {
        "n_real": len(real),
        "n_generated": len(generated),
        "n": n,
        "standard_error": error,
        "bias": max(0.0, bias),
        "interval": "lines left out in groups, normal",
        "seed": seed,
        **(details or {}),
    }
    warnings = ()
    if first.any() and second.any() and some.any():
        floor, at_floor_size = _divergence(first, second), _divergence(first, some)
        details |= {"floor": floor, "at_floor_size": at_floor_size}
        if floor > _LARGE_FLOOR * at_floor_size:
            warnings = (
                f"Half of the real lines against the other half give {floor:.3g}: most of "
                f"the value is the number of lines. Compare only values of as many lines.",
            )
    interval = normal_interval(value, error, 0.0, 1.0)
    return Measure(f"js_{n}", value, interval, "lower", details, warnings)


def _check_lines(lines: Any, name: str) -> None:
    good = isinstance(lines, Sequence) and not isinstance(lines, str) and len(lines) >= 4
    if not good or not all(isinstance(line, str) for line in lines):
        raise DataError(f"{name} is not a list of lines. Expected at least 4 of type str.")


def _ngrams(lines: list[str], n: int) -> tuple[np.ndarray, np.ndarray]:
    """The kind of each n-gram, numbered from 0, and the line it stands in."""
    length = np.array([len(line) for line in lines])
    characters = np.frombuffer("".join(lines).encode("utf-32-le", "surrogatepass"), np.uint32)
    line = np.repeat(np.arange(len(lines)), length)
    kind = _numbered(characters)
    whole = len(characters) - n + 1
    if whole < 1:
        return np.empty(0, np.intp), np.empty(0, np.intp)
    gram = kind[:whole]
    for k in range(1, n):
        gram = _numbered(gram * (int(kind.max()) + 1) + kind[k : k + whole])
    inside = line[:whole] == line[n - 1 :]
    return _numbered(gram[inside]), line[:whole][inside]


def _numbered(values: np.ndarray) -> np.ndarray:
    return np.unique(values, return_inverse=True)[1] if len(values) else np.empty(0, np.intp)


def _divergence(a: np.ndarray, b: np.ndarray) -> float:
    p, q = a / a.sum(), b / b.sum()
    middle = (p + q) / 2
    terms = sum(float(np.sum(x[x > 0] * np.log2(x[x > 0] / middle[x > 0]))) for x in (p, q))
    return min(1.0, max(0.0, terms / 2))
