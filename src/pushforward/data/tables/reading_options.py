"""How a file of text is to be read: separator, decimal mark, header and so on, where given."""

import codecs
import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from ...deprecation import warn_of_old_name
from ...errors import ModelFileError, ParameterError
from ...validation import FLAG, OneOf, Strings, check

__all__ = ["Expected", "ReadingOptions"]


_RULES = {
    "header": FLAG | None,
    "decimal": OneOf(".", ",") | None,
    "missing_values": Strings() | None,
}


@dataclasses.dataclass(frozen=True)
class ReadingOptions:
    """How a table is written; what is None is found out from the file.

    Attributes:
        header: whether the first record holds the names of the columns.
        encoding: a codec of Python, such as "utf-8" or "cp1252".
        decimal: the decimal mark, "." or ",".
        separator: the character between cells; "whitespace" is any run of blanks.
        missing_values: texts that mean a missing cell, in every column.

    Raises:
        ParameterError: for a value that cannot be meant.
    """

    header: bool | None = None
    encoding: str | None = None
    decimal: str | None = None
    separator: str | None = None
    missing_values: Sequence[str] | None = None

    def __post_init__(self) -> None:
        check(_RULES, vars(self))
        if self.encoding is not None:
            try:
                codecs.lookup(self.encoding)
                "".encode(self.encoding)  # refuses what is no encoding of text, such as base64
            except (LookupError, TypeError) as error:
                raise ParameterError(
                    f"encoding is {self.encoding!r}, which Python does not know as one of text. "
                    "Expected a name such as utf-8, cp1252, latin-1 or utf-16."
                ) from error
        object.__setattr__(self, "separator", _separator(self.separator))
        if self.separator is not None and self.separator == self.decimal:
            raise ParameterError(
                f"separator and decimal are both {self.separator!r}. Expected different marks."
            )
        if self.missing_values is not None:
            stripped = dict.fromkeys(word.strip() for word in self.missing_values)
            object.__setattr__(self, "missing_values", tuple(word for word in stripped if word))

    @property
    def given(self) -> dict[str, Any]:
        """The options that were given, by name, as the JSON values that :meth:`of_json` reads."""
        values = dict(vars(self))
        if self.missing_values is not None:
            values["missing_values"] = list(self.missing_values)
        return {name: value for name, value in values.items() if value is not None}

    @property
    def said(self) -> dict[str, Any]:
        """The old name of :attr:`given`."""
        warn_of_old_name("said", "given")
        return self.given

    @classmethod
    def of_json(cls, values: Any) -> "ReadingOptions":
        """The options from the values of :attr:`given`.

        Raises:
            ModelFileError: for anything else.
        """
        try:
            return cls(**values)
        except (TypeError, ParameterError) as error:
            raise ModelFileError(
                f"The model folder says {values!r} of how its table was read: {error}. It was "
                "altered: fit the model again or fetch a fresh copy."
            ) from error

    def with_defaults(self, other: "ReadingOptions") -> "ReadingOptions":
        """These options where they are given, else the other's."""
        return ReadingOptions(**(other.given | self.given))


def _separator(mark: str | None) -> str | None:
    names = {"tab": "\t", "\\t": "\t", "whitespace": "whitespace", r"\s+": "whitespace"}
    mark = mark if mark is None else names.get(mark, mark)
    if mark is None or mark == "whitespace":
        return mark
    if not isinstance(mark, str) or len(mark) != 1 or mark in "\r\n\"'" or mark.isalnum():
        raise ParameterError(
            f"separator is {mark!r}. Expected one character such as ; or |, tab, or whitespace."
        )
    return "whitespace" if mark == " " else mark


@runtime_checkable
class _Fitted(Protocol):
    """A model that says what it can do; those of the library are built on top of this module."""

    def capabilities(self) -> Any: ...


@dataclasses.dataclass(frozen=True)
class Expected:
    """What a fitted model knows of the columns of a file that is to be scored.

    Attributes:
        families: "text", "bool", "int" or "float" by name of the column.
    """

    families: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @property
    def unnamed(self) -> bool:
        """Whether the file of the fit had no names, so that its columns were numbered."""
        numbered = {f"column_{i}" for i in range(len(self.families))}
        return bool(numbered) and self.families.keys() == numbered

    @classmethod
    def of(cls, model: Any) -> "Expected":
        """What a model fitted on a table expects; nothing of other models."""
        columns = model.capabilities().columns if isinstance(model, _Fitted) else None
        if columns is None or not columns.layout.named:
            return cls()
        kinds = zip(columns.labels, columns.columns, strict=True)
        return cls({str(label): column.family for label, column in kinds})
