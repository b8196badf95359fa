"""The tab of the least likely rows or images, with what makes them so, and scores to keep."""

from collections.abc import Generator, Iterator
from typing import Any

import numpy as np

from ...data import ArrayImages, Columns
from ..fields import Fields, RequestError
from ..handles import HeldImage, HeldScores, HeldTable
from ..pictures import bits_per_dim, heat, png_uri
from ..table_view import cells, plain
from ..workspace import OpenModel, Workspace

__all__ = ["ABOUT", "ACTIONS", "TITLE", "reason_against"]

TITLE = "Strange"
ABOUT = "the least likely {rows}, and what makes them so"

_ROWS, _HOLED, _IMAGES = 500, 10, 16  # scored in one step
_MOST_HOLED, _MOST_IMAGES = 200, 2000  # each row with missing cells takes an integral
_BINS = 40
_MOST_SHOWN = 24


def reason_against(opened: OpenModel, workspace: Workspace) -> str | None:
    """Why the tab is not there, or None."""
    if not opened.can.density:
        return f"{opened.class_name} has no density"
    if opened.kind not in ("table", "images"):
        return f"{opened.class_name} is no model of tables or images"
    return None


def score(workspace: Workspace, asked: Fields) -> Generator[float | None, None, dict[str, Any]]:
    """Score the data or an upload; the least likely of them, explained."""
    opened = workspace.model(asked.text("model"))
    count = asked.whole("count", 1, _MOST_SHOWN, 8)
    if opened.kind == "table":
        return _rows(workspace, opened, asked, count)
    return _images(workspace, opened, asked, count)


def _rows(
    workspace: Workspace, opened: OpenModel, asked: Fields, count: int
) -> Generator[float | None, None, dict[str, Any]]:
    from ...report.unlikely_rows import least_likely_rows  # pages begin without it

    columns, model = opened.can.columns, opened.model
    assert columns is not None
    if asked.has("upload"):
        table = workspace.handles.get(asked.text("upload"), HeldTable).rows
    else:
        table = opened.data
    if table is None:
        raise RequestError("There are no data. Upload a file, or start the studio with --data.")
    whole = columns.complete(table)
    if not whole.any():
        raise RequestError("Every row has missing cells. Expected some whole rows.")
    rows, numbers = columns.take(table, whole), np.flatnonzero(whole)
    parts = []
    for start in range(0, len(rows), _ROWS):
        parts.append(model.score_samples(rows[start : start + _ROWS]))
        yield 0.5 * start / len(rows)
    scores = np.concatenate(parts)
    found = []
    order = np.argsort(scores, kind="stable")[:count]
    for k, place in enumerate(order.tolist()):  # one by one: short work need not wait for all
        reasons: Any = ()
        if opened.can.can("explain"):
            one = rows[place : place + 1]
            reasons = least_likely_rows(model, one, scores[place : place + 1], 1)[0].reasons
        found.append(
            {
                "row": int(numbers[place]),
                "score": round(float(scores[place]), 4),
                "cells": cells(rows[place : place + 1], columns, 1),
                "reasons": [_told(one) for one in reasons],
            }
        )
        yield 0.5 + 0.2 * k / count
    whole_scores = np.full(len(whole), np.nan)
    whole_scores[numbers] = scores
    decision = yield from _of_rows_with_holes(opened, table, np.flatnonzero(~whole))
    held = HeldScores(
        {
            "row": np.arange(len(whole)),
            "log_density": whole_scores,
            "nats_above_threshold": decision,
        }
    )
    left_out = int((~whole).sum() - np.isfinite(decision).sum())
    return {
        "kind": "table",
        "rows": found,
        "threshold": opened.can.threshold,
        "n": len(scores),
        **_strangest_with_holes(decision, count, table, columns),
        "note": f"{left_out} rows with missing cells have no score." if left_out else "",
        "scores": workspace.handles.keep(held),
        **_histogram(scores),
    }


def _told(reason: Any) -> dict[str, Any]:
    return {
        "column": str(reason.column),
        "text": reason.sentence(80),
        "gain": round(reason.gain, 3),
    }


def _strangest_with_holes(
    decision: np.ndarray, count: int, table: Any, columns: Columns
) -> dict[str, Any]:
    """The rows with missing cells that are the furthest below the threshold, and how many were."""
    n = int(np.isfinite(decision).sum())
    places = np.arange(len(decision))
    found = [
        {
            "row": row,
            "decision": round(float(decision[row]), 4),
            "cells": cells(columns.take(table, places == row), columns, 1),
        }
        for row in np.argsort(decision, kind="stable")[: min(count, n)].tolist()
    ]
    return {"with_holes": found, "n_with_holes": n}


