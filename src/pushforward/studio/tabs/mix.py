"""The tab that mixes: two images, and what lies between them in the latent space."""

import base64
from typing import Any

import numpy as np

from ..fields import Fields
from ..latents import bits_of, decoded, encoded, held, label_of, why_not_editable
from ..pictures import grid_png, png_uri
from ..workspace import OpenModel, Workspace

__all__ = ["ABOUT", "ACTIONS", "TITLE", "reason_against"]

TITLE = "Mix"
ABOUT = "two images, and every image on the way between their latents"

_MOST_STEPS = 25


def reason_against(opened: OpenModel, workspace: Workspace) -> str | None:
    """Why the tab is not there, or None."""
    return why_not_editable(opened)


def blend(workspace: Workspace, asked: Fields) -> dict[str, Any]:
    """The image a share of the way from one to another, straight between their latents."""
    opened = workspace.model(asked.text("model"))
    share, label = asked.number("share", 0, 1), label_of(opened, asked)
    image = _between(workspace, opened, asked, np.array([share]), label)
    return {"png": png_uri(image[0]), "bits": bits_of(opened, image, label)[0]}


def strip(workspace: Workspace, asked: Fields) -> dict[str, Any]:
    """Images at even shares of the way, both ends among them, and all of them as one PNG."""
    opened = workspace.model(asked.text("model"))
    steps, label = asked.whole("steps", 2, _MOST_STEPS, 9), label_of(opened, asked)
    images = _between(workspace, opened, asked, np.linspace(0, 1, steps), label)
    whole = base64.b64encode(grid_png(images, steps)).decode()
    return {
        "images": [png_uri(image) for image in images],
        "bits": bits_of(opened, images, label),
        "png": f"data:image/png;base64,{whole}",
    }


def _between(
    workspace: Workspace, opened: OpenModel, asked: Fields, shares: np.ndarray, label: Any
) -> np.ndarray:
    ends = [held(workspace, opened, asked.text(name)) for name in ("a", "b")]
    a, b = encoded(workspace, opened, ends, label)
    shares = shares.astype(np.float32)[:, None]
    return decoded(opened, (1 - shares) * a + shares * b, label)


ACTIONS = {"blend": blend, "strip": strip}
