"""Images in npy and npz files."""

from pathlib import Path
from typing import Any

import numpy as np

from ...errors import DataError
from ..array_files import Archive, read_npy
from .cropping import Framing
from .formats import Format, name_of
from .image_sources import ArrayImages, ImageSet, find_layout
from .labels import is_text, numbers_and_names

__all__ = ["FILE", "read_arrays"]

IMAGES = ("images", "X", "x", "data", "samples", "arr_0")
LABELS = ("labels", "y", "label", "targets", "arr_1")
SPLITS = {"train": ("train",), "valid": ("val", "valid"), "test": ("test",)}
#: Names of the images and labels of a split; those of the second are MedMNIST's.
OF_SPLIT = (("x_{}", "y_{}"), ("{}_images", "{}_labels"), ("X_{}", "y_{}"), ("{}_x", "{}_y"))


def _of_splits(archive: Archive) -> dict[str, tuple[str, str]]:
    """Names of the images and of the labels of each split of an archive."""
    found = {}
    for split, words in SPLITS.items():
        pairs = [(x.format(word), y.format(word)) for word in words for x, y in OF_SPLIT]
        if here := [pair for pair in pairs if pair[0] in archive.names]:
            found[split] = here[0]
    return found


def _splits(path: Path) -> tuple[str, ...]:
    suffix = path.suffix.lower()
    if not path.is_file() or suffix not in (".npy", ".npz"):
        return ()
    return (suffix == ".npz" and tuple(_of_splits(Archive(path)))) or ("all",)


def _read(path: Path, split: str, framing: Framing) -> ImageSet:
    return read_arrays(path, split)


def read_arrays(
    path: Path, split: str, layout: str | None = None, pixel_range: Any = None
) -> ImageSet:
    """Read a split of an npy or npz file.

    Args:
        path: the file.
        split: one of its splits.
        layout, pixel_range: as of :func:`~pushforward.data.open_images`.
    """
    labels, names, notes = None, None, ()
    if path.suffix.lower() == ".npy":
        array = read_npy(path)
    else:
        archive = Archive(path)
        halves = _of_splits(archive)
        used = {name for names in halves.values() for name in names}
        if split == "all":
            used = {_images_in(archive)}
            array = archive.read(*used)
            named = next((name for name in LABELS if name in archive.names), None)
        else:
            array = archive.read(halves[split][0])
            named = halves[split][1] if halves[split][1] in archive.names else None
        if named is not None:
            of_splits = [y for _, y in halves.values() if y in archive.names]
            labels, names, notes = _labels_in(archive, named, of_splits)
            used |= {named} if labels is not None else set()
        if left := [name for name in archive.names if name not in used and name != named]:
            notes += (f"the arrays {', '.join(left)} of {path} are not read.",)
    images = ArrayImages(array, layout or find_layout(array.shape), pixel_range)
    return ImageSet(images, labels, names, name=name_of(path), split=split, notes=notes)


def _images_in(archive: Archive) -> str:
    """Name of the array with the images."""
    here = [name for name in IMAGES if name in archive.names] or (
        list(archive.names) if len(archive.names) == 1 else []
    )
    if not here:
        raise DataError(
            f"{archive.path} holds the arrays {list(archive.names)}. Expected images under one of "
            f"{', '.join(IMAGES)}, and labels, if any, under one of {', '.join(LABELS)}; or of "
            f"splits, such as {OF_SPLIT[0][0].format('train')} or "
            f"{OF_SPLIT[1][0].format('train')}."
        )
    return here[0]


def _labels_in(
    archive: Archive, name: str, of_splits: list[str]
) -> tuple[np.ndarray | None, tuple[str, ...] | None, tuple[str, ...]]:
    """Labels of that name, and names of classes where they are text, the same in every split.

    Labels that are several an image are none, and a note says so.
    """
    values = archive.read(name)
    if values.ndim == 2 and values.shape[1] > 1 and values.dtype.kind in "iubU":
        note = (
            f"the array {name} of {archive.path} has {values.shape[1]} values for each image and "
            "is not taken for labels."
        )
        return None, None, (note,)
    known: set[str] = set()
    if is_text(values):
        others = [archive.read(other) for other in of_splits if other != name]
        known = {str(one) for other in others if is_text(other) for one in other.flat}
    return *numbers_and_names(values, archive.path, known), ()


FILE = Format(
    "npy, npz",
    "an array (N, H, W), (N, H, W, C) or (N, C, H, W) of bytes, or of other numbers with "
    f"pixel_range; in npz named {', '.join(IMAGES)}, with labels named {', '.join(LABELS)}; or "
    "x_train, y_train, x_test, y_test; or train_images, train_labels, val_images, ...",
    _splits, _read,
)  # fmt: skip
