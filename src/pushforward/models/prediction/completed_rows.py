"""Distributions of rows with missing cells: mixtures of those of their completions."""

import math

import numpy as np
import torch
from torch import Tensor

from .distribution import Pieces

__all__ = ["averaged", "regrouped"]


def regrouped(pieces: Pieces, weight: float, of: np.ndarray) -> Pieces:
    """Distributions of completed rows as the mixtures of those of each row."""
    low, high, own = pieces
    count = np.bincount(of)
    own = weight * own / count[of][:, None]
    if (count == 1).all():
        return low, high, own
    rows, most = len(count), int(count.max())
    place = np.arange(len(of)) - np.concatenate([[0], count.cumsum()])[of]
    result = []
    for part in (low, high, own):
        whole = np.zeros((rows, most, part.shape[1]))
        if part is not own:  # ends of pieces without weight lie among the others
            whole[:] = part[np.concatenate([[0], count.cumsum()[:-1]])][:, None]
        whole[of, place] = part
        result.append(whole.reshape(rows, -1))
    return result[0], result[1], result[2]


def averaged(log_prob: Tensor, of: np.ndarray, n: int) -> np.ndarray:
    """Logarithms of the mean density over the completions of each row, (n,)."""
    index = torch.from_numpy(of)
    most = torch.full((n,), -math.inf).double().scatter_reduce(0, index, log_prob, "amax")
    total = torch.zeros(n).double().index_add(0, index, (log_prob - most[index]).exp())
    count = torch.bincount(index, minlength=n).double()
    return (most + total.log() - count.log()).numpy()
