"""Tables in parts: a folder of parquet files in, one of as many out, each written once."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..data.tables.table_files import WRITTEN, suffix_of
from ..errors import DataError
from .console import Console

__all__ = ["PartsFolder", "is_parts_folder", "model_digest", "parts_of"]

_KEY = "pushforward"


def is_parts_folder(output: Path | None, table: Any = None) -> bool:
    """Whether an output is a folder of parts: of a parquet table, or of none, by its ending."""
    if output is None or not (table is None or table.divisible):
        return False
    try:
        suffix_of(output, WRITTEN)
    except DataError:
        return not output.suffix or output.is_dir()
    return output.is_dir()


def model_digest(folder: Path) -> str:
    """The sum that a model folder has of all it holds."""
    return str(json.loads((folder / "config.json").read_text())["sha256"])


class PartsFolder:
    """A folder that a command writes part by part, each once, among the processes of torchrun.

    A part appears when it is whole. It says what it was made from, so that the command, repeated,
    goes on with those that are missing or made from something else.

    Args:
        folder: made where it is not there.
        identity: JSON values that all parts depend on.
        sources: of each part its name, relative to the folder, and JSON values that it alone
            depends on.

    Raises:
        DataError: where the folder has parquet files that are no such parts.
    """

    def __init__(self, folder: Path, identity: dict[str, Any], sources: Mapping[str, Any]) -> None:
        from ..training.processes import Processes

        self.folder, self._identity, self._sources = folder, identity, dict(sources)
        self._names = list(sources)
        self.processes = Processes()
        self.skipped = 0
        if folder.is_file():
            raise DataError(f"{folder} is a file. Expected a folder for the parts.")
        found = {path.relative_to(folder).as_posix() for path in folder.rglob("*.parquet")}
        if foreign := sorted(found - set(sources)):
            raise DataError(
                f"{folder} holds {foreign[0]}, which is no part of this table. Expected a new "
                "folder, or that of the same command."
            )

    def run(
        self,
        make: Callable[[int, Callable[[Any], None]], dict[str, Any]],
        *,
        together: bool = False,
    ) -> list[Any]:
        """Make the parts that are not done; what all of them say, in every process.

        Args:
            make: called with the number of a part and what writes its batches; returns JSON values
                that are kept in the part, such as counts.
            together: whether all processes work on each part, of which the first writes it; else
                each has a share of the parts.
        """
        rank, count = (0, 1) if together else (self.processes.rank, self.processes.count)
        own = range(rank, len(self._names), count)
        said = {i: self._said(i) for i in own}
        done = sum(values is not None for values in said.values())
        self.processes.barrier()  # until all have looked at what the first will write
        for i in own:
            if said[i] is None and together and not self.processes.first:
                said[i] = make(i, _nowhere)
            elif said[i] is None:
                with self._writer(i) as (write, say):
                    said[i] = make(i, write)
                    say(said[i])
        every: dict[int, Any] = {}
        self.skipped = 0
        for part in self.processes.gather(json.dumps([[*said.items()], done]).encode()):
            theirs, skipped = json.loads(part)
            every |= dict(theirs)
            self.skipped += 0 if together and self.skipped else skipped
        return [every[i] for i in range(len(self._names))]

    def print_done(self, console: Console) -> None:
        """Say how many parts were there already."""
        if self.skipped:
            console.note(f"{self.skipped} of {len(self._names)} parts were whole already.")

    def _described(self, i: int) -> dict[str, Any]:
        name = self._names[i]
        return {**self._identity, "part": name, "source": self._sources[name]}

    def _said(self, i: int) -> dict[str, Any] | None:
        """What a part says that is whole and of this command; None where it is to be made."""
        path = self.folder / self._names[i]
        if not path.is_file():
            return None
        from ..data.tables.arrow_files import need_pyarrow

        arrow = need_pyarrow(path)
        try:
            metadata = arrow.parquet.read_metadata(path).metadata or {}
            found = json.loads(metadata[_KEY.encode()])
            return found["said"] if found["of"] == self._described(i) else None
        except (arrow.ArrowException, OSError, KeyError, TypeError, ValueError):
            return None

    @contextmanager
    def _writer(self, i: int) -> Iterator[tuple[Callable[[Any], None], Callable[[Any], None]]]:
        from ..data import TableWriter

        path = self.folder / self._names[i]
        path.parent.mkdir(parents=True, exist_ok=True)
        with TableWriter(path) as writer:

            def say(values: dict[str, Any]) -> None:
                writer.describe({_KEY: json.dumps({"of": self._described(i), "said": values})})

            yield writer.write, say


def _nowhere(batch: Any) -> None:
    """Discard what another process writes."""


def _footer_digest(path: Path) -> str:
    """A digest of the footer of a parquet file, which has the place and range of all it holds."""
    with open(path, "rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - 8))
        length = int.from_bytes(file.read(4), "little")
        file.seek(max(0, size - 8 - length))
        return hashlib.sha256(file.read()).hexdigest()


def parts_of(table: Any) -> list[tuple[str, Any, str]]:
    """The parts of a parquet table: names, tables of their own, and digests."""
    return [(name, part, _footer_digest(part.path)) for name, part in table.parts()]
