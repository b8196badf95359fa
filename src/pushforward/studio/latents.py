"""Images to latents and back for the tabs that edit: latents stay here, pages see pictures."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..data import ArrayImages
from .fields import Fields, RequestError
from .handles import HeldImage
from .pictures import as_nchw, bits_per_dim, png_uri
from .workspace import OpenModel, Workspace

__all__ = ["bits_of", "decoded", "encoded", "held", "label_of", "shown", "why_not_editable"]


def why_not_editable(opened: OpenModel) -> str | None:
    """Why images cannot be edited by this model, or None."""
    if opened.kind != "images":
        return f"{opened.class_name} is no model of images"
    if not (opened.can.can("encode") and opened.can.can("decode")):
        return f"{opened.class_name} has no way from images to latents and back"
    return None


def held(workspace: Workspace, opened: OpenModel, handle: str) -> HeldImage:
    """The image of a handle, if it is one of this model's.

    Raises:
        RequestError: for another.
    """
    image = workspace.handles.get(handle, HeldImage)
    if image.model != opened.name:
        raise RequestError(f"That image is one of {image.model}, not of {opened.name}.")
    return image


def label_of(opened: OpenModel, asked: Fields) -> Any:
    """The class under which images are encoded; the first where a conditional model got none."""
    if opened.can.classes is None:
        return None
    place = asked.whole("label", 0, len(opened.can.classes) - 1, 0)
    return opened.can.classes[place].item()


def encoded(
    workspace: Workspace, opened: OpenModel, images: Sequence[HeldImage], label: Any
) -> np.ndarray:
    """Latents (n, D) float32 of images under a label; those that are known are not made again."""
    new = [one for one in images if label not in (one.latents or {})]
    if new:
        source = ArrayImages(np.stack([one.pixels for one in new]), "nchw")
        found = opened.model.encode(source, **({} if label is None else {"y": label}))
        for one, z in zip(new, np.asarray(found, dtype=np.float32), strict=True):
            workspace.handles.add_latent(one, label, z.copy())
    return np.stack([(one.latents or {})[label] for one in images])


def decoded(opened: OpenModel, z: np.ndarray, label: Any) -> np.ndarray:
    """Images (n, C, H, W) of latents under a label."""
    images = opened.model.decode(z, **({} if label is None else {"y": label}))
    return as_nchw(opened.can, images)


def bits_of(opened: OpenModel, images: np.ndarray, label: Any) -> list[float | None]:
    """Bits per dimension of images; None where the model has no density."""
    if not opened.can.density:
        return [None] * len(images)
    own = {} if label is None else {"y": label}
    scores = opened.model.score_samples(ArrayImages(images, "nchw"), **own)
    return [round(float(x), 4) for x in bits_per_dim(opened.can, scores)]


def shown(workspace: Workspace, opened: OpenModel, images: np.ndarray) -> list[dict[str, Any]]:
    """Images for a page: each with a handle and its picture."""
    return [
        {
            "handle": workspace.handles.keep(HeldImage(opened.name, image)),
            "png": png_uri(image),
        }
        for image in images
    ]
