"""What users have in memory: arrays, tensors, lists, pairs with labels, data sets of others."""

import dataclasses
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence, Sized
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from ...errors import DataError, stacklevel_of_caller
from .cropping import FramedImages, Framing, pillow
from .image_files import DecodedImages, FileImages, is_grey, refuse_depth
from .image_sources import (
    ArrayImages,
    ImageSet,
    ImageSource,
    find_layout,
    known_layout,
    usual_layout,
)
from .labels import numbers_and_names, refuse_gaps

__all__ = ["as_image_set", "as_images", "holds_images"]

_IMAGES = ("image", "img", "images", "pixel_values", "x", "X")
_NUMBERS = (np.generic, np.ndarray, torch.Tensor)
_LABELS = ("label", "labels", "fine_label", "y", "target", "targets")
_EXPECTED = (
    "Expected images: a uint8 array of shape (N, H, W), (N, H, W, C) or (N, C, H, W), a list of "
    "pictures, a data set or loader of torch or Hugging Face, a pair (X, y) of images and labels, "
    "or what open_images returns for a file, folder or name."
)


def as_images(
    X: Any, layout: str | None = None, *, pixel_range: Any = None
) -> tuple[ImageSource, str]:
    """Bring what a user has to images of shape (n, C, H, W); arrays are not copied.

    Args:
        X, layout, pixel_range: as of :func:`as_image_set`.

    Returns:
        ``(source, layout)``: the images, and the layout in which images are to be given back:
        that of the array; "nhw" or "nhwc" for a set or source.

    Raises:
        DataError: for other dtypes and shapes, for no images, and for shapes that can be read
            two ways.

    >>> source, layout = as_images(np.zeros((10, 3, 8, 8), np.uint8))
    >>> source.shape, layout
    ((3, 8, 8), 'nchw')
    """
    found, layout = as_image_set(X, layout, pixel_range=pixel_range)
    return found.images, layout


def as_image_set(
    X: Any,
    layout: str | None = None,
    *,
    pixel_range: Any = None,
    framing: Framing | None = None,
) -> tuple[ImageSet, str]:
    """The images a user has, with the labels and names of classes that come with them.

    Args:
        X: an array or tensor of shape (N, H, W), (N, H, W, C) or (N, C, H, W); a list of such
            pictures, of Pillow's or of paths; a pair (images, labels); a data set or loader of
            torch or Hugging Face, which is read once into memory; an :class:`ImageSet` or an
            :class:`ImageSource`.
        layout: "nhw", "nhwc" or "nchw"; None finds it out from the shape, where the axis of
            channels is the one with 1, 3 or 4 or beside a square.
        pixel_range: the values (low, high) of black and white of arrays that are no bytes, such
            as (0, 1) or (-1, 1).
        framing: part and size of pictures that are used; None uses them as they are.

    Returns:
        ``(images, layout)``: with the layout in which images are to be given back. What is left
        out of them is named in a warning.

    Raises:
        DataError: for what cannot be read as images, and labels that are not one for each.

    >>> found, _ = as_image_set((np.zeros((2, 8, 8), np.uint8), ["cat", "dog"]))
    >>> found.labels.tolist(), found.class_names
    ([0, 1], ('cat', 'dog'))
    """
    layout = None if layout is None else known_layout(layout)
    if _is_pair(X):
        found, layout = as_image_set(X[0], layout, pixel_range=pixel_range, framing=framing)
        labels, names = _labels(X[1])
        return dataclasses.replace(found, labels=labels, class_names=names), layout
    if isinstance(X, ImageSet):
        found = dataclasses.replace(X, images=_framed(X.images, framing))
    elif _is_data_set(X):
        found, layout = _gathered(X, layout, pixel_range, framing)
    else:
        source, layout = _source(X, layout, pixel_range, framing)
        notes = source.notes if isinstance(source, DecodedImages) else ()
        found = ImageSet(source, notes=notes)
    for note in () if isinstance(X, ImageSet) else found.notes:
        warnings.warn(note, stacklevel=stacklevel_of_caller())
    if len(found) == 0:
        raise DataError("X has no images. Expected at least one.")
    layout = layout or usual_layout(found.images.shape)
    if layout == "nhw" and found.images.shape[0] != 1:
        raise DataError(
            f"The images have {found.images.shape[0]} channels, which layout 'nhw' has no axis "
            "for. Expected 'nhwc' or 'nchw'."
        )
    return found, layout


