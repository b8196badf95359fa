"""Margins with repeated values: numbers of samples become numbers that the data have."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

__all__ = ["Margins", "repeated_values", "with_nearest_values"]

_REPEATED = 0.5  # share of the rows whose value is not their own
_QUANTILES = 1001
_SAME = 1e-5  # of a number, and of the spread: the same but for single precision


@dataclass(frozen=True)
class Margins:
    """One-dimensional optimal transport of those coordinates whose values repeat in the data.

    A continuous density has no point masses and never makes a price that the data have: one
    look at a number gives samples away, and no thinning mends it. The monotone map from the
    margin of the samples to that of the data keeps the order of the rows in each coordinate, and
    with it their ranks' dependence.

    Source: Villani, "Topics in optimal transportation", 2003, theorem 2.18.

    Attributes:
        coordinates: that are mapped.
        quantiles: of the samples, 1,001 for each of them.
        values: of the data, rising.
        shares: of the data at or below each value.
    """

    coordinates: tuple[int, ...]
    quantiles: tuple[tuple[float, ...], ...]
    values: tuple[tuple[float, ...], ...]
    shares: tuple[tuple[float, ...], ...]

    @classmethod
    def learn(cls, real: Tensor, generated: Tensor) -> "Margins | None":
        """Learn the maps; None where no value repeats.

        Args:
            real, generated: coordinates (n, d) and (m, d).

        Examples:
            >>> prices = torch.tensor([0.0, 0.0, 5.0, 7.0]).repeat(50)[:, None]
            >>> margins = Margins.learn(prices, torch.linspace(-1, 1, 100)[:, None])
            >>> margins(torch.tensor([[-0.9], [-0.1], [0.1], [0.9]])).flatten().tolist()
            [0.0, 0.0, 5.0, 7.0]
        """
        found = []
        for j in range(real.shape[1]):
            values, counts = np.unique(real[:, j].double().cpu().numpy(), return_counts=True)
            if len(values) < 2 or counts[counts > 1].sum() < _REPEATED * len(real):
                continue
            share = np.linspace(0, 1, _QUANTILES)
            ends = np.quantile(generated[:, j].double().cpu().numpy(), share)
            shares = counts.cumsum() / len(real)
            found.append((j, *(tuple(x.tolist()) for x in (ends, values, shares))))
        return cls(*zip(*found, strict=True)) if found else None

    def __call__(self, rows: Tensor) -> Tensor:
        """Coordinates (n, d) with the values of the data."""
        out, share = rows.clone(), np.linspace(0, 1, _QUANTILES)
        for j, ends, values, shares in zip(
            self.coordinates, self.quantiles, self.values, self.shares, strict=True
        ):
            rank = np.interp(rows[:, j].double().cpu().numpy(), ends, share)
            place = np.searchsorted(shares, rank).clip(max=len(values) - 1)
            out[:, j] = torch.from_numpy(np.asarray(values)[place]).to(out)
        return out

    def to_config(self) -> dict[str, Any]:
        """JSON values."""
        return {name: [*value] for name, value in vars(self).items()}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Margins":
        """The maps that :meth:`to_config` described."""
        numbers = (
            tuple(tuple(float(x) for x in line) for line in config[name])
            for name in ("quantiles", "values", "shares")
        )
        return cls(tuple(int(j) for j in config["coordinates"]), *numbers)


def repeated_values(X: Any) -> dict[str | int, np.ndarray]:
    """Numbers of a table that several rows share, by column, exactly as in the data."""
    from ..data.tables.sheet import Sheet

    sheet, found = Sheet.open(X, "refinement", 1), {}
    for j, label in enumerate(sheet.labels):
        column, family = sheet.column(j)
        if family != "float":
            continue
        column = column.astype(np.float64)
        values, counts = np.unique(column[np.isfinite(column)], return_counts=True)
        if len(values) > 1 and counts[counts > 1].sum() >= _REPEATED * len(column):
            found[label] = values
    return found


def with_nearest_values(X: Any, known: dict[str | int, np.ndarray]) -> Any:
    """A table with numbers replaced by the known values that they equal up to rounding.

    Args:
        X: frame or array (n, p).
        known: of :func:`repeated_values`.
    """
    import narwhals as nw

    from ..data.tables.sheet import Sheet

    if not known:
        return X
    sheet = Sheet.open(X, "refinement", 1)
    labels = list(sheet.labels)
    changed = {
        label: _nearest(sheet.column(labels.index(label))[0].astype(np.float64), values)
        for label, values in known.items()
        if label in labels
    }
    if sheet.layout.container == "pandas":
        return _assigned(X, changed)
    if sheet.frame is not None:
        whole = {
            name: nw.new_series(
                str(name), values, sheet.frame[name].dtype, backend=sheet.frame.implementation
            )
            for name, values in changed.items()
        }
        columns = (  # what is missing stays so, and is no number that is none
            nw.when(~nw.col(str(name)).is_null()).then(column).alias(str(name))
            for name, column in whole.items()
        )
        return sheet.frame.with_columns(*columns).to_native()
    for label, values in changed.items():
        new: Any = torch.as_tensor(values) if isinstance(X, Tensor) else values
        X[:, labels.index(label)] = new
    return X


def _assigned(X: Any, changed: dict[str | int, np.ndarray]) -> Any:
    """A pandas frame with other values in some columns, of the same dtypes."""
    X = X.copy()
    for label, values in changed.items():
        X[label] = values.astype(X[label].dtype)
    return X


def _nearest(x: np.ndarray, values: np.ndarray) -> np.ndarray:
    place = np.searchsorted(values, x).clip(1, max(1, len(values) - 1))
    ends = values[place - 1], values[np.minimum(place, len(values) - 1)]
    nearest = np.where(x - ends[0] < ends[1] - x, *ends)
    same = np.abs(nearest - x) <= _SAME * np.maximum(np.abs(x), values.std())
    return np.where(same, nearest, x)
