"""Where images come from: arrays in memory or on disk, read a batch at a time.

Users have uint8 images as (N, H, W), (N, H, W, C) or (N, C, H, W); the library has (n, C, H, W).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np

from ...errors import DataError, ParameterError
from ...validation import OneOf, check
from ...wording import setting, worded
from .pixel_range import checked_range, refuse_scale, refuse_values_beyond, to_bytes

__all__ = [
    "LAYOUTS",
    "ArrayImages",
    "ImageSet",
    "ImageSource",
    "JoinedImages",
    "Which",
    "find_layout",
    "known_layout",
    "rows",
    "usual_layout",
]

LAYOUTS = ("nhw", "nhwc", "nchw")
_CHANNELS = (1, 3, 4)  # numbers of channels by which an axis is taken for that of the channels
_PICTURE = 16  # pixels a side that one picture has at the least

Which = slice | np.ndarray | Sequence[int]


@runtime_checkable
class ImageSource(Protocol):
    """Images of one shape that are read when asked for.

    ``source[which]``, with a slice, integers or a boolean mask, is a new uint8 array of shape
    (n, C, H, W).
    """

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape (C, H, W) of every image."""
        ...

    def __len__(self) -> int: ...

    def __getitem__(self, which: Which) -> np.ndarray: ...


@dataclass(frozen=True, repr=False)
class ImageSet:
    """Images with what is known of them.

    Attributes:
        images: the n images.
        labels: the class of each, int64 of shape (n,), or None.
        class_names: the name of class k at place k, or None.
        attributes: what is true of each image: boolean arrays of shape (n,) by name, or None.
        name: what the set is called.
        split: "train", "test", "valid", as the set has, or "all" for a set without splits.
        notes: what lay beside the images and was not read, in sentences.
    """

    images: ImageSource
    labels: np.ndarray | None = None
    class_names: tuple[str, ...] | None = None
    attributes: dict[str, np.ndarray] | None = None
    name: str = "images"
    split: str = "all"
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        columns = {} if self.labels is None else {"labels": self.labels}
        for name, values in (columns | (self.attributes or {})).items():
            if values.shape != (len(self.images),):
                raise DataError(
                    f"{self.name} has {len(self.images)} images and {name} of shape "
                    f"{values.shape}. Expected one value for each image."
                )

    def __len__(self) -> int:
        return len(self.images)

    def __repr__(self) -> str:
        size = " x ".join(map(str, self.images.shape))
        return f"ImageSet({self.name!r}, {self.split!r}, {len(self)} images of {size})"


