"""The rows of lowest density under a model, each with the columns that cause it."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from narwhals.dependencies import is_pandas_dataframe

from ..estimators.table_density import TableDensity
from ..metrics.evaluation_inputs import take
from .column_axes import format_cell, shortened

__all__ = ["Reason", "UnlikelyRow", "least_likely_rows"]


@dataclass(frozen=True)
class Reason:
    """A cell that does not fit the rest of its row.

    Attributes:
        column: its column.
        value: what it holds.
        expected: the most plausible value, the rest of the row as it is.
        gain: nats the row's log density would gain from it.
    """

    column: Any
    value: Any
    expected: Any
    gain: float

    def sentence(self, length: int | None = None) -> str:
        """The reason as a phrase, with a long name of the column cut to fit.

        >>> Reason("worst radius", 14.91, 14.0681, 42.0).sentence()
        'worst radius 14.91, expected 14.07'
        """
        name = self.column if isinstance(self.column, str) else f"column {self.column}"
        rest = f" {format_cell(self.value)}, expected {format_cell(self.expected)}"
        room = 60 if length is None else max(10, length - len(rest))
        return shortened(name, room) + rest


@dataclass(frozen=True)
class UnlikelyRow:
    """A row of low density.

    Attributes:
        row: its position in the table.
        name: its label in the index of a pandas frame, else its position.
        score: its log density, nats.
        reasons: up to three cells that make it so, the worst first; none if no single one does.
    """

    row: int
    name: Any
    score: float
    reasons: tuple[Reason, ...]


def least_likely_rows(
    model: TableDensity, X: Any, scores: np.ndarray, count: int = 4
) -> list[UnlikelyRow]:
    """The rows of lowest score, explained.

    Args:
        model: a fitted density of a table.
        X: table of shape (n, p).
        scores: its log densities or outlier scores, of shape (n,).
        count: rows wanted.

    Returns:
        At most ``count`` rows, the strangest first. A cell is among the reasons if its gain is
        at least a seventh of the row's greatest and what was expected reads differently.
    """
    rows = np.argsort(scores, kind="stable")[:count]
    table = model.explain(take(X, rows))
    index = X.index if is_pandas_dataframe(X) else None
    found = []
    for i, row in enumerate(rows.tolist()):
        part = table[table["row"] == i]
        reasons = [
            Reason(column, value, expected, float(gain))
            for column, value, expected, gain in zip(
                part["column"], part["value"], part["expected"], part["gain"], strict=True
            )
            if format_cell(value) != format_cell(expected)
        ]
        least = max((reason.gain for reason in reasons), default=0.0) / 7
        reasons = [reason for reason in reasons if reason.gain > 0 and reason.gain >= least]
        name = row if index is None else index[row]
        found.append(UnlikelyRow(row, name, float(scores[row]), tuple(reasons[:3])))
    return found
