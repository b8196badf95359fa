"""Folders of pictures, with a subfolder for each class or split where there are any."""

import dataclasses
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from ...errors import DataError
from .cropping import Framing
from .formats import Format, name_of
from .image_files import HEIC, SUFFIXES, FileImages, readable
from .image_sources import ImageSet
from .labels import in_natural_order, numbered

__all__ = ["FILE", "FOLDER", "SPLITS", "read_pictures"]

SPLITS = {
    "train": ("train", "training"),
    "valid": ("valid", "val", "validation"),
    "test": ("test", "testing"),
}
_OF_SYSTEMS = ("thumbs.db", "desktop.ini")  # what file managers leave everywhere


@dataclasses.dataclass
class _Found:
    """The files under a folder, each by its parts below it.

    Attributes:
        pictures: those that can be read, class by class in natural order.
        others: those that cannot, and links to nothing or to a folder above.
    """

    pictures: list[tuple[str, ...]] = dataclasses.field(default_factory=list)
    others: list[tuple[str, ...]] = dataclasses.field(default_factory=list)


def _scan(folder: Path) -> _Found:
    """Find what is under a folder, through links; hidden files and folders are left."""
    found = _Found()
    _add(folder, (), frozenset(), found)
    places = {home: k for k, home in enumerate(_natural({p[:-1] for p in found.pictures}))}
    found.pictures.sort(key=lambda parts: (places[parts[:-1]], parts[-1]))
    found.others.sort()
    return found


def _add(
    folder: Path, below: tuple[str, ...], above: frozenset[tuple[int, int]], found: _Found
) -> None:
    status = os.stat(folder)
    above |= {(status.st_dev, status.st_ino)}
    for entry in os.scandir(folder):
        parts = (*below, entry.name)
        if entry.name.startswith(".") or (entry.name.startswith("__") and entry.is_dir()):
            continue
        if entry.is_dir():
            status = os.stat(entry.path)
            if (status.st_dev, status.st_ino) in above or not os.access(entry.path, os.R_OK):
                found.others.append(parts)
            else:
                _add(Path(entry.path), parts, above, found)
        elif entry.is_file() and entry.name.lower().endswith(readable()):
            found.pictures.append(parts)
        elif entry.name.lower() not in _OF_SYSTEMS:
            found.others.append(parts)


def _natural(homes: set[tuple[str, ...]]) -> list[tuple[str, ...]]:
    named = {"/".join(home): home for home in homes}
    return [named[name] for name in in_natural_order(named)]


def read_pictures(
    folder: Path, name: str, split: str, framing: Framing, beside: Sequence[Path] = ()
) -> ImageSet:
    """Read the pictures under a folder; if all are in subfolders, these are the classes.

    Args:
        folder: where they are.
        name, split: what the set is called.
        framing: part and size of the pictures.
        beside: folders of the other splits, whose classes get numbers too.
    """
    found = _scan(folder)
    if not found.pictures:
        raise DataError(
            f"Folder {folder} has no images. Expected {', '.join(readable())} files."
            + "".join(f" {note}" for note in _unread(found.others, folder))
        )
    homes = ["/".join(parts[:-1]) for parts in found.pictures]
    labels = names = None
    notes = _unread(found.others, folder)
    if "" not in homes:
        others = (_scan(other).pictures for other in beside)
        known = {"/".join(parts[:-1]) for each in others for parts in each}
        labels, names = numbered(homes, known - {""})
    elif any(homes):
        stray = homes.count("")
        notes += (
            f"{folder}: {stray} {'picture lies' if stray == 1 else 'pictures lie'} beside its "
            "subfolders, so these are no classes.",
        )
    images = FileImages([folder.joinpath(*parts) for parts in found.pictures], framing)
    names = None if names is None else tuple(names)
    return ImageSet(images, labels, names, name=name, split=split, notes=notes + images.notes)


def _unread(others: Sequence[tuple[str, ...]], folder: Path, why: str = "") -> tuple[str, ...]:
    """Sentences that count and name files which are not read."""
    if not others:
        return ()
    endings = Counter(os.path.splitext(parts[-1])[1].lower() or "no ending" for parts in others)
    counts = ", ".join(f"{count} {ending}" for ending, count in endings.most_common(5))
    more = ", ..." if len(endings) > 5 else ""
    few = ", ".join("/".join(parts) for parts in others[:3])
    lacks = any(parts[-1].lower().endswith(HEIC) for parts in others) and not why
    hint = ' HEIC needs pillow-heif: pip install "pushforward[heic]".' if lacks else ""
    rest = ", ..." if len(others) > 3 else ""
    return (f"{folder}: not read{why}: {counts}{more} ({few}{rest}).{hint}",)


def _homes(found: _Found) -> dict[str, str]:
    """Which subfolder is which split, if subfolders are splits.

    They are if two are named as splits, or no picture lies outside of the one that is: a class
    may be called "test" as well.
    """
    tops = {parts[0] if len(parts) > 1 else "" for parts in found.pictures}
    homes = {}
    for split, words in SPLITS.items():
        named = [top for word in words for top in sorted(tops) if top.lower() == word]
        if named:
            homes[split] = named[0]
    return homes if len(homes) > 1 or tops == set(homes.values()) else {}


def _folder_splits(path: Path) -> tuple[str, ...]:
    if not path.is_dir():
        return ()
    found = _scan(path)
    if not found.pictures:  # the error for a folder of HEIC alone names what it needs
        return ("all",) if any(parts[-1].lower().endswith(HEIC) for parts in found.others) else ()
    return tuple(_homes(found)) or ("all",)


def _read_folder(path: Path, split: str, framing: Framing) -> ImageSet:
    if split == "all":
        return read_pictures(path, name_of(path), split, framing)
    found = _scan(path)
    homes = _homes(found)
    outside = [parts for parts in found.pictures if parts[0] not in homes.values()]
    outside += [parts for parts in found.others if parts[0] not in homes.values()]
    beside = [path / home for other, home in homes.items() if other != split]
    read = read_pictures(path / homes[split], name_of(path), split, framing, beside)
    why = f", as it lies beside the splits {', '.join(homes.values())}"
    return dataclasses.replace(read, notes=read.notes + _unread(outside, path, why))


def _file_splits(path: Path) -> tuple[str, ...]:
    return ("all",) if path.is_file() and path.name.lower().endswith(readable()) else ()


def _read_file(path: Path, split: str, framing: Framing) -> ImageSet:
    images = FileImages([path], framing)
    return ImageSet(images, name=name_of(path), split=split, notes=images.notes)


FOLDER = Format(
    "folder of pictures",
    f"files ending in {', '.join(SUFFIXES)}, in a subfolder for each class or in none; also under "
    "train/, valid/, test/",
    _folder_splits, _read_folder,
)  # fmt: skip
FILE = Format("picture", "one file", _file_splits, _read_file)
