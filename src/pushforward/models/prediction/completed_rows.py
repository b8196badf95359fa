"""Rows with missing cells: their completions, and the mixtures of what these say."""

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...data import Columns
from ...estimators.piecewise import Pieces
from ..sliced.auto import AutoDensity

__all__ = [
    "averaged", "completed_inputs", "completed_rows", "regrouped", "speaking_for_all",
    "telling_gaps",
]  # fmt: skip

_DRAWS = 50  # of the missing cells of a row, that a prediction is averaged over
_FEWEST = 40  # complete rows from which on they may speak for all
_FEWEST_GAPS = 5  # missing cells of a column, or known ones, that may tell of the target
_LEVEL = 0.01  # of the test that whether cells are missing depends on the target


def telling_gaps(missing: np.ndarray, target: Tensor) -> list[int]:
    """Numbers of the columns of which it tells of the target whether a cell is missing.

    By a rank test (Mann and Whitney 1947) of each column, at 1 % for all of them together; of
    columns whose cells are missing in the same rows the first.

    Args:
        missing: (n, p) bool.
        target: (n, K) numbers of the target.

    Examples:
        >>> target = torch.arange(100.0)[:, None]
        >>> missing = np.stack([np.arange(100) > 70, np.arange(100) % 2 == 0], 1)
        >>> telling_gaps(missing, target)
        [0]
    """
    count = missing.sum(0)
    asked = np.flatnonzero((count >= _FEWEST_GAPS) & (count <= len(missing) - _FEWEST_GAPS))
    found: list[int] = []
    for j in asked.tolist():
        again = any((missing[:, j] == missing[:, i]).all() for i in found)
        if not again and _differ(missing[:, j], target, _LEVEL / len(asked)):
            found.append(j)
    return found


def speaking_for_all(complete: np.ndarray, target: Tensor) -> np.ndarray:
    """Numbers of the rows that densities of the target are fitted to.

    Errors of rows whose cells were drawn given the target are none of those that are whole, so
    that these are the complete rows. But where cells are missing of other targets than not, by a
    rank test (Mann and Whitney 1947), complete rows would say that such targets hardly are.

    Args:
        complete: (n,) bool, rows without missing cells.
        target: (n, K) numbers of the target.

    Examples:
        >>> complete = np.arange(200) % 2 == 0
        >>> len(speaking_for_all(complete, torch.arange(200.0)[:, None] // 10))
        100
        >>> len(speaking_for_all(complete, torch.arange(200.0)[:, None] % 2))
        200
    """
    every = np.arange(len(complete))
    if complete.all() or complete.sum() < _FEWEST:
        return every
    own = target.numpy()[complete]
    if (own == own[0]).all():  # there is nothing to predict of them
        return every
    return every if _differ(complete, target, _LEVEL) else every[complete]


def _differ(chosen: np.ndarray, target: Tensor, level: float) -> bool:
    """Whether a rank test tells targets (n, K) of chosen rows (n,) from those of the others."""
    from scipy.stats import mannwhitneyu

    values = target.numpy()
    p = mannwhitneyu(values[chosen], values[~chosen], method="asymptotic").pvalue
    return bool(np.nanmin(p) < level / values.shape[1])


def completed_rows(density: AutoDensity, columns: Columns, X: Any) -> tuple[Any, np.ndarray]:
    """Rows with their missing cells drawn given the others.

    Args:
        density: of the columns, which models missing cells.
        columns: of the table.
        X: table of n rows.

    Returns:
        A table of N rows, in which those without missing cells are once, and the number of the
        row (N,) that each is of.
    """
    _, _, known = columns.encode_known(X)
    if columns.whole(X):  # a cell may be missing though all that is modelled is known
        return X, np.arange(len(known))
    drawn, of, once = _drawn(density, X, known)
    return columns.take(drawn, ~once), of[~once]


def completed_inputs(density: AutoDensity, X: Any, known: Tensor) -> tuple[Tensor, np.ndarray]:
    """Inputs with their missing cells drawn given the others, the target being open.

    Args:
        density: of the inputs as numbers, and of the target.
        X: frame of n rows of these numbers without a target, some missing.
        known: (n, D) which are not.

    Returns:
        (N, D) inputs, in which rows without missing cells are once, and the number of the row (N,)
        that each is of.
    """
    drawn, of, once = _drawn(density, X, known)
    values = drawn[list(X.columns)].to_numpy(dtype=np.float64)
    return torch.from_numpy(values[~once]), of[~once]


def _drawn(density: AutoDensity, X: Any, known: Tensor) -> tuple[Any, np.ndarray, np.ndarray]:
    """Completions of rows, the row that each is of, and which are repetitions of a whole row."""
    given = density.given(X, n_draws=10 * _DRAWS, random_state=0)
    of = np.repeat(np.arange(len(known)), _DRAWS)
    once = known.all(dim=1).numpy()[of] & (np.arange(len(of)) % _DRAWS > 0)
    return given.completions(_DRAWS, random_state=0), of, once


def regrouped(pieces: Pieces, weight: float, of: np.ndarray) -> Pieces:
    """Distributions of completed rows as the mixtures of those of each row."""
    low, high, own = pieces
    count = np.bincount(of)
    own = weight * own / count[of][:, None]
    if (count == 1).all():
        return Pieces(low, high, own)
    rows, most = len(count), int(count.max())
    place = np.arange(len(of)) - np.concatenate([[0], count.cumsum()])[of]
    result = []
    for part in (low, high, own):
        whole = np.zeros((rows, most, part.shape[1]))
        if part is not own:  # ends of pieces without weight lie among the others
            whole[:] = part[np.concatenate([[0], count.cumsum()[:-1]])][:, None]
        whole[of, place] = part
        result.append(whole.reshape(rows, -1))
    return Pieces(*result)


def averaged(log_prob: Tensor, of: np.ndarray, n: int) -> np.ndarray:
    """Logarithms of the mean density over the completions of each row, (n,)."""
    index = torch.from_numpy(of)
    most = torch.full((n,), -math.inf).double().scatter_reduce(0, index, log_prob, "amax")
    total = torch.zeros(n).double().index_add(0, index, (log_prob - most[index]).exp())
    count = torch.bincount(index, minlength=n).double()
    return (most + total.log() - count.log()).numpy()
