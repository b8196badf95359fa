"""The tab of samples: new rows, images or lines by seed, temperature and class, and densities."""

from typing import Any

import numpy as np

from ...estimators.capabilities import complete_samples
from ...report.column_axes import draw_columns
from ...report.column_choice import dependence, most_informative_pairs
from ..fields import Fields
from ..handles import HeldImage
from ..pictures import as_nchw, bits_per_dim, png_uri
from ..table_view import cells, column_facts, plain, positions
from ..workspace import OpenModel, Workspace

__all__ = ["ABOUT", "ACTIONS", "TITLE", "class_value", "draw", "reason_against"]

TITLE = "Samples"
ABOUT = "new {rows}, each with its density"

MOST_IMAGES, MOST_DRAWN = 100, 1000
_ROWS_SHOWN = 100
_REAL_SHOWN = 500
_LOOKED_AT = 200  # rows by which pairs of columns are chosen


def reason_against(opened: OpenModel, workspace: Workspace) -> str | None:
    """Why the tab is not there, or None."""
    if not opened.can.can("sample"):
        return f"{opened.class_name} makes no rows of its own"
    return None


def class_value(opened: OpenModel, asked: Fields) -> Any:
    """The class that a request names, as the model takes it; None for none."""
    if opened.can.classes is None or not asked.has("label"):
        return None
    place = asked.whole("label", 0, len(opened.can.classes) - 1)
    return opened.can.classes[place].item()


def draw(opened: OpenModel, asked: Fields, most: int) -> Any:
    """Samples as a request asks for them: the same request, the same samples."""
    n = asked.whole("n", 1, most, 36)
    seed = asked.whole("seed", 0, 2**32 - 1, 0)
    options: dict[str, Any] = {}
    if opened.can.temperature:
        options["temperature"] = asked.number("temperature", 0, 2, 1.0)
    label = class_value(opened, asked)
    if label is not None:
        options["y"] = label
    return opened.model.sample(n, random_state=seed, **options)


def sample(workspace: Workspace, asked: Fields) -> dict[str, Any]:
    """Draw samples and score them."""
    opened = workspace.model(asked.text("model"))
    if opened.kind == "images":
        return _images(workspace, opened, asked)
    if opened.can.columns is not None:
        return _rows(workspace, opened, asked)
    drawn = draw(opened, asked, MOST_DRAWN)
    if opened.kind == "text":
        return {"kind": "text", "lines": [str(line) for line in drawn]}
    rows = np.asarray(drawn)
    names = [f"column {j}" for j in range(rows.shape[1])]
    shown = [[f"{x:.4g}" for x in row] for row in rows[:_ROWS_SHOWN].tolist()]
    return {"kind": "rows", "table": {"names": names, "rows": shown}}


def _images(workspace: Workspace, opened: OpenModel, asked: Fields) -> dict[str, Any]:
    drawn = draw(opened, asked, MOST_IMAGES)
    images, label = as_nchw(opened.can, drawn), class_value(opened, asked)
    bits = [None] * len(images)
    if opened.can.density:
        labelled = {} if label is None else {"y": label}
        bits = plain(bits_per_dim(opened.can, opened.model.score_samples(drawn, **labelled)))
    shown = [
        {
            "handle": workspace.handles.keep(HeldImage(opened.name, image, label)),
            "png": png_uri(image),
            "bits": one,
        }
        for image, one in zip(images, bits, strict=True)
    ]
    return {"kind": "images", "images": shown, "shape": list(images.shape[1:])}


def _rows(workspace: Workspace, opened: OpenModel, asked: Fields) -> dict[str, Any]:
    columns = opened.can.columns
    assert columns is not None
    drawn = draw(opened, asked, MOST_DRAWN)
    places = positions(columns, drawn)
    scores = None
    if opened.can.density:  # of rows with missing cells it is an integral, which takes its time
        whole, known = columns.complete(drawn), np.full(len(drawn), np.nan)
        if whole.any():
            known[whole] = opened.model.score_samples(columns.take(drawn, whole))
        scores = plain(known)
    found: dict[str, Any] = {
        "kind": "table",
        "columns": column_facts(columns),
        "places": {j: plain(values) for j, values in places.items()},
        "scores": scores,
        "table": cells(drawn, columns, _ROWS_SHOWN),
        "telling": _telling(opened),
        "real": None,
    }
    real = opened.data
    if real is not None and asked.has("with_data"):
        shown = positions(columns, real[:_REAL_SHOWN])
        found["real"] = {j: plain(own) for j, own in shown.items()}
    return found


def _telling(opened: OpenModel) -> list[int]:
    """The numbers of up to four columns whose pairs tell most, found once a model."""
    if "telling" not in opened.cache:
        columns = opened.can.columns
        assert columns is not None
        rows = complete_samples(opened.model, _LOOKED_AT, 0)
        plotted = draw_columns(columns, rows, rows)
        places = {label: j for j, label in enumerate(columns.labels)}
        pairs = most_informative_pairs(plotted, dependence(plotted), 2) if plotted else []
        order = dict.fromkeys(j for pair in pairs for j in pair)
        order = [*order, *(j for j in range(len(plotted)) if j not in order)][:4]
        opened.cache["telling"] = [places[plotted[j].label] for j in order]
    return opened.cache["telling"]


ACTIONS = {"draw": sample}
