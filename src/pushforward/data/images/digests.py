"""Digests of whole image sets: a run is resumed with the images it was begun with, and no others.

Large files are read once: what they came to is kept in the user's cache folder, by their places,
sizes and times of change.
"""

import hashlib
import mmap
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ...storage.atomic import write_file_atomically
from .cropping import FramedImages
from .datasets import cache_folder
from .grey import RecolouredImages
from .image_files import DecodedImages, FileImages
from .image_sources import ArrayImages, ImageSource, JoinedImages

__all__ = ["digest_of"]

_LARGE = 1 << 26  # bytes of files that are not read again
_BLOCK = 1 << 24  # bytes that are hashed together


def digest_of(source: ImageSource) -> str:
    """SHA-256 of all images of a source; of pictures in files, of these files.

    >>> images = np.zeros((3, 8, 8), np.uint8)
    >>> digest_of(ArrayImages(images, "nhw")) == digest_of(ArrayImages(images[:, None], "nchw"))
    True
    """
    if isinstance(source, DecodedImages):
        return _of_files(source)
    if isinstance(source, FramedImages | RecolouredImages):
        framing = source.framing if isinstance(source, FramedImages) else None
        how = f"{framing} {source.shape}"
        return _joined([type(source).__name__, how, digest_of(source.source)])
    if isinstance(source, JoinedImages):
        return _joined([digest_of(part) for part in source.parts])
    if not isinstance(source, ArrayImages):
        return _of_images(source)
    array = source.array
    # a part of a mapped array knows its file, but not its place there
    if isinstance(array, np.memmap) and isinstance(array.base, mmap.mmap) and array.filename:
        how = f"{array.offset} {array.dtype} {array.strides} {source.shape} {source.scale}"
        return _kept([Path(array.filename)], how, lambda: _of_images(source))
    return _of_images(source)


def _of_images(source: ImageSource) -> str:
    total = hashlib.sha256(f"{len(source)} {source.shape} ".encode())
    rows = max(1, _BLOCK // max(1, int(np.prod(source.shape))))
    for start in range(0, len(source), rows):
        total.update(np.ascontiguousarray(source[start : start + rows]).data)
    return total.hexdigest()


def _of_files(source: DecodedImages) -> str:
    """Of the encoded pictures, without decoding them."""

    def read() -> str:  # one after the other: together they may be larger than memory
        files = map(source.file, range(len(source)))
        return _joined(hashlib.sha256(_bytes(file)).hexdigest() for file in files)

    how = f"{source.framing} {source.shape}"
    paths = list(source.paths) if isinstance(source, FileImages) else []
    return _joined([how, _kept(paths, "pictures", read) if paths else read()])


def _bytes(file: Path | BinaryIO) -> bytes:
    return file.read_bytes() if isinstance(file, Path) else file.read()


def _joined(parts: Iterable[str]) -> str:
    total = hashlib.sha256()
    for part in parts:
        total.update(f"{len(part)}:{part}".encode())
    return total.hexdigest()


def _kept(paths: list[Path], what: str, make: Callable[[], str]) -> str:
    """A digest of files, from the cache where they are large and have not changed since."""
    found = [path.stat() for path in paths]
    if sum(one.st_size for one in found) < _LARGE:
        return make()
    key = hashlib.sha256(what.encode())
    for path, one in zip(paths, found, strict=True):
        times = one.st_size, one.st_ino, one.st_mtime_ns, one.st_ctime_ns
        key.update(f"{os.path.realpath(path)} {times}\n".encode())
    place = cache_folder() / "digests" / key.hexdigest()
    try:
        text = place.read_text(encoding="ascii")
        if len(bytes.fromhex(text)) == hashlib.sha256().digest_size:
            return text
    except (OSError, ValueError):
        pass  # not there, or damaged: made again
    made = make()
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        write_file_atomically(place, made.encode())
    except OSError:
        pass  # it is only slower the next time
    return made
