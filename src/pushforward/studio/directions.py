"""Directions in files: one safetensors file each, named after the model's folder."""

import json
import re
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from ..errors import PushforwardError
from ..storage.atomic import write_file_atomically
from .fields import RequestError
from .handles import Direction
from .workspace import OpenModel

__all__ = ["read_directions", "save_direction"]

_MOST_BYTES = 1 << 26
_MOST = 50


def save_direction(folder: Path, opened: OpenModel, direction: Direction) -> Path:
    """Write a direction, in the place of one of the same name.

    Returns:
        The path of the file: ``MODEL.NAME.safetensors`` in the folder.

    Raises:
        RequestError: for a name of which no file can have a part, and a folder that cannot be
            written to.
    """
    word = re.sub(r"[^A-Za-z0-9_-]+", "-", direction.name).strip("-")
    if not word:
        raise RequestError("The direction has no letters in its name. Give it another.")
    path = folder / f"{_stem(opened)}.{word}.safetensors"
    metadata = {"name": direction.name, "note": direction.note, "class": opened.class_name}
    data = save({"direction": direction.vector}, metadata=metadata)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_file_atomically(path, data)
    except OSError as error:
        raise RequestError(f"{path} cannot be written: {error.strerror or error}.") from error
    return path


def read_directions(folder: Path, opened: OpenModel) -> list[Direction]:
    """The directions of a model that are in a folder; files that are none are passed over."""
    found = []
    paths = sorted(folder.glob(f"{_stem(opened)}.*.safetensors")) if folder.is_dir() else []
    for path in paths[:_MOST]:
        try:
            if not path.is_file() or path.stat().st_size > _MOST_BYTES:
                continue
            data = path.read_bytes()
            vector = load(data)["direction"]
            header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
        except (OSError, SafetensorError, KeyError, ValueError, PushforwardError):
            continue
        said = header.get("__metadata__", {})
        plain = vector.dtype == np.float32 and vector.ndim == 1 and np.isfinite(vector).all()
        if plain and said.get("class") == opened.class_name and _fits(opened, vector):
            name, note = said.get("name", path.stem)[:40], said.get("note", "")[:200]
            found.append(Direction(opened.name, name, vector, note))
    return found


def _stem(opened: OpenModel) -> str:
    return re.sub(r"[^A-Za-z0-9_-]+", "-", opened.name).strip("-") or "model"


def _fits(opened: OpenModel, vector: np.ndarray) -> bool:
    """Whether a vector is as long as the codes of a model."""
    if opened.can.latent_levels:
        return len(vector) == sum(opened.can.latent_levels)
    length = (opened.can.settings or {}).get("latent")
    return length is None or len(vector) == length
