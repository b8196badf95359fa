"""How the n-grams of characters of generated lines differ from those of real ones."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..data.text.ngrams import jensen_shannon, ngrams
from ..deprecation import renamed
from ..errors import DataError
from ..validation import COUNT, as_seed, check
from .measure import Measure
from .uncertainty import GROUPS, jackknife_moments, normal_interval

__all__ = ["ngram_divergence"]

_LARGE_FLOOR = 0.5  # of the value at that size
_MANY_BLANK = 0.1  # of the lines, beyond the share of real ones


@renamed(seed="random_state")
def ngram_divergence(
    real: Sequence[str], generated: Sequence[str], *, n: int = 4, random_state: Any = 0,
    details: dict[str, Any] | None = None,
) -> Measure:  # fmt: skip
    """Jensen-Shannon divergence, in bits, of the n-grams of characters within lines (JS-n).

    Both distributions are over all n-grams that occur in either; 0 for equal ones, 1 for such as
    share none. Every line counts alike, and its end counts as one character, so that blank lines,
    and such as break off, are as far from text as they are many; a line that is shorter than n
    with its end is one n-gram of its own. Few lines make the value larger: ``details["floor"]`` is
    real against real, half against half, and ``details["at_floor_size"]`` real against generated
    with as many lines.

    Source: Gulrajani et al., "Improved training of Wasserstein GANs", 2017, section 5.3.

    Args:
        real, generated: lines of text, without padding: it would count as characters.
        n: length of the n-grams; 4 and 6 are usual.
        random_state: of the halves and of the groups of the jackknife.
        details: what is known of the text, to go into the measure's details.

    Raises:
        DataError: for anything but lists of at least 4 lines.
        ParameterError: for an n under 1.

    Examples:
        >>> ngram_divergence(["abab"] * 4, ["cdcd"] * 4, n=2).value
        1.0
    """
    seed = as_seed(random_state)
    check({"n": COUNT}, {"n": n})
    _check_lines(real, "real")
    _check_lines(generated, "generated")
    gram, line, mass = ngrams([*real, *generated], n)
    kinds = int(gram.max()) + 1
    rng = np.random.default_rng(seed)
    counts, sides = [], []
    for first, count in ((0, len(real)), (len(real), len(generated))):
        mine = (line >= first) & (line < first + count)
        group = rng.permutation(count) % GROUPS
        cell = group[line[mine] - first] * kinds + gram[mine]
        counts.append(np.bincount(gram[mine], mass[mine], kinds))
        sides.append(np.bincount(cell, mass[mine], GROUPS * kinds).reshape(GROUPS, kinds))
    value = jensen_shannon(*counts)
    left = [  # a difference of sums may be a rounding error below 0
        jensen_shannon(*((c - s[g]).clip(min=0) for c, s in zip(counts, sides, strict=True)))
        for g in range(GROUPS)
    ]
    error, bias = jackknife_moments(np.array(left), value)
    half = GROUPS // 2
    first, second = sides[0][:half].sum(axis=0), sides[0][half:].sum(axis=0)
    lines = min(len(real) // 2, len(generated))
    kept = rng.permutation(len(generated))[:lines] + len(real)
    some = np.isin(line, kept)
    some = np.bincount(gram[some], mass[some], kinds)
    blank = [sum(not text.strip() for text in side) for side in (real, generated)]
    details = {
        "n_real": len(real),
        "n_generated": len(generated),
        "blank_real": blank[0],
        "blank_generated": blank[1],
        "n": n,
        "standard_error": error,
        "bias": max(0.0, bias),
        "interval": "lines left out in groups, normal",
        "seed": seed,
        **(details or {}),
    }
    warnings = []
    if blank[1] / len(generated) > blank[0] / len(real) + _MANY_BLANK:
        warnings.append(
            f"{blank[1]:,} of {len(generated):,} generated lines are blank, and {blank[0]:,} of "
            f"{len(real):,} real ones."
        )
    if first.any() and second.any():
        floor, at_floor_size = jensen_shannon(first, second), jensen_shannon(first, some)
        details |= {"floor": floor, "at_floor_size": at_floor_size}
        if floor > _LARGE_FLOOR * at_floor_size:
            warnings.append(
                f"Half of the real lines against the other half give {floor:.3g}: most of "
                f"the value is the number of lines. Compare only values of as many lines."
            )
    interval = normal_interval(value, error, 0.0, 1.0)
    return Measure(f"js_{n}", value, interval, "lower", details, tuple(warnings))


def _check_lines(lines: Any, name: str) -> None:
    good = isinstance(lines, Sequence) and not isinstance(lines, str) and len(lines) >= 4
    if not good or not all(isinstance(line, str) for line in lines):
        raise DataError(f"{name} is not a list of lines. Expected at least 4 of type str.")
