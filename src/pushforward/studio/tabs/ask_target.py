"""What the tab Ask says of a predictor: the distribution of its target given the inputs."""

from typing import Any

import numpy as np
import pandas as pd

from ...data import Columns
from ...models.prediction.target import without_target
from ..fields import RequestError
from ..table_view import (
    bin_edges,
    bin_shares,
    column_facts,
    drawn,
    end_text,
    frame_of,
    plain,
    positions,
)
from ..workspace import OpenModel

__all__ = ["answer", "draws_cells", "form", "inputs_of", "known_target", "prepare", "reasons"]

_ROWS, _DRAWS = 300, 3000  # of the data, and draws of their targets: the target by itself
_MOST_REASONS = 6


def prepare(opened: OpenModel) -> None:
    """Have the model do what rows with open cells need once."""
    if opened.model.inputs_ is not None:
        opened.model.given(_inputs(opened).row({}))


def draws_cells(opened: OpenModel, given: dict[int, Any]) -> bool:
    """Whether an answer averages over draws of open inputs."""
    return opened.model.inputs_ is not None and len(given) < len(drawn(_inputs(opened)))


def form(opened: OpenModel) -> dict[str, Any]:
    """The inputs of the form, the target, and the distributions of each by itself."""
    columns, margins = _inputs(opened), {}
    whole = _whole_rows(opened)
    if whole is not None:
        for j, own in positions(columns, whole).items():
            edges = bin_edges(columns.columns[j], own)
            margins[j] = {"edges": plain(edges), "shares": plain(bin_shares(own, edges))}
    facts = column_facts(columns)
    for fact in facts:  # of inputs whose distribution nobody knows, the places that were seen
        margins.setdefault(fact["j"], _flat(fact))
    return {
        "columns": facts,
        "margins": margins,
        "target": {"fact": _target_fact(opened), "margin": _margin(opened)},
        "rows": 0 if opened.data is None else len(opened.data),
        "ready": True,
    }


def known_target(opened: OpenModel, row: Any) -> dict[str, Any] | None:
    """The target that a row of the data has, where it has one: its place and text."""
    target = opened.model.target_
    if not _inputs(opened).layout.named:
        return None
    frame = frame_of(row, ())
    there = target.name is not None and target.name in frame.columns
    if not there or frame[target.name].isna().to_numpy().any():
        return None
    own = frame[target.name].reset_index(drop=True)
    if target.classes is None:
        return {"place": float(target.plain(own)[0]), "text": end_text(own.iloc[0])}
    known = [str(value) for value in target.classes.tolist()]
    text = str(own.iloc[0])
    return {"place": known.index(text) if text in known else None, "text": text}


def inputs_of(opened: OpenModel, rows: Any) -> Any:
    """Rows of the data without the target."""
    return without_target(rows, opened.model.target_.name, opened.model.n_features_in_)


def answer(opened: OpenModel, given: dict[int, Any]) -> dict[str, Any]:
    """The distribution of the target given some inputs, or what it needs besides."""
    lacking = _lacking(opened, given)
    if lacking:
        shown = ", ".join(lacking[:5]) + (" …" if len(lacking) > 5 else "")
        note = f"This model predicts whole rows. Still open: {shown}. To leave cells open, fit it "
        return {"columns": {}, "target": None, "note": f"{note}with missing='model'."}
    model, edges = opened.model, np.array(_margin(opened)["edges"])
    target, found = model.target_, model.given(_row(opened, given))
    if target.classes is not None:
        return {"columns": {}, "target": {"shares": plain(found.probability[0])}}
    below = np.array([0.0, *(found.cdf(edge)[0] for edge in edges[1:-1].tolist()), 1.0])
    ends = pd.Series([found.quantile(q)[0] for q in (0.05, 0.5, 0.95)])
    told = {"shares": plain(np.diff(below)), "ends": plain(target.plain(ends).numpy())}
    return {"columns": {}, "target": told | {"texts": [end_text(x) for x in ends.tolist()]}}


