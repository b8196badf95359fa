"""Which columns, pairs and rows of a table are worth a picture."""

import numpy as np

from .column_axes import PlottedColumn

__all__ = [
    "dependence",
    "most_informative_columns",
    "most_informative_pairs",
    "most_informative_partner",
    "non_normality",
]

CELLS = 8
WIDEST = 150  # columns that are looked at; of a wider table the least normal ones


def normal_scores(x: np.ndarray) -> np.ndarray:
    """Ranks (ties averaged) carried to normal quantiles: (n,) -> (n,)."""
    from scipy.special import ndtri
    from scipy.stats import rankdata

    return ndtri((rankdata(x) - 0.5) / len(x))


def non_normality(x: np.ndarray) -> float:
    """Squared Wasserstein distance of the standardised values to N(0, 1), up to 2.

    Tails beyond the outer percentiles are cut, so that one wild value is no shape.
    """
    return float(_non_normality(x[None])[0])


def _non_normality(x: np.ndarray) -> np.ndarray:
    """The same of each row of values: (m, n) -> (m,)."""
    from scipy.special import ndtri

    x = np.clip(x, *np.quantile(x, [0.01, 0.99], axis=1, keepdims=True))
    deviation = x.std(axis=1, keepdims=True)
    standard = (x - x.mean(axis=1, keepdims=True)) / np.where(deviation > 0, deviation, 1.0)
    levels = (np.arange(x.shape[1]) + 0.5) / x.shape[1]
    far = np.mean((np.sort(standard, axis=1) - ndtri(levels)) ** 2, axis=1)
    return np.where(deviation[:, 0] > 0, far, 0.0)


def dependence(columns: list[PlottedColumn]) -> np.ndarray:
    """Mutual information in nats of every pair of columns, in eight cells each: (p, p).

    Corrected for its bias on few rows (Miller & Madow); the diagonal is 0, and so is the row of
    a column left out of a wide table. Of columns with missing cells it is that of the rows that
    have both, by the share of these.
    """
    p = len(columns)
    if p > WIDEST:
        far = [non_normality(column.known) for column in columns]
        looked = np.sort(np.argsort(far)[::-1][:WIDEST])
        whole = np.zeros((p, p))
        whole[np.ix_(looked, looked)] = dependence([columns[j] for j in looked])
        return whole
    if p == 0:
        return np.zeros((0, 0))
    n, hot = len(columns[0].real), []
    known = np.stack([~np.isnan(column.real) for column in columns], axis=1)
    for j, column in enumerate(columns):
        x = column.known
        if len(np.unique(x)) > CELLS:
            x = np.searchsorted(np.quantile(x, np.arange(1, CELLS) / CELLS), x)
        code = np.unique(x, return_inverse=True)[1]
        hot.append(np.zeros((n, code.max() + 1)))
        hot[j][known[:, j]] = np.eye(code.max() + 1)[code]
    sizes = np.array([h.shape[1] for h in hot])
    starts, place = np.cumsum([0, *sizes]), np.repeat(np.arange(p), sizes)
    together = np.concatenate(hot, axis=1)
    counts = together.T @ together / n
    beside = (together.T @ known / n)[:, place]  # shares of a cell among rows that have the other
    in_both = (known.T.astype(np.float64) @ known / n)[np.ix_(place, place)]
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = counts * in_both / (beside * beside.T)
        terms = np.where(counts > 0, counts * np.log(ratio), 0.0)
    sums = np.add.reduceat(np.add.reduceat(terms, starts[:-1], axis=0), starts[:-1], axis=1)
    bias = np.outer(sizes - 1, sizes - 1) / (2 * n)
    information = np.maximum(sums - bias, 0)
    np.fill_diagonal(information, 0)
    return information


