"""What the arguments of SIG come to: presets, and what a goal decides."""

from collections.abc import Mapping
from typing import Any

__all__ = ["PRESETS", "settings_of"]

PRESETS: dict[str, dict[str, Any]] = {
    "fast": {
        "layers": 100,
        "minutes": 15.0,
        "knots": 64,
        "samples": 4,
        "max_images": None,
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
_WHOLE = ("layers", "knots", "samples", "max_images", "search_rows", "search_steps")
_LIKELIHOOD_LAYERS = 1000  # at most
_LIKELIHOOD_IMAGES = 10_000  # of preset "fast", at most
_IMAGES_A_MINUTE, _FEWEST_IMAGES = 700, 2_000  # that a layer of pictures looks at


def settings_of(given: Mapping[str, Any], *, channels: int) -> dict[str, Any]:
    """Every setting of a fit, as JSON values.

    Args:
        given: the arguments of :class:`~pushforward.SIG` by name.
        channels: of the images.

    Examples:
        >>> from pushforward import SIG
        >>> settings_of(SIG(knots=32).get_params(), channels=1)["knots"]
        32
    """
    preset, goal, layers = PRESETS[given["preset"]], given["goal"], given["layers"]
    settings = {name: preset[name] if given[name] is None else int(given[name]) for name in _WHOLE}
    if goal == "likelihood":
        settings["layers"] = layers or _LIKELIHOOD_LAYERS
    elif layers is None:  # as published, twice as many where there are colours
        planned = preset["layers"] * (1 if channels == 1 else 2)
        settings["layers"] = planned if given["minutes"] is None else None
    minutes = preset["minutes"] if given["minutes"] is None else float(given["minutes"])
    if settings["max_images"] is None and given["preset"] == "fast":
        few = max(_FEWEST_IMAGES, round(_IMAGES_A_MINUTE * minutes))
        settings["max_images"] = few if goal == "pictures" else _LIKELIHOOD_IMAGES
    pixels = {"low": -1.0, "high": 1.0} if goal == "pictures" else {"logit": 1e-5}
    words = {"goal": goal, "preset": given["preset"], "step": float(given["step"])}
    return {**words, **settings, "minutes": minutes, "pixels": pixels}