def reasons(opened: OpenModel, given: dict[int, Any]) -> dict[str, Any]:
    """Which inputs moved the prediction most, and by how much, in units of the target."""
    columns = _inputs(opened)
    if _lacking(opened, given):
        return {"reasons": []}
    fixed = {columns.labels[j] for j in given}
    moved = opened.model.explain(_row(opened, given))
    return {
        "reasons": [
            {"column": str(column), "effect": float(effect), "text": f"{effect:+.3g}"}
            for column, effect in zip(moved["column"], moved["effect"], strict=True)
            if column in fixed and effect
        ][:_MOST_REASONS]
    }


def _inputs(opened: OpenModel) -> Columns:
    columns = opened.can.columns
    assert columns is not None
    return columns


def _row(opened: OpenModel, given: dict[int, Any]) -> Any:
    """A table of one row with the given inputs.

    Raises:
        RequestError: for ranges.
    """
    columns = _inputs(opened)
    ranges = [str(columns.labels[j]) for j, value in given.items() if isinstance(value, tuple)]
    if ranges:
        raise RequestError(
            f"{ranges[0]} has a range. A prediction is of values: give one, or leave it open."
        )
    return columns.row({columns.labels[j]: given[j] for j in sorted(given)})


def _lacking(opened: OpenModel, given: dict[int, Any]) -> list[str]:
    """Inputs that are open though the model takes whole rows alone."""
    columns = _inputs(opened)
    if opened.model.inputs_ is not None:
        return []
    return [str(columns.labels[j]) for j in drawn(columns) if j not in given]


def _target_fact(opened: OpenModel) -> dict[str, Any]:
    """The target as a column of the page."""
    target = opened.model.target_
    (fact,) = column_facts(target.columns)
    name = "target" if target.name is None else str(target.name)
    fact |= {"j": "target", "name": name}
    if target.classes is not None:
        fact["choices"] = [str(value) for value in target.classes.tolist()]
    return fact


def _margin(opened: OpenModel) -> dict[str, Any]:
    """The target by itself: over rows of the data, or where no input is known."""
    if "margin" not in opened.cache:
        model, column = opened.model, opened.model.target_.columns.columns[0]
        usual = _usual(opened)
        if model.target_.classes is not None:
            count = len(model.target_.classes)
            shares = np.zeros(count) if usual is None else usual.probability.mean(0)
            made = {"edges": plain(np.arange(count + 1) - 0.5), "shares": plain(shares)}
        elif usual is None:
            made = _flat(_target_fact(opened))
        else:
            drawn_targets = usual.sample(-(-_DRAWS // len(usual)), random_state=0).reshape(-1)
            places = model.target_.plain(pd.Series(drawn_targets)).numpy()
            edges = bin_edges(column, places)
            made = {"edges": plain(edges), "shares": plain(bin_shares(places, edges))}
        opened.cache["margin"] = made
    return opened.cache["margin"]


def _usual(opened: OpenModel) -> Any:
    """The distributions of the target of some rows, or of one of which nothing is known."""
    whole = _whole_rows(opened)
    if whole is not None:
        return opened.model.given(whole[:_ROWS])
    if opened.model.inputs_ is None:
        return None
    return opened.model.given(_inputs(opened).row({}))


def _whole_rows(opened: OpenModel) -> Any:
    """Inputs of rows of the data without missing cells; None where there are none."""
    if opened.data is None:
        return None
    columns, rows = _inputs(opened), inputs_of(opened, opened.data)
    whole = columns.complete(rows)
    return columns.take(rows, whole) if whole.any() else None


def _flat(fact: dict[str, Any]) -> dict[str, Any]:
    """Edges without shares, of a column whose distribution is not known."""
    if fact["choices"] is not None:
        edges = np.arange(len(fact["choices"]) + 1) - 0.5
    else:
        low, high = fact["low"] or 0.0, fact["high"] or 1.0
        edges = np.linspace(low, high if high > low else low + 1.0, 29)
    return {"edges": plain(edges), "shares": [0.0] * (len(edges) - 1)}