def holds_images(X: Any) -> bool:
    """Whether X is images by what it is: sets, sources, data sets, lists of pictures, pairs.

    Of arrays and tensors only their dtype and shape can tell, and of lists of paths only the
    files; both are no images here.

    >>> pictures = [np.zeros((8, 8), np.uint8)] * 3
    >>> holds_images(pictures), holds_images((pictures, [0, 1, 0])), holds_images([[1, 2], [3, 4]])
    (True, True, False)
    """
    if isinstance(X, ImageSet) or _is_data_set(X) or _is_pair(X):
        return True
    if isinstance(X, (list, tuple)):
        return len(X) > 0 and all(
            _is_pillow(one) or (hasattr(one, "dtype") and len(np.shape(one)) in (2, 3))
            for one in X
        )
    # arrays of any library have a dtype, and sources have not
    return not hasattr(X, "dtype") and isinstance(X, ImageSource) and len(X.shape) == 3


def _source(
    X: Any, layout: str | None, pixel_range: Any, framing: Framing | None
) -> tuple[Any, str | None]:
    """X as a source, and the layout it has, where it has one."""
    if isinstance(X, (list, tuple)):
        X, known = _stacked(X, framing)
        if known or isinstance(X, FileImages):
            layout, framing = known or layout, None  # they are framed by now
        elif layout is None and X.ndim == 3:
            layout = "nhw"  # each of them is a picture: W is no number of channels
    if isinstance(X, torch.Tensor):
        X = _array(X)
    if isinstance(X, np.ndarray):
        layout = layout or find_layout(X.shape)
        return _framed(ArrayImages(X, layout, pixel_range), framing), layout
    if isinstance(X, ImageSource) and len(X.shape) == 3:
        return _framed(X, framing), layout
    if isinstance(X, Mapping) and X:
        first = next(iter(X))
        raise DataError(f"X holds {list(X)}. Expected one of them, such as X[{first!r}].")
    raise DataError(f"X is a {type(X).__name__}. {_EXPECTED}")


def _framed(source: ImageSource, framing: Framing | None) -> ImageSource:
    return source if framing is None or not framing.changes else FramedImages(source, framing)


def _array(tensor: torch.Tensor) -> np.ndarray:
    tensor = tensor.detach().cpu()
    return (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy()


# Lists


def _stacked(pictures: Sequence, framing: Framing | None) -> tuple[Any, str | None]:
    """Pictures as one array, or as a source where they are paths; the layout where it is known."""
    if not len(pictures):
        raise DataError("X has no images. Expected at least one.")
    if all(isinstance(one, (str, Path)) for one in pictures):
        if lacking := [str(one) for one in pictures if not Path(one).is_file()]:
            raise DataError(f"{lacking[0]!r} is no file. {_EXPECTED}")
        return FileImages([Path(one) for one in pictures], framing), None
    if any(_is_pillow(one) for one in pictures):
        return _of_pillow(pictures, framing)
    try:
        arrays = [_array(p) if isinstance(p, torch.Tensor) else np.asarray(p) for p in pictures]
        if framing is not None and framing.changes and all(_is_plain(one) for one in arrays):
            return _of_pillow([pillow().fromarray(np.squeeze(one)) for one in arrays], framing)
        return np.stack(arrays), None
    except ValueError as error:
        shapes = sorted({np.shape(picture) for picture in pictures}, key=str)[:4]
        raise DataError(
            f"The images cannot be stacked: they have the shapes {shapes}. Expected one shape, "
            "or bring them to one: open_images(X, size=SIDE)."
        ) from error


def _is_plain(array: np.ndarray) -> bool:
    """Whether Pillow takes a picture as it is."""
    plain = array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (1, 3))
    return array.dtype == np.uint8 and plain


def _is_pillow(picture: Any) -> bool:
    image = sys.modules.get("PIL.Image")  # without it there are no pictures of Pillow
    return image is not None and isinstance(picture, image.Image)


def _of_pillow(pictures: Sequence, framing: Framing | None) -> tuple[np.ndarray, str]:
    """Pillow's pictures as grey (n, H, W) if all are, else as RGB (n, H, W, 3)."""
    if other := next((one for one in pictures if not _is_pillow(one)), None):
        raise DataError(f"X has a picture of Pillow and a {type(other).__name__}. Expected one.")
    for one in pictures:
        refuse_depth(one.mode)
    mode = "L" if all(is_grey(one.mode) for one in pictures) else "RGB"
    apply = (lambda one: one) if framing is None else framing.apply
    arrays = [np.asarray(apply(one.convert(mode))) for one in pictures]
    if len({one.shape for one in arrays}) > 1:
        sizes = sorted({one.size for one in pictures})[:4]
        raise DataError(
            f"The pictures have the sizes {sizes} (width, height). Expected one size: "
            "open_images(X, size=SIDE)."
        )
    return np.stack(arrays), "nhw" if mode == "L" else "nhwc"


