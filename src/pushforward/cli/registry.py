"""The models the command knows, and what each can do. A new model is one entry here."""

import difflib
from dataclasses import dataclass
from typing import Any

from ..errors import ParameterError, UnsupportedError

__all__ = ["MODELS", "Entry", "find_model", "need"]


@dataclass(frozen=True)
class Entry:
    """A model that can be fitted by name.

    Attributes:
        name: what to write on the command line.
        cls: the name of its class in ``pushforward``.
        data: what it is fitted on.
        can: the commands it answers, besides ``fit``.
        about: one line.
    """

    name: str
    cls: str
    data: str
    can: tuple[str, ...]
    about: str


_DENSITY = ("sample", "score", "explain")

MODELS: dict[str, Entry] = {
    entry.name: entry
    for entry in (
        Entry(
            "auto", "AutoDensity", "tables", _DENSITY,
            "tries Gaussians, mixtures and sliced flows; keeps what held-out rows like best",
        ),
        Entry(
            "gis", "GIS", "tables", (*_DENSITY, "encode", "decode", "continue"),
            "one sliced flow, grown layer by layer; has latents",
        ),
    )
}  # fmt: skip

_METHODS = {"score": "score_samples"}  # where command and method differ


def find_model(name: str) -> Entry:
    """The model of that name.

    Raises:
        ParameterError: listing the known names.

    >>> find_model("gis").cls
    'GIS'
    """
    if name in MODELS:
        return MODELS[name]
    match = difflib.get_close_matches(name.lower(), MODELS, n=1)
    hint = f" (did you mean {match[0]!r}?)" if match else ""
    raise ParameterError(
        f"There is no model {name!r}{hint}. Known: {', '.join(MODELS)}; see pushforward models."
    )


def need(model: Any, command: str) -> None:
    """Refuse a command that a loaded model cannot answer.

    Raises:
        UnsupportedError: naming the models that can.
    """
    if not hasattr(model, _METHODS.get(command, command)):
        refuse(type(model).__name__, command)


def refuse(model: str, command: str) -> None:
    """Raise the error of a model that cannot do what was asked.

    Raises:
        UnsupportedError: always; names the models that can.
    """
    able = [name for name, entry in MODELS.items() if command in entry.can]
    raise UnsupportedError(
        f"{model} cannot {command}. These models can: {', '.join(able) or 'none yet'}."
    )
