"""What a folder says of a run, checked: settings, seed, history and the best weights.

All that a model, its card and the pages read of these is of the types they expect, so that what
somebody edited is refused when it is loaded.
"""

import math
from collections.abc import Mapping
from typing import Any, NoReturn

from ..errors import ModelFileError
from ..validation import Rule

__all__ = ["best_of", "history_of", "seed_of", "settings_of"]

#: A size of a network that no folder reaches: weights as many would be gigabytes.
_MOST = 2**20
#: Settings that say how long a run takes, and not how large its networks are.
_OF_TIME = ("batch_size", "judged", "max_images", "samples", "search_rows", "steps", "warm_up")
_MOST_OF_TIME = 2**53


def settings_of(found: Any, rules: Mapping[str, Rule]) -> dict[str, Any]:
    """The settings of a run.

    Args:
        found: what the folder has.
        rules: of the parameters of the class; a setting of the same name keeps to it.

    Raises:
        ModelFileError: for settings that no run has.
    """
    if not isinstance(found, dict):
        _refuse("settings", found, "a mapping of names to values")
    for name, value in found.items():
        rule = rules.get(name)
        if rule is not None and value is not None and not rule.fits(value):
            _refuse(f"setting {name!r}", value, str(rule))
        most = _MOST_OF_TIME if name in _OF_TIME else _MOST
        for number in _whole_numbers(value):
            if abs(number) > most:
                _refuse(f"setting {name!r}", number, f"a whole number of at most {most:,}")
    return dict(found)


def seed_of(found: Any) -> int:
    """The seed of a fit.

    Raises:
        ModelFileError: for anything but a whole number that a random generator takes.
    """
    if type(found) is not int or not 0 <= found < 2**63:
        _refuse("seed", found, "a whole number of at least 0")
    return found


def history_of(found: Any) -> list[dict[str, Any]]:
    """The records of a run, each with its step and seconds.

    Raises:
        ModelFileError: for anything else.
    """
    if not isinstance(found, list) or not all(map(_is_record, found)):
        _refuse("history", found, 'a list of records with "step" and "seconds"')
    return [dict(record) for record in found]


def best_of(found: Any) -> dict[str, Any] | None:
    """What is known of the weights that were kept: their step, which they are, their measures.

    Raises:
        ModelFileError: for anything else.
    """
    if found is None:
        return None
    sound = (
        isinstance(found, dict)
        and _is_step(found.get("step"))
        and isinstance(found.get("which"), str)
        and isinstance(measures := found.get("measures"), dict)
        and all(map(_is_number, measures.values()))
        and all(_is_number(found[key]) for key in ("value", "least") if key in found)
    )
    if not sound:
        _refuse("best", found, 'None, or "step", "which" and the numbers of "measures"')
    return dict(found)


def _is_record(record: Any) -> bool:
    if not isinstance(record, dict) or not _is_step(record.get("step")):
        return False
    seconds = record.get("seconds")
    if not isinstance(seconds, int | float) or not _is_number(seconds) or seconds < 0:
        return False
    return all(v is None or isinstance(v, str | bool) or _is_number(v) for v in record.values())


def _is_step(value: Any) -> bool:
    return type(value) is int and 0 <= value <= _MOST_OF_TIME


def _is_number(value: Any) -> bool:
    """Whether a value is a number that a double can hold; True is none."""
    if type(value) is int:
        return abs(value) <= 2**1000
    return type(value) is float and math.isfinite(value)


def _whole_numbers(value: Any) -> list[int]:
    """All whole numbers in JSON values."""
    if isinstance(value, (list, dict)):
        inner = value.values() if isinstance(value, dict) else value
        return [number for one in inner for number in _whole_numbers(one)]
    return [value] if isinstance(value, int) else []


def _refuse(what: str, found: Any, expected: str) -> NoReturn:
    text = repr(found)
    shown = text if len(text) <= 80 else f"{text[:77]}..."
    raise ModelFileError(
        f"The {what} of the run is {shown}. Expected {expected}. The model folder was altered: "
        "fit the model again or fetch a fresh copy."
    )
