"""``pushforward explain`` and ``info``: why a row is strange, and what a model is."""

from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from ..data.tables.reading_options import ReadingOptions
from ..plain_text import printable
from .arguments import (
    IMAGES,
    Crop,
    Data,
    Drop,
    Folder,
    Gaps,
    Json,
    Label,
    Quiet,
    Size,
    Split,
)
from .console import Console, print_json, print_table
from .explain_images import explain_images, print_unlikely
from .explain_predictions import explain_predictions, print_predictions
from .image_io import check_picture, open_for_model
from .model_facts import facts, facts_text, trained, unusual_parameters
from .reading_options import AS_FOUND, reads_tables, refuse_reading
from .registry import check_supported, of_images, only_for
from .score import scored
from .table_io import ModelRows, open_source

__all__ = ["explain", "info"]


@reads_tables
def explain(
    folder: Folder,
    data: Data,
    rows: Annotated[
        int,
        typer.Option(
            "--rows", "-n", metavar="N", min=1,
            help="How many rows or images, the strangest first.",
        ),
    ] = 5,
    columns: Annotated[
        int | None,
        typer.Option(
            "--columns", "-c", metavar="N", min=1, show_default=False,
            help="How many columns of each row. Default: 3.",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FILE.png", rich_help_panel=IMAGES, show_default=False,
            help="Draw the strangest images, and below each where it is strange.",
        ),
    ] = None,
    missing: Gaps = None,
    drop: Drop = None,
    reading: ReadingOptions = AS_FOUND,
    split: Split = None,
    size: Size = None,
    crop: Crop = None,
    label: Label = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:  # fmt: skip
    """Show the strangest rows or images, and what makes them so.

    For each column of a row: its value, the value the model expects beside the row's other values,
    and the nats the row's log density would gain by it. For each image: its log-probability, its
    p-value, and the place that costs it most beside held-out images; in the picture, places are
    red that cost more than usual and blue that cost less. Rows count from 0.

    Of a predictor: the first rows, what is predicted of them, and how much which of their columns
    moved that.

    `pushforward explain model new.csv --rows 10`

    `pushforward explain sig photographs/ -o strange.png`
    """
    from ..estimators.base import load

    console = Console(quiet)
    model = load(folder)
    name = type(model).__name__
    if of_images(model) and model.capabilities().can("inlier_maps"):
        refuse_reading(reading, name)
        gaps = missing is not None
        only_for("tables", name, {"--columns": columns, "--missing": gaps, "--drop": drop})
        if output is not None:
            check_picture(output)
        found = open_for_model(model, data, split, size, crop, console)
        unlikely = explain_images(model, found, rows, output, label=label, console=console)
        if json:
            print_json(unlikely)
        else:
            print_unlikely(unlikely)
        return
    check_supported(model, "explain")
    of = {"--output": output, "--split": split, "--size": size, "--crop": crop, "--label": label}
    only_for("images", name, of)
    columns = columns or 3
    table = open_source(data, console, reading, model)
    if model.capabilities().kind == "prediction":
        moved = explain_predictions(model, table, rows, columns, console)
        print_json(moved) if json else print_predictions(moved)
        return
    source = ModelRows(table, model, drop or [], console)
    found: list[tuple[float, int, bool, Any]] = []  # score, number, outlier, the row as a table
    with console.row_progress("scoring", table.n_rows) as advance:
        for start, batch, scores, above in scored(source, model, 1, missing):
            X = source.for_model(batch)
            for i in np.argsort(scores, kind="stable")[:rows].tolist():
                if not np.isnan(scores[i]):
                    found.append((float(scores[i]), start + i, bool(above[i] < 0), X[i : i + 1]))
            found = sorted(found, key=lambda one: one[:2])[:rows]
            advance(len(batch))
    explanations = [_explanation(model, *one, columns) for one in found]
    if json:
        print_json(explanations)
    else:
        _print_explanations(explanations)


def _explanation(
    model: Any, score: float, row: int, outlier: bool, X: Any, columns: int
) -> dict[str, Any]:
    # one row at a time: the memory of an explanation grows with rows times columns squared
    gains = model.explain(X).head(columns)
    words = ("column", "value", "expected", "gain")
    return {
        "row": row,
        "log_density": score,
        "outlier": outlier,
        "columns": [dict(zip(words, line, strict=True)) for line in gains[list(words)].to_numpy()],
    }


def _print_explanations(explanations: list[dict[str, Any]]) -> None:
    heads = {"row": "right", "log density": "right", "outlier": "left", "column": "left"}
    heads |= {"value": "right", "expected": "right", "gain in nats": "right"}
    lines = []
    for one in explanations:
        first = (str(one["row"]), f"{one['log_density']:.4g}", "yes" if one["outlier"] else "")
        for entry in one["columns"]:
            cells = (_short(entry["value"]), _short(entry["expected"]), f"{entry['gain']:.3g}")
            lines.append((*first, str(entry["column"]), *cells))
            first = ("", "", "")
    print_table(heads, lines)


def _short(value: Any) -> str:
    return f"{value:.5g}" if isinstance(value, float) else str(value)


def info(folder: Folder, json: Json = False) -> None:
    """Show what a model is: its columns or settings, its figures, how it was chosen."""
    from ..estimators.base import load
    from ..estimators.capabilities import capabilities_of

    model = load(folder)
    size = sum(path.stat().st_size for path in Path(folder).iterdir() if path.is_file())
    known = facts(model) | {"bytes": size}
    can = model.capabilities()
    columns = [] if can.columns is None else can.columns.describe()
    account = model.account() if can.can("account") else None
    settings = capabilities_of(trained(model)).settings
    if json:
        more = {"parameters": model.get_params(deep=False), "columns": columns, "account": account}
        print_json(known | more | ({} if settings is None else {"settings": settings}))
        return
    print(facts_text(known | {"parameters": unusual_parameters(model)}))
    if columns:
        print()
        _print_columns(columns)
    if settings:
        lines = [(name, str(value)) for name, value in settings.items() if value is not None]
        print()
        print_table({"setting": "left", "value": "left"}, lines)
    if account:
        print(printable(f"\nWhat was tried\n{account}", lines=True))


def _print_columns(columns: list[dict[str, Any]]) -> None:
    from ..data.tables.column_summary import extent, share

    words = ("column", "kind", "seen", "bounds", "why", "missing", "note")
    heads: dict[str, str] = dict.fromkeys(words, "left")
    lines = [
        (
            *(str(entry["name"]), entry["kind"], extent(entry), _interval(entry["bounds"])),
            *(entry["why"], share(entry), entry["note"]),
        )
        for entry in columns
    ]
    print_table(heads, lines)


def _interval(bounds: Any) -> str:
    if bounds is None:
        return ""
    low, high = bounds
    return f"{'' if low is None else low}:{'' if high is None else high}"
