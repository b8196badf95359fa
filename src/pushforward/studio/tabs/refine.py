"""The tab that refines: the same latents before and after, and what the report found."""

import secrets
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ..fields import Fields, RequestError
from ..pictures import as_nchw, png_uri
from ..table_view import column_facts, plain, positions
from ..workspace import OpenModel, Workspace

__all__ = ["ABOUT", "ACTIONS", "TITLE", "reason_against"]

TITLE = "Refine"
ABOUT = "the same {rows} before and after refinement, and whether it helped"

METHODS = ("auto", "dgflow", "dot", "ddls", "mh", "drs", "rejection", "resampling")
_WITH_STEPS, _WITH_SIZE = ("dgflow", "dot", "ddls"), ("dgflow", "ddls")
_MOST_IMAGES, _MOST_ROWS, _MOST_LINES = 64, 600, 30


def reason_against(opened: OpenModel, workspace: Workspace) -> str | None:
    """Why the tab is not there, or None."""
    if opened.can.can("before_after"):
        return None
    if not opened.can.can("sample") or opened.kind not in ("table", "images", "text"):
        return f"{opened.class_name} makes no rows or images to refine"
    if opened.data is None:
        return "there are no data to refine with: start the studio with --data"
    return None


def start(workspace: Workspace, asked: Fields) -> dict[str, Any]:
    """Begin ``pushforward refine`` of a model."""
    opened = workspace.model(asked.text("model"))
    if reason := reason_against(opened, workspace):
        raise RequestError(f"{reason.capitalize()}.")
    if opened.source is None:
        raise RequestError("There are no data to refine with.")
    method = asked.one_of("method", *METHODS, default="auto")
    minutes = asked.number("minutes", 0.05, 600, 1.0)
    target = workspace.folder / f"refined-{secrets.token_hex(4)}"
    words = ["refine", str(opened.folder.resolve()), opened.source, "-o", str(target)]
    words += ["--method", method, "--minutes", f"{minutes:g}"]
    if method in _WITH_STEPS and asked.has("steps"):
        words += ["--set", f"steps={asked.whole('steps', 1, 1000)}"]
    if method in _WITH_SIZE and asked.has("step"):
        words += ["--set", f"step={asked.number('step', 1e-6, 100):g}"]
    words += ["--random-state", str(asked.whole("seed", 0, 2**32 - 1, 0))]
    return workspace.jobs.start(words, lambda found: _opened(workspace, opened, target, found))


def pairs(workspace: Workspace, asked: Fields) -> dict[str, Any]:
    """Samples of the generator, and what becomes of the same ones.

    A refinement that moves nothing chooses among samples: after it are those that it chose.
    """
    opened = workspace.model(asked.text("model"))
    if not opened.can.can("before_after"):
        raise RequestError(f"{opened.name} is no refined model.")
    seed = asked.whole("seed", 0, 2**32 - 1, 0)
    n = asked.whole("n", 1, _MOST_IMAGES, 16) if opened.kind == "images" else _MOST_ROWS
    before, after = map(partial(_shown, opened), opened.model.before_after(n, random_state=seed))
    moved = before != after
    if not moved:
        after = _shown(opened, opened.model.sample(n, random_state=seed))
    found = {
        "kind": opened.kind,
        "moved": moved,
        "before": before,
        "after": after,
        "report": _report(opened.model.report_.to_dict()),
    }
    columns, real = opened.can.columns, opened.data
    if columns is None:
        return found
    if real is not None:
        shown = positions(columns, real[:_MOST_ROWS])
        found["real"] = {j: plain(own) for j, own in shown.items()}
    return found | {"columns": column_facts(columns)}


def _shown(opened: OpenModel, samples: Any) -> Any:
    """Samples as a page shows them: pictures, lines, or positions by column."""
    if opened.kind == "images":
        return [png_uri(one) for one in as_nchw(opened.can, samples)]
    if opened.can.columns is None:
        return [str(line) for line in samples[:_MOST_LINES]]
    return {j: plain(own) for j, own in positions(opened.can.columns, samples).items()}


def _opened(
    workspace: Workspace, base: OpenModel, target: Path, found: dict[str, Any]
) -> dict[str, Any]:
    """Open the refined model beside the others."""
    opened = workspace.open(target, f"{base.name} refined")
    return {"model": opened.name, "report": _report(found["report"])}


def _report(report: dict[str, Any]) -> dict[str, Any]:
    """What a page shows of a report: areas, stages, and percentiles of the logit."""
    area = ("value", "interval")
    return {
        **{name: {k: report[name][k] for k in area} for name in ("floor", "before", "after")},
        "helped": any(stage["kept"] for stage in report["stages"]),
        "stages": [
            {
                "name": stage["name"],
                "space": stage["space"],
                "kept": stage["kept"],
                "settings": {k: v for k, v in stage["settings"].items() if v is not None},
                "auc": {k: stage["auc"][k] for k in area},
                "draws": stage["draws"],
                "evaluations": stage["evaluations"],
            }
            for stage in report["stages"]
        ],
        "logits": {name: plain(np.array(ends)) for name, ends in report["logits"].items()},
        "seconds": round(report["seconds"], 1),
        "notes": list(report["notes"]),
    }


ACTIONS = {"start": start, "pairs": pairs}
