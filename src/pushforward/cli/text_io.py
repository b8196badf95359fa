"""Lines of text on their way in and out: what models of text are fitted on, and what they make."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from ..errors import DataError
from ..storage.atomic import partial_folder
from .console import Console
from .fit_options import FitOptions
from .fit_run import fit_run
from .reading_options import refuse_reading
from .registry import ModelEntry, only_for, parameters_of
from .table_io import numbers, open_source, rows_at_a_time, seed_of_block

__all__ = ["decode_text", "fit_text", "is_text", "of_text", "sample_text"]

_SUFFIXES = (".txt", ".txt.gz")
_PARTIAL = "partial"
_LINES = 4096  # made at a time


def is_text(source: str) -> bool:
    """Whether a source on the command line is a file of lines."""
    return Path(source).is_file() and source.lower().endswith(_SUFFIXES)


def of_text(model: Any) -> bool:
    """Whether a loaded model is one of text."""
    return model.capabilities().kind == "text"


def fit_text(
    entry: ModelEntry,
    data: str,
    output: Path,
    options: FitOptions,
    *,
    there: bool,
    more: bool,
    console: Console,
) -> Any:
    """Train a model on the lines of a file; arguments as of :func:`fit_run`."""
    refuse_reading(options.reading, entry.cls)
    only_for("tables", entry.cls, options.of_tables())
    only_for("images", entry.cls, options.of_images())

    def opened() -> tuple[Any, dict[str, Any], str]:
        from ..data import open_text

        lines = open_text(data)
        return lines, {}, f"{len(lines):,} lines"

    given = {"random_state": options.random_state, "minutes": options.minutes}
    parameters = parameters_of(entry, given, options.set)
    return fit_run(entry, opened, output, parameters, there=there, more=more, console=console)


def sample_text(
    model: Any, n: int, output: Path | None, *, seed: int | None, console: Console
) -> None:
    """Write n sampled lines to a file or stdout."""
    with _sink(output) as write, console.row_progress("sampling", n) as advance:
        for i, start in enumerate(range(0, n, _LINES)):
            count = min(_LINES, n - start)
            write(model.sample(count, random_state=seed_of_block(seed, i)))
            advance(count)


def decode_text(model: Any, latents: str, output: Path | None, *, console: Console) -> None:
    """Write the lines of a table of latents to a file or stdout."""
    table = open_source(latents, console)
    with _sink(output) as write, console.row_progress("decoding", table.n_rows) as advance:
        for batch in table.batches(rows_at_a_time(len(table.columns))):
            write(model.decode(numbers(batch)))
            advance(len(batch))


@contextmanager
def _sink(output: Path | None) -> Iterator[Callable[[list[str]], None]]:
    """Yield a function that appends lines to a file, or to stdout.

    A file gets its name when all is written; with an error nothing of it is left.
    """
    if output is None:
        yield lambda lines: _write(sys.stdout, lines)
        return
    target = Path(os.path.realpath(output))
    try:
        with partial_folder(target, [_PARTIAL]) as folder:
            with open(folder / _PARTIAL, "w", encoding="utf-8") as file:
                yield lambda lines: _write(file, lines)
            os.replace(folder / _PARTIAL, target)
    except OSError as error:
        raise DataError(
            f"{output} cannot be written: {error.strerror or error}. Expected a folder you may "
            "write to, with room for the file."
        ) from error


def _write(file: TextIO, lines: list[str]) -> None:
    file.writelines(f"{line}\n" for line in lines)
