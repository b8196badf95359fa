"""What ``explain`` does for models of images: which images are strange, and where they are."""

from pathlib import Path
from typing import Any

import numpy as np

from .console import Console, print_table
from .image_commands import need_label
from .image_io import batches, labels_of
from .table_io import at_row

__all__ = ["explain_images", "print_unlikely"]

_RED, _BLUE = (np.array(c)[:, None, None] for c in ((1.0, 0.1, 0.1), (0.1, 0.35, 1.0)))


def explain_images(
    model: Any, found: Any, n: int, output: Path | None, *, label: str | None, console: Console
) -> list[dict[str, Any]]:
    """Find the strangest images and draw them.

    Args:
        model: a flow of images that has ``inlier_maps``.
        found: the images.
        n: how many.
        output: of the picture, or None.
        label: of conditional models, as of ``score``.
        console: where progress goes.

    Returns:
        For each, the strangest first: its number, or name if it has one, inlier score, p-value and
        the place that costs it most, as row and column.
    """
    from scipy.ndimage import uniform_filter

    from ..data.images.image_files import FileImages

    need_label(model, label)
    y = labels_of(model, found, label)
    scores = np.empty(len(found))
    with console.row_progress("scoring", len(found)) as advance:
        for rows, images in batches(found):
            with at_row(rows.start):
                scores[rows] = model.inlier_scores(images, None if y is None else y[rows])
            advance(len(images))
    numbers = np.argsort(scores, kind="stable")[:n]
    images = found.images[numbers]
    source, own = _source(images), None if y is None else y[numbers]
    maps = model.inlier_maps(source, own)
    if output is not None:
        _draw(output, images, maps, numbers)
    paths = found.images.paths if isinstance(found.images, FileImages) else None
    unlikely: list[dict[str, Any]] = []
    for number, each in zip(numbers.tolist(), maps, strict=True):
        # a place is larger than a pixel: of 28, five by five of them
        smoothed = uniform_filter(each, 2 * (min(each.shape) // 14) + 1)
        row, column = divmod(int(smoothed.argmin()), each.shape[1])
        name = number if paths is None else str(paths[number])
        one = {"image": name, "inlier_score": float(scores[number]), "row": row, "column": column}
        if model.held_out_scores_ is not None and y is None:
            one["p_value"] = float(model.p_values_of(scores[number]))
        unlikely.append(one)
    return unlikely


def print_unlikely(unlikely: list[dict[str, Any]]) -> None:
    """The strangest images, for people."""
    heads = {"image": "left", "inlier score": "right", "p-value": "right"}
    lines = [
        (
            str(one["image"]),
            f"{one['inlier_score']:.1f}",
            f"{one['p_value']:.3g}" if "p_value" in one else "",
            f"row {one['row']}, column {one['column']}",
        )
        for one in unlikely
    ]
    print_table(heads | {"worst place": "left"}, lines)


def _source(images: np.ndarray) -> Any:
    from ..data import ArrayImages

    return ArrayImages(images, "nchw")


def _draw(output: Path, images: np.ndarray, maps: np.ndarray, numbers: np.ndarray) -> None:
    """Images, and below each its map: red where a place costs more than usual, blue where less."""
    from ..data.images import write_grid

    most = np.quantile(np.abs(maps), 0.995) or 1.0
    share = np.clip(maps / most, -1, 1)[:, None]
    white = np.ones((3, 1, 1))
    ink = np.where(share < 0, _RED, _BLUE)
    drawn = (255 * (white + np.abs(share) * (ink - white))).round().astype(np.uint8)
    shown = images[:, :3] if images.shape[1] >= 3 else images[:, :1].repeat(3, axis=1)
    heads = [str(number) for number in numbers]
    page = np.concatenate([shown, drawn])
    write_grid(output, page, len(images), heads=heads, sides=["image", "where"])
