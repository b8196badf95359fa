"""``pushforward evaluate`` and ``compare``: how good models and samples are."""

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from ..data.tables.lazy_table import column_labels
from ..data.tables.reading_options import ReadingOptions
from ..errors import DataError, ParameterError
from .arguments import Crop, Drop, Json, Quiet, Scale, Seed, Size
from .compare_sweep import Minutes, Ranges, Runs, Sweeps, compare_fitted, to_fit
from .console import Console, print_json, print_table
from .fit_options import bounds_of
from .image_io import open_images_as
from .reading_options import AS_FOUND, reads_tables
from .registry import find_model, loaded, of_images, of_tables
from .table_io import find_column, known_columns, models_holes, open_source, take
from .text_io import is_text, of_text

__all__ = ["ComparisonInputs", "compare", "evaluate"]

_SETTINGS = "How"

_Real = "Real data the model was not fitted on."
Train = Annotated[
    str | None,
    typer.Option(
        metavar="DATA",
        show_default=False,
        help="What the model was fitted on: tells memory from skill.",
    ),
]
Other = Annotated[
    str | None,
    typer.Option(
        "--ood",
        metavar="DATA",
        show_default=False,
        help="Data of another kind: how well the scores tell them apart.",
    ),
]
Measures = Annotated[
    list[str] | None,
    typer.Option(
        "--measure",
        "-m",
        metavar="NAME",
        rich_help_panel=_SETTINGS,
        show_default=False,
        help="Take only this one, such as fid or two_sample. Can be repeated.",
    ),
]
Features = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        rich_help_panel=_SETTINGS,
        show_default=False,
        help="Features of images: inception, cifar_resnet20, classifier, pca, pixels.",
    ),
]
Target = Annotated[
    str | None,
    typer.Option(
        metavar="COLUMN",
        rich_help_panel=_SETTINGS,
        show_default=False,
        help="The column of a table that train_on_synthetic predicts.",
    ),
]
Rows = Annotated[
    int,
    typer.Option(
        "--rows",
        "-n",
        metavar="N",
        min=4,
        rich_help_panel=_SETTINGS,
        help="Rows of either side at most.",
    ),
]
Images = Annotated[
    bool,
    typer.Option(
        "--images", rich_help_panel=_SETTINGS,
        help="Take data that could be both for images, such as the set digits.",
    ),
]  # fmt: skip


@reads_tables
def evaluate(
    what: Annotated[
        str,
        typer.Argument(
            metavar="MODEL|SAMPLES", show_default=False,
            help="A model's folder, or samples: a table, array, folder of pictures, or .txt or "
            ".txt.gz file of lines.",
        ),
    ],
    data: Annotated[str, typer.Argument(metavar="DATA", help=_Real, show_default=False)],
    train: Train = None,
    other: Other = None,
    measure: Measures = None,
    features: Features = None,
    target: Target = None,
    rows: Rows = 10_000,
    images: Images = False,
    pixel_range: Scale = None,
    drop: Drop = None,
    reading: ReadingOptions = AS_FOUND,
    seed: Seed = 0,
    json: Json = False,
    quiet: Quiet = False,
) -> None:  # fmt: skip
    """Judge a model or its samples against real data, each figure with its 95 % interval.

    Tables, images and lines of text have measures of their own. NAME:SPLIT is a split of a known
    image set. docs/measures.md says what each measure means and what it cannot see.

    `pushforward evaluate model people-test.csv --train people.csv`

    `pushforward evaluate samples.npy mnist:test --train mnist:train --features classifier`
    """
    console = Console(quiet)
    opened = ComparisonInputs(
        [what], data, train, other, target, drop or [], images, console,
        scale=pixel_range, reading=reading,
    )  # fmt: skip
    with console.fit_progress(None) as report:
        found = opened.compare(
            measures=measure or None,
            features=features,
            n=rows,
            random_state=seed or 0,
            report=report,
        )[what]
    _note(found, console)
    if json:
        print_json(found.to_dict())
        return
    print_table(
        {"measure": "left", "value": "right", "95 % interval": "right", "better": "left"},
        [(m.name, f"{m.value:.4g}", _interval(m), m.better or "") for m in found.measures],
    )


