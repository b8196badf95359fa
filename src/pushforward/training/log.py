"""Logs of a run: a JSON line a record, the same as csv, and TensorBoard where it is wanted."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import ParameterError
from ..storage.atomic import write_file_atomically

__all__ = ["Log", "is_recorded"]


class Log:
    """Writes the records of a run under its folder as ``log.jsonl`` and ``log.csv``.

    Args:
        folder: of the run, which is there.
        history: records of the run so far; lines beyond them, which an interrupted run wrote
            after its last checkpoint, go.
        tensorboard: also write events for TensorBoard into ``tensorboard/``.

    Raises:
        ParameterError: if TensorBoard is asked for and not installed.
    """

    def __init__(
        self, folder: Path, history: Sequence[Mapping[str, Any]] = (), tensorboard: bool = False
    ) -> None:
        self._folder = folder
        lines = "".join(json.dumps(record) + "\n" for record in history)
        write_file_atomically(folder / "log.jsonl", lines.encode())
        self._events: Any = None
        if tensorboard:
            try:
                from torch.utils.tensorboard.writer import SummaryWriter
            except ImportError as error:
                raise ParameterError(
                    "TensorBoard is not installed: pip install 'pushforward[tensorboard]', or "
                    "read log.jsonl and log.csv."
                ) from error
            purge = int(history[-1]["step"]) + 1 if history else None
            self._events = SummaryWriter(str(folder / "tensorboard"), purge_step=purge)

    def write(self, record: Mapping[str, Any]) -> None:
        """Append a record; it is on disk when this returns."""
        with open(self._folder / "log.jsonl", "a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")
        if self._events is not None:
            for name, value in record.items():
                if name != "step" and isinstance(value, (int, float)):
                    self._events.add_scalar(name, value, int(record["step"]))

    def table(self, history: Sequence[Mapping[str, Any]]) -> None:
        """Write all records as csv, a column for every name that occurs."""
        columns = list(dict.fromkeys(name for record in history for name in record))
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(history)
        write_file_atomically(self._folder / "log.csv", text.getvalue().encode())

    def close(self) -> None:
        """Let TensorBoard's writer go."""
        if self._events is not None:
            self._events.close()


def is_recorded(step: int) -> bool:
    """Whether the step gets a record: about ninety a decade, however long the run.

    >>> [step for step in range(95, 131) if is_recorded(step)]
    [95, 96, 97, 98, 99, 100, 110, 120, 130]
    """
    return step % 10 ** max(0, len(str(step)) - 2) == 0
