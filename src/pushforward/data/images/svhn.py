"""SVHN's cropped digits (Netzer et al., "Reading digits in natural images with unsupervised
feature learning", 2011), MATLAB files of version 5."""

from pathlib import Path
from typing import Any

import numpy as np

from ...errors import DataError
from ..files import check_expansion
from .cropping import Framing
from .formats import Format, name_of
from .image_sources import ArrayImages, ImageSet
from .labels import as_labels

__all__ = ["FILE", "FOLDER"]

SPLITS = ("train", "test", "extra")


def _folder_splits(path: Path) -> tuple[str, ...]:
    return tuple(split for split in SPLITS if (path / f"{split}_32x32.mat").is_file())


def _file_splits(path: Path) -> tuple[str, ...]:
    return ("all",) if path.is_file() and path.suffix.lower() == ".mat" else ()


def _load(path: Path) -> dict[str, Any]:
    from scipy.io import loadmat, whosmat

    try:
        found = {name: shape for name, shape, _ in whosmat(path)}
        for shape in found.values():
            check_expansion(path, int(np.prod(shape, dtype=object)))
        return loadmat(path, variable_names=["X", "y"])
    except DataError:
        raise
    except Exception as error:  # the reader of damaged files raises whatever it meets
        raise DataError(
            f"{path} cannot be read: {error}. Expected a whole MATLAB file of version 5, as SVHN "
            "was published."
        ) from error


def _read_file(path: Path, split: str, framing: Framing) -> ImageSet:
    found = _load(path)
    X, y = found.get("X"), found.get("y")
    if not isinstance(X, np.ndarray) or X.ndim != 4 or X.dtype != np.uint8:
        raise DataError(f"{path} has no array X of bytes and shape (32, 32, 3, N), as SVHN has.")
    # MATLAB's arrays go by columns, so the last axis is the outermost in memory
    images = ArrayImages(X.transpose(3, 0, 1, 2), "nhwc")
    labels = None
    if y is not None:
        labels = as_labels(y, path)
        labels = np.where(labels == 10, 0, labels)  # class 10 is the digit 0
    return ImageSet(
        images, labels, None if y is None else tuple("0123456789"), None, name_of(path), split
    )


def _read_folder(path: Path, split: str, framing: Framing) -> ImageSet:
    from dataclasses import replace

    return replace(_read_file(path / f"{split}_32x32.mat", split, framing), name=name_of(path))


FOLDER = Format(
    "SVHN, cropped digits", "train_32x32.mat, test_32x32.mat, extra_32x32.mat",
    _folder_splits, _read_folder,
)  # fmt: skip
FILE = Format("MATLAB file", "X (H, W, C, N) and y, as SVHN has", _file_splits, _read_file)
