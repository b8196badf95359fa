"""Columns and rows of a table as a page draws them: positions on axes, and cells as text."""

from collections.abc import Sequence
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd

from ..data import Columns
from ..data.tables.column import Column
from ..report.column_axes import format_cell

__all__ = [
    "bin_edges",
    "bin_shares",
    "cells",
    "column_facts",
    "drawn",
    "end_text",
    "end_texts",
    "frame_of",
    "plain",
    "positions",
]

_BINS = 28

_LISTED = 60  # values of a column that a form lists
_DIGITS = 6


def frame_of(X: Any, labels: Sequence[str | int]) -> pd.DataFrame:
    """A table in any container as a pandas frame."""
    found = nw.from_native(X, pass_through=True, eager_only=True)
    if isinstance(found, nw.DataFrame):
        return found.to_pandas()
    return pd.DataFrame(np.asarray(X), columns=list(labels))


def plain(values: np.ndarray) -> list[float | None]:
    """Numbers of six digits for JSON; None for what is not finite."""
    numbers = np.asarray(values, dtype=np.float64)
    return [float(f"{x:.{_DIGITS}g}") if np.isfinite(x) else None for x in numbers.tolist()]


def drawn(columns: Columns) -> list[int]:
    """The numbers of the columns that have positions: those that are modelled, or computed."""
    with_places = {*columns.modelled, *columns.numeric}
    return [j for j, label in enumerate(columns.labels) if label in with_places]


def column_facts(columns: Columns) -> list[dict[str, Any]]:
    """What a page has to know of each column that has positions, in order.

    Each has its number ``j``, ``name``, ``kind``, ``choices`` (texts, of categories and booleans,
    else None), ``low``, ``high``, ``input`` ("number", "text" or "choice"), ``whole``, and
    ``ticks``, pairs of position and text, where numbers alone would not tell: of dates.
    """
    facts = []
    for j in drawn(columns):
        column, label = columns.columns[j], columns.labels[j]
        choices = None
        if column.kind in ("category", "boolean"):
            choices = [str(value) for value in column.values]
        form = "number" if column.format is None and column.family != "text" else "text"
        if choices is not None and len(choices) <= _LISTED:
            form = "choice"
        entry = column.describe(label)
        ticks = None
        if column.kind == "date" and column.low is not None and column.high is not None:
            places = np.linspace(float(column.low), float(column.high), 3)
            texts = end_texts(columns, label, places)
            ticks = [
                [place, text[:10]] for place, text in zip(places.tolist(), texts, strict=True)
            ]
        facts.append(
            {
                "j": j,
                "name": label if isinstance(label, str) else f"column {label}",
                "kind": column.kind,
                "choices": choices,
                "low": None if choices else _number(column.low),
                "high": None if choices else _number(column.high),
                "shown": [_text(entry["low"]), _text(entry["high"])],
                "whole": column.family == "int",
                "input": form,
                "ticks": ticks,
            }
        )
    return facts


def positions(columns: Columns, X: Any) -> dict[int, np.ndarray]:
    """Positions (n,) of the cells of rows on the axis of each drawn column, by its number.

    Numbers are themselves, dates counts of their unit, categories their place among the choices;
    NaN where a cell is missing.
    """
    values = columns.values(columns.encode_known(X)[0])
    frame = frame_of(X, columns.labels)
    found = {}
    for j in drawn(columns):
        column, label = columns.columns[j], columns.labels[j]
        own = values[label]
        if column.kind in ("category", "boolean"):
            choices = {value: float(k) for k, value in enumerate(column.values)}
            last = float(len(choices))
            places = np.array([choices.get(value, last) for value in own.tolist()])
        else:
            places = np.array(own, dtype=np.float64)
        if label in frame.columns:
            places[frame[label].isna().to_numpy()] = np.nan
        found[j] = places
    return found


def bin_edges(column: Column, places: np.ndarray) -> np.ndarray:
    """Edges of the bins that a column is drawn in, from positions in it."""
    if column.kind in ("category", "boolean"):
        return np.arange(len(column.values) + 1) - 0.5
    low, high = np.quantile(places, [0.002, 0.998])
    if column.kind == "integer" and high - low < 2 * _BINS:
        return np.arange(low - 0.5, high + 1.0)
    pad = 0.02 * (high - low) or abs(high) * 0.05 or 1.0
    return np.linspace(low - pad, high + pad, _BINS + 1)


def bin_shares(places: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Shares of positions in bins; what lies beyond counts in the outermost."""
    inside = np.clip(places, edges[0] + 1e-12, np.nextafter(edges[-1], -np.inf))
    return np.histogram(inside, edges)[0] / len(places)


def end_texts(columns: Columns, label: str | int, places: np.ndarray) -> list[str]:
    """Numbers (n,) of a column as people read them."""
    # NumPy makes whole numbers of moments in nanoseconds
    return [end_text(value) for value in pd.Series(columns.write_numbers(label, places)).tolist()]


def end_text(value: Any) -> str:
    """An end of an interval as people read it: draws give no more than three digits."""
    if isinstance(value, float) and abs(value) < 1000:
        value = float(f"{value:.3g}")
    return format_cell(value).removesuffix(" 00:00:00")


def cells(X: Any, columns: Columns, most: int) -> dict[str, Any]:
    """The first rows of a table as names and texts."""
    frame = frame_of(X, columns.labels).head(most)
    rows = [[_text(value) for value in row] for row in frame.itertuples(index=False, name=None)]
    return {"names": [str(name) for name in frame.columns], "rows": rows}


def _number(value: Any) -> float | None:
    return None if value is None else float(value)


def _text(value: Any) -> str:
    if value is None or value is pd.NA or value is pd.NaT or value != value:
        return ""
    if isinstance(value, (pd.Timestamp, np.datetime64)):
        return str(value).removesuffix(" 00:00:00")
    return format_cell(value)
