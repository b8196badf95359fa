"""One door for images: files, folders and names of known sets."""

import dataclasses
import os
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ...errors import DataError, ParameterError, stacklevel_of_caller
from ...wording import did_you_mean, near_file
from ..files import check_regular
from . import arrays, celeba, cifar, folders, idx, imagenet, omniglot, parquet, stl10, svhn
from .cropping import FramedImages, Framing
from .datasets import IMAGE_SETS, data_root, open_known
from .formats import Format
from .grey import RecolouredImages
from .image_files import DecodedImages
from .image_sources import ImageSet
from .in_memory import as_image_set

__all__ = ["FORMATS", "open_images"]

FORMATS: tuple[Format, ...] = (
    *(cifar.BINARY, cifar.PYTHON, idx.FOLDER, svhn.FOLDER, stl10.FOLDER, imagenet.FOLDER),
    *(celeba.FOLDER, omniglot.FOLDER, parquet.PARQUET, folders.FOLDER),
    *(arrays.FILE, idx.FILE, svhn.FILE, folders.FILE),
)
"""Tried in this order; a folder of pictures is what no published layout claimed."""


def open_images(
    source: Any,
    split: str | None = None,
    *,
    size: int | tuple[int, int] | None = None,
    crop: int | str | None = None,
    channels: int | None = None,
    layout: str | None = None,
    pixel_range: tuple[float, float] | None = None,
    root: str | os.PathLike | None = None,
) -> ImageSet:
    """Open a file or folder of images, a known set by its name, or what is in memory.

    A file or folder that exists comes first. Pictures in files are decoded when they are asked
    for, and uncompressed arrays are memory-mapped, so a set may be larger than memory. What lies
    beside the images and is not read is counted and named in a warning, but for hidden files.

    Args:
        source: path of a folder (of pictures, of a published set) or file (npy, npz, idx, mat,
            parquet, or one picture); one of the names of :func:`image_sets`; or what is in
            memory: an array or tensor, a list of pictures, a pair (images, labels), a data set
            or loader of torch or Hugging Face.
        split: "train", "test", "valid", as the set has; None is train, or all there is.
        size: side, or (height, width), to which the largest centred part of that shape is
            resized; needed where pictures differ in size.
        crop: side of a centred square that is cut out before, or one of CelebA's two
            conventions: "closecrop" (centre 140 x 140, resized to 64) or "resizecrop" (resized to
            64 x 78, rows 7 to 71).
        channels: 1 makes colour images grey, 3 gives grey ones three equal channels; None
            leaves them.
        layout: axes of an array whose shape leaves them open, "NHWC" or "NCHW".
        pixel_range: the values (low, high) of black and white of an array that is no bytes, such
            as (0, 1) or (-1, 1).
        root: the folder that holds known sets; None is that of the environment variable
            PUSHFORWARD_DATA, or ``pushforward/data`` in the user's cache folder.

    Returns:
        The images, with labels, names of classes and attributes where there are any.

    Raises:
        DataError: if there is no such file, folder or set, if it is damaged, or if its pictures
            differ in size; the text says where was looked and what was expected.
        ParameterError: for a size or crop that cannot be used, and for a layout or range of what
            has its own.

    >>> open_images("digits")
    ImageSet('digits', 'all', 1797 images of 1 x 8 x 8)
    """
    framing = Framing(size, crop)
    of_array = {"layout": layout, "pixel_range": pixel_range}
    if not isinstance(source, (str, os.PathLike)):
        if split not in (None, "all"):
            raise ParameterError(f"split is {split!r}. What is in memory has no splits.")
        found, _ = as_image_set(source, layout, pixel_range=pixel_range, framing=framing)
    else:
        found = _open_named(source, split, framing, root, of_array)
        if len(found) == 0:
            raise DataError(f"{source} has no images. Expected at least one.")
        for note in found.notes:
            warnings.warn(note, stacklevel=stacklevel_of_caller())
        # files are framed as they are decoded
        if framing.changes and not isinstance(found.images, DecodedImages):
            found = dataclasses.replace(found, images=FramedImages(found.images, framing))
    if channels is not None:
        found = dataclasses.replace(found, images=RecolouredImages(found.images, channels))
    return found


def _open_named(
    source: str | os.PathLike,
    split: str | None,
    framing: Framing,
    root: str | os.PathLike | None,
    of_array: dict[str, Any],
) -> ImageSet:
    path, text = Path(source), os.fspath(source)
    if path.exists():
        check_regular(path)
        return _open_path(path, split, framing, of_array)
    if text in IMAGE_SETS:
        _refuse_for_arrays(of_array, text)
        known = _split_of(split, IMAGE_SETS[text].splits)
        return open_known(text, known, framing, data_root(root))
    hint = did_you_mean(text, IMAGE_SETS) or near_file(path)
    raise DataError(
        f"{text!r} is no file, folder or known image set{hint}. Expected a path, or "
        f"one of {', '.join(sorted(IMAGE_SETS))}."
    )


def _open_path(
    path: Path, split: str | None, framing: Framing, of_array: dict[str, Any]
) -> ImageSet:
    """Open a file or folder in the first of the formats that knows it."""
    for kind in FORMATS:
        if splits := kind.splits(path):
            chosen = _split_of(split, splits) or ("train" if "train" in splits else splits[0])
            if chosen not in splits:
                raise DataError(
                    f"{path} has no split {split!r}. Expected one of {', '.join(splits)}."
                )
            if kind is arrays.FILE:
                return arrays.read_arrays(path, chosen, **of_array)
            _refuse_for_arrays(of_array, path)
            return kind.read(path, chosen, framing)
    layouts = "; ".join(f"{kind.name}: {kind.layout}" for kind in FORMATS)
    raise DataError(f"{path} has no images in a known format. Expected one of: {layouts}.")


def _split_of(split: str | None, splits: Iterable[str]) -> str | None:
    """The split that is meant, which may be named in other words, such as "val"."""
    if split is None or split in splits:
        return split
    return next((own for own, words in folders.SPLITS.items() if split in words), split)


def _refuse_for_arrays(of_array: dict[str, Any], what: object) -> None:
    for name, value in of_array.items():
        if value is not None:
            raise ParameterError(f"{name} is for arrays, and {what} has its own: leave it out.")
