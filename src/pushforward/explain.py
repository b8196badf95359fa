"""Which columns make a row unlikely: one column at a time set to its most plausible value."""

from typing import Any

import pandas as pd
import torch
from torch import Tensor

from .data import Columns
from .transport import SlicedDensity

__all__ = ["explain_rows"]


def explain_rows(
    columns: Columns, density: SlicedDensity, X: Any, candidates: int
) -> pd.DataFrame:
    """Gains of :meth:`TableDensity.explain`, a row for each row and column of ``X``."""
    with torch.no_grad():
        z, _ = columns.encode(X)
        n, d = z.shape
        own = density.log_prob(z)
        values = _candidates(density, candidates)
        trial = z[:, None, None, :].expand(n, d, len(values), d).clone()
        for j in range(d):
            trial[:, j, :, j] = values[:, j]
        scores = density.log_prob(trial.reshape(-1, d)).reshape(n, d, len(values))
        best = scores.max(dim=2)
        gain = (best.values - own[:, None]).clamp_min(0)
        expected = values[best.indices, torch.arange(d)]
        # another place in the row's own cell is the same value to the user
        same = columns.cell_index(z) == columns.cell_index(expected)
        gain[same & columns.discrete] = 0.0
    given = columns.decode(z)
    cells = {label: _column(given, label) for label in columns.labels}
    live = [
        label
        for label, kind in zip(columns.labels, columns.kinds, strict=True)
        if kind != "constant"
    ]
    wished = [columns.decode(_with(z, j, expected[:, j])) for j in range(d)]
    constant = _constant_penalty(columns, X)
    records = []
    for i in range(n):
        for j, label in enumerate(live):
            wish = _column(wished[j], label)
            records.append((i, label, cells[label][i], wish[i], float(gain[i, j])))
        for label, penalties in constant.items():
            records.append((i, label, _column(X, label)[i], cells[label][i], penalties[i]))
    table = pd.DataFrame(records, columns=["row", "column", "value", "expected", "gain"])
    table = table.sort_values(["row", "gain"], ascending=[True, False], kind="stable")
    return table.reset_index(drop=True)


def _candidates(density: SlicedDensity, count: int) -> Tensor:
    """Quantiles (count, D) of each coordinate under the model."""
    sample = density.sample(2000, torch.Generator().manual_seed(0)).sort(dim=0).values
    levels = (torch.arange(count, dtype=torch.float64) + 0.5) / count * (len(sample) - 1)
    return sample[levels.round().long()]


def _with(z: Tensor, j: int, value: Tensor) -> Tensor:
    z = z.clone()
    z[:, j] = value
    return z


def _column(X: Any, label: Any) -> list[Any]:
    if hasattr(X, "columns"):
        return list(X[label])
    return [row[label] for row in X]


def _constant_penalty(columns: Columns, X: Any) -> dict[Any, list[float]]:
    """Nats that a differing constant column costs each row, by column."""
    penalties = {}
    for label, kind in zip(columns.labels, columns.kinds, strict=True):
        if kind != "constant":
            continue
        usual = _column(columns.decode(torch.zeros(1, columns.n_coordinates)), label)[0]
        cost = float(torch.log(torch.tensor(columns.n_rows + 1.0)))
        penalties[label] = [0.0 if value == usual else cost for value in _column(X, label)]
    return penalties
