"""How the command words what it was given and what it advises: by its own options."""

from collections.abc import Callable, Mapping, Sequence
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
    return {text for param in getattr(command, "params", ()) for text in param.opts}


def refusal_text(error: Any, words: Sequence[str]) -> str | None:
    """What was got for an option and what was expected; None for errors that say so themselves.

    Args:
        error: of the parser of options.
        words: of the command line.
    """
    possible = getattr(error, "possibilities", None)
    if (option := getattr(error, "option_name", None)) and possible is not None:
        return f"There is no option {option}{did_you_mean(option, possible).replace(chr(39), '')}"
    param = getattr(error, "param", None)
    details = getattr(error.__cause__, "errors", None)
    if param is None or details is None:
        return None
    found = details()[0]
    long = [one for one in param.opts if one.startswith("--")] or param.opts
    name = next((word for word in words if word in long), long[0])
    kind = getattr(param, "type_descriptor", None)
    if choices := getattr(kind, "choices", None):
        known = [str(getattr(one, "value", one)) for one in choices]
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
