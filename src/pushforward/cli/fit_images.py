"""``pushforward fit`` for models of images."""

from pathlib import Path
from typing import Any

from .console import Console
from .fit_options import FitOptions
from .fit_run import fit_run
from .image_io import open_images_as
from .reading_options import refuse_reading
from .registry import ModelEntry, only_for, parameters_of

__all__ = ["fit_images"]


def fit_images(
    entry: ModelEntry,
    data: str,
    output: Path,
    options: FitOptions,
    *,
    there: bool,
    more: bool,
    console: Console,
) -> Any:
    """Train a model on what ``open_images`` opens; arguments as of :func:`fit_run`."""
    refuse_reading(options.reading, entry.cls)
    only_for("tables", entry.cls, options.of_tables())

    def opened() -> tuple[Any, dict[str, Any], str]:
        found = open_images_as(
            data, options.split, options.size, options.crop,
            layout=options.layout, pixel_range=options.pixel_range,
        )  # fmt: skip
        return found, {}, f"{len(found):,} images of {' x '.join(map(str, found.images.shape))}"

    given = {"random_state": options.random_state, "minutes": options.minutes}
    parameters = parameters_of(entry, given, options.set)
    noted: dict[str, Any] = {}  # with which later images are opened; the size is the model's
    if options.crop is not None:
        noted["crop"] = options.crop
    if options.pixel_range is not None:
        noted["pixel_range"] = list(options.pixel_range)
    return fit_run(
        entry, opened, output, parameters, there=there, more=more, console=console, noted=noted
    )
