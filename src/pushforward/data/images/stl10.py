"""STL-10's binaries (Coates, Lee and Ng, "An analysis of single-layer networks in unsupervised
feature learning", 2011): 96 x 96, each channel by columns."""

from pathlib import Path

import numpy as np

from ...errors import DataError
from .cropping import Framing
from .formats import Format, name_of
from .image_sources import ArrayImages, ImageSet

__all__ = ["FOLDER"]

SPLITS = ("train", "test", "unlabeled")
SIDE = 96


def _splits(path: Path) -> tuple[str, ...]:
    return tuple(split for split in SPLITS if (path / f"{split}_X.bin").is_file())


def _read(path: Path, split: str, framing: Framing) -> ImageSet:
    file, size = path / f"{split}_X.bin", 3 * SIDE**2
    count, rest = divmod(file.stat().st_size, size)
    if rest or not count:
        raise DataError(
            f"{file} has {file.stat().st_size:,} bytes. Expected a multiple of {size:,}, one "
            "96 x 96 image after the other: it is cut short, fetch it again."
        )
    stored = np.memmap(file, np.uint8, "r", shape=(count, 3, SIDE, SIDE))
    labels = names = None
    if (listed := path / f"{split}_y.bin").is_file():
        labels = np.fromfile(listed, np.uint8).astype(np.int64) - 1  # published from 1 to 10
        if len(labels) and (labels.min() < 0 or labels.max() > 9):
            raise DataError(f"{listed} has other labels than 1 to 10: it is damaged.")
    if (named := path / "class_names.txt").is_file() and labels is not None:
        names = tuple(named.read_text().split())
    images = ArrayImages(stored.transpose(0, 1, 3, 2))
    return ImageSet(images, labels, names, name=name_of(path), split=split)


FOLDER = Format(
    "STL-10, binary version",
    "train_X.bin, train_y.bin, test_X.bin, test_y.bin, unlabeled_X.bin, class_names.txt",
    _splits, _read,
)  # fmt: skip
