"""Downsampled ImageNet in npz batches (Chrabaszcz, Loshchilov and Hutter, "A downsampled variant
of ImageNet as an alternative to the CIFAR datasets", 2017)."""

import math
import re
from pathlib import Path

import numpy as np

from ...errors import DataError
from ..array_files import Archive
from .cropping import Framing
from .formats import Format, name_of
from .image_sources import ArrayImages, ImageSet, JoinedImages
from .labels import as_labels

__all__ = ["FOLDER"]


def _files(path: Path) -> dict[str, list[Path]]:
    if not path.is_dir():
        return {}
    train = {}
    for file in path.glob("train_data_batch_*.npz"):
        if number := re.fullmatch(r"train_data_batch_(\d+)\.npz", file.name):
            train[int(number[1])] = file
    found = {"train": [train[k] for k in sorted(train)], "valid": [path / "val_data.npz"]}
    return {split: files for split, files in found.items() if files and files[0].is_file()}


def _splits(path: Path) -> tuple[str, ...]:
    return tuple(_files(path))


def _read(path: Path, split: str, framing: Framing) -> ImageSet:
    parts, labels = [], []
    for file in _files(path)[split]:
        archive = Archive(file)
        if not {"data", "labels"} <= set(archive.names):
            raise DataError(
                f"{file} holds the arrays {list(archive.names)}. Expected data and labels."
            )
        data = archive.read("data")
        side = math.isqrt(data.shape[-1] // 3)
        if data.ndim != 2 or data.shape[1] != 3 * side**2:
            raise DataError(f"{file} has data of shape {data.shape}. Expected (N, 3 * side^2).")
        parts.append(ArrayImages(data.reshape(-1, 3, side, side)))
        labels.append(as_labels(archive.read("labels"), file))
    images = parts[0] if len(parts) == 1 else JoinedImages(parts)
    classes = np.concatenate(labels) - 1  # published from 1 to 1000
    return ImageSet(images, classes, name=name_of(path), split=split)


FOLDER = Format(
    "ImageNet 32 and 64, npz version", "train_data_batch_1.npz to _10.npz, val_data.npz",
    _splits, _read,
)  # fmt: skip
