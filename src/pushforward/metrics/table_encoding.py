"""Tables as numbers that measures can compare, columns of every kind."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..data import Columns
from ..errors import DataError

__all__ = ["TableCode"]

_BINS = 10
_LEVELS = 50  # the most frequent categories; the rest are one


@dataclass(frozen=True)
class TableCode:
    """How the columns of a table become numbers: learned on real rows, applied to any.

    What is learned of a column is learned of the cells that are there.

    Attributes:
        columns: what the columns are, without those that say nothing of their rows.
        edges: for each ordered column the inner edges of its tenths; None for categories.
        spread: for each ordered column its standard deviation, 1 for the others.
        middle: for each ordered column its mean, 0 for the others.
        holed: (p,) bool, the columns that have missing cells.
        sparse: names of other columns, of which too few cells are known to say anything.

    Examples:
        >>> code = TableCode.learn([[1.5, 0], [2.5, 1], [4.5, 1]])
        >>> code.numbers([[3.5, 1]]).tolist()
        [[3.5, 1.0]]
    """

    columns: Columns
    edges: tuple[np.ndarray | None, ...]
    spread: np.ndarray
    middle: np.ndarray
    holed: np.ndarray
    sparse: tuple[str | int, ...] = ()

    @classmethod
    def learn(cls, real: Any) -> "TableCode":
        """Learn from a table of shape (n, p).

        Raises:
            DataError: for a table that cannot be used, such as one with infinite cells.
        """
        every = Columns.learn(real, missing="auto", estimator="a measure of tables").columns
        parts = zip(every.labels, every.columns, strict=True)
        sparse = [label for label, one in parts if one.kind == "empty" and one.missing < 1]
        bare = cls.bare(every.kept())
        numbers, edges = bare.numbers(real), []
        gaps = np.isnan(numbers)
        for j in range(bare.columns.n_columns):
            if not bare.ordered(j):
                edges.append(None)
                continue
            known = numbers[~gaps[:, j], j]
            bare.spread[j], bare.middle[j] = known.std() or 1.0, known.mean()
            edges.append(np.unique(np.quantile(known, np.arange(1, _BINS) / _BINS)))
        holed = gaps.any(axis=0)
        return replace(bare, edges=tuple(edges), holed=holed, sparse=tuple(sparse))

    @classmethod
    def bare(cls, columns: Columns) -> "TableCode":
        """What makes numbers of such columns, and neither cells nor points."""
        p = columns.n_columns
        return cls(columns, (None,) * p, np.ones(p), np.zeros(p), np.zeros(p, dtype=bool))

    @property
    def names(self) -> list[str]:
        """Names of the columns; "x0", "x1", ... where they have only positions."""
        return [x if isinstance(x, str) else f"x{x}" for x in self.columns.labels]

    def ordered(self, j: int) -> bool:
        """Whether column j holds numbers whose order means something."""
        return self.columns.columns[j].kind not in ("category", "boolean", "constant")

    def numbers(self, X: Any) -> np.ndarray:
        """Values of ordered columns and numbers of categories: float64 (n, p).

        A category that was never seen has the number after the last; a value other than a
        constant's is 1, the constant 0. Missing cells are NaN.

        Raises:
            DataError: for lacking columns, infinite cells, text for numbers.
        """
        cells = self.columns.known_cells(X)
        n = len(cells[0][0]) if cells else 0
        out = np.full((n, self.columns.n_columns), np.nan)
        for j, (label, column) in enumerate(
            zip(self.columns.labels, self.columns.columns, strict=True)
        ):
            known, values, family = cells[j]
            if not len(values):
                continue
            if column.kind == "constant":
                numbers = values != column.values[0]
            elif self.ordered(j):
                if family == "text":
                    raise DataError(f"The column {label!r} holds text. Expected numbers.")
                numbers = values.astype(np.float64)
            else:
                numbers = np.clip(column.numbers(values, family, label), 0, len(column.values))
            out[known, j] = numbers
        return out

    def cells(self, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Each column cut into few cells: tenths of ordered columns, frequent categories.

        Returns:
            Cell numbers (n, p), int, counted on from column to column, and the first cell of
            each column with the number of all cells at the end, (p + 1,). Missing cells are in
            the first one of their column.
        """
        numbers = np.nan_to_num(numbers, nan=-np.inf, posinf=np.inf, neginf=-np.inf)
        found, first = np.empty(numbers.shape, dtype=np.intp), [0]
        for j, edges in enumerate(self.edges):
            if edges is not None:
                cell, width = np.searchsorted(edges, numbers[:, j], side="right"), len(edges) + 1
            else:  # numbered by falling frequency, and one more for what was never seen
                width = min(_LEVELS, len(self.columns.columns[j].values)) + 1
                cell = numbers[:, j].clip(0, width - 1).astype(np.intp)
            found[:, j] = first[-1] + cell
            first.append(first[-1] + width)
        return found, np.array(first)

    def points(self, numbers: np.ndarray) -> np.ndarray:
        """Rows as points for distances: ordered columns in standard deviations, categories as
        corners at distance 1 from each other. float64 (n, q).

        A missing number is the mean of its column, one coordinate away from all numbers; a missing
        category is no corner.
        """
        parts = []
        for j in range(self.columns.n_columns):
            if self.ordered(j):
                gap = np.isnan(numbers[:, j : j + 1])
                parts.append(np.where(gap, self.middle[j], numbers[:, j : j + 1]) / self.spread[j])
                if self.holed[j]:
                    parts.append(gap / np.sqrt(2))
            else:
                levels = np.arange(len(self.columns.columns[j].values) + 1)
                parts.append((numbers[:, j : j + 1] == levels) / np.sqrt(2))
        return np.concatenate(parts, axis=1)