# Labels


def _is_pair(X: Any) -> bool:
    """Whether X is (images, labels): one label for each image."""
    if not (isinstance(X, tuple) and len(X) == 2) or isinstance(X[0], (str, Path)):
        return False
    if not all(isinstance(part, Sized) for part in X) or _is_pillow(X[1]):
        return False
    several = isinstance(X[0], (list, tuple, ImageSet)) or len(np.shape(X[0])) >= 3
    return several and len(np.shape(X[1])) in (1, 2)


def _labels(y: Any) -> tuple[np.ndarray, tuple[str, ...] | None]:
    """Labels (n,) as whole numbers, and the names of classes where they were names."""
    return numbers_and_names(_array(y) if isinstance(y, torch.Tensor) else np.asarray(y), "X")


# Data sets of others


@runtime_checkable
class _HuggingFace(Protocol):
    """A data set of Hugging Face, whose library need not be here."""

    features: Any
    column_names: Any

    def __iter__(self) -> Iterator[Any]: ...


def _is_data_set(X: Any) -> bool:
    return isinstance(X, (Dataset, DataLoader)) or _is_hugging_face(X)


def _is_hugging_face(X: Any) -> bool:
    return isinstance(X, _HuggingFace)


def _gathered(
    X: Any, layout: str | None, pixel_range: Any, framing: Framing | None
) -> tuple[ImageSet, str | None]:
    """A data set or loader, read once from beginning to end."""
    loader = isinstance(X, DataLoader)
    pictures: list[Any] = []
    labels: list[Any] = []
    key = None
    items: Any = X
    places = range(len(items)) if isinstance(X, Sized) and not loader else None
    for item in items if places is None else map(items.__getitem__, places):
        image, label, key = _parts(item)
        if loader and not _is_pillow(image):
            pictures.extend(image)
            labels.extend([None] * len(image) if label is None else label)
        else:
            pictures.append(image)
            labels.append(label)
    if not pictures:
        raise DataError("X has no images. Expected at least one.")
    source, layout = _source(pictures, layout, pixel_range, framing)
    notes = _left_out(X, len(pictures)) if loader else ()
    numbers, names = None, None
    if any(label is not None for label in labels):
        single = [y.item() if isinstance(y, _NUMBERS) and np.size(y) == 1 else y for y in labels]
        if any(y is None for y in single):
            gaps = [None if y is None else 0 for y in single]
            refuse_gaps(np.array(gaps, dtype=object), "the data set")
        numbers, names = _labels(np.asarray(single))
        names = names or _class_names(X, key, numbers)
    return ImageSet(source, numbers, names, name="data set", notes=notes), layout


def _parts(item: Any) -> tuple[Any, Any, str | None]:
    """Image, label and the label's key of an item or batch of a data set."""
    if isinstance(item, dict):
        image = next((item[name] for name in _IMAGES if name in item), None)
        if image is None:
            raise DataError(f"Its items have {list(item)}. Expected one of {', '.join(_IMAGES)}.")
        key = next((name for name in _LABELS if name in item), None)
        return image, None if key is None else item[key], key
    if isinstance(item, (list, tuple)):
        return item[0], item[1] if len(item) > 1 else None, None
    return item, None, None


def _left_out(loader: DataLoader, n: int) -> tuple[str, ...]:
    whole = len(loader.sampler) if isinstance(loader.sampler, Sized) else n
    if whole <= n:
        return ()
    return (f"the loader left out {whole - n} of {whole} images: drop_last=False gives all.",)


def _class_names(X: Any, key: str | None, labels: np.ndarray) -> tuple[str, ...] | None:
    """Names of the classes, where the data set has them: of number k at place k."""
    names = None
    # by their names: data sets of torchvision and others share no class that has them
    while X is not None and names is None:
        if _is_hugging_face(X) and key is not None and X.features:
            names = getattr(X.features.get(key), "names", None)
        else:
            names = getattr(X, "classes", None)
        X = getattr(X, "dataset", None)
    if not isinstance(names, (list, tuple)) or not all(isinstance(name, str) for name in names):
        return None
    return tuple(names) if labels.min() >= 0 and labels.max() < len(names) else None
