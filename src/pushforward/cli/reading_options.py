"""The options that say how a table in a file of text is written, shared by all that read one."""

import functools
import inspect
from collections.abc import Callable
from typing import Annotated, Any

import typer

from ..data.tables.reading_options import ReadingOptions
from .registry import only_for

__all__ = ["AS_FOUND", "reads_tables", "refuse_reading"]

AS_FOUND = ReadingOptions()  # no option is given

_PANEL = "How a file of text is written, where it is not found out"

_OPTIONS: dict[str, Any] = {
    "header": Annotated[
        bool | None,
        typer.Option(
            "--header/--no-header", rich_help_panel=_PANEL, show_default=False,
            help="The first line holds the names of the columns, or it does not.",
        ),
    ],
    "encoding": Annotated[
        str | None,
        typer.Option(
            metavar="NAME", rich_help_panel=_PANEL, show_default=False,
            help="Such as utf-8, cp1252 or utf-16.",
        ),
    ],
    "decimal": Annotated[
        str | None,
        typer.Option(
            metavar=".|,", rich_help_panel=_PANEL, show_default=False, help="The decimal mark."
        ),
    ],
    "separator": Annotated[
        str | None,
        typer.Option(
            metavar="MARK", rich_help_panel=_PANEL, show_default=False,
            help="Between cells: one character, tab or whitespace.",
        ),
    ],
    "missing_values": Annotated[
        list[str] | None,
        typer.Option(
            metavar="TEXT", rich_help_panel=_PANEL, show_default=False,
            help="A text that means a missing cell in every column. Can be repeated. Without it, "
            'NA, N/A, NaN and NULL are missing in columns of text; "" keeps those. Empty cells '
            "always are, and in columns of numbers NA, None, ?, - and the like.",
        ),
    ],
}  # fmt: skip


def reads_tables(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command these options in place of its parameter ``reading``."""

    @functools.wraps(command)
    def run(**given: Any) -> None:
        reading = {name: given.pop(name) for name in _OPTIONS}
        reading["missing_values"] = reading["missing_values"] or None  # typer gives [] for none
        command(**given, reading=ReadingOptions(**reading))

    signature = inspect.signature(command)
    parameters = []
    for parameter in signature.parameters.values():
        if parameter.name != "reading":
            parameters.append(parameter.replace(kind=parameter.KEYWORD_ONLY))
            continue
        for name, option in _OPTIONS.items():
            parameters.append(
                inspect.Parameter(name, parameter.KEYWORD_ONLY, default=None, annotation=option)
            )
    run.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {p.name: p.annotation for p in parameters} | {"return": None}
    return run


def refuse_reading(reading: ReadingOptions, name: str) -> None:
    """Refuse these options for a model that is not one of tables.

    Raises:
        ParameterError: naming the first that was given.
    """
    options = {"header": "--header", "missing_values": "--missing-values"}
    only_for("tables", name, {options.get(w, f"--{w}"): True for w in reading.given})
