"""Which part of a picture is used, and at what size."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...errors import DataError, ParameterError
from ...wording import setting, worded
from .image_sources import ImageSource, Which

__all__ = ["CROPS", "FramedImages", "Framing", "one_size", "pillow"]

CROPS = ("closecrop", "resizecrop")
CELEBA = (178, 218)  # width and height of the published aligned faces


def pillow(what: object = "Images in files") -> Any:
    """Return Pillow's Image module.

    Raises:
        DataError: where it is not installed, with the command that installs it.
    """
    try:
        from PIL import Image
    except ImportError as error:
        raise DataError(
            f"{what} cannot be read: Pillow is not installed. Install it: "
            'pip install "pushforward[images]"'
        ) from error
    return Image


@dataclass(frozen=True)
class Framing:
    """Which part of a picture is used, and at what size.

    Args:
        size: None, a side, or (height, width). The largest centred part of that shape is resized
            to it, by area-aware bilinear interpolation.
        crop: None; a whole number k, the centred square of side k, before ``size``; "closecrop",
            for CelebA's aligned faces the centred square of side 140 at ``size`` 64 (Mescheder,
            Nowozin and Geiger, "Adversarial variational Bayes", 2017); or "resizecrop", the face
            resized to 64 x 78 (width, height) by Lanczos interpolation, without its first 7 and
            last 7 rows (Dumoulin et al., "Adversarially learned inference", 2017).

    Raises:
        ParameterError: for any other size or crop.
    """

    size: int | tuple[int, int] | None = None
    crop: int | str | None = None

    def __post_init__(self) -> None:
        size = self.size if isinstance(self.size, (tuple, list)) else (self.size, self.size)
        if self.size is not None:
            if len(size) != 2 or not all(type(side) is int and side > 0 for side in size):
                raise ParameterError(
                    f"size is {self.size!r}. Expected a side in pixels, or (height, width)."
                )
            object.__setattr__(self, "size", tuple(size))
        fine = self.crop is None or self.crop in CROPS
        if not fine and (type(self.crop) is not int or self.crop <= 0):
            raise ParameterError(
                f"{setting('crop')} is {self.crop!r}. Expected the side of a centred square, "
                "'closecrop' or 'resizecrop'."
            )
        if self.crop == "resizecrop" and self.size not in (None, (64, 64)):
            raise ParameterError(
                f"{setting('size')} is {self.size!r}. Expected 64 with "
                f"{setting('crop', 'resizecrop')}, which defines it."
            )
        if self.crop == "closecrop" and self.size is None:
            object.__setattr__(self, "size", (64, 64))

    @property
    def changes(self) -> bool:
        """Whether there is anything to do."""
        return self.size is not None or self.crop is not None

    def output(self, width: int, height: int) -> tuple[int, int]:
        """Return (height, width) of what :meth:`apply` makes of a picture.

        Raises:
            DataError: for a picture that the crop is not made for.
        """
        if self.crop in CROPS and (width, height) != CELEBA:
            raise DataError(
                f"{setting('crop', self.crop)} is made for CelebA's aligned faces of 178 x 218, "
                f"and these are {width} x {height}. Expected "
                + worded("crop=SIDE or size=SIDE.", "--crop SIDE or --size SIDE.")
            )
        if isinstance(self.crop, int) and self.crop > min(width, height):
            raise DataError(f"crop is {self.crop} and an image {width} x {height}: too small.")
        if self.crop == "resizecrop":
            return 64, 64
        if isinstance(self.size, tuple):
            return self.size
        return (self.crop, self.crop) if isinstance(self.crop, int) else (height, width)

    def apply(self, image: Any) -> Any:
        """Frame a Pillow image of one channel or RGB."""
        Image = pillow()
        height, width = self.output(*image.size)
        if self.crop == "resizecrop":
            return image.resize((64, 78), Image.Resampling.LANCZOS).crop((0, 7, 64, 71))
        side = 140 if self.crop == "closecrop" else self.crop
        if isinstance(side, int):
            left, top = (image.width - side) // 2, (image.height - side) // 2
            image = image.crop((left, top, left + side, top + side))
        if image.size == (width, height):
            return image
        scale = min(image.width / width, image.height / height)
        left, top = (image.width - width * scale) / 2, (image.height - height * scale) / 2
        box = (left, top, left + width * scale, top + height * scale)
        return image.resize((width, height), Image.Resampling.BILINEAR, box=box)


class FramedImages:
    """Images of a source, framed when they are read; channel by channel, so any number goes."""

    def __init__(self, source: ImageSource, framing: Framing) -> None:
        channels, height, width = source.shape
        self.source = source
        self.framing = framing
        self.shape: tuple[int, int, int] = (channels, *framing.output(width, height))

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, which: Which) -> np.ndarray:
        images = self.source[which]
        Image = pillow("size= and crop=")
        planes = images.reshape(-1, *images.shape[2:])
        out = np.empty((len(planes), *self.shape[1:]), np.uint8)
        for number, plane in enumerate(planes):
            out[number] = self.framing.apply(Image.fromarray(plane))
        return out.reshape(len(images), *self.shape)


def one_size(sizes: Counter[tuple[int, int]], framing: Framing, where: object) -> tuple[int, int]:
    """Return (height, width) of what the framing makes of pictures of these (width, height).

    Raises:
        DataError: if they end in different sizes, naming the sizes.
    """
    made = Counter()
    for (width, height), count in sizes.items():
        made[framing.output(width, height)] += count
    if len(made) != 1:
        common = ", ".join(f"{w} x {h} ({count})" for (w, h), count in sizes.most_common(4))
        more = ", ..." if len(sizes) > 4 else ""
        raise DataError(
            f"{where} and the images beside it have {len(sizes)} sizes: {common}{more}. Expected "
            "one width x height: give "
            + worded("size=SIDE, or crop=SIDE", "--size SIDE, or --crop SIDE")
            + " for a centred square."
        )
    return next(iter(made))
