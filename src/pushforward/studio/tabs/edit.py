"""The tab that edits images along directions that are learned on the spot from marked examples."""

from collections.abc import Generator
from typing import Any

import numpy as np

from ..directions import read_directions, save_direction
from ..fields import Fields, RequestError
from ..handles import Direction, HeldImage
from ..latents import bits_of, decoded, encoded, held, label_of, why_not_editable
from ..pictures import png_uri
from ..workspace import OpenModel, Workspace

__all__ = ["ABOUT", "ACTIONS", "TITLE", "reason_against", "traits"]

TITLE = "Edit"
ABOUT = "directions learned from images that have something and images that have not"

_MOST_MARKED = 200
_MOST_OF_TRAIT = 500  # images of either side
_AT_ONCE = 16
_MOST_SLIDERS = 12


def reason_against(opened: OpenModel, workspace: Workspace) -> str | None:
    """Why the tab is not there, or None."""
    return why_not_editable(opened)


def traits(opened: OpenModel, workspace: Workspace) -> list[str]:
    """Attributes and classes of the data, by which directions can be learned."""
    found = opened.data
    return [] if found is None else list(_masks(found))


def learn(workspace: Workspace, asked: Fields) -> Generator[float, None, dict[str, Any]]:
    """A direction: the mean latent of images with something less that of images without it.

    Kingma and Dhariwal, "Glow", 2018, section 6.
    """
    opened = workspace.model(asked.text("model"))
    name, label = asked.text("name", most=40).strip(), label_of(opened, asked)
    if asked.has("trait"):
        sides = _of_trait(workspace, opened, asked.text("trait"))
        name = name or asked.text("trait")
    else:
        sides = tuple(
            [held(workspace, opened, one) for one in asked.texts(side, most=_MOST_MARKED)]
            for side in ("has", "has_not")
        )
    if not all(sides):
        raise RequestError("Mark at least one image that has it, and one that has not.")
    means, done = [], 0
    for side in sides:
        total = 0.0
        for start in range(0, len(side), _AT_ONCE):
            z = encoded(workspace, opened, side[start : start + _AT_ONCE], label)
            total, done = total + z.sum(0, dtype=np.float64), done + len(z)
            yield done / sum(map(len, sides))
        means.append(total / len(side))
    note = f"{len(sides[0])} images with it, {len(sides[1])} without"
    vector = (means[0] - means[1]).astype(np.float32)
    return _listed(workspace, Direction(opened.name, name or "unnamed", vector, note))


def apply(workspace: Workspace, asked: Fields) -> dict[str, Any]:
    """An image with amounts of directions added to its latent, level by level where asked."""
    opened = workspace.model(asked.text("model"))
    label = label_of(opened, asked)
    image = held(workspace, opened, asked.text("image"))
    z = encoded(workspace, opened, [image], label)[0]
    change = np.zeros_like(z)
    for slider in asked.objects("sliders", most=_MOST_SLIDERS):
        direction = workspace.handles.get(slider.text("direction"), Direction)
        if direction.model != opened.name:
            raise RequestError(f"That direction is one of {direction.model}.")
        change += np.float32(slider.number("amount", -5, 5)) * direction.vector
    z = _by_level(opened, asked, z, change)
    made = decoded(opened, z[None], label)
    before = bits_of(opened, image.pixels[None], label)[0] if asked.has("with_before") else None
    return {
        "png": png_uri(made[0]),
        "bits": bits_of(opened, made, label)[0],
        "before": before,
        "handle": workspace.handles.keep(HeldImage(opened.name, made[0])),
    }


def save(workspace: Workspace, asked: Fields) -> dict[str, Any]:
    """Write a direction to the folder of directions, under the name of the model's folder."""
    opened = workspace.model(asked.text("model"))
    direction = workspace.handles.get(asked.text("direction"), Direction)
    if direction.model != opened.name:
        raise RequestError(f"That direction is one of {direction.model}.")
    return {"path": str(save_direction(workspace.directions, opened, direction))}


def saved(workspace: Workspace, asked: Fields) -> dict[str, Any]:
    """The directions that were saved of this model."""
    opened = workspace.model(asked.text("model"))
    found = read_directions(workspace.directions, opened)
    return {"directions": [_listed(workspace, direction) for direction in found]}


def _listed(workspace: Workspace, direction: Direction) -> dict[str, Any]:
    return {
        "direction": workspace.handles.keep(direction),
        "name": direction.name,
        "note": direction.note,
    }


def _by_level(opened: OpenModel, asked: Fields, z: np.ndarray, change: np.ndarray) -> np.ndarray:
    """The changed latent: changes on the levels that are on, each level scaled as asked."""
    levels = opened.can.latent_levels
    on = asked.numbers("levels_on", most=max(1, len(levels)), low=0, high=1)
    scales = asked.numbers("level_scales", most=max(1, len(levels)), low=0, high=2)
    ends = np.cumsum([0, *levels])
    moved = z + change
    for given, what in ((on, "on"), (scales, "scale")):
        if not given:
            continue
        if len(given) != len(levels):
            raise RequestError(f"Got {len(given)} levels. Expected {len(levels)}.")
        for value, start, end in zip(given, ends[:-1], ends[1:], strict=True):
            if what == "on":
                moved[start:end] = z[start:end] + np.float32(value) * change[start:end]
            else:
                moved[start:end] *= np.float32(value)
    return moved


def _masks(found: Any) -> dict[str, np.ndarray]:
    """Which images of a set have an attribute, or are of a class, where some are and some not."""
    masks = dict(found.attributes or {})
    if found.labels is not None:
        for number in np.unique(found.labels).tolist():
            names = found.class_names or ()
            name = names[number] if number < len(names) else f"class {number}"
            masks[name] = found.labels == number
    return {name: mask for name, mask in masks.items() if mask.any() and not mask.all()}


def _of_trait(
    workspace: Workspace, opened: OpenModel, trait: str
) -> tuple[list[HeldImage], list[HeldImage]]:
    """Images of the data that have a trait, and images that have not; evenly spread."""
    found = opened.data
    masks = {} if found is None else _masks(found)
    if found is None or trait not in masks:
        raise RequestError(f"The data have no class or attribute {trait[:40]!r}.")
    sides = []
    for mask in (masks[trait], ~masks[trait]):
        rows = np.flatnonzero(mask)
        few = np.linspace(0, len(rows) - 1, min(len(rows), _MOST_OF_TRAIT)).round().astype(int)
        images = found.images[rows[few]]
        sides.append([HeldImage(opened.name, image) for image in images])
    return sides[0], sides[1]


ACTIONS = {"learn": learn, "apply": apply, "save": save, "saved": saved}
