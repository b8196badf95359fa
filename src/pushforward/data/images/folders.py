"""Folders of pictures, with a subfolder for each class or split where there are any."""

import os
from pathlib import Path

import numpy as np

from ...errors import DataError
from .formats import Format, name_of
from .framing import Framing
from .image_files import SUFFIXES, FileImages
from .sources import ImageSet

__all__ = ["FILE", "FOLDER", "picture_paths", "read_pictures"]

SPLITS = {
    "train": ("train", "training"),
    "valid": ("valid", "val", "validation"),
    "test": ("test", "testing"),
}


def picture_paths(folder: Path) -> list[Path]:
    """Return the pictures under a folder, in order of path; hidden files and folders are left."""
    found = []
    for place, subfolders, names in os.walk(folder):
        subfolders[:] = [name for name in subfolders if not name.startswith((".", "__"))]
        found += [
            Path(place, name)
            for name in names
            if name.lower().endswith(SUFFIXES) and not name.startswith(".")
        ]
    return sorted(found, key=lambda path: path.relative_to(folder).parts)


def read_pictures(folder: Path, name: str, split: str, framing: Framing) -> ImageSet:
    """Read the pictures under a folder; if all are in subfolders, these are the classes."""
    paths = picture_paths(folder)
    if not paths:
        raise DataError(f"Folder {folder} has no images. Expected {', '.join(SUFFIXES)} files.")
    homes = [path.parent.relative_to(folder).as_posix() for path in paths]
    labels = names = None
    if "." not in homes:
        classes, labels = np.unique(np.array(homes), return_inverse=True)
        labels, names = labels.astype(np.int64), tuple(classes.tolist())
    return ImageSet(FileImages(paths, framing), labels, names, name=name, split=split)


def _home(path: Path, split: str) -> Path | None:
    for name in SPLITS[split]:
        if (path / name).is_dir():
            return path / name
    return None


def _folder_splits(path: Path) -> tuple[str, ...]:
    if not path.is_dir():
        return ()
    homes = {split: home for split in SPLITS if (home := _home(path, split))}
    if homes and any(picture_paths(home) for home in homes.values()):
        return tuple(homes)
    return ("all",) if picture_paths(path) else ()


def _read_folder(path: Path, split: str, framing: Framing) -> ImageSet:
    home = path if split == "all" else _home(path, split)
    assert home is not None
    return read_pictures(home, name_of(path), split, framing)


def _file_splits(path: Path) -> tuple[str, ...]:
    return ("all",) if path.is_file() and path.name.lower().endswith(SUFFIXES) else ()


def _read_file(path: Path, split: str, framing: Framing) -> ImageSet:
    return ImageSet(FileImages([path], framing), name=name_of(path), split=split)


FOLDER = Format(
    "folder of pictures",
    f"files ending in {', '.join(SUFFIXES)}, in a subfolder for each class or in none; also under "
    "train/, valid/, test/",
    _folder_splits, _read_folder,
)  # fmt: skip
FILE = Format("picture", "one file", _file_splits, _read_file)