def _of_rows_with_holes(
    opened: OpenModel, table: Any, numbers: np.ndarray
) -> Generator[float | None, None, np.ndarray]:
    """How far rows with missing cells are above the threshold of rows that lack the same, nats.

    Each is compared with samples without the same cells, so that rows with many and few of them
    can be compared. NaN for all others, and for those after the first few hundred.
    """
    columns = opened.can.columns
    assert columns is not None
    n = len(columns.complete(table))
    decision = np.full(n, np.nan)
    if opened.can.can("given") and opened.can.can("decision_function"):
        numbers = numbers[:_MOST_HOLED]
        for start in range(0, len(numbers), _HOLED):
            part = numbers[start : start + _HOLED]
            rows = columns.take(table, np.isin(np.arange(n), part))
            decision[part] = opened.model.decision_function(rows, missing="model")
            yield 0.7 + 0.3 * start / len(numbers)
    return decision


def _images(
    workspace: Workspace, opened: OpenModel, asked: Fields, count: int
) -> Generator[float | None, None, dict[str, Any]]:
    if asked.has("images"):
        held = [
            workspace.handles.get(one, HeldImage)
            for one in asked.texts("images", most=_MOST_SHOWN * 4)
        ]
        source: Any = ArrayImages(np.stack([one.pixels for one in held]), "nchw")
    else:
        found = opened.data
        source = None if found is None else found.images
    if source is None:
        raise RequestError("There are no data. Upload images, or start the studio with --data.")
    n, mapped = min(len(source), _MOST_IMAGES), opened.can.can("inlier_maps")
    parts = []
    for images in _blocks(source, n):
        given = ArrayImages(images, "nchw")
        model = opened.model
        parts.append(model.inlier_scores(given) if mapped else model.score_samples(given))
        yield _IMAGES * len(parts) / n
    scores = np.concatenate(parts)
    order = np.argsort(scores, kind="stable")[:count]
    images = source[order]
    maps = None
    if mapped:
        maps = opened.model.inlier_maps(ArrayImages(images, "nchw"))
        yield
    most = 1.0 if maps is None else float(np.quantile(np.abs(maps), 0.995))
    shown = [
        {
            "row": int(row),
            "score": _image_score(opened, float(scores[row]), mapped),
            "handle": workspace.handles.keep(HeldImage(opened.name, image)),
            "png": png_uri(image),
            "map": None if maps is None else png_uri(heat(maps[k], most)),
        }
        for k, (row, image) in enumerate(zip(order.tolist(), images, strict=True))
    ]
    values = scores if mapped else bits_per_dim(opened.can, scores)
    name = "inlier_score" if mapped else "bits_per_dim"
    held_scores = HeldScores({"image": np.arange(n), "log_prob": scores} | {name: values})
    more, notes = len(source) - n, []
    if more:
        notes.append(f"The first {n:,} of {len(source):,} images were scored.")
    if not mapped:
        notes.append(
            f"Where in an image the bits are spent {opened.class_name} does not say: its density "
            "is of whole images. SIG has maps."
        )
    return {
        "kind": "images",
        "images": shown,
        "measure": "inlier score" if mapped else "bits per dimension",
        "n": n,
        "note": " ".join(notes),
        "scores": workspace.handles.keep(held_scores),
        "threshold": None,
        **_histogram(values),
    }


def _blocks(source: Any, n: int) -> Iterator[np.ndarray]:
    for start in range(0, n, _IMAGES):
        yield source[start : min(start + _IMAGES, n)]


def _image_score(opened: OpenModel, score: float, mapped: bool) -> float:
    value = score if mapped else float(bits_per_dim(opened.can, np.array([score]))[0])
    return round(float(value), 3)


def _histogram(values: np.ndarray) -> dict[str, Any]:
    """Edges and counts of scores, for a picture; what lies far out is in the outermost bins."""
    low, high = np.quantile(values, [0.001, 0.999])
    pad = 0.02 * (high - low) or 1.0
    edges = np.linspace(low - pad, high + pad, _BINS + 1)
    inside = np.clip(values, edges[0], np.nextafter(edges[-1], -np.inf))
    return {"edges": plain(edges), "counts": np.histogram(inside, edges)[0].tolist()}


ACTIONS = {"score": score}
