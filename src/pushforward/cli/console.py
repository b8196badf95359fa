"""Output of commands: results to stdout; notes, progress and errors to stderr."""

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich import box
from rich.console import Console as RichConsole
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from ..plain_text import printable

__all__ = ["Console", "print_json", "print_table"]

_SECONDS_A_LINE = 10.0  # where stderr is a file, progress is a line now and then
_WIDE = 240  # columns of tables that go into a pipe or file, where nothing should be cut


class Console:
    """Messages of a command on stderr. Colours only on terminals, and not with NO_COLOR."""

    def __init__(self, quiet: bool = False) -> None:
        self.quiet = quiet
        self._console = RichConsole(stderr=True, highlight=False, soft_wrap=True)

    def print(self, text: str) -> None:
        """Print text as it is, unless quiet."""
        if not self.quiet:
            self._console.print(Text(printable(text, lines=True)))

    def note(self, text: str) -> None:
        """Print one line the user should know of, unless quiet."""
        self.print(f"pushforward: note: {text}")

    def error(self, text: str) -> None:
        """Print the one line of an error."""
        line = printable(text, lines=True)
        self._console.print(Text.assemble(("pushforward: ", "bold red"), line))

    @contextmanager
    def fit_progress(self, minutes: float | None) -> Iterator[Callable[[str, float], None]]:
        """Show the progress of a fit; yields the callback that ``fit(report=)`` takes."""
        columns = (
            SpinnerColumn(),
            BarColumn(24),
            TaskProgressColumn(),
            TimeElapsedColumn(),
            TextColumn("so far,"),
            TimeRemainingColumn(),
            TextColumn("to go: {task.description}", markup=False),
        )
        started = printed = time.monotonic()
        with self._progress(*columns) as progress:
            task = progress.add_task("reading", total=1.0)

            def report(text: str, share: float) -> None:
                nonlocal printed
                now = time.monotonic()
                if minutes:  # a budget may end the fit long before its last layer
                    share = max(share, min(0.99, (now - started) / (60 * minutes)))
                progress.update(task, description=text, completed=share)
                if not self._console.is_terminal and now - printed > _SECONDS_A_LINE:
                    printed = now
                    self.print(f"[{100 * share:3.0f} %] {text}")

            yield report

    @contextmanager
    def row_progress(self, what: str, total: int | None) -> Iterator[Callable[[int], None]]:
        """Show how many rows of ``total`` are done; yields a callback for more of them."""
        columns = (
            TextColumn("{task.description}"),
            BarColumn(24),
            MofNCompleteColumn(),
            TextColumn("rows"),
            TimeElapsedColumn(),
        )
        of = "" if total is None else f" of {total:,}"
        done, printed = 0, time.monotonic()
        # rows that scroll by on the same screen are progress enough
        with self._progress(*columns, hidden=sys.stdout.isatty()) as progress:
            task = progress.add_task(what, total=total)

            def advance(rows: int) -> None:
                nonlocal done, printed
                done, now = done + rows, time.monotonic()
                progress.advance(task, rows)
                if not self._console.is_terminal and now - printed > _SECONDS_A_LINE:
                    printed = now
                    self.print(f"{what}: {done:,}{of}")

            yield advance

    def _progress(self, *columns: Any, hidden: bool = False) -> Progress:
        return Progress(
            *columns,
            console=self._console,
            transient=True,
            redirect_stdout=False,  # else rich would send the results to stderr
            disable=self.quiet or hidden or not self._console.is_terminal,
        )


def print_json(value: Any) -> None:
    """Print a result as JSON, with NumPy scalars as numbers and what is not finite as null."""
    print(json.dumps(_plain(value), indent=2, ensure_ascii=False))


def _plain(value: Any) -> Any:
    import numpy as np

    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and value - value != 0:
        return None
    return value if isinstance(value, (str, int, float, bool, type(None))) else str(value)


def print_table(heads: dict[str, str], lines: list[tuple[str, ...]]) -> None:
    """Print a result as a table.

    Args:
        heads: names of the columns, with "left" or "right".
        lines: the cells. A column whose cells are all empty is left out.
    """
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    used = [j for j in range(len(heads)) if not lines or any(line[j] for line in lines)]
    for j, (head, side) in enumerate(heads.items()):
        if j in used:
            table.add_column(head, justify="right" if side == "right" else "left")
    for line in lines:
        table.add_row(*(Text(printable(line[j])) for j in used))
    console = RichConsole(highlight=False)
    if console.is_terminal:
        console.print(table)
        return
    console = RichConsole(highlight=False, width=_WIDE)
    with console.capture() as captured:
        console.print(table)
    print("\n".join(line.rstrip() for line in captured.get().splitlines()))
