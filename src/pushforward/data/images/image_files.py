"""Pictures in files of their own, decoded when they are asked for."""

import functools
import importlib.util
import os
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from ...errors import DataError
from ...wording import worded
from .cropping import Framing, one_size, pillow
from .image_sources import Which, rows

__all__ = [
    "HEIC",
    "SUFFIXES",
    "DecodedImages",
    "FileImages",
    "is_grey",
    "readable",
    "refuse_depth",
]

SUFFIXES = (
    *(".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".bmp", ".ppm", ".pgm", ".pbm", ".pnm"),
    *(".gif", ".tif", ".tiff", ".avif"),
)
HEIC = (".heic", ".heif", ".hif")  # need pillow-heif
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "PPM", "GIF", "TIFF", "AVIF")
MOST_PIXELS = 2**26  # of a picture; a small file can claim any number
ORIENTATION = 0x0112  # the Exif tag that says which way a camera was held


@functools.cache
def readable() -> tuple[str, ...]:
    """Endings of the files that can be decoded here."""
    return SUFFIXES + (HEIC if importlib.util.find_spec("pillow_heif") else ())


@functools.cache
def _formats() -> tuple[str, ...]:
    """Pillow's names of the formats that are tried; no other decoder is let near a file."""
    if readable() == SUFFIXES:
        return FORMATS
    import pillow_heif  # pyright: ignore[reportMissingImports] (an extra)

    pillow_heif.register_heif_opener()
    return (*FORMATS, "HEIF")


def is_grey(mode: str) -> bool:
    """Whether a picture of this mode of Pillow has one channel."""
    return mode in ("1", "L", "LA", "La")


class DecodedImages:
    """Encoded pictures, decoded when they are asked for; a subclass says where they are.

    A set is grey if all its pictures are; else all become RGB. Transparency is dropped, of
    animations and stacks the first frame is read, and photographs are turned upright as their
    Exif says.

    Args:
        count: number of pictures.
        framing: the part and size that is used.
        original: (width, height) and number of channels of every picture where these are known;
            None reads the head of each.

    Attributes:
        shape: (C, H, W) of every image.
        notes: which pictures have frames that are not read, in sentences.

    Raises:
        DataError: for pictures that end in different sizes, have more than 8 bits a channel, or
            cannot be read, naming the file.
    """

    def __init__(
        self, count: int, framing: Framing, original: tuple[tuple[int, int], int] | None = None
    ) -> None:
        self.framing = framing
        self._count = count
        self.notes: tuple[str, ...] = ()
        if original is None:
            heads = _map(self._head, range(count))
            channels = 1 if all(grey for _, grey, _ in heads) else 3
            sizes = Counter(size for size, _, _ in heads)
            self.notes = self._of_frames([frames for _, _, frames in heads])
            height, width = one_size(sizes, framing, self._name(0))
        else:
            (height, width), channels = framing.output(*original[0]), original[1]
        self.shape: tuple[int, int, int] = (channels, height, width)

    def file(self, number: int) -> Path | BinaryIO:
        raise NotImplementedError

    def _name(self, number: int) -> str:
        raise NotImplementedError

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, which: Which) -> np.ndarray:
        wanted = np.arange(len(self))[rows(which)]
        out = np.empty((len(wanted), *self.shape), np.uint8)
        for place, picture in enumerate(_map(self._decode, wanted.tolist())):
            out[place] = picture
        return out

    def _open(self, number: int) -> Any:
        """Open a picture without decoding it."""
        Image = pillow(self._name(number))
        image = Image.open(self.file(number), formats=_formats())
        if image.width * image.height > MOST_PIXELS:
            image.close()
            raise DataError(
                f"it claims {image.width} x {image.height} pixels, more than {MOST_PIXELS:,}"
            )
        return image

    def _head(self, number: int) -> tuple[tuple[int, int], bool, int]:
        """Return (width, height) of a picture as it is seen, whether it is grey, its frames."""
        try:
            with self._open(number) as image:
                refuse_depth(image.mode)
                turned = "exif" in image.info and image.getexif().get(ORIENTATION, 1) >= 5
                size = image.size[::-1] if turned else image.size
                # cameras put a preview behind a photograph and call that MPO; Pillow counts frames
                # of those formats only that may have several
                frames = 1 if image.format == "MPO" else getattr(image, "n_frames", 1)
                return size, is_grey(image.mode), frames
        except Exception as error:
            raise self._unreadable(number, error) from error

    def _decode(self, number: int) -> np.ndarray:
        """Return a picture of shape (C, H, W)."""
        from PIL import ImageOps

        try:
            with self._open(number) as image:
                refuse_depth(image.mode)
                upright = ImageOps.exif_transpose(image) if "exif" in image.info else image
                image = upright.convert("L" if self.shape[0] == 1 else "RGB")
            pixels = np.asarray(self.framing.apply(image))
        except Exception as error:
            raise self._unreadable(number, error) from error
        pixels = pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)
        if pixels.shape != self.shape:
            raise DataError(
                f"{self._name(number)} has shape {pixels.shape} and the other images of the set "
                f"{self.shape}. Expected one shape: give " + worded("size=SIDE.", "--size SIDE.")
            )
        return pixels

    def _of_frames(self, frames: Sequence[int]) -> tuple[str, ...]:
        several = [number for number, count in enumerate(frames) if count > 1]
        if not several:
            return ()
        more = sum(frames) - len(frames)
        return (
            f"of {len(several)} pictures with several frames ({self._name(several[0])}) the first "
            f"is read, and {more} others are not.",
        )

    def _unreadable(self, number: int, error: Exception) -> DataError:
        # decoders of damaged files raise whatever they meet: SyntaxError, struct.error, ...
        return DataError(
            f"{self._name(number)} cannot be read as an image: {error}. Expected a whole "
            f"picture in one of {', '.join(_formats())}, 8 bits a channel: mend it or take it out "
            "of the set."
        )


class FileImages(DecodedImages):
    """Pictures in files of their own; the arguments and errors are those of the base class.

    Args:
        paths: the files.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        framing: Framing | None = None,
        original: tuple[tuple[int, int], int] | None = None,
    ) -> None:
        self.paths = paths
        super().__init__(len(paths), framing or Framing(), original)

    def file(self, number: int) -> Path:
        return self.paths[number]

    def _name(self, number: int) -> str:
        return str(self.paths[number])


def refuse_depth(mode: str) -> None:
    """Refuse a picture whose mode of Pillow has more than 8 bits a channel."""
    if mode.startswith(("I", "F")):
        raise DataError(f"it has more than 8 bits a channel (mode {mode})")


def _map(work: Any, numbers: Sequence[int]) -> list:
    """Apply a function to numbers, on several cores; decoders leave Python while they work."""
    if len(numbers) < 8 or (os.cpu_count() or 1) == 1:
        return [work(number) for number in numbers]
    with ThreadPoolExecutor(min(16, os.cpu_count() or 1)) as pool:
        return list(pool.map(work, numbers))
