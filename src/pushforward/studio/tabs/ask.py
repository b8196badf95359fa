"""The tab that asks a table: some cells fixed, the distributions of the others."""

import threading
from collections.abc import Generator
from typing import Any

import numpy as np
from scipy.special import chdtrc

from ...errors import PushforwardError
from ...report.column_axes import format_cell
from ..fields import Fields, RequestError
from ..table_view import cells, column_facts, drawn, frame_of, plain, positions
from ..workspace import OpenModel, Workspace

__all__ = ["ABOUT", "ACTIONS", "TITLE", "prepare", "reason_against"]

TITLE = "Ask"
ABOUT = "fix some cells of a row, and see the distributions of the others"

_DRAWS = 200  # rows an answer rests on
_MOST_DRAWS = 1200
_MARGIN_ROWS = 1000
_BINS = 28
_SHOWN = 8


def reason_against(opened: OpenModel, workspace: Workspace) -> str | None:
    """Why the tab is not there, or None."""
    if opened.kind != "table":
        return f"{opened.class_name} is no model of tables"
    if not opened.can.can("given"):
        return f"{opened.class_name} has no density whose conditionals could be asked for"
    return None


def prepare(opened: OpenModel) -> None:
    """Have the model do, in a thread of its own, what conditioning needs once."""
    opened.cache["prepared"] = True

    def run() -> None:
        columns = opened.can.columns
        assert columns is not None
        try:
            row = opened.model.sample(1, random_state=0)
            opened.model.given(columns.row(_row_values(opened, row, drawn(columns)[:1])))
        except PushforwardError:
            pass  # the first answer will say so
        finally:
            opened.ready.set()

    opened.ready.clear()
    # no daemon, not even from one: killed in the midst of mathematics it aborts the process
    threading.Thread(target=run, name="studio-prepare", daemon=False).start()


def form(workspace: Workspace, asked: Fields) -> dict[str, Any]:
    """The columns of the form, with the distribution of each by itself."""
    opened = workspace.model(asked.text("model"))
    if "prepared" not in opened.cache:
        prepare(opened)
    real = opened.data
    return {
        "columns": column_facts(opened),
        "margins": _margins(opened),
        "rows": 0 if real is None else len(real),
        "ready": opened.ready.is_set(),
    }


def row(workspace: Workspace, asked: Fields) -> dict[str, Any]:
    """The cells of a row of the data, to begin with; of a sampled row where there are no data."""
    opened = workspace.model(asked.text("model"))
    columns, real = opened.can.columns, opened.data
    assert columns is not None
    number = asked.whole("row", 0, 2**31 - 1, 0)
    if real is None:
        one = opened.model.sample(1, random_state=number)
    elif number < len(real):
        one = real[number : number + 1]
    else:
        raise RequestError(f"The data have {len(real)} rows, numbered from 0. Got {number}.")
    return {"cells": {j: str(v) for j, v in _row_values(opened, one, None).items()}}


def answer(workspace: Workspace, asked: Fields) -> dict[str, Any]:
    """The distributions of the open columns, and some completed rows."""
    opened = workspace.model(asked.text("model"))
    given = _given(opened, asked)
    if given and not opened.ready.is_set():
        return {"preparing": True}
    rows = _completed(opened, given, _DRAWS)
    return {"columns": _distributions(opened, rows, given), "rows": _shown(opened, rows)}


def plausibility(workspace: Workspace, asked: Fields) -> Generator[None, None, dict[str, Any]]:
    """How plausible the given cells are together, and which of them are surprising.

    Each cell is placed in its distribution given the other given cells, by the share of draws
    that are at least as far out. All together are judged by Fisher's combination of the same
    shares taken one after the other, each given those before it, which are independent and
    uniform under the model (Rosenblatt, "Remarks on a multivariate transformation", 1952).
    """
    opened = workspace.model(asked.text("model"))
    given = _given(opened, asked)
    if not given or not opened.ready.is_set():
        return {"cells": {}, "together": None}
    order, alone = list(given), {}
    for j in order:
        others = {k: given[k] for k in order if k != j}
        alone[j] = _tail(opened, others, j, given[j])
        yield
    before, tails = {order[0]: given[order[0]]}, [alone[order[0]]]
    if len(order) > 1:
        tails = [_tail(opened, {}, order[0], given[order[0]])]
        for j in order[1:-1]:
            tails.append(_tail(opened, before, j, given[j]))
            before = {**before, j: given[j]}
            yield
        tails.append(alone[order[-1]])
    together = float(chdtrc(2 * len(tails), -2 * np.log(tails).sum()))
    if len(order) == 1:
        together = tails[0]
    return {"cells": alone, "together": together, "draws": _DRAWS}


def _given(opened: OpenModel, asked: Fields) -> dict[int, Any]:
    """Given cells by the number of their column, as the model takes them."""
    columns = opened.can.columns
    assert columns is not None
    known, found = {str(j): j for j in drawn(columns)}, {}
    for key, value in asked.mapping("given", most=len(known)).items():
        if key not in known:
            raise RequestError(f"There is no column of number {key[:20]!r}.")
        found[known[key]] = _cell(columns.columns[known[key]], value)
    if len(found) == len(known):
        raise RequestError("All cells are fixed. Leave at least one open.")
    return found


