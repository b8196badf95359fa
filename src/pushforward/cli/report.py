"""``pushforward report``: one HTML page that judges models and shows what they do."""

import shlex
import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from ..data.tables.reading_options import ReadingOptions
from ..errors import ParameterError
from .arguments import Drop, Quiet, Seed
from .console import Console
from .evaluate import ComparisonInputs, Features, Images, Measures, Other, Target, Train
from .fit_options import check_page
from .impute import given_conditions
from .reading_options import AS_FOUND, reads_tables

__all__ = ["report"]


@reads_tables
def report(
    what: Annotated[
        list[str],
        typer.Argument(
            metavar="MODEL|SAMPLES...", show_default=False, help="As of compare; one or more."
        ),
    ],
    data: Annotated[
        str,
        typer.Option(
            "--data", metavar="DATA", show_default=False,
            help="Real data the models were not fitted on.",
        ),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE.html", help="The page.")
    ] = Path("report.html"),
    train: Train = None,
    other: Other = None,
    measure: Measures = None,
    features: Features = None,
    target: Target = None,
    rows: Annotated[
        int,
        typer.Option(
            "--rows", "-n", metavar="N", min=4, rich_help_panel="How",
            help="Rows of either side at most.",
        ),
    ] = 2000,
    given: Annotated[
        list[str] | None,
        typer.Option(
            metavar="COLUMN=VALUE", rich_help_panel="How", show_default=False,
            help="Show what models of a table say of the other columns where this cell is given: "
            "age=40, age=60.., day=2024-06-01..2024-06-30. Can be repeated, as of sample.",
        ),
    ] = None,
    images: Images = False,
    drop: Drop = None,
    reading: ReadingOptions = AS_FOUND,
    seed: Seed = 0,
    title: Annotated[
        str | None, typer.Option(metavar="TEXT", show_default=False, help="The heading.")
    ] = None,
    date: Annotated[
        bool, typer.Option(help="Say when; without, the same command writes the same page.")
    ] = True,
    quiet: Quiet = False,
) -> None:  # fmt: skip
    """Write one HTML page that judges models: measures, samples, scores, where they come from.

    The page holds everything it shows, and asks for nothing from outside.

    `pushforward report gis auto --data people-test.csv --train people.csv -o page.html`

    `pushforward report auto --data people.csv --given age=40 --given sex=female -o page.html`

    `pushforward report glow --data cifar10:test --train cifar10:train --ood svhn:test`
    """
    from ..estimators.capabilities import methods_of
    from ..report import page

    console = Console(quiet)
    check_page("--output", output)
    if len(set(what)) < len(what):
        raise ParameterError("The same model is named twice. Expected different ones.")
    opened = ComparisonInputs(
        what, data, train, other, target, drop or [], images, console, reading=reading
    )
    able = [m for m in opened.compared.values() if "given" in methods_of(m)]
    if given and not able:
        raise ParameterError(
            "--given is for densities of tables: auto, gis, table-sig, table-flow. Leave it out."
        )
    conditions = given_conditions(given, able[0]) if given else None
    with console.fit_progress(None) as progress:
        made = page(
            dict(zip(_names(what), opened.compared.values(), strict=True)), opened.real,
            train=opened.train, other=opened.other, target=opened.target, features=features,
            measures=measure or None, n=rows, random_state=seed or 0, title=title, data=data,
            date=f"{datetime.now():%Y-%m-%d %H:%M}" if date else None,
            command=shlex.join(["pushforward", *sys.argv[1:]]), report=progress, given=conditions,
        )  # fmt: skip
    print(made.save(output))


def _names(what: list[str]) -> list[str]:
    """The last part of each path, where that tells them apart."""
    short = [Path(name).name or name for name in what]
    return short if len(set(short)) == len(short) else what
