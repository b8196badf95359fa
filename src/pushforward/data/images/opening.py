"""One door for images: files, folders and names of known sets."""

import dataclasses
import os
from pathlib import Path

from ...errors import DataError
from . import arrays, celeba, cifar, folders, idx, imagenet, omniglot, parquet, stl10, svhn
from .formats import Format
from .framing import FramedImages, Framing
from .image_files import DecodedImages
from .known import IMAGE_SETS, close_to, data_root, open_known
from .sources import ImageSet

__all__ = ["FORMATS", "open_images"]

FORMATS: tuple[Format, ...] = (
    *(cifar.BINARY, cifar.PYTHON, idx.FOLDER, svhn.FOLDER, stl10.FOLDER, imagenet.FOLDER),
    *(celeba.FOLDER, omniglot.FOLDER, parquet.PARQUET, folders.FOLDER),
    *(arrays.FILE, idx.FILE, svhn.FILE, folders.FILE),
)
"""Tried in this order; a folder of pictures is what no published layout claimed."""


def open_images(
    source: str | os.PathLike,
    split: str | None = None,
    *,
    size: int | tuple[int, int] | None = None,
    crop: int | str | None = None,
    root: str | os.PathLike | None = None,
) -> ImageSet:
    """Open a file or folder of images, or a known set by its name.

    A file or folder that exists comes first. Pictures in files are decoded when they are asked
    for, and uncompressed arrays are memory-mapped, so a set may be larger than memory.

    Args:
        source: path of a folder (of pictures, of a published set) or file (npy, npz, idx, mat,
            parquet, or one picture), or one of the names of :func:`image_sets`.
        split: "train", "test", "valid", as the set has; None is train, or all there is.
        size: side, or (height, width), to which the largest centred part of that shape is
            resized; needed where pictures differ in size.
        crop: side of a centred square that is cut out before, or one of CelebA's two
            conventions: "closecrop" (centre 140 x 140, resized to 64) or "resizecrop" (resized to
            64 x 78, rows 7 to 71).
        root: the folder that holds known sets; None is that of the environment variable
            PUSHFORWARD_DATA, or ``pushforward/data`` in the user's cache folder.

    Returns:
        The images, with labels, names of classes and attributes where there are any.

    Raises:
        DataError: if there is no such file, folder or set, if it is damaged, or if its pictures
            differ in size; the text says where was looked and what was expected.
        ParameterError: for a size or crop that cannot be used.

    >>> open_images("digits")
    ImageSet('digits', 'all', 1797 images of 1 x 8 x 8)
    """
    framing = Framing(size, crop)
    path, text = Path(source), os.fspath(source)
    if path.exists():
        found = _open_path(path, split, framing)
    elif text in IMAGE_SETS:
        found = open_known(text, split, framing, data_root(root))
    else:
        raise DataError(
            f"{text!r} is no file, folder or known image set{close_to(text)}. Expected a path, or "
            f"one of {', '.join(sorted(IMAGE_SETS))}."
        )
    if len(found) == 0:
        raise DataError(f"{text} has no images. Expected at least one.")
    if not framing.changes or isinstance(found.images, DecodedImages):
        return found  # files are framed as they are decoded
    return dataclasses.replace(found, images=FramedImages(found.images, framing))


def _open_path(path: Path, split: str | None, framing: Framing) -> ImageSet:
    """Open a file or folder in the first of the formats that knows it."""
    for kind in FORMATS:
        if splits := kind.splits(path):
            chosen = split or ("train" if "train" in splits else splits[0])
            if chosen not in splits:
                raise DataError(
                    f"{path} has no split {split!r}. Expected one of {', '.join(splits)}."
                )
            return kind.read(path, chosen, framing)
    layouts = "; ".join(f"{kind.name}: {kind.layout}" for kind in FORMATS)
    raise DataError(f"{path} has no images in a known format. Expected one of: {layouts}.")
