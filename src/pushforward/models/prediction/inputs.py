"""The columns a prediction is made from, as regressions and trees see them."""

import math
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from ...data import Columns
from ...transport.logistic_regression import Basis
from ...transport.numerics import with_prefix

__all__ = ["InputCoder", "Inputs"]

_LEVELS = 40  # categories with an indicator of their own, the most frequent ones
_INDICATORS = 12  # of them those that trees may ask for one by one


@dataclass(frozen=True)
class Inputs:
    """Rows as the regressions see them.

    Attributes:
        features: (n, F) float32, for trees: numbers, ranks of categories by frequency, and
            indicators of the most frequent ones.
        plain: (n, P) float64: standardised numbers and indicators of categories.
        curves: (n, C) float64: the same with changes of slope at quantiles of the numbers.
    """

    features: Tensor
    plain: Tensor
    curves: Tensor

    def __len__(self) -> int:
        return len(self.features)

    def take(self, index: Tensor) -> "Inputs":
        """The chosen rows."""
        return Inputs(self.features[index], self.plain[index], self.curves[index])


class InputCoder(nn.Module):
    """Makes :class:`Inputs` of tables; build it with :meth:`fit`.

    Args:
        columns: the codec of the table.
        bases: basis functions of each of its D coordinates.
        gaps: (G,) int64, numbers of the columns of which it is an input whether a cell is missing.
    """

    gaps: Tensor

    def __init__(self, columns: Columns, bases: list[Basis], gaps: Tensor) -> None:
        super().__init__()
        self.columns = columns
        self.bases = nn.ModuleList(bases)
        self.register_buffer("gaps", gaps)

    @classmethod
    def fit(cls, columns: Columns, X: Any, gaps: list[int]) -> "InputCoder":
        """Learn the basis functions of a table without missing cells; for gaps see the class."""
        bases = [
            Basis.fit(column, min(int(column.max()), _LEVELS) if nominal else None)
            for column, nominal in zip(
                _numbers(columns, X).T, columns.nominal.tolist(), strict=True
            )
        ]
        return cls(columns, bases, torch.tensor(gaps, dtype=torch.long))

    @classmethod
    def from_state(cls, columns: Columns, state: dict[str, Tensor]) -> "InputCoder":
        """Rebuild from the tensors of ``state_dict()``.

        Raises:
            ValueError: for tensors that do not belong to the columns.
        """
        count = columns.n_coordinates
        bases = [Basis.from_state(with_prefix(state, f"bases.{j}.")) for j in range(count)]
        # saved models of before gaps were inputs have none
        gaps = state.get("gaps", torch.zeros(0, dtype=torch.long))
        inside = gaps.dtype == torch.long and gaps.ndim == 1
        if not inside or not bool(((gaps >= 0) & (gaps < columns.n_columns)).all()):
            raise ValueError("the columns whose missing cells are inputs are no columns")
        return cls(columns, bases, gaps)

    @property
    def labels(self) -> tuple[str | int, ...]:
        """The column that each of the D + G numbers of a row is of."""
        return (*self.columns.modelled, *(self.columns.labels[j] for j in self.gaps.tolist()))

    def numbers(self, X: Any, missing: np.ndarray | None = None) -> Tensor:
        """Coordinates (n, D) of a table without missing cells, and its gaps: (n, D + G).

        Of discrete coordinates they are the cells. Categories count from 1 in order of frequency,
        and 0 is one that was never seen. A gap is 1 where the cell was missing, else 0.

        Args:
            X: the table.
            missing: (n, p) bool, cells that were missing before it was completed; None for none.
        """
        numbers = _numbers(self.columns, X)
        gaps = numbers.new_zeros(len(numbers), len(self.gaps))
        if missing is not None:
            gaps += torch.from_numpy(missing)[:, self.gaps]
        return torch.cat([numbers, gaps], 1)

    def known_numbers(self, X: Any) -> Tensor:
        """Coordinates (n, D) of a table with missing cells, which are NaN."""
        z, _, known = self.columns.encode_known(X)
        return torch.where(known, _of_coordinates(self.columns, z), math.nan)

    def forward(self, X: Any) -> Inputs:
        """A table without missing cells as inputs."""
        return self.of_numbers(self.numbers(X))

    def of_numbers(self, numbers: Tensor) -> Inputs:
        """Inputs of rows as :meth:`numbers` gives them."""
        d = len(self.bases)
        gaps = numbers[:, d:]
        features, plain, curves = [], [], []
        for column, basis, nominal in zip(
            numbers[:, :d].T,
            cast("list[Basis]", list(self.bases)),
            self.columns.nominal.tolist(),
            strict=True,
        ):
            values = basis(column).double()
            curves.append(values)
            if nominal:
                plain.append(values)
                features += [column[:, None], values[:, :_INDICATORS]]
            else:
                plain.append(values[:, :1])
                features.append(column[:, None])
        return Inputs(
            torch.cat([*features, gaps], 1).float(),
            torch.cat([*plain, gaps], 1),
            torch.cat([*curves, gaps], 1),
        )


def _numbers(columns: Columns, X: Any) -> Tensor:
    z, _ = columns.encode(X)
    return _of_coordinates(columns, z)


def _of_coordinates(columns: Columns, z: Tensor) -> Tensor:
    cell = columns.cell_index(z).double()
    known = [len(part.values) for column in columns.columns for part in column.coordinates]
    count = torch.tensor(known, dtype=torch.float64)
    rank = torch.where((cell >= 0) & (cell < count), cell + 1, 0.0)
    return torch.where(columns.nominal, rank, torch.where(columns.discrete, cell, z))