@reads_tables
def compare(
    what: Annotated[
        list[str],
        typer.Argument(
            metavar="MODEL|SAMPLES...", show_default=False,
            help="As of evaluate, any number; or names of models, to be fitted to --train first.",
        ),
    ],
    data: Annotated[str, typer.Option("--data", metavar="DATA", help=_Real, show_default=False)],
    train: Train = None,
    other: Other = None,
    measure: Measures = None,
    features: Features = None,
    target: Target = None,
    rows: Rows = 10_000,
    images: Images = False,
    minutes: Minutes = None,
    runs: Runs = None,
    range_: Ranges = None,
    size: Size = None,
    crop: Crop = None,
    pixel_range: Scale = None,
    output: Sweeps = None,
    drop: Drop = None,
    reading: ReadingOptions = AS_FOUND,
    seed: Seed = 0,
    json: Json = False,
    quiet: Quiet = False,
) -> None:  # fmt: skip
    """Judge several models or samples by the same measures, rows and features.

    A star marks the best of each measure; those whose intervals overlap with its are not told
    apart. Names of models stand for models to be fitted: once with their own settings, or --runs
    times with settings drawn at random, of which the best ten are shown.

    `pushforward compare people-gis people-auto --data people-test.csv --train people.csv`

    `pushforward compare alpha-gan dcgan age --train cifar10 --data cifar10:test --minutes 5
    --runs 10 -o sweep`
    """
    console = Console(quiet)
    if len(set(what)) < len(what):
        raise ParameterError("The same model is named twice. Expected different ones.")
    settings = {
        "measures": measure or None,
        "features": features,
        "n": rows,
        "random_state": seed or 0,
    }
    if to_fit(what):
        images = images or find_model(what[0]).data == "images"
        framing = size, crop
        opened = ComparisonInputs(
            [],
            data,
            train,
            other,
            target,
            drop or [],
            images,
            console,
            framing,
            pixel_range,
            reading,
        )
        compare_fitted(
            what, opened, minutes=minutes, runs=runs, ranges=range_, output=output, json=json,
            console=console, **settings,
        )  # fmt: skip
        return
    only = {"--minutes": minutes, "--runs": runs, "--range": range_, "--output": output}
    only |= {"--size": size, "--crop": crop}
    if given := [name for name, value in only.items() if value]:
        raise ParameterError(f"{given[0]} is for names of models, which are fitted. Leave it out.")
    opened = ComparisonInputs(
        what, data, train, other, target, drop or [], images, console,
        scale=pixel_range, reading=reading,
    )  # fmt: skip
    with console.fit_progress(None) as report:
        found = opened.compare(report=report, **settings)
    for name, evaluation in found.evaluations.items():
        _note(evaluation, console, f"{name}: ")
    if json:
        print_json(found.to_dict())
        return
    lines = []
    for measure_name in found.measure_names:
        best, cells = found.best(measure_name), []
        for name, evaluation in found.evaluations.items():
            taken = {m.name: m for m in evaluation.measures}.get(measure_name)
            star = "*" if name == best else ""
            text = "" if taken is None else f"{taken.value:.4g} ({_interval(taken)}){star}"
            cells.append(text.replace(" ()", ""))
        lines.append((measure_name, *cells))
    print_table({"measure": "left", **dict.fromkeys(found.evaluations, "right")}, lines)


def _interval(measure: Any) -> str:
    return "{:.4g} ... {:.4g}".format(*measure.interval) if measure.interval else ""


def _note(found: Any, console: Console, prefix: str = "") -> None:
    for text in found.warnings:
        console.note(f"{prefix}{text}")
    if found.skipped:
        lacking = " ".join(f"{name}: {reason}" for name, reason in found.skipped.items())
        console.note(f"{prefix}not taken: {lacking}")


