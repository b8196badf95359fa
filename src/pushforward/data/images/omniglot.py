"""Omniglot (Lake, Salakhutdinov and Tenenbaum, "Human-level concept learning through probabilistic
program induction", 2015): alphabets of characters, 20 drawings of each."""

from pathlib import Path

from .cropping import Framing
from .folders import read_pictures
from .formats import Format, name_of
from .image_sources import ImageSet

__all__ = ["FOLDER"]

HOMES = {"train": "images_background", "test": "images_evaluation"}


def _splits(path: Path) -> tuple[str, ...]:
    return tuple(split for split, home in HOMES.items() if (path / home).is_dir())


def _read(path: Path, split: str, framing: Framing) -> ImageSet:
    return read_pictures(path / HOMES[split], name_of(path), split, framing)


FOLDER = Format(
    "Omniglot", "images_background/ALPHABET/CHARACTER/*.png, images_evaluation/...",
    _splits, _read,
)  # fmt: skip
