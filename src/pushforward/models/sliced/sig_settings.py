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
        "search_rows": None,
        "search_steps": None,
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
_LIKELIHOOD = {"max_images": 10_000, "search_rows": 1024, "search_steps": 20}  # preset "fast"
_IMAGES_A_MINUTE, _FEWEST_IMAGES = 700, 2_000  # that a layer of pictures looks at
# A search for pictures looks at a fifth of these. With 1,024 and half the steps it took 3 % of the
# time of a layer of 42,000, and what it found differed a fifth less in images it had not seen
# (benchmarks.sig_search).
_SEARCHED, _FEWEST_SEARCHED, _SEARCH_STEPS = 0.2, 1024, 40


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
    if given["preset"] == "fast":
        usual = _LIKELIHOOD if goal == "likelihood" else _of_pictures(minutes, settings)
        settings |= {name: value for name, value in usual.items() if settings[name] is None}
    pixels = {"low": -1.0, "high": 1.0} if goal == "pictures" else {"logit": 1e-5}
    words = {"goal": goal, "preset": given["preset"], "step": float(given["step"])}
    return {**words, **settings, "minutes": minutes, "pixels": pixels}


def _of_pictures(minutes: float, settings: Mapping[str, Any]) -> dict[str, int]:
    """How many images layers of pictures and their searches look at, by the time there is."""
    looked_at = settings["max_images"] or max(_FEWEST_IMAGES, round(_IMAGES_A_MINUTE * minutes))
    return {
        "max_images": looked_at,
        "search_rows": max(_FEWEST_SEARCHED, round(_SEARCHED * looked_at)),
        "search_steps": _SEARCH_STEPS,
    }