def _cell(column: Any, value: Any) -> Any:
    """What a form holds as a value of a column; what is none is refused by the model."""
    if not isinstance(value, (str, int, float)) or len(str(value)) > 200:
        raise RequestError("A cell is neither a number nor a short text.")
    text = str(value).strip()
    if column.kind in ("category", "boolean"):
        return next((own for own in column.values if str(own) == text), text)
    if column.format is not None or column.family == "text":
        return text
    try:
        number = float(text)
    except ValueError:
        raise RequestError(f"Got {text[:40]!r}. Expected a number.") from None
    if not np.isfinite(number):
        raise RequestError(f"Got {text[:40]!r}. Expected a finite number.")
    return number if column.family == "float" else round(number)


def _completed(opened: OpenModel, given: dict[int, Any], n: int) -> Any:
    """Rows with the given cells."""
    columns = opened.can.columns
    assert columns is not None
    if not given:
        return opened.model.sample(n, random_state=0)
    conditions = {columns.labels[j]: value for j, value in given.items()}
    # cells that contradict each other would else have forty times as many draws
    given_cells = opened.model.given(conditions, n_draws=n, max_draws=_MOST_DRAWS, random_state=0)
    return given_cells.sample(n, random_state=0)


def _shown(opened: OpenModel, rows: Any) -> dict[str, Any]:
    columns = opened.can.columns
    assert columns is not None
    return cells(rows, columns, _SHOWN)


def _row_values(opened: OpenModel, one: Any, which: list[int] | None) -> dict[Any, Any]:
    """Cells of one row: by label for some columns, else by number, without those that miss."""
    columns = opened.can.columns
    assert columns is not None
    frame = frame_of(one, columns.labels)
    found = {}
    for j in drawn(columns) if which is None else which:
        label = columns.labels[j]
        if label in frame.columns:
            value = frame[label].iloc[0]
            if value is not None and value == value:
                found[j if which is None else label] = value
    return found


def _margins(opened: OpenModel) -> dict[int, dict[str, Any]]:
    """Each column by itself: edges of bins, or nothing for choices, and shares."""
    if "margins" not in opened.cache:
        columns = opened.can.columns
        assert columns is not None
        rows = opened.model.sample(_MARGIN_ROWS, random_state=0)
        found = {}
        for j, own in positions(columns, rows).items():
            edges = _edges(columns.columns[j], own)
            found[j] = {"edges": plain(edges), "shares": plain(_shares(own, edges))}
        opened.cache["margins"] = found
    return opened.cache["margins"]


def _edges(column: Any, places: np.ndarray) -> np.ndarray:
    """Edges of the bins that a column is drawn in."""
    if column.kind in ("category", "boolean"):
        return np.arange(len(column.values) + 1) - 0.5
    low, high = np.quantile(places, [0.002, 0.998])
    if column.kind == "integer" and high - low < 2 * _BINS:
        return np.arange(low - 0.5, high + 1.0)
    pad = 0.02 * (high - low) or abs(high) * 0.05 or 1.0
    return np.linspace(low - pad, high + pad, _BINS + 1)


def _shares(places: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Shares of positions in bins; what lies beyond counts in the outermost."""
    inside = np.clip(places, edges[0] + 1e-12, np.nextafter(edges[-1], -np.inf))
    return np.histogram(inside, edges)[0] / len(places)


def _distributions(
    opened: OpenModel, rows: Any, given: dict[int, Any]
) -> dict[int, dict[str, Any]]:
    """The distribution of each open column: shares of bins, median and interval, or choices."""
    columns = opened.can.columns
    assert columns is not None
    found = {}
    margins = _margins(opened)
    for j, own in positions(columns, rows).items():
        if j in given:
            continue
        column, label = columns.columns[j], columns.labels[j]
        edges = np.array(margins[j]["edges"])
        entry: dict[str, Any] = {"shares": plain(_shares(own, edges))}
        if column.kind not in ("category", "boolean"):
            ends = np.quantile(own, [0.05, 0.5, 0.95], method="inverted_cdf")
            written = np.asarray(columns.write_numbers(label, ends))
            entry |= {"ends": plain(ends)}
            entry["texts"] = [_short(value) for value in written.tolist()]
        found[j] = entry
    return found


def _short(value: Any) -> str:
    """An end of an interval as people read it: draws give no more than three digits."""
    if isinstance(value, float) and abs(value) < 1000:
        value = float(f"{value:.3g}")
    return format_cell(value).removesuffix(" 00:00:00")


def _tail(opened: OpenModel, others: dict[int, Any], j: int, value: Any) -> float:
    """How far out a cell is given others: the share of draws as far out, above 0."""
    columns = opened.can.columns
    assert columns is not None
    label, column = columns.labels[j], columns.columns[j]
    own = positions(columns, _completed(opened, others, _DRAWS))[j]
    n = len(own)
    if column.kind in ("category", "boolean"):
        place = column.values.index(value) if value in column.values else len(column.values)
        counts = np.bincount(own.astype(int), minlength=len(column.values) + 1)
        as_rare = counts[counts <= counts[place]].sum()
        return float(min(1.0, (1 + as_rare) / (1 + n)))
    at = float(columns.number(label, value))
    below, above = int((own <= at).sum()), int((own >= at).sum())
    return float(min(1.0, 2 * (1 + min(below, above)) / (1 + n)))


ACTIONS = {"form": form, "row": row, "answer": answer, "plausibility": plausibility}
