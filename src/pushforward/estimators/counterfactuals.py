"""Which columns make a row unlikely: one column at a time set to its most plausible value."""

import math
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd
import torch
from torch import Tensor

from ..data import Columns
from ..transport import Density

__all__ = ["explain_rows"]


def explain_rows(columns: Columns, density: Density, X: Any, candidates: int) -> pd.DataFrame:
    """Gains of :meth:`TableDensity.explain`, a row for each row and column of ``X``."""
    with torch.no_grad():
        z, _ = columns.encode(X)
        n, d = z.shape
        own = density.log_prob(z)
        values = _candidates(density, candidates)
        trial = z[:, None, None, :].expand(n, d, len(values), d).clone()
        for j in range(d):
            trial[:, j, :, j] = values[:, j]
        trial = trial.reshape(n * d * len(values), d)
        scores = density.log_prob(trial).reshape(n, d, len(values))
        best = scores.max(dim=2)
        gain = (best.values - own[:, None]).clamp_min(0)
        expected = values[best.indices, torch.arange(d)]
        # another place in the row's own cell is the same value to the user
        own_cell = columns.cell_index(z)
        same = own_cell == columns.cell_index(expected)
        gain[same & (columns.discrete | (columns.dequantised & (own_cell > 0)))] = 0.0
    # the values as they came: decoded ones stay within what was seen in fit
    places = columns.places(X)
    cells = {label: _column(X, place) for label, place in places.items()}
    modelled = columns.modelled
    place = columns.places(columns.decode(z[:1]))
    expected_values = [
        _column(columns.decode(_with(z, j, expected[:, j])), place[label])
        for j, label in enumerate(modelled)
    ]
    certain = _certain_penalties(columns, X, z, cells)
    records = []
    several: dict[Any, list[int]] = {}  # of dates the part that gains most speaks for the column
    for j, label in enumerate(modelled):
        several.setdefault(label, []).append(j)
    for i in range(n):
        for label, own in several.items():
            j = max(own, key=lambda j: float(gain[i, j]))
            records.append((i, label, cells[label][i], expected_values[j][i], float(gain[i, j])))
        for label, (usual, penalties) in certain.items():
            records.append((i, label, cells[label][i], usual[i], penalties[i]))
    table = pd.DataFrame(records, columns=["row", "column", "value", "expected", "gain"])
    table = table.sort_values(["row", "gain"], ascending=[True, False], kind="stable")
    return table.reset_index(drop=True)


def _candidates(density: Density, count: int) -> Tensor:
    """Quantiles (count, D) of each coordinate under the model."""
    sample = density.sample(2000, torch.Generator().manual_seed(0)).sort(dim=0).values
    levels = (torch.arange(count, dtype=torch.float64) + 0.5) / count * (len(sample) - 1)
    return sample[levels.round().long()]


def _with(z: Tensor, j: int, value: Tensor) -> Tensor:
    z = z.clone()
    z[:, j] = value
    return z


def _column(X: Any, j: int) -> list[Any]:
    """Cells of the j-th column of a table in any container, as Python values."""
    if isinstance(X, (np.ndarray, Tensor)):
        return X[:, j].tolist()
    frame = nw.from_native(X, eager_only=True, pass_through=True)
    if isinstance(frame, nw.DataFrame):
        return frame[:, j].to_list()
    return [row[j] for row in X]


def _certain_penalties(
    columns: Columns, X: Any, z: Tensor, cells: dict[Any, list[Any]]
) -> dict[Any, tuple[list[Any], list[float]]]:
    """What constant and computed columns should be, and the nats that another value costs."""
    made = columns.decode(z, exact=True)
    place = columns.places(made)
    cost = math.log(columns.n_rows + 1.0)
    penalties = {}
    for label, broken in columns.exceptions(X).items():
        usual = [
            computed if other else value
            for value, computed, other in zip(
                cells[label], _column(made, place[label]), broken.tolist(), strict=True
            )
        ]
        penalties[label] = (usual, [cost if other else 0.0 for other in broken.tolist()])
    return penalties
