"""How the command words what it was given and what it advises: by its own options."""

import re
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import Any

from ..wording import did_you_mean

__all__ = ["refusal_text", "written_as_options"]

#: Options whose names are not those of the parameters they give.
_OPTIONS = {
    "columns": "--column",
    "constraints": "--constraint",
    "measures": "--measure",
    "methods": "--method",
    "n_draws": "--draws",
    "n_samples": "--rows",
    "most_rows": "--rows",
    "sample_weight": "--weight",
}
#: Kinds of errors of pydantic about numbers.
_NUMBERS = ("float_parsing", "int_parsing", "greater_than_equal", "less_than_equal")
#: How the parser says that a number stands by itself.
_EXTRA = re.compile(r"unexpected extra argument\S* \((\d+)\)")


def written_as_options(
    words: Sequence[str], commands: Mapping[str, Any]
) -> Callable[[str, str | None], str]:
    """How a command line gives a parameter a value: what ``wording`` takes.

    Args:
        words: of the command line.
        commands: by name.

    An option of the command is named; else what is a setting of the model, which is the business
    of ``fit``.
    """
    name = next((word for word in words if word in commands), "")
    own, of_fit = _options_of(commands.get(name)), _options_of(commands.get("fit"))

    def written(parameter: str, value: str | None) -> str:
        word, _, key = parameter.partition("[")
        option = _OPTIONS.get(word, f"--{word.replace('_', '-')}")
        if key:  # of a mapping by column
            value = f"{key.rstrip(']').strip(chr(39))}{'' if value is None else f'={value}'}"
        if option in own:
            return option if value is None else f"{option} {value}"
        if "--set" in own:
            return f"--set {parameter}" if value is None else f"--set {parameter}={value}"
        if value is None:
            return parameter
        if option in of_fit:
            return f"pushforward fit {option} {value}"
        return f"pushforward fit --set {parameter}={value}"

    return written


def _options_of(command: Any) -> set[str]:
    return set() if command is None else {text for one in command.params for text in one.opts}


def _part(of: Any, name: str) -> Any:
    """What an error or an option of typer has by that name; its versions differ. Else None."""
    return getattr(of, name, None)


def refusal_text(error: Any, words: Sequence[str]) -> str | None:
    """What was got for an option and what was expected; None for errors that say so themselves.

    Args:
        error: of the parser of options.
        words: of the command line.
    """
    possible = _part(error, "possibilities")
    if (option := _part(error, "option_name")) and possible is not None:
        return f"There is no option {option}{did_you_mean(option, possible).replace(chr(39), '')}"
    extra = _EXTRA.search(str(_part(error, "message")))
    if extra is not None and "--rows" in _options_of(_part(error, "cmd")):
        return f"Got {extra[1]} without an option before it. Expected --rows {extra[1]}"
    param = _part(error, "param")
    details = _part(error.__cause__, "errors")
    if param is None or details is None:
        return None
    found = details()[0]
    long = [one for one in param.opts if one.startswith("--")] or param.opts
    name = next((word for word in words if word in long), long[0])
    kind = _part(param, "type_descriptor")
    if choices := _part(kind, "choices"):
        known = [str(one.value if isinstance(one, Enum) else one) for one in choices]
        hint, expected = did_you_mean(found["input"], known), f"one of {', '.join(known)}"
    elif kind is not None and found["type"] in _NUMBERS:
        hint, expected = "", _number_text(kind)
    else:
        return None
    return f"{name} is {found['input']!r}{hint}. Expected {expected}"


def _number_text(kind: Any) -> str:
    """The numbers that an option takes."""
    low, high = kind.parameter_info.min, kind.parameter_info.max
    what = "a whole number" if "int" in str(kind.annotation) else "a number"
    if low is None:
        return what
    return f"{what} of at least {low}" if high is None else f"{what} from {low} to {high}"
