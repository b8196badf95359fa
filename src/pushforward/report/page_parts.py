"""A page as plain data: sections of pictures, tables and texts, which the template lays out."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

__all__ = ["Bars", "Code", "Gallery", "Part", "Picture", "Section", "Table"]


@dataclass(frozen=True)
class Picture:
    """An image within the page.

    Attributes:
        src: data URI, for light pages.
        alt: what it shows, for those who do not see it.
        caption: a line below it.
        title: a line above it.
        dark: data URI for dark pages, where it differs.
    """

    src: str
    alt: str
    caption: str = ""
    title: str = ""
    dark: str | None = None


@dataclass(frozen=True)
class Gallery:
    """Pictures beside each other, as many a line as there is room for.

    Attributes:
        pictures: from left to right.
        title, note: a heading and a line below it.
        size: "large" (at least 26 rem wide), "panel" (20), "small" (15), "sheet" or "strip" of
            tiles.
        legend: (name, colour) of what the pictures show.
    """

    kind: ClassVar[str] = "gallery"
    pictures: tuple[Picture, ...]
    title: str = ""
    note: str = ""
    size: str = "panel"
    legend: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Table:
    """A plain table; columns of numbers stand right, cells ``marked`` (line, column) stand out."""

    kind: ClassVar[str] = "table"
    heads: tuple[str, ...]
    lines: tuple[tuple[str, ...], ...]
    title: str = ""
    note: str = ""
    numbers: tuple[int, ...] = ()
    marked: frozenset[tuple[int, int]] = frozenset()


@dataclass(frozen=True)
class Bars:
    """Shares between 0 and 1 as bars: a line for each name, a bar for each model."""

    kind: ClassVar[str] = "bars"
    models: tuple[str, ...]
    lines: tuple[tuple[str, tuple[float | None, ...]], ...]
    title: str = ""
    note: str = ""


@dataclass(frozen=True)
class Code:
    """Text in a fixed-width face: a command, BibTeX, an account."""

    kind: ClassVar[str] = "code"
    text: str
    title: str = ""
    note: str = ""


Part = Gallery | Table | Bars | Code


@dataclass(frozen=True)
class Section:
    """A part of the page with a heading of its own.

    Attributes:
        anchor: its name in the address of the page.
        title, note: the heading and what to know before looking.
        parts: from top to bottom.
        extra: what the template needs of the section alone.
    """

    anchor: str
    title: str
    parts: tuple[Part, ...] = ()
    note: str = ""
    extra: Mapping[str, Any] | None = None
