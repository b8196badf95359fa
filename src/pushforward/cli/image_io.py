"""Images on their way in and out: opened as a model needs them, batch by batch, and where to."""

import dataclasses
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DataError, ParameterError
from ..storage.atomic import partial_folder
from .console import Console

__all__ = [
    "batches",
    "check_picture",
    "image_sink",
    "images_at_a_time",
    "known_labels",
    "labels_of",
    "open_for_model",
    "open_images_as",
    "parse_size",
]

_VALUES = 1 << 22  # numbers in one batch: a few copies of 16 MiB is all a command holds
_MOST_SHOWN = 4096  # images of one picture

Write = Callable[[np.ndarray], None]


def images_at_a_time(n_values: int) -> int:
    """Images of one batch: fewer of large ones, so that memory does not grow with their size.

    >>> images_at_a_time(3 * 32 * 32), images_at_a_time(3 * 1024 * 1024)
    (1344, 64)
    """
    return max(64, min(8192, _VALUES // n_values // 64 * 64))


def parse_size(text: str | None) -> int | tuple[int, int] | None:
    """Read a side, or HEIGHTxWIDTH.

    >>> parse_size("32"), parse_size("48x64")
    (32, (48, 64))
    """
    if text is None:
        return None
    sides = text.lower().split("x")
    if len(sides) > 2 or not all(side.isdecimal() for side in sides):
        raise ParameterError(f"--size is {text!r}. Expected a side such as 32, or 48x64 (H x W).")
    return int(sides[0]) if len(sides) == 1 else (int(sides[0]), int(sides[1]))


def open_images_as(
    data: str, split: str | None, size: str | None, crop: str | None, **of_array: Any
) -> Any:
    """Open images with the command line's options, ``layout`` and ``pixel_range`` included."""
    from ..data import open_images

    crop_of = int(crop) if crop and crop.isdecimal() else crop
    return open_images(data, split, size=parse_size(size), crop=crop_of, **of_array)


def open_for_model(
    model: Any, data: str, split: str | None, size: str | None, crop: str | None, console: Console
) -> Any:
    """Open images as a model needs them, with a note, where neither size nor crop was given.

    They are cropped as those of the fit were, unless they have the model's size and are too small
    for it: then somebody has done so before. They are resized to the model's size.

    Raises:
        DataError: for images of another number of channels, or another size than was asked for.
    """
    height, width = model.pixels_.shape[1:]
    its_size = f"{height}x{width}"
    scale = _scale_of(model, data, split)
    if size is not None or crop is not None:
        found = open_images_as(data, split, size, crop, **scale)
    elif (cropped := _cropped(model, data, split, its_size)) is not None:
        found = cropped
        console.note(f"the images of {data} were cropped as in fit: {model.settings_['crop']}.")
    else:
        try:
            found = open_images_as(data, split, None, None, **scale)
            was = " x ".join(map(str, found.images.shape[1:]))
        except DataError:  # pictures of several sizes can be opened at one
            found = open_images_as(data, split, its_size, None, **scale)
            was = "several sizes"
        if was != f"{height} x {width}":
            found = open_images_as(data, split, its_size, None, **scale)
            console.note(f"the images of {data} were resized from {was} to {height} x {width}.")
    if found.images.shape[1:] == (height, width) and _recoloured(found, model):
        found = dataclasses.replace(found, images=_recoloured(found, model))
        kind = "grey" if model.pixels_.shape[0] == 1 else "three channels"
        console.note(f"the images of {data} were turned to {kind}, as those of the fit.")
    if found.images.shape != model.pixels_.shape:
        raise DataError(
            f"The images of {data} have shape {found.images.shape} (channels, height, width). "
            f"The model was fitted on {model.pixels_.shape}: give --size {its_size}, or other "
            "images."
        )
    return found


def _scale_of(model: Any, data: str, split: str | None) -> dict[str, Any]:
    """The scale of the fit, for an array that is no bytes."""
    scale = model.settings_.get("pixel_range")
    if scale is None or not data.lower().endswith((".npy", ".npz")):
        return {}
    try:
        open_images_as(data, split, None, None)
    except DataError:
        return {"pixel_range": scale}
    return {}


def _recoloured(found: Any, model: Any) -> Any:
    """The images with the model's channels, where there is a way; else None."""
    from ..data.images import RecolouredImages

    have, want = found.images.shape[0], model.pixels_.shape[0]
    fits = have != want and have in (1, 3, 4) and want in (1, 3)
    return RecolouredImages(found.images, want) if fits else None


def _cropped(model: Any, data: str, split: str | None, size: str) -> Any:
    """The images cropped as in the fit, or None where they were not, or need not be."""
    if (crop := model.settings_.get("crop")) is None:
        return None
    try:
        return open_images_as(data, split, size, crop)
    except DataError:
        if open_images_as(data, split, None, None).images.shape != model.pixels_.shape:
            raise
        return None


def batches(found: Any, block: int | None = None) -> Iterator[tuple[slice, Any]]:
    """Yield (which images, the images as a source in memory) of a set, at constant memory.

    Args:
        found: the set.
        block: images at a time; None takes as many as memory allows.
    """
    from ..data import ArrayImages

    n, block = len(found), block or images_at_a_time(int(np.prod(found.images.shape)))
    for start in range(0, n, block):
        rows = slice(start, min(start + block, n))
        yield rows, ArrayImages(found.images[rows], "nchw")


def labels_of(model: Any, found: Any, label: str | None) -> np.ndarray | None:
    """Labels (n,) of the images of a set as ``--label`` says; None where it says nothing.

    Raises:
        ParameterError: for models without classes, and labels that are not known.
        DataError: where the images have none.
    """
    if label is None:
        return None
    if label == "own" and model.classes_ is not None:
        if found.labels is None:
            raise DataError(f"The images of {found.name} have no labels of their own.")
        from ..data.images import labels_by_name

        return labels_by_name(found, model.classes_, names_of(model))
    return np.full(len(found), class_of(model, label))


def names_of(model: Any) -> tuple[str, ...] | None:
    """Names of the classes of a conditional model, where they have names."""
    return model.capabilities().class_names


def known_labels(model: Any) -> list[str]:
    """What ``--label`` may be for a conditional model."""
    return list(names_of(model) or map(str, model.classes_.tolist()))


def class_of(model: Any, label: str) -> int:
    """A label of the command line, a name or number, as one of a conditional model.

    Raises:
        ParameterError: for models without classes, and labels that are not known.
    """
    if model.classes_ is None:
        raise ParameterError(
            f"This {type(model).__name__} is not conditional: it has no labels. Leave --label out."
        )
    from ..data.images import places_of

    try:
        return int(model.classes_[places_of(label, model.classes_, names_of(model))[0]])
    except DataError:
        known = ", ".join(known_labels(model))
        raise ParameterError(f"--label is {label!r}. Expected one of {known}.") from None


def check_picture(output: Path) -> None:
    """Refuse, before the work, a name that is not one of a picture."""
    if output.suffix.lower() != ".png":
        raise ParameterError(f"--output is {str(output)!r}. Expected a name that ends in .png.")


@contextmanager
def image_sink(output: Path | None, layout: str, **page: Any) -> Iterator[Write]:
    """Yield a function that appends images to a file.

    A name that ends in .png becomes one picture of all, npy and npz an array, a name without an
    ending a folder of numbered pictures. It gets its name when all is written; with an error
    nothing of it is left.

    Args:
        output: where.
        layout: of the images that come.
        page: options of ``write_grid``, for one picture.

    Raises:
        ParameterError: for no name or another ending.
        DataError: for a folder that is not empty, and for too many images for one picture.
    """
    if output is None:
        raise ParameterError(
            "Images do not go to stdout. Give --output X.png (one picture), X.npy or X.npz (an "
            "array), or a folder for numbered pictures."
        )
    suffix = output.suffix.lower()
    if output.is_dir() or not suffix:
        with _folder(output, layout) as write:
            yield write
    elif suffix == ".png":
        with _page(output, layout, page) as write:
            yield write
    elif suffix in (".npy", ".npz"):
        from ..data import TableWriter

        with TableWriter(output) as writer:
            yield writer.write
    else:
        raise ParameterError(
            f"--output is {str(output)!r}. Expected a name that ends in .png, .npy or .npz, or "
            "in nothing for a folder."
        )


@contextmanager
def _page(output: Path, layout: str, page: dict[str, Any]) -> Iterator[Write]:
    from ..data import ArrayImages
    from ..data.images import write_grid

    parts: list[np.ndarray] = []

    def write(images: np.ndarray) -> None:
        parts.append(ArrayImages(images, layout)[:])
        if (n := sum(map(len, parts))) > _MOST_SHOWN:
            raise DataError(
                f"{n:,} images are too many for one picture. Expected at most {_MOST_SHOWN:,}: "
                "write .npy, or a folder."
            )

    yield write
    write_grid(output, np.concatenate(parts), **page)


@contextmanager
def _folder(output: Path, layout: str) -> Iterator[Write]:
    """Numbered pictures in a folder that appears when they are all there."""
    from ..data import ArrayImages
    from ..data.images import write_picture

    target = Path(os.path.realpath(output))
    if os.path.lexists(target) and (not target.is_dir() or os.listdir(target)):
        raise DataError(f"{output} is there already and is not an empty folder. Choose another.")
    target.parent.mkdir(parents=True, exist_ok=True)
    count = 0
    with partial_folder(target, _is_picture) as work:

        def write(images: np.ndarray) -> None:
            nonlocal count
            for image in ArrayImages(images, layout)[:]:
                try:
                    write_picture(work / f"{count:06d}.png", image)
                except OSError as error:
                    raise DataError(
                        f"{output} cannot be written: {error.strerror or error}. Expected a "
                        "folder you may write to, with room for the pictures."
                    ) from error
                count += 1

        yield write
        os.replace(work, target)


def _is_picture(name: str) -> bool:
    """Whether a file has the name of a numbered picture."""
    return re.fullmatch(r"\d{6,}\.png", name) is not None
