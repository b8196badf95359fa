"""Work of minutes in processes of its own: the very commands that a person could type."""

import json
import secrets
import shlex
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .fields import RequestError

__all__ = ["Job", "Jobs"]

_MOST = 2  # that run at once
_MOST_RESULT = 1 << 26
_TAIL = 4096


@dataclass
class Job:
    """A command that runs.

    Attributes:
        words: the command's, without "pushforward".
        process: its process.
        place: the folder its output goes to.
        finish: what is made of its JSON output for the page.
        started: by the clock of ``time.monotonic``.
        result: what ``finish`` made, once it is done.
    """

    words: list[str]
    process: subprocess.Popen[bytes]
    place: Path
    finish: Callable[[Any], dict[str, Any]]
    started: float
    result: dict[str, Any] | None = None

    @property
    def command(self) -> str:
        """The command, to be repeated by hand."""
        return shlex.join(["pushforward", *self.words])


class Jobs:
    """Commands under way, by handles. They end with the studio.

    Args:
        folder: where their output goes, in folders of their own.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._jobs: dict[str, Job] = {}

    def start(self, words: list[str], finish: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
        """Start a command with ``--json``.

        Returns:
            Its handle and the command, for the page.

        Raises:
            RequestError: where as many run as may.
        """
        if sum(job.process.poll() is None for job in self._jobs.values()) >= _MOST:
            raise RequestError(f"{_MOST} long works are under way. Wait, or cancel one.", 429)
        handle = secrets.token_urlsafe(12)
        place = self._folder / "jobs" / handle
        place.mkdir(parents=True)
        words = [*words, "--json"]
        with (place / "out").open("wb") as out, (place / "err").open("wb") as err:
            process = subprocess.Popen(
                [sys.executable, "-m", "pushforward", *words],
                stdin=subprocess.DEVNULL, stdout=out, stderr=err,
            )  # fmt: skip
        job = Job(words, process, place, finish, time.monotonic())
        self._jobs[handle] = job
        return {"job": handle, "command": job.command}

    def poll(self, handle: str) -> dict[str, Any]:
        """What is known of a job: "running", "failed" or "done", and its words or its result.

        Raises:
            RequestError: for no job of that handle.
        """
        job = self._jobs.get(handle)
        if job is None:
            raise RequestError("There is no such work under way.", 404)
        code, line = job.process.poll(), self._last_line(job)
        seconds = round(time.monotonic() - job.started)
        if code is None:
            return {"state": "running", "text": line, "seconds": seconds}
        if code != 0:
            return {"state": "failed", "text": line or "The command ended without a word."}
        if job.result is None:
            text = (job.place / "out").read_bytes()[:_MOST_RESULT]
            job.result = job.finish(json.loads(text))
        return {"state": "done", "result": job.result, "command": job.command}

    def cancel(self, handle: str) -> dict[str, Any]:
        """End a job; nothing happens where it is done."""
        if (job := self._jobs.pop(handle, None)) is not None:
            _end(job.process)
        return {"state": "cancelled"}

    def close(self) -> None:
        """End all jobs."""
        for handle in list(self._jobs):
            self.cancel(handle)

    @staticmethod
    def _last_line(job: Job) -> str:
        """The last line the command said, without its own name."""
        text = (job.place / "err").read_bytes()[-_TAIL:].decode(errors="replace")
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        return lines[-1].removeprefix("pushforward: ")[:400] if lines else ""


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Ask a process to end, and see that it does."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(5)
