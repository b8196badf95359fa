"""``pushforward interpolate``, ``edit`` and ``diagnose``: the latents of images at work."""

from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from ..errors import DataError, ParameterError
from .arguments import Crop, Data, Folder, Json, Label, Picture, Quiet, Seed, Size, Split
from .console import Console, print_json, print_table
from .image_commands import need_label
from .image_io import check_picture, images_at_a_time, labels_of, open_for_model
from .registry import loaded, of_images, raise_unsupported

__all__ = ["diagnose", "edit", "interpolate"]

_MOST = 5000  # images that a mean latent is taken over
_END = "A picture, a folder of them, a file of arrays, or a known name."


def interpolate(
    folder: Folder,
    a: Annotated[str, typer.Argument(metavar="A", help=_END, show_default=False)],
    b: Annotated[
        str,
        typer.Argument(
            metavar="B",
            help="The same. If it is A again, the images after those of A.",
            show_default=False,
        ),
    ],
    output: Picture,
    steps: Annotated[
        int, typer.Option(metavar="N", min=2, help="Images on the way, both ends among them.")
    ] = 9,
    n: Annotated[
        int, typer.Option("--rows", "-n", metavar="N", min=1, help="The first N of each.")
    ] = 8,
    split: Split = None,
    size: Size = None,
    crop: Crop = None,
    label: Label = None,
    quiet: Quiet = False,
) -> None:
    """Draw the way from images to others, straight in the latent; a row for each pair.

    The ends are the images themselves: what was encoded is decoded exactly. Of conditional
    models, each way is that of one label: with `--label own`, that of the image of A.

    `pushforward interpolate glow anna.png ben.png -o way.png`
    """
    console = Console(quiet)
    model = _of_images(folder, "interpolate", output)
    need_label(model, label)
    first = open_for_model(model, a, split, size, crop, console)
    second = first if a == b else open_for_model(model, b, split, size, crop, console)
    skip = min(n, len(first) // 2) if a == b else 0
    rows = min(n, len(first), len(second) - skip)
    if a == b and skip == 0:
        raise DataError(f"{a} has one image. Expected two images, or two names.")
    ends = [_picked(first, slice(0, rows)), _picked(second, slice(skip, skip + rows))]
    paths = model.interpolate(*ends, steps=steps, **_labelled(model, first, slice(0, rows), label))
    heads = [f"{share:.2g}" for share in np.linspace(0, 1, steps)]
    _draw(output, model, paths.swapaxes(0, 1), heads)


def edit(
    folder: Folder,
    data: Data,
    output: Picture,
    attribute: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", show_default=False,
            help="An attribute or class of DATA: images with it less images without.",
        ),
    ] = None,
    with_: Annotated[
        str | None,
        typer.Option("--with", metavar="DATA", help="Images that have it.", show_default=False),
    ] = None,
    without: Annotated[
        str | None,
        typer.Option(metavar="DATA", help="Images that do not.", show_default=False),
    ] = None,
    amounts: Annotated[
        str,
        typer.Option(metavar="A,B,...", help="How much of it to add; 0 is the image itself."),
    ] = "-1,-0.5,0,0.5,1",
    n: Annotated[
        int, typer.Option("--rows", "-n", metavar="N", min=1, help="The first N of DATA.")
    ] = 8,
    split: Split = None,
    size: Size = None,
    crop: Crop = None,
    label: Label = None,
    quiet: Quiet = False,
) -> None:  # fmt: skip
    """Draw images with more and less of an attribute; a row for each image.

    The attribute is a direction in the latent: the mean of images that have it less the mean of
    images that do not, of at most 5,000 each. Of amounts that begin with a minus sign write
    --amounts=-1,0,1.

    `pushforward edit glow celeba --attribute Smiling -o smiling.png`

    `pushforward edit glow faces --with smiling/ --without serious/ -o smiling.png`
    """
    console = Console(quiet)
    shares = _numbers(amounts)
    if (attribute is None) == (with_ is None and without is None):
        raise ParameterError("Give --attribute, or --with and --without.")
    if attribute is None and (with_ is None or without is None):
        raise ParameterError("--with and --without go together. Give both.")
    model = _of_images(folder, "edit", output)
    need_label(model, label)
    found = open_for_model(model, data, split, size, crop, console)
    if attribute is not None:
        has = _mask(found, attribute)
        sides = [(found, np.flatnonzero(has)), (found, np.flatnonzero(~has))]
    else:
        pair = [
            open_for_model(model, str(one), split, size, crop, console) for one in (with_, without)
        ]
        sides = [(one, np.arange(len(one))) for one in pair]
    few = [(one, rows[_spread(len(rows))]) for one, rows in sides]
    with console.row_progress("encoding", sum(len(rows) for _, rows in few)) as advance:
        has_it, has_not = (_mean_latent(model, one, rows, label, advance) for one, rows in few)
    n = min(n, len(found))
    of = _labelled(model, found, slice(0, n), label)
    edited = model.manipulate(_picked(found, slice(0, n)), has_it - has_not, shares, **of)
    _draw(output, model, edited, [f"{share:+.3g}" if share else "0" for share in shares])


