"""Attributes the decisions of a classifier of generated rows to their cells."""

from typing import Any, NamedTuple

import numpy as np

from ..deprecation import renamed
from ..validation import as_seed
from .arrays import pair

__all__ = ["CellAttribution", "attribute_cells"]

_FOLDS = 3
_DRAWS = 16
_FEWEST_KNOWN = 10  # cells of a column that is looked at


class CellAttribution(NamedTuple):
    """Contribution of each cell to the log odds of being generated.

    Attributes:
        rows: which generated rows were looked at, (k,).
        log_odds: of being generated, by a classifier that has not seen the row, (k,).
        cells: what each cell adds to that, (k, p): the log-odds less the least that they come to
            with one of sixteen cells of real rows in its place. Of two cells that do not go
            together either adds all of it.
    """

    rows: np.ndarray
    log_odds: np.ndarray
    cells: np.ndarray

    @property
    def columns(self) -> np.ndarray:
        """Share of each column in what the cells add, (p,); zeros where they add nothing."""
        added = np.maximum(self.cells, 0).mean(axis=0)
        return added / added.sum() if added.sum() > 0 else added


@renamed(seed="random_state")
def attribute_cells(
    real: Any, generated: Any, *, n: int = 500, missing: bool = False, random_state: Any = 0
) -> CellAttribution:
    """Attribute the log odds of being generated to cells, by boosted trees.

    The forest of :func:`classifier_two_sample`, in three folds, so that no row is judged by one
    that was fitted on it. Occlusion (Zeiler and Fergus, "Visualizing and understanding
    convolutional networks", 2014, section 4.2), with cells of real rows for the grey square.

    Args:
        real, generated: (n, p) and (m, p) numbers of at least 25 rows each; the more frequent is
            thinned to the size of the other.
        n: generated rows to look at, at most.
        missing: whether NaN are missing cells, which the forest takes as they are.
        random_state: of the folds, the forest and the cells drawn.

    Raises:
        DataError: for samples that are not finite, of different widths or of under 25 rows.

    Examples:
        >>> rng = np.random.default_rng(0)
        >>> X, Y = rng.normal(size=(2, 300, 3))
        >>> Y[:, 1] += 3
        >>> attribute_cells(X, Y).columns.argmax()
        np.int64(1)
    """
    seed = as_seed(random_state)
    from sklearn.ensemble import HistGradientBoostingClassifier

    real, generated = pair(real, generated, minimum=25, missing=missing)
    if missing:  # of a column without any cell in a fold trees cannot be grown
        bare = sum((~np.isnan(X)).sum(axis=0) for X in (real, generated)) < _FEWEST_KNOWN
        real, generated = (np.where(bare, 0.0, X) for X in (real, generated))
    rng = np.random.default_rng(seed)
    size = min(len(real), len(generated))
    mine, theirs = (rng.permutation(len(x))[:size] for x in (generated, real))
    looked = np.sort(rng.permutation(size)[:n])
    log_odds = np.empty(len(looked))
    cells = np.empty((len(looked), real.shape[1]))
    for fold in range(_FOLDS):
        fitted = np.arange(size) % _FOLDS != fold
        X = np.concatenate([generated[mine[fitted]], real[theirs[fitted]]])
        y = np.repeat([1, 0], fitted.sum())
        forest = HistGradientBoostingClassifier(random_state=seed).fit(X, y)
        which = np.flatnonzero(looked % _FOLDS == fold)
        x = generated[mine[looked[which]]]
        if not len(x):
            continue
        log_odds[which] = forest.decision_function(x)
        others = real[rng.choice(theirs[~fitted], (_DRAWS, len(x)))]
        for j in range(x.shape[1]):
            changed = np.tile(x, (_DRAWS, 1, 1))
            changed[:, :, j] = others[:, :, j]
            odds = forest.decision_function(changed.reshape(-1, x.shape[1]))
            cells[which, j] = log_odds[which] - odds.reshape(_DRAWS, -1).min(axis=0)
    return CellAttribution(mine[looked], log_odds, cells)