class ArrayImages:
    """An array of images, in memory or memory-mapped, seen as (n, C, H, W).

    Args:
        array: uint8, or with ``pixel_range`` other numbers, in the axes that ``layout`` names.
        layout: "nhw", "nhwc" or "nchw", also in capitals.
        pixel_range: the values (low, high) of black and white; each image becomes bytes when it
            is read. None is (0, 255) of bytes.

    Raises:
        DataError: for another dtype or number of axes, an axis of length 0 besides the first,
            and values beyond ``pixel_range``.
        ParameterError: for an unknown layout, and a range that is none.

    >>> ArrayImages(np.zeros((5, 32, 32, 3), np.uint8), "nhwc").shape
    (3, 32, 32)
    """

    def __init__(self, array: np.ndarray, layout: str = "nchw", pixel_range: Any = None) -> None:
        layout = known_layout(layout)
        scale = checked_range(pixel_range)
        if array.dtype == np.uint8 and scale == (0, 255):
            scale = None
        if array.dtype != np.uint8 and scale is None:
            raise refuse_scale(array)
        if array.ndim != len(layout) or 0 in array.shape[1:]:
            raise DataError(f"The images have shape {array.shape}. Expected the axes {layout!r}.")
        if scale is not None:
            refuse_values_beyond(array, scale)
        self.array = array
        self.layout = layout
        self.scale = scale

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape (C, H, W) of every image."""
        if self.layout == "nhw":
            return (1, *self.array.shape[1:])
        a, b, c = self.array.shape[1:]
        return (a, b, c) if self.layout == "nchw" else (c, a, b)

    def __len__(self) -> int:
        return len(self.array)

    def __getitem__(self, which: Which) -> np.ndarray:
        picked = self.array[rows(which)]
        if self.scale is not None:
            picked = to_bytes(picked, self.scale)
        if self.layout == "nhw":
            picked = picked[:, None]
        elif self.layout == "nhwc":
            picked = picked.transpose(0, 3, 1, 2)
        return np.array(picked, order="C", copy=True if isinstance(which, slice) else None)


class JoinedImages:
    """Several sources of one shape, one after the other.

    Raises:
        DataError: if their images have different shapes.
    """

    def __init__(self, parts: Sequence[ImageSource]) -> None:
        shapes = {part.shape for part in parts}
        if len(shapes) != 1:
            raise DataError(f"The parts have images of shapes {sorted(shapes)}. Expected one.")
        self.parts = tuple(parts)
        self.shape: tuple[int, int, int] = shapes.pop()
        self._ends = np.cumsum([len(part) for part in parts])

    def __len__(self) -> int:
        return int(self._ends[-1])

    def __getitem__(self, which: Which) -> np.ndarray:
        wanted = np.arange(len(self))[rows(which)]
        owner = np.searchsorted(self._ends, wanted, side="right")
        out = np.empty((len(wanted), *self.shape), np.uint8)
        for number, part in enumerate(self.parts):
            here = owner == number
            if here.any():
                out[here] = part[wanted[here] - (self._ends[number] - len(part))]
        return out


def rows(which: Which) -> Any:
    """Return an index of the first axis that keeps the axis.

    Raises:
        ParameterError: for anything else, such as one integer.
    """
    if isinstance(which, slice):
        return which
    index = np.asarray(which)
    if index.ndim != 1 or (index.size and index.dtype.kind not in "iub"):
        raise ParameterError(
            f"Images were asked for by {which!r}. Expected a slice, a list of integers or a mask: "
            "images[5:6] is the sixth."
        )
    return index if index.size else index.astype(np.intp)


def usual_layout(shape: tuple[int, int, int]) -> str:
    """Return how images of shape (C, H, W) are usually given to people."""
    return "nhw" if shape[0] == 1 else "nhwc"


def known_layout(layout: Any) -> str:
    """The layout in small letters.

    Raises:
        ParameterError: for one that is not known.

    >>> known_layout("NHWC")
    'nhwc'
    """
    known = layout.lower() if isinstance(layout, str) else layout
    check({"layout": OneOf(*LAYOUTS)}, {"layout": known})
    return known


def find_layout(shape: tuple[int, ...]) -> str:
    """Tell which axes an array of images has.

    Raises:
        DataError: if its shape can be read in none or more than one way.

    >>> find_layout((100, 32, 32, 3)), find_layout((100, 28, 28)), find_layout((100, 5, 16, 16))
    ('nhwc', 'nhw', 'nchw')
    """
    if len(shape) == 3:
        if shape[2] in _CHANNELS and min(shape[:2]) >= _PICTURE:
            raise DataError(
                f"An array of shape {shape} can be one picture (H, W, C) or {shape[0]} grey "
                f"images of {shape[1]} x {shape[2]}. Of one picture, give "
                + worded("X[None]", "an array of four axes")
                + f"; of grey images, say {setting('layout', 'nhw')}."
            )
        return "nhw"
    if len(shape) != 4:
        raise DataError(
            f"The images have shape {shape}. Expected (N, H, W), (N, H, W, C) or (N, C, H, W)."
        )
    a, b, c = shape[1:]
    first, last = a in _CHANNELS, c in _CHANNELS
    if first == last:  # by the numbers it is both or neither: what is beside a square?
        first, last = a != b == c, a == b != c
    if first == last:
        raise DataError(
            f"Images of shape {shape} can be (N, H, W, C) or (N, C, H, W). Say which: "
            f"{setting('layout', 'nhwc')} or {setting('layout', 'nchw')}."
        )
    return "nchw" if first else "nhwc"