def shape(a: PlottedColumn, b: PlottedColumn) -> float:
    """How far a pair is from any two-dimensional normal distribution.

    The largest of the distances :func:`non_normality` over directions of the whitened pair:
    curves and clusters are far, ellipses near.
    """
    real = np.stack([a.real, b.real])
    real = real[:, ~np.isnan(real).any(axis=0)]
    if real.shape[1] < 2:
        return 0.0
    pair = np.stack([np.clip(x, *np.quantile(x, [0.01, 0.99])) for x in real])
    pair = pair - pair.mean(axis=1, keepdims=True)
    values, vectors = np.linalg.eigh(np.cov(pair / (pair.std(axis=1, keepdims=True) + 1e-300)))
    if values[0] < 1e-4:  # one is a multiple of the other: a line
        return 0.0
    white = (vectors / np.sqrt(values)).T @ (pair / pair.std(axis=1, keepdims=True))
    angles = np.arange(12) * np.pi / 12
    slices = np.stack([np.cos(angles), np.sin(angles)], axis=1) @ white
    return float(_non_normality(slices).max())


def most_informative_pairs(
    columns: list[PlottedColumn], information: np.ndarray, count: int
) -> list[tuple[int, int]]:
    """Pairs that depend on each other in a way no ellipse shows; no column twice if possible.

    Args:
        columns: all columns.
        information: of :func:`dependence`.
        count: pairs wanted.
    """
    p = len(columns)
    first, second = np.triu_indices(p, 1)
    value = information[first, second]
    best = np.argsort(-value, kind="stable")[:150]
    scored = sorted(
        (
            (np.sqrt(value[i]) * (0.02 + shape(columns[first[i]], columns[second[i]])), i)
            for i in best.tolist()
        ),
        key=lambda item: -item[0],
    )
    pairs: list[tuple[int, int]] = []
    for fresh in (2, 1, 0):  # columns of the pair that have not been shown
        for _, i in scored:
            pair = (int(first[i]), int(second[i]))
            shown = {j for chosen in pairs for j in chosen}
            alike = any(information[j, k] > 0.7 for j in pair for k in shown)
            if len(pairs) < count and pair not in pairs and len(set(pair) - shown) >= fresh:
                if fresh == 2 and alike:
                    continue
                pairs.append(pair)
    return pairs


def most_informative_columns(
    columns: list[PlottedColumn], pairs: list[tuple[int, int]], count: int
) -> list[int]:
    """Columns to draw alone: categories and numbers, those in no pair and least normal first."""
    paired = {j for pair in pairs for j in pair}
    order = sorted(
        range(len(columns)), key=lambda j: (j in paired, -non_normality(columns[j].known))
    )
    named = [j for j in order if columns[j].ticks is not None]
    numbers = [j for j in order if columns[j].ticks is None]
    return [*named[: max(2, count - len(numbers))], *numbers][:count]


def most_informative_partner(
    columns: list[PlottedColumn], j: int, row: int, expected: float
) -> int | None:
    """The column beside which the cell (row, j) is unusual and the expected value is not.

    Strange is to be far from the nearest sampled rows, in units of how far apart these are.
    Distances are between normal scores.

    Args:
        columns: all columns.
        j: the column of the cell.
        row: its row among the real ones.
        expected: position on the axis of ``j`` that would be plausible.

    Returns:
        A position in ``columns``; None if there is no other column.
    """
    looked = slice(0, 400)
    levels = normal_scores(columns[j].sampled[looked])
    order = np.argsort(columns[j].sampled[looked])
    ends = np.interp(
        [columns[j].real[row], expected], columns[j].sampled[looked][order], levels[order]
    )
    between = (levels[:, None] - levels) ** 2
    best, partner = -np.inf, None
    for k, column in enumerate(columns[:WIDEST]):
        if k == j:
            continue
        x = column.sampled[looked]
        order, scores = np.argsort(x), normal_scores(x)
        own = np.interp(column.real[row], x[order], scores[order])
        across = (scores - own) ** 2
        far, near = (np.partition(across + (levels - end) ** 2, 4)[4] for end in ends)
        usual = np.partition(between + (scores[:, None] - scores) ** 2, 5, axis=1)[:, 5]
        gain = (far**0.5 - near**0.5) / (np.median(usual) ** 0.5 + 0.01)
        if gain > best:
            best, partner = gain, k
    return partner
