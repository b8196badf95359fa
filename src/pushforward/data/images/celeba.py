"""CelebA (Liu, Luo, Wang and Tang, "Deep learning face attributes in the wild", 2015)."""

from pathlib import Path

import numpy as np

from ...errors import DataError
from .cropping import Framing
from .formats import Format, name_of
from .image_files import FileImages
from .image_sources import ImageSet

__all__ = ["FOLDER"]

SPLITS = ("train", "valid", "test")  # numbered 0, 1, 2 in the published partition
PARTITION, ATTRIBUTES = "list_eval_partition.txt", "list_attr_celeba.txt"
IDENTITIES = "identity_CelebA.txt"


def _beside(path: Path, name: str) -> Path:
    """Return where a list is: beside the images, or in a folder as the archive has it."""
    for folder in ("", "Eval", "Anno"):
        if (path / folder / name).is_file():
            return path / folder / name
    return path / name


def _home(path: Path) -> Path | None:
    for home in (path / "img_align_celeba", path / "Img" / "img_align_celeba"):
        if home.is_dir():
            inner = home / "img_align_celeba"  # as some copies of the archive unpack
            return inner if inner.is_dir() else home
    return None


def _splits(path: Path) -> tuple[str, ...]:
    known = path.is_dir() and _beside(path, PARTITION).is_file()
    return SPLITS if known and _home(path) else ()


def _lines(path: Path) -> list[list[str]]:
    try:
        return [line.split() for line in path.read_text().splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read: {error}. Expected CelebA's list.") from error


def _numbers(lines: list[list[str]], path: Path) -> np.ndarray:
    """Return the numbers beside the names of files; shape (n, k)."""
    try:
        return np.array([line[1:] for line in lines], dtype=np.int64)
    except ValueError as error:
        raise DataError(
            f"{path} is damaged: {error}. Expected a file name and whole numbers a line."
        ) from error


def _of(files: list[str], lines: list[list[str]], path: Path) -> np.ndarray:
    """Return the numbers of some files, in their order; shape (n, k)."""
    numbers = _numbers(lines, path)
    place = {line[0]: row for row, line in enumerate(lines)}
    missing = [name for name in files if name not in place]
    if missing:
        raise DataError(f"{path} does not have {missing[0]} and {len(missing) - 1} others.")
    return numbers[[place[name] for name in files]]


def _read(path: Path, split: str, framing: Framing) -> ImageSet:
    home, listed = _home(path), _beside(path, PARTITION)
    assert home is not None
    lines = _lines(listed)
    wanted = _numbers(lines, listed)[:, 0] == SPLITS.index(split)
    files = [line[0] for line, chosen in zip(lines, wanted, strict=True) if chosen]
    there = {entry.name for entry in home.iterdir()}
    missing = [name for name in files if name not in there]
    if missing or not files:
        raise DataError(
            f"{home} lacks {len(missing):,} of the {len(files):,} {split} images that "
            f"{listed.name} has ({', '.join(missing[:3])}). Expected all: unpack it again."
        )
    attributes = None
    if (listed := _beside(path, ATTRIBUTES)).is_file():
        lines = _lines(listed)  # the first counts the images, the second names the attributes
        values = _of(files, lines[2:], listed)
        if values.shape[1] != len(lines[1]) or not np.isin(values, (-1, 1)).all():
            raise DataError(f"{listed} is damaged. Expected -1 or 1 for each attribute.")
        attributes = {name: values[:, j] == 1 for j, name in enumerate(lines[1])}
    people = None
    if (listed := _beside(path, IDENTITIES)).is_file():
        people = _of(files, _lines(listed), listed)[:, 0]
    paths = [home / name for name in files]
    _, height, width = FileImages(paths[:1]).shape  # all have one size, so the others can wait
    images = FileImages(paths, framing, ((width, height), 3))
    return ImageSet(images, people, None, attributes, name_of(path), split)


FOLDER = Format(
    "CelebA, aligned and cropped",
    f"img_align_celeba/*.jpg, {PARTITION}, {ATTRIBUTES} (attributes), {IDENTITIES} (labels; both "
    "may be missing)",
    _splits, _read,
)  # fmt: skip
