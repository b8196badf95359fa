"""The tab that asks a table: some cells fixed, the distributions of the others.

Of a predictor, whose answers are of one column, ``ask_target.py`` has what is asked of it.
"""

import threading
from collections.abc import Generator
from typing import Any

import numpy as np

from ...errors import PushforwardError
from ...estimators.capabilities import complete_samples
from ...estimators.conditions import Event, read_condition
from ..fields import Fields, RequestError
from ..table_view import (
    bin_edges,
    bin_shares,
    cells,
    column_facts,
    drawn,
    end_texts,
    frame_of,
    plain,
    positions,
)
from ..workspace import OpenModel, Workspace
from . import ask_target

__all__ = ["ABOUT", "ACTIONS", "TITLE", "prepare", "reason_against"]

TITLE = "Ask"
ABOUT = "fix some cells of a row, and see {answers}"

_DRAWS = 200  # rows an answer rests on
_MOST_DRAWS = 1200
_MARGIN_ROWS = 1000
_SHOWN = 8


def reason_against(opened: OpenModel, workspace: Workspace) -> str | None:
    """Why the tab is not there, or None."""
    if opened.kind == "prediction":
        return None
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
            if opened.kind == "prediction":
                ask_target.prepare(opened)
                return
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
    if opened.kind == "prediction":
        return ask_target.form(opened)
    columns, real = opened.can.columns, opened.data
    assert columns is not None
    return {
        "columns": column_facts(columns),
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
    target = None
    if real is None:
        if opened.kind == "prediction":
            raise RequestError("There are no data: start the studio with --data.")
        one = opened.model.sample(1, random_state=number)
    elif number < len(real):
        one = real[number : number + 1]
    else:
        raise RequestError(f"The data have {len(real)} rows, numbered from 0. Got {number}.")
    if opened.kind == "prediction":
        target, one = ask_target.known_target(opened, one), ask_target.inputs_of(opened, one)
    cells_there = {j: str(v) for j, v in _row_values(opened, one, None).items()}
    return {"cells": cells_there, "target": target}


def answer(workspace: Workspace, asked: Fields) -> dict[str, Any]:
    """The distributions of the open columns, and some completed rows."""
    opened = workspace.model(asked.text("model"))
    given = _given(opened, asked)
    predicts = opened.kind == "prediction"
    waits = ask_target.draws_cells(opened, given) if predicts else bool(given)
    if waits and not opened.ready.is_set():
        return {"preparing": True}
    if predicts:
        return ask_target.answer(opened, given)
    rows = _completed(opened, given, _DRAWS)
    return {"columns": _distributions(opened, rows, given), "rows": _shown(opened, rows)}


def plausibility(workspace: Workspace, asked: Fields) -> Generator[None, None, dict[str, Any]]:
    """How plausible the given cells are together, and which of them are surprising.

    Each cell is placed in its distribution given the other conditions, by the share of draws that
    are at least as far out. All together are judged by Fisher's combination of the same shares
    taken one after the other, each given those before it, which are independent and uniform under
    the model (Rosenblatt, "Remarks on a multivariate transformation", 1952). Of ranges it is the
    share of draws inside, given the other conditions, and of all rows of the model.
    """
    opened = workspace.model(asked.text("model"))
    given = _given(opened, asked)
    if opened.kind == "prediction":
        return ask_target.reasons(opened, given)
    nothing = {"cells": {}, "ranges": {}, "inside": None, "together": None, "worth": None}
    if not given or not opened.ready.is_set():
        return nothing
    ranges = {j: value for j, value in given.items() if isinstance(value, tuple)}
    order, alone, within = [j for j in given if j not in ranges], {}, {}
    for j, value in given.items():
        others = {k: given[k] for k in given if k != j}
        if j in ranges:
            within[j] = float(_inside(opened, _completed(opened, others, _DRAWS), {j: value}))
        else:
            alone[j] = _tail(opened, others, j, value)
        yield
    inside = None
    if ranges:
        inside = float(_inside(opened, _completed(opened, {}, _MARGIN_ROWS), ranges))
    found = nothing | {"cells": alone, "ranges": within, "inside": inside, "draws": _DRAWS}
    found["worth"] = _worth(opened, given)
    if not order:
        return found
    before, tails = dict(ranges), []
    for j in order[:-1]:
        tails.append(_tail(opened, before, j, given[j]))
        before = {**before, j: given[j]}
        yield
    tails.append(alone[order[-1]])
    return found | {"together": _combined(tails)}


def _combined(tails: list[float]) -> float:
    """Fisher's combination of independent shares; a single one as it is."""
    from scipy.special import chdtrc

    if len(tails) == 1:
        return tails[0]
    return float(chdtrc(2 * len(tails), -2 * np.log(tails).sum()))


def _given(opened: OpenModel, asked: Fields) -> dict[int, Any]:
    """Conditions by the number of their column, as the model takes them: values and ranges."""
    columns = opened.can.columns
    assert columns is not None
    known, found = {str(j): j for j in drawn(columns)}, {}
    for key, value in asked.mapping("given", most=len(known)).items():
        if key not in known:
            raise RequestError(f"There is no column of number {key[:20]!r}.")
        if not isinstance(value, (str, int, float)) or len(str(value)) > 200:
            raise RequestError("A cell is neither a number nor a short text.")
        j = known[key]
        found[j] = read_condition(str(value), columns.columns[j], columns.labels[j])
    values = [j for j, value in found.items() if not isinstance(value, tuple)]
    if len(values) == len(known) and opened.kind == "table":
        raise RequestError("All cells are fixed. Leave at least one open.")
    return found


def _completed(opened: OpenModel, given: dict[int, Any], n: int) -> Any:
    """Rows with the given cells."""
    if not given:
        return complete_samples(opened.model, n, 0)
    return _conditional(opened, given, n).sample(n, random_state=0)


def _worth(opened: OpenModel, given: dict[int, Any]) -> float | None:
    """How many equally weighted draws the answer rests on; None where it is exact."""
    size = float(_conditional(opened, given, _DRAWS).effective_size[0])
    return size if np.isfinite(size) else None


def _conditional(opened: OpenModel, given: dict[int, Any], n: int) -> Any:
    columns = opened.can.columns
    assert columns is not None
    conditions = {columns.labels[j]: value for j, value in given.items()}
    # cells that contradict each other would else have forty times as many draws
    return opened.model.given(conditions, n_draws=n, max_draws=_MOST_DRAWS, random_state=0)


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
        rows = _completed(opened, {}, _MARGIN_ROWS)
        found = {}
        for j, own in positions(columns, rows).items():
            edges = bin_edges(columns.columns[j], own)
            found[j] = {"edges": plain(edges), "shares": plain(bin_shares(own, edges))}
        opened.cache["margins"] = found
    return opened.cache["margins"]


def _distributions(
    opened: OpenModel, rows: Any, given: dict[int, Any]
) -> dict[int, dict[str, Any]]:
    """The distribution of each open column: shares of bins, median and interval, or choices."""
    columns = opened.can.columns
    assert columns is not None
    found = {}
    margins = _margins(opened)
    for j, own in positions(columns, rows).items():
        if j in given and not isinstance(given[j], tuple):
            continue
        column, label = columns.columns[j], columns.labels[j]
        edges = np.array(margins[j]["edges"])
        entry: dict[str, Any] = {"shares": plain(bin_shares(own, edges))}
        if column.kind not in ("category", "boolean"):
            ends = np.quantile(own, [0.05, 0.5, 0.95], method="inverted_cdf")
            entry |= {"ends": plain(ends), "texts": end_texts(columns, label, ends)}
        found[j] = entry
    return found


def _inside(opened: OpenModel, rows: Any, ranges: dict[int, Any]) -> float:
    """The share of rows that lie in some ranges."""
    columns = opened.can.columns
    assert columns is not None
    event = Event({columns.labels[j]: value for j, value in ranges.items()}, columns)
    return event.holds(columns.values(columns.encode(rows)[0])).mean()


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
