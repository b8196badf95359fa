"""What every reader of images is: a format, which knows its files when it sees them."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ...errors import DataError
from .cropping import Framing
from .image_sources import ImageSet

__all__ = ["Format", "check_expansion", "name_of"]

MOST_EXPANSION = 200  # images compress 2 to 20 times; a bomb up to 1000 times
SMALL = 2**28  # bytes that are no harm however they were packed


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


def check_expansion(path: Path, size: int, packed: int | None = None) -> None:
    """Refuse a packed file that claims to hold far more than images could.

    Args:
        path: the file.
        size: bytes it claims to hold.
        packed: bytes it takes; None for those of the file.
    """
    packed = os.path.getsize(path) if packed is None else packed
    if size > SMALL and size > MOST_EXPANSION * packed:
        raise DataError(
            f"{path} claims to hold {size:,} bytes in {packed:,}, which is no compression of "
            "images. It is damaged or hostile: fetch it again from where it was published."
        )
