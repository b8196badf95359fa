"""The tab that compares the open models by the same measures, with intervals."""

from typing import Any

from ..fields import Fields, RequestError
from ..workspace import OpenModel, Workspace

__all__ = ["ABOUT", "ACTIONS", "TITLE", "measures", "reason_against"]

TITLE = "Compare"
ABOUT = "the same measures of all open models of a kind, with intervals"


def reason_against(opened: OpenModel, workspace: Workspace) -> str | None:
    """Why the tab is not there, or None."""
    if opened.data is None:
        return "there are no data to compare with: start the studio with --data"
    if opened.kind not in ("table", "images") or not opened.can.can("sample"):
        return f"{opened.class_name} makes no rows or images to compare"
    return None


def start(workspace: Workspace, asked: Fields) -> dict[str, Any]:
    """Begin ``pushforward compare`` of some models."""
    chosen = [workspace.model(name) for name in asked.texts("models", most=12)]
    if not chosen or len({one.kind for one in chosen}) > 1:
        raise RequestError("Choose models of one kind of data, at least one.")
    source = chosen[0].source
    if source is None or any(one.source != source for one in chosen):
        raise RequestError("There are no data that suit all of them.")
    rows = asked.whole("rows", 50, 10_000, 1000)
    folders = {str(one.folder.resolve()): one.name for one in chosen}
    words = ["compare", *folders, "--data", source, "--rows", str(rows)]
    words += ["--random-state", str(asked.whole("seed", 0, 2**32 - 1, 0))]
    if chosen[0].kind == "images":
        words.append("--images")
    return workspace.jobs.start(words, lambda found: measures(found, folders))


def measures(found: dict[str, Any], folders: dict[str, str]) -> dict[str, Any]:
    """The comparison as lines of measures, for the page."""
    from ...metrics.limitations import limitation_of  # pages begin without it
    from ...report.formatting import title_of

    lines: dict[str, dict[str, Any]] = {}
    skipped: dict[str, str] = {}
    for folder, evaluation in found["models"].items():
        model = folders.get(folder, folder)
        skipped |= evaluation["skipped"]
        for measure in evaluation["measures"]:
            name = measure["name"]
            line = lines.setdefault(
                name,
                {
                    "name": name,
                    "title": title_of(name),
                    "better": measure["better"],
                    "limitation": limitation_of(name),
                    "best": folders.get(found["best"].get(name) or "", found["best"].get(name)),
                    "values": {},
                },
            )
            line["values"][model] = {
                "value": measure["value"],
                "interval": measure["interval"],
                "warnings": measure["warnings"],
            }
    return {"models": list(folders.values()), "lines": list(lines.values()), "skipped": skipped}


ACTIONS = {"start": start}
