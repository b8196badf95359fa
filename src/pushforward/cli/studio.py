"""``pushforward studio``: a page on which to look at models, ask them things and edit images."""

import threading
import webbrowser
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .arguments import Json, Quiet
from .console import Console, print_json

if TYPE_CHECKING:
    from ..studio.workspace import Workspace

__all__ = ["studio"]

_WHERE = "Where it listens"


def studio(
    folders: Annotated[
        list[Path],
        typer.Argument(
            metavar="FOLDER...", help="Folders that fit wrote, one or more.", show_default=False
        ),
    ],
    data: Annotated[
        list[str] | None,
        typer.Option(
            "--data", metavar="DATA", show_default=False,
            help="Rows or images to look at, to edit, and to judge by: best some that the models "
            "were not fitted on. Can be repeated; each model takes the first that suits it.",
        ),
    ] = None,
    check: Annotated[
        bool,
        typer.Option("--check", help="Only say what the page would offer for each model."),
    ] = False,
    directions: Annotated[
        Path,
        typer.Option(
            metavar="FOLDER", help="Where directions of edits are saved, and found again."
        ),
    ] = Path("directions"),
    host: Annotated[
        str,
        typer.Option(
            metavar="ADDRESS", rich_help_panel=_WHERE,
            help="The interface. 0.0.0.0 opens the page to the network: whoever has the address "
            "with its token has the models and the data.",
        ),
    ] = "127.0.0.1",
    port: Annotated[
        int,
        typer.Option(
            metavar="N", min=0, max=65535, rich_help_panel=_WHERE, help="0 takes a free one."
        ),
    ] = 0,
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open the page in your browser.")
    ] = True,
    json: Json = False,
    quiet: Quiet = False,
) -> None:  # fmt: skip
    """Open a page on this machine on which to look at models and play with them.

    Samples, questions to tables, mixing and editing of images, refinement, strange rows,
    comparison: what a model can do is there. Nothing leaves this machine, and nobody else can
    open the page: its address has a token.

    `pushforward studio cells --data cells-test.csv`

    `pushforward studio glow sig --data faces/ --check`
    """
    console = Console(quiet)

    def opened() -> "Workspace":
        from ..studio.workspace import Workspace

        return Workspace(folders, data or [], directions)

    if check:
        with closing(opened()) as workspace:
            _say_offers(workspace, json)
        return
    from ..studio.serve import Studio, need_server

    def opened_for_page() -> "Workspace":
        workspace = opened()
        for one in workspace.models.values():
            if one.note:
                console.note(f"the data do not suit {one.name}: {one.note}")
        console.print("The page is there until you interrupt this with Ctrl-C.")
        return workspace

    need_server()
    running = Studio(opened_for_page, host, port)
    print(running.address, flush=True)
    if browser and all(folder.is_dir() for folder in folders):  # else it is about to end
        threading.Timer(0.1, webbrowser.open, [running.address]).start()
    running.run()


def _say_offers(workspace: "Workspace", json: bool) -> None:
    from ..studio.offers import model_facts, offers_text

    if json:
        models = [model_facts(opened, workspace) for opened in workspace.models.values()]
        print_json({"models": models})
    else:
        print(offers_text(workspace))
