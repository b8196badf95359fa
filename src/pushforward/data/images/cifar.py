"""CIFAR-10 and CIFAR-100 (Krizhevsky, "Learning multiple layers of features from tiny images",
2009), in the published binary and Python versions."""

from pathlib import Path
from typing import Any

import numpy as np

from ...errors import DataError
from .cropping import Framing
from .formats import Format, name_of
from .image_sources import ArrayImages, ImageSet
from .python_batches import read_batch

__all__ = ["BINARY", "PYTHON"]

PIXELS = 3 * 32 * 32
TEN = {"train": tuple(f"data_batch_{k}" for k in range(1, 6)), "test": ("test_batch",)}
HUNDRED = {"train": ("train",), "test": ("test",)}


def _batches(path: Path, ending: str) -> dict[str, list[Path]]:
    """Return the files of each split, in order: those of CIFAR-10, else those of CIFAR-100."""
    for published in (TEN, HUNDRED):
        found = {
            split: [file for name in names if (file := path / (name + ending)).is_file()]
            for split, names in published.items()
        }
        if any(found.values()):
            return {split: files for split, files in found.items() if files}
    return {}


def _is_hundred(path: Path) -> bool:
    return path.name.removesuffix(".bin") in ("train", "test")


# The binary version


def _binary_splits(path: Path) -> tuple[str, ...]:
    return tuple(_batches(path, ".bin"))


def _read_binary(path: Path, split: str, framing: Framing) -> ImageSet:
    files = _batches(path, ".bin")[split]
    hundred = _is_hundred(files[0])
    before = 1 if hundred else 0  # CIFAR-100 has the superclass in a byte before the class
    record = before + 1 + PIXELS
    parts = []
    for file in files:
        size = file.stat().st_size
        if size == 0 or size % record:
            raise DataError(
                f"{file} has {size:,} bytes. Expected a multiple of {record:,}, one record an "
                "image: it is cut short, fetch it again."
            )
        parts.append(np.fromfile(file, np.uint8).reshape(-1, record))
    rows = parts[0] if len(parts) == 1 else np.concatenate(parts)
    images = ArrayImages(rows[:, before + 1 :].reshape(-1, 3, 32, 32))
    labels = rows[:, before].astype(np.int64)
    listed = path / ("fine_label_names.txt" if hundred else "batches.meta.txt")
    words = listed.read_text().split() if listed.is_file() else None
    return ImageSet(
        images, labels, _checked(words, labels, listed), name=name_of(path), split=split
    )


# The Python version


def _python_splits(path: Path) -> tuple[str, ...]:
    found = _batches(path, "")
    named = any((path / name).is_file() for name in ("meta", "data_batch_1", "test_batch"))
    return tuple(found) if named else ()


def _read_python(path: Path, split: str, framing: Framing) -> ImageSet:
    files = _batches(path, "")[split]
    hundred = _is_hundred(files[0])
    arrays, labels = [], []
    for file in files:
        batch = read_batch(file)
        data = batch.get("data")
        words = batch.get("fine_labels" if hundred else "labels")
        if not isinstance(data, np.ndarray) or data.ndim != 2 or data.shape[1] != PIXELS:
            raise DataError(f"{file} has no uint8 array 'data' of shape (N, {PIXELS}).")
        arrays.append(data)
        labels.append(_class_numbers(words, len(data), file))
    images = ArrayImages(np.concatenate(arrays).reshape(-1, 3, 32, 32))
    classes = np.concatenate(labels)
    listed = path / ("meta" if hundred else "batches.meta")
    names: Any = None
    if listed.is_file():
        names = read_batch(listed).get("fine_label_names" if hundred else "label_names")
        if not isinstance(names, list) or not all(isinstance(n, (str, bytes)) for n in names):
            raise DataError(f"{listed} has no list of the names of the classes.")
        names = [n.decode("latin-1") if isinstance(n, bytes) else n for n in names]
    return ImageSet(
        images, classes, _checked(names, classes, listed), name=name_of(path), split=split
    )


def _class_numbers(words: Any, count: int, file: Path) -> np.ndarray:
    fine = isinstance(words, list) and len(words) == count
    if not fine or not all(type(word) is int and 0 <= word < 100 for word in words):
        raise DataError(f"{file} has no list of {count:,} labels, whole numbers from 0.")
    return np.array(words, dtype=np.int64)


def _checked(names: list[str] | None, labels: np.ndarray, listed: Path) -> tuple[str, ...] | None:
    if names is not None and labels.max() >= len(names):
        raise DataError(
            f"{listed} names {len(names)} classes, and there are labels up to {labels.max()}."
        )
    return None if names is None else tuple(names)


BINARY = Format(
    "CIFAR, binary version",
    "data_batch_1.bin to data_batch_5.bin, test_batch.bin, batches.meta.txt; or train.bin, "
    "test.bin, fine_label_names.txt",
    _binary_splits, _read_binary,
)  # fmt: skip
PYTHON = Format(
    "CIFAR, Python version",
    "data_batch_1 to data_batch_5, test_batch, batches.meta; or train, test, meta",
    _python_splits, _read_python,
)  # fmt: skip
