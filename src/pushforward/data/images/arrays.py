"""Images in npy and npz files."""

import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import DataError
from .formats import Format, check_expansion, name_of
from .framing import Framing
from .sources import ArrayImages, ImageSet, find_layout

__all__ = ["FILE", "Archive", "as_labels"]

IMAGES = ("images", "X", "data", "arr_0")
LABELS = ("labels", "y", "arr_1")


class Archive:
    """The arrays of an npz file, opened one at a time.

    An array that was saved without compression is memory-mapped, so it may be larger than memory.
    Objects (pickles) are never read.

    Raises:
        DataError: if the file is no npz.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with zipfile.ZipFile(path) as archive:
                members = archive.infolist()
        except (OSError, zipfile.BadZipFile, NotImplementedError, ValueError) as error:
            raise self._unreadable(error) from error
        self._members = {
            member.filename.removesuffix(".npy"): member
            for member in members
            if member.filename.endswith(".npy")
        }

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the arrays."""
        return tuple(self._members)

    def read(self, name: str) -> np.ndarray:
        """Return an array.

        Raises:
            DataError: if it is cut short, damaged, made of objects, or claims an absurd size.
        """
        member = self._members[name]
        check_expansion(self.path, member.file_size, member.compress_size)
        try:
            with zipfile.ZipFile(self.path) as archive, archive.open(member) as file:
                shape, fortran, dtype = _head(file)
                skip = file.tell()
                if dtype.hasobject:
                    raise DataError(f"the array {name!r} holds Python objects, which are not read")
                if member.compress_type == zipfile.ZIP_STORED and 0 not in shape:
                    start = self._start(member) + skip
                    order: Any = "F" if fortran else "C"
                    return np.memmap(self.path, dtype, "r", start, shape, order)
                count = int(np.prod(shape, dtype=object))
                data = file.read(count * dtype.itemsize + 1)
                if len(data) != count * dtype.itemsize:
                    raise DataError(f"the array {name!r} holds other than {shape} elements")
                array = np.frombuffer(data, dtype)
                return array.reshape(shape, order="F" if fortran else "C")
        except (OSError, EOFError, ValueError, zipfile.BadZipFile, zlib.error) as error:
            raise self._unreadable(error) from error
        except (RuntimeError, NotImplementedError) as error:  # encrypted, unknown compression
            raise self._unreadable(error) from error

    def _start(self, member: zipfile.ZipInfo) -> int:
        """Return the offset of a member's first byte, which its local head tells."""
        with open(self.path, "rb") as file:
            file.seek(member.header_offset)
            head = file.read(30)
        return (
            member.header_offset
            + 30
            + sum(int.from_bytes(head[at : at + 2], "little") for at in (26, 28))
        )

    def _unreadable(self, error: Exception) -> DataError:
        return DataError(
            f"{self.path} cannot be read: {error}. Expected a whole npz file of plain arrays: "
            "write it again."
        )


def _head(file: Any) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Read the head of an npy stream: shape, whether columns come first, dtype."""
    version = np.lib.format.read_magic(file)
    if version == (1, 0):
        return np.lib.format.read_array_header_1_0(file)
    return np.lib.format.read_array_header_2_0(file)


def as_labels(values: np.ndarray, where: Path) -> np.ndarray:
    """Return labels as int64 of shape (n,).

    Raises:
        DataError: if they are not whole numbers, one for each image.
    """
    flat = np.squeeze(values, axis=1) if values.ndim == 2 and values.shape[1] == 1 else values
    if flat.ndim != 1 or flat.dtype.kind not in "iub":
        raise DataError(
            f"The labels of {where} have dtype {values.dtype} and shape {values.shape}. Expected "
            "whole numbers of shape (N,)."
        )
    return flat.astype(np.int64)


def _splits(path: Path) -> tuple[str, ...]:
    suffix = path.suffix.lower()
    if not path.is_file() or suffix not in (".npy", ".npz"):
        return ()
    if suffix == ".npz":
        names = Archive(path).names
        halves = tuple(split for split in ("train", "test") if f"x_{split}" in names)
        if halves:
            return halves
    return ("all",)


def _read(path: Path, split: str, framing: Framing) -> ImageSet:
    labels = None
    if path.suffix.lower() == ".npy":
        try:
            array = np.load(path, mmap_mode="r", allow_pickle=False)
        except (OSError, EOFError, ValueError) as error:
            raise DataError(
                f"{path} cannot be read: {error}. Expected a whole npy file of bytes."
            ) from error
    else:
        archive = Archive(path)
        image_names, label_names = (
            (IMAGES, LABELS) if split == "all" else ((f"x_{split}",), (f"y_{split}",))
        )
        here = [name for name in image_names if name in archive.names]
        if not here:
            raise DataError(
                f"{path} holds the arrays {list(archive.names)}. Expected images under one of "
                f"{', '.join(IMAGES)}, and labels, if any, under one of {', '.join(LABELS)}."
            )
        array = archive.read(here[0])
        for name in label_names:
            if name in archive.names:
                labels = as_labels(archive.read(name), path)
                break
    images = ArrayImages(array, find_layout(array.shape))
    return ImageSet(images, labels, name=name_of(path), split=split)


FILE = Format(
    "npy, npz",
    "an array (N, H, W), (N, H, W, C) or (N, C, H, W) of bytes; in npz named images, X, data or "
    "arr_0, with labels named labels, y or arr_1; or x_train, y_train, x_test, y_test",
    _splits, _read,
)  # fmt: skip
