"""Which columns lose their logarithmic scale because they are straight functions of others.

Shares of a budget sum to one, and an amount is the sum of others but for rounding. Behind
logarithms such a plane is a curved surface, which a density has to learn from its rows.
"""

import numpy as np

__all__ = ["bent_relations"]

_LEAST = 0.05  # nats a row that a change has to gain
_ROWS_A_COLUMN, _MOST = 3, 60  # fewest rows a column, and most columns, that are looked at
_RIDGE = 1e-10  # of the correlations of columns that are functions of each other


def bent_relations(
    numbers: dict[int, np.ndarray],
    scaled: dict[int, tuple[np.ndarray, np.ndarray]],
    weights: np.ndarray | None,
) -> list[int]:
    """The columns that are better without their logarithmic scale.

    Better is the likelihood of one normal distribution of all columns, as in Andrews, Gnanadesikan
    and Warner, *Transformations of multivariate data*, 1971. From all columns on their scale, and
    from none, the one that gains the most changes, until none gains.

    Args:
        numbers: of each column, (n,), by its number.
        scaled: of those with a logarithmic scale what they are on it, and the log slopes, (n,).
        weights: (n,) of the rows, or None.
    """
    places = list(numbers)
    n = len(numbers[places[0]]) if places else 0
    if not scaled or n < _ROWS_A_COLUMN * len(places) or not 1 < len(places) <= _MOST:
        return []
    share = np.full(n, 1 / n) if weights is None else weights / weights.sum()
    # the numbers of all columns, and then those that have a scale once more on it
    pairs = [_standardised(x, share) for x in numbers.values()]
    pairs += [_standardised(y, share) for y, _ in scaled.values()]
    z = np.stack([column for column, _ in pairs])
    correlation = (z * share) @ z.T + _RIDGE * np.eye(len(z))
    density = np.array([-log_deviation for _, log_deviation in pairs])
    density[len(places) :] += [share @ log_slope for _, log_slope in scaled.values()]
    again = {j: i for i, j in enumerate(scaled, len(places))}

    def log_likelihood(left: set[int]) -> float:
        """Mean log density of the rows where the columns ``left`` are on their scale."""
        own = [again[j] if j in left else i for i, j in enumerate(places)]
        log_det = np.linalg.slogdet(correlation[np.ix_(own, own)])[1]
        return float(density[own].sum() - 0.5 * log_det)

    found = []
    for left in (set(scaled), set()):  # what several have to do with each other one does not show
        value = log_likelihood(left)
        while True:
            best, j = max((log_likelihood(left ^ {j}), j) for j in sorted(scaled))
            if best < value + _LEAST:
                break
            value = best
            left ^= {j}
        found.append((value, sorted(set(scaled) - left)))
    return max(found)[1]


def _standardised(x: np.ndarray, share: np.ndarray) -> tuple[np.ndarray, float]:
    """Numbers of mean 0 and variance 1, and the logarithm of the deviation that they had."""
    size = float(np.abs(x).max()) or 1.0  # so that no square overflows
    x = x / size
    x = x - share @ x
    deviation = float(np.sqrt(share @ x**2)) or 1.0
    return x / deviation, float(np.log(deviation) + np.log(size))
