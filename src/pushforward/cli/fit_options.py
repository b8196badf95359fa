"""The options of a fit, from the command line and from a ``--config`` file."""

import ast
import os
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..data.checks import MISSING
from ..data.tables.reading_options import ReadingOptions
from ..deprecation import current_words
from ..errors import ParameterError
from ..validation import OneOf, check
from ..wording import did_you_mean

__all__ = ["FitOptions", "bounds_of", "check_page", "contamination_of", "literal", "pairs"]

Interval = tuple[float | None, float | None]

# What a config file may hold: the types of each word, and what to say of others.
_WORDS: dict[str, tuple[tuple[type, ...], str]] = {
    "random_state": ((int,), "a whole number"),
    "minutes": ((int, float), "a number"),
    "contamination": ((int, float, str), 'a number or "auto"'),
    "missing": ((str,), '"error", "drop", "model" or "auto"'),
    "weight": ((str,), "the name of a column"),
    "rows": ((int,), "a whole number"),
    "drop": ((list,), "a list of names"),
    "header": ((bool,), "true or false"),
    "encoding": ((str,), "the name of an encoding"),
    "decimal": ((str,), '"." or ","'),
    "separator": ((str,), "a character, tab or whitespace"),
    "missing_values": ((list,), "a list of texts"),
    "split": ((str,), "the name of a part of a set"),
    "size": ((int, str), 'a side, or "HxW"'),
    "crop": ((int, str), 'a side, "closecrop" or "resizecrop"'),
    "layout": ((str,), '"NHWC" or "NCHW"'),
    "pixel_range": ((str, list), '"LOW:HIGH"'),
    "column": ((dict,), "a table of NAME = KIND"),
    "bounds": ((dict,), 'a table of NAME = "LOW:HIGH"'),
    "constraint": ((list,), "a list of texts"),
    "set": ((dict,), "a table of parameter = value"),
}
_READING = ("header", "encoding", "decimal", "separator", "missing_values")


def check_page(option: str, path: Path) -> None:
    """Refuse, before the work, a page that could not be written after it.

    Raises:
        ParameterError: naming the option.
    """
    if path.suffix.lower() not in (".html", ".htm"):
        raise ParameterError(f"{option} is {path}. Expected a name that ends in .html.")
    if path.is_dir():
        raise ParameterError(f"{option} is {path}, which is a folder. Expected a file's name.")
    there = next(folder for folder in path.absolute().parents if folder.exists())
    if not (there.is_dir() and os.access(there, os.W_OK)):
        raise ParameterError(f"{option} is {path}, and {there} is no folder that can be written.")