class ComparisonInputs:
    """Everything a comparison reads, opened as what the models and the data are.

    Attributes:
        compared: models and samples by what was named.
        real, train, other: the data; None where none was named.
        target: the column that ``train_on_synthetic`` predicts, or None.
    """

    def __init__(
        self, what: list[str], data: str, train: str | None, other: str | None,
        target: str | None, drop: list[str], images: bool, console: Console,
        framing: tuple[str | None, str | None] = (None, None), scale: str | None = None,
        reading: ReadingOptions = AS_FOUND,
    ) -> None:  # fmt: skip
        self._console, self._drop, self._framing, self._reading = console, drop, framing, reading
        self._scale = None if scale is None else bounds_of(scale)
        models = {name: loaded(Path(name), "sample") for name in what if _is_model(name)}
        self._images = images or any(of_images(model) for model in models.values())
        self._text = next((model for model in models.values() if of_text(model)), None)
        self._like = next((m for m in models.values() if of_tables(m)), None)
        known = None if self._like is None else self._like.columns_
        self._columns = list(known.labels) if known is not None and known.layout.named else None
        self.compared = {
            name: models[name] if name in models else self._open(name, None) for name in what
        }
        self.real = self._open(data, "test")
        self.train = None if train is None else self._open(train, "train")
        self.other = None if other is None else self._open(other, "test")
        self.target: str | int | None = target
        if target is not None:
            self.target = find_column(target, column_labels(self.real), "--target")

    def compare(self, **options: Any) -> Any:
        """The comparison of everything that was named."""
        from ..metrics import compare

        return compare(
            self.compared, self.real, train=self.train, other=self.other, target=self.target,
            **options,
        )  # fmt: skip

    def _open(self, source: str, split: str | None) -> Any:
        """A table, an image set or lines, by what the name or file is."""
        from ..data import DATASETS, open_text
        from ..data.tables.table_files import SUFFIXES

        path = Path(source)
        if is_text(source):
            lines = open_text(path, blank=split is None)  # of samples, which have no split
            return lines if self._text is None else self._text.cut(lines)
        if not self._images:
            if self._scale is not None:
                raise ParameterError("--pixel-range is for images: give --images as well.")
            is_table = path.name.lower().endswith(SUFFIXES) or (
                source in DATASETS and not path.exists()
            )
            if is_table or (path.is_dir() and any(path.rglob("*.parquet"))):
                return self._table(source)
        try:
            return _open_images(source, split, *self._framing)
        except DataError:  # an array that is no bytes
            if self._scale is None or path.suffix.lower() not in (".npy", ".npz"):
                raise
            return open_images_as(source, None, *self._framing, pixel_range=self._scale)

    def _table(self, source: str) -> Any:
        table = open_source(source, self._console, self._reading, self._like)
        labels = list(table.columns)
        gone = [find_column(name, labels, "--drop") for name in self._drop]
        wanted = [label for label in labels if label not in gone]
        if self._columns is not None and self._like is not None:
            columns = self._like.columns_
            needed = [
                label
                for label, one in zip(columns.labels, columns.columns, strict=True)
                if not one.left_out
            ]
            if set(needed) - set(wanted):
                holes = models_holes(self._like)
                known_columns(wanted, needed, source, self._console, needed=True, holes=holes)
            if not set(self._columns) - set(wanted):
                wanted = self._columns
        X = table.read()
        return take(X, labels, wanted) if labels else X


def _is_model(name: str) -> bool:
    return (Path(name) / "config.json").is_file()


def _open_images(source: str, split: str | None, size: str | None, crop: str | None) -> Any:
    from ..data.images import image_sets

    name, colon, given = source.rpartition(":")
    if colon and not os.path.exists(source):
        return open_images_as(name, given, size, crop)
    known = {found.name: found for found in image_sets()}
    try:
        return open_images_as(source, split if source in known else None, size, crop)
    except DataError:
        if source not in known or split is None:
            raise
        return open_images_as(source, None, size, crop)
