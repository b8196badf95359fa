"""The idx format of MNIST (LeCun, Cortes and Burges, "The MNIST database", 1998)."""

import math
import struct
from pathlib import Path

import numpy as np

from ...errors import DataError
from ..files import check_expansion, open_bytes
from .cropping import Framing
from .formats import Format, name_of
from .image_sources import ArrayImages, ImageSet

__all__ = ["FILE", "FOLDER", "read_idx"]

STEMS = {"train": "train", "test": "t10k"}


def read_idx(path: Path) -> np.ndarray:
    """Return the array of an idx file of bytes, gzipped or not; a plain one is memory-mapped.

    Raises:
        DataError: for another magic number, another type of elements, or too few or too many.
    """
    packed = path.suffix == ".gz"
    try:
        with open_bytes(path, lines=False) as file:
            head = file.read(4)
            if len(head) < 4 or head[:2] != b"\0\0" or not 1 <= head[3] <= 8:
                raise DataError(
                    f"{path} starts with {head.hex(' ') or 'nothing'}. Expected the magic number "
                    "of an idx file, such as 00 00 08 03."
                )
            if head[2] != 8:
                raise DataError(
                    f"{path} has elements of type {head[2]:#04x}. Expected bytes, 0x08."
                )
            sides = file.read(4 * head[3])
            shape = struct.unpack(f">{len(sides) // 4}I", sides[: len(sides) // 4 * 4])
            expected = math.prod(shape)
            if packed:
                check_expansion(path, expected)
                data = file.read(expected + 1)
                got = len(data)
            else:
                data = b""
                got = path.stat().st_size - 4 - len(sides)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error}. Expected a whole idx file.") from error
    if len(shape) != head[3] or got != expected:
        raise DataError(
            f"{path} says it has shape {shape}, {expected:,} bytes, and holds "
            f"{'more' if got > expected else f'{got:,}'}. Expected a whole file: fetch it again."
        )
    if packed or not expected:  # an empty file cannot be mapped
        return np.frombuffer(data, np.uint8).reshape(shape)
    return np.memmap(path, np.uint8, "r", 4 + len(sides), shape)


def _find(folder: Path, split: str, what: str, axes: int) -> Path | None:
    for joint in "-.":
        for ending in ("", ".gz"):
            path = folder / f"{STEMS[split]}-{what}{joint}idx{axes}-ubyte{ending}"
            if path.is_file():
                return path
    return None


def _folder_splits(path: Path) -> tuple[str, ...]:
    return tuple(split for split in STEMS if _find(path, split, "images", 3))


def _read_folder(path: Path, split: str, framing: Framing) -> ImageSet:
    images = _find(path, split, "images", 3)
    assert images is not None
    labels = _find(path, split, "labels", 1)
    known = None if labels is None else read_idx(labels).astype(np.int64)
    if known is not None and known.ndim != 1:
        raise DataError(f"{labels} has shape {known.shape}. Expected one label for each image.")
    return ImageSet(_images(images), known, name=name_of(path), split=split)


def _images(path: Path) -> ArrayImages:
    array = read_idx(path)
    if array.ndim not in (3, 4):
        raise DataError(f"{path} has {array.ndim} axes. Expected images: (N, H, W).")
    return ArrayImages(array, "nhw" if array.ndim == 3 else "nhwc")


def _file_splits(path: Path) -> tuple[str, ...]:
    idx = any(part.startswith("idx") for part in path.name.lower().replace("-", ".").split("."))
    return ("all",) if path.is_file() and idx else ()


def _read_file(path: Path, split: str, framing: Framing) -> ImageSet:
    return ImageSet(_images(path), name=name_of(path), split=split)


FOLDER = Format(
    "idx", "train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-... (also .gz)",
    _folder_splits, _read_folder,
)  # fmt: skip
FILE = Format("idx file", "NAME-idx3-ubyte, NAME.idx (also .gz)", _file_splits, _read_file)