@dataclass
class FitOptions:
    """The options of a fit; None and empty mean not given."""

    random_state: int | None = None
    minutes: float | None = None
    contamination: float | str | None = None
    missing: str | None = None
    weight: str | None = None
    rows: int | None = None
    drop: list[str] = field(default_factory=list)
    reading: ReadingOptions = field(default_factory=ReadingOptions)
    split: str | None = None
    size: str | None = None
    crop: str | None = None
    layout: str | None = None
    pixel_range: Interval | None = None
    column: dict[str, str] = field(default_factory=dict)
    bounds: dict[str, Interval] = field(default_factory=dict)
    constraint: list[str] = field(default_factory=list)
    set: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check({"missing": OneOf(*MISSING) | None}, {"missing": self.missing})

    @classmethod
    def read(cls, path: Path) -> "FitOptions":
        """Read a TOML file with the words of the command line.

        Raises:
            ParameterError: for what is not TOML, unknown words and values of a wrong type.
        """
        try:
            values = tomllib.loads(path.read_text(encoding="utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ParameterError(f"{path} is not TOML: {error}.") from error
        values = current_words(str(path), values, {"seed": "random_state"})
        for word, value in values.items():
            if word not in _WORDS:
                raise ParameterError(
                    f"{path} has the unknown word {word!r}{did_you_mean(word, _WORDS)}. Expected "
                    f"some of {', '.join(_WORDS)}."
                )
            types, expected = _WORDS[word]
            if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
                raise ParameterError(f"{path}: {word} is {value!r}. Expected {expected}.")
        if "contamination" in values:
            values["contamination"] = contamination_of(str(values["contamination"]))
        if "pixel_range" in values:
            values["pixel_range"] = bounds_of(values["pixel_range"])
        values |= {word: str(values[word]) for word in ("size", "crop") if word in values}
        given = {word: values.pop(word) for word in _READING if word in values}
        values["reading"] = ReadingOptions(**given)
        values["bounds"] = {name: bounds_of(v) for name, v in values.get("bounds", {}).items()}
        return cls(**values)

    def of_images(self) -> dict[str, Any]:
        """The options that only models of images take, as they are written."""
        return {
            "--split": self.split,
            "--size": self.size,
            "--crop": self.crop,
            "--layout": self.layout,
            "--pixel-range": self.pixel_range,
        }

    def of_tables(self) -> dict[str, Any]:
        """The options that only models of tables take, as they are written."""
        return {
            "--contamination": self.contamination,
            "--missing": self.missing,
            "--column": self.column,
            "--bounds": self.bounds,
            "--constraint": self.constraint,
            "--drop": self.drop,
            "--weight": self.weight,
            "--rows": self.rows,
        }

    def with_defaults(self, other: "FitOptions") -> "FitOptions":
        """These options where given, else the other's; tables are joined name by name."""
        merged: dict[str, Any] = {}
        for name, mine in vars(self).items():
            theirs = vars(other)[name]
            if isinstance(mine, ReadingOptions):
                merged[name] = mine.with_defaults(theirs)
            elif isinstance(mine, dict):
                merged[name] = theirs | mine
            else:
                merged[name] = theirs if mine is None or mine == [] else mine
        return FitOptions(**merged)


def pairs(
    texts: Iterable[str] | None, option: str, value: str = "VALUE", *, last: bool = False
) -> dict[str, str]:
    """Split NAME=VALUE texts at the first "=", or at the last: names of columns may have one.

    >>> pairs(["a=b=integer"], "--column", last=True)
    {'a=b': 'integer'}
    """
    found = {}
    for text in texts or ():
        name, mark, given = text.rpartition("=") if last else text.partition("=")
        if not mark or not name:
            raise ParameterError(f"{option} is {text!r}. Expected NAME={value}.")
        found[name] = given
    return found


def bounds_of(value: Any) -> Interval:
    """Read "LOW:HIGH", where either may be empty; a config file may also say [LOW, HIGH].

    >>> bounds_of("0:")
    (0.0, None)
    """
    ends = value.split(":") if isinstance(value, str) else value
    try:
        low, high = ends
        return _end(low), _end(high)
    except (TypeError, ValueError):
        raise ParameterError(
            f"Bounds are {value!r}. Expected LOW:HIGH, two numbers of which either may be left "
            "out (0: means at least 0)."
        ) from None


def _end(value: Any) -> float | None:
    return None if isinstance(value, str) and not value.strip() else float(value)


def contamination_of(text: str | None) -> float | str | None:
    """Read a share of outliers, or the word auto.

    >>> contamination_of("0.1"), contamination_of("auto")
    (0.1, 'auto')
    """
    if text is None or text == "auto":
        return text
    try:
        return float(text)
    except ValueError:
        raise ParameterError(
            f"contamination is {text!r}. Expected a share such as 0.1, or auto."
        ) from None


def literal(text: str) -> Any:
    """Read a value as Python would write it; what is none is text.

    >>> literal("0.5"), literal("true"), literal("float64")
    (0.5, True, 'float64')
    """
    words = {"true": True, "false": False, "none": None}
    if text.lower() in words:
        return words[text.lower()]
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, RecursionError, MemoryError):  # the latter of deep brackets
        return text