def diagnose(
    folder: Folder,
    data: Data,
    n: Annotated[
        int, typer.Option("--rows", "-n", metavar="N", min=1, help="The first N of DATA.")
    ] = 64,
    seed: Seed = None,
    split: Split = None,
    size: Size = None,
    crop: Crop = None,
    label: Label = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Measure how invertible and how stable a flow is.

    Errors of the round trip through the latent are in grey levels: below 0.5, every pixel comes
    back.

    `pushforward diagnose glow cifar10 --split test`
    """
    model = _of_images(folder, "diagnose")
    found = open_for_model(model, data, split, size, crop, Console(quiet))
    first = slice(0, min(n, len(found)))
    own = _labelled(model, found, first, label)
    measured = model.diagnose(_picked(found, first), random_state=seed or 0, **own)
    if json:
        print_json(measured)
    else:
        lines = [(_words(name), f"{value:.3g}") for name, value in measured.items()]
        print_table({"measure": "left", "value": "right"}, lines)


def _of_images(folder: Path, command: str, output: Path | None = None) -> Any:
    if output is not None:
        check_picture(output)
    model = loaded(folder, command)
    if not of_images(model):
        raise_unsupported(type(model).__name__, command)
    return model


def _picked(found: Any, rows: Any) -> Any:
    """Some images of a set, in memory, as a source."""
    from ..data import ArrayImages

    return ArrayImages(found.images[rows], "nchw")


def _labelled(model: Any, found: Any, rows: Any, label: str | None) -> dict[str, Any]:
    """The argument with the labels of some images of a set, for models that take one."""
    labels = labels_of(model, found, label)
    return {} if labels is None else {"y": labels[rows]}


def _draw(output: Path, model: Any, paths: np.ndarray, heads: list[str]) -> None:
    """Write images (n, columns, ...), in the layout of the model, as a picture; print its name."""
    from ..data import ArrayImages
    from ..data.images import write_grid

    flat = paths.reshape(-1, *paths.shape[2:])
    write_grid(output, ArrayImages(flat, model.pixels_.layout)[:], paths.shape[1], heads=heads)
    print(output)


def _mask(found: Any, name: str) -> np.ndarray:
    """Which images of a set have an attribute, or are of a class.

    Raises:
        ParameterError: for a name that is neither, and one that all or none have.
    """
    attributes, classes = found.attributes or {}, ()
    if found.labels is not None:
        classes = found.class_names or tuple(map(str, range(found.labels.max() + 1)))
    if name in attributes:
        has = attributes[name]
    elif name in classes:
        has = found.labels == classes.index(name)
    else:
        known = ", ".join([*attributes, *classes])
        raise ParameterError(
            f"--attribute is {name!r}. {found.name} has "
            + (f"{known}." if known else "no attributes: give --with and --without.")
        )
    if has.all() or not has.any():
        raise DataError(f"{'All' if has.any() else 'No'} images of {found.name} are {name!r}.")
    return has


def _spread(n: int) -> np.ndarray:
    """At most so many places among n, evenly spread."""
    return np.linspace(0, n - 1, min(n, _MOST)).round().astype(int)


def _mean_latent(
    model: Any, found: Any, rows: np.ndarray, label: str | None, advance: Any
) -> np.ndarray:
    total = np.zeros(model.pixels_.n_values)
    block = images_at_a_time(model.pixels_.n_values)
    for start in range(0, len(rows), block):
        some = rows[start : start + block]
        z = model.encode(_picked(found, some), **_labelled(model, found, some, label))
        total += z.sum(0, dtype=np.float64)
        advance(len(z))
    return total / len(rows)


def _numbers(text: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise ParameterError(
            f"--amounts is {text!r}. Expected numbers with commas between, such as -1,0,1."
        ) from None


_WORDS = {
    "round_trip.data": "round trip of the images, grey levels",
    "round_trip.noise": "round trip of noise, grey levels",
    "round_trip.constant": "round trip of constant images, grey levels",
}


def _words(name: str) -> str:
    if name.startswith("non_finite."):
        return f"samples not finite at temperature {name.removeprefix('non_finite.')}"
    return _WORDS.get(name, name.replace("_", " "))
