"""What the arguments of SIG come to: presets, checks, and what a goal decides."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..errors import ParameterError

__all__ = ["PRESETS", "settings_of"]

PRESETS: dict[str, dict[str, Any]] = {
    "fast": {
        "layers": 100,
        "minutes": 15.0,
        "knots": 64,
        "samples": 1,
        "max_images": 10_000,
        "search_rows": 1024,
        "search_steps": 20,
    },
    "paper": {
        "layers": 100,
        "minutes": None,
        "knots": 400,
        "samples": 6,
        "max_images": None,
        "search_rows": None,
        "search_steps": 200,
    },
}
_LEAST = {  # of the parameters that are whole numbers
    **{"layers": 1, "knots": 4, "samples": 1, "max_images": 1},
    **{"search_rows": 2, "search_steps": 1},
}
_GOALS = ("pictures", "likelihood")
_LIKELIHOOD_LAYERS = 1000  # at most


def settings_of(given: Mapping[str, Any], *, channels: int) -> dict[str, Any]:
    """Every setting of a fit, as JSON values.

    Args:
        given: the arguments of :class:`~pushforward.SIG` by name.
        channels: of the images.

    Raises:
        ParameterError: for arguments that cannot be used.

    Examples:
        >>> from pushforward import SIG
        >>> settings_of(SIG(knots=32).get_params(), channels=1)["knots"]
        32
    """
    _check(given)
    preset, goal, layers = PRESETS[given["preset"]], given["goal"], given["layers"]
    settings = {name: preset[name] if given[name] is None else int(given[name]) for name in _LEAST}
    if goal == "likelihood":
        settings["layers"] = layers or _LIKELIHOOD_LAYERS
    elif layers is None:  # as published, twice as many where there are colours
        planned = preset["layers"] * (1 if channels == 1 else 2)
        settings["layers"] = planned if given["minutes"] is None else None
    minutes = preset["minutes"] if given["minutes"] is None else float(given["minutes"])
    pixels = {"low": -1.0, "high": 1.0} if goal == "pictures" else {"logit": 1e-5}
    words = {"goal": goal, "preset": given["preset"], "step": float(given["step"])}
    return {**words, **settings, "minutes": minutes, "pixels": pixels}


def _check(given: Mapping[str, Any]) -> None:
    for name, known in (("goal", _GOALS), ("preset", tuple(PRESETS))):
        if given[name] not in known:
            raise ParameterError(f"{name} is {given[name]!r}. Expected one of {', '.join(known)}.")
    for name, least in _LEAST.items():
        value = given[name]
        whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
        if value is not None and not (whole and value >= least):
            raise ParameterError(
                f"{name} is {value!r}. Expected a whole number of at least {least}, or None."
            )
    for name, most in (("minutes", math.inf), ("memory", math.inf), ("step", 1.0)):
        value = given[name]
        if name != "step" and value is None:
            continue
        if not isinstance(value, (int, float, np.number)) or not 0 < value <= most:
            raise ParameterError(f"{name} is {value!r}. Expected a number in (0, {most:g}].")
