"""What every reader of images is: a format, which knows its files when it sees them."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .cropping import Framing
from .image_sources import ImageSet

__all__ = ["Format", "name_of"]


@dataclass(frozen=True)
class Format:
    """One published way to store images in files.

    Attributes:
        name: what it is called.
        layout: the files it consists of, for people.
        splits: tells the splits that are at a path; () if the path is not of this format.
        read: reads one of those splits, with the framing.
    """

    name: str
    layout: str
    splits: Callable[[Path], tuple[str, ...]]
    read: Callable[[Path, str, Framing], ImageSet]


def name_of(path: Path) -> str:
    """Return what a set at a path is called: the name of the folder or file without endings."""
    return path.resolve().name.split(".")[0] or "images"
