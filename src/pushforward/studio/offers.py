"""What a page offers for a model, by its capabilities, and why it does not offer the rest."""

from dataclasses import dataclass
from typing import Any

from ..data.images import ImageSet
from .tabs import TABS
from .workspace import OpenModel, Workspace

__all__ = ["Offer", "model_facts", "offers", "offers_text"]

_ROWS = {"images": "images", "text": "lines"}


@dataclass(frozen=True)
class Offer:
    """One tab for one model.

    Attributes:
        tab: its name.
        title: what the page calls it.
        about: what one does there.
        reason: why it is not there; None where it is.
    """

    tab: str
    title: str
    about: str
    reason: str | None


def offers(opened: OpenModel, workspace: Workspace) -> list[Offer]:
    """All tabs, with the reason where a model has none."""
    answers = "the distributions of the others"
    if opened.kind == "prediction":
        answers = "the distribution of what it predicts"
    words = {"rows": _ROWS.get(opened.kind, "rows"), "answers": answers}
    return [
        Offer(name, tab.TITLE, tab.ABOUT.format(**words), tab.reason_against(opened, workspace))
        for name, tab in TABS.items()
    ]


def model_facts(opened: OpenModel, workspace: Workspace) -> dict[str, Any]:
    """What a page has to know of a model before it asks anything."""
    can = opened.can
    names = None if can.classes is None else class_names(opened)
    editable = can.pixels is not None and can.can("encode") and can.can("decode")
    return {
        "name": opened.name,
        "class": opened.class_name,
        "kind": opened.kind,
        "shape": None if can.pixels is None else list(can.pixels.shape),
        "columns": None if can.columns is None else can.columns.n_columns,
        "density": can.density,
        "temperature": can.temperature,
        "classes": names,
        "levels": len(can.latent_levels),
        "data": 0 if opened.data is None else len(opened.data),
        "source": opened.source,
        "note": opened.note,
        "traits": TABS["edit"].traits(opened, workspace) if editable else [],
        "refined": can.can("before_after"),
        "tabs": {
            one.tab: {"title": one.title, "about": one.about, "reason": one.reason}
            for one in offers(opened, workspace)
        },
    }


def class_names(opened: OpenModel) -> list[str]:
    """The names of a model's classes: its own, else those of its data, else their labels."""
    can, found = opened.can, opened.data
    assert can.classes is not None
    if can.class_names is not None:
        return list(can.class_names)
    labels = can.classes.tolist()
    known = found.class_names if isinstance(found, ImageSet) else None
    if known and all(isinstance(one, int) and 0 <= one < len(known) for one in labels):
        return [known[one] for one in labels]
    return list(map(str, labels))


def offers_text(workspace: Workspace) -> str:
    """What the page would offer, for people who have no browser."""
    lines = []
    for opened in workspace.models.values():
        lines.append(f"{opened.name}: {opened.class_name}, {_of(opened)}")
        if opened.note:
            lines.append(f"  the data do not suit it: {opened.note}")
        for one in offers(opened, workspace):
            said = one.about if one.reason is None else f"no: {one.reason}"
            lines.append(f"  {one.title:<8} {said}")
    return "\n".join(lines)


def _of(opened: OpenModel) -> str:
    can = opened.can
    if can.pixels is not None:
        return "images of {} x {} x {}".format(*can.pixels.shape)
    if can.columns is not None:
        return f"tables of {can.columns.n_columns} columns"
    return {"prediction": "predictions of a column"}.get(opened.kind, opened.kind)
