"""One thread and fixed seeds, so that every test gives the same result on every run."""

import importlib
import os
import runpy
import signal
import socket
import sys
import time
import traceback
from dataclasses import dataclass
from pathlib import Path

# what tests hold is the processor's; benchmarks/gpu.sh compares a GPU with it
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import numpy as np
import pytest
import torch

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(autouse=True, scope="session")
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _seeds():
    np.random.seed(0)  # noqa: NPY002 (random_state=None reads this one)
    # without an accelerator torch.manual_seed only notes what to do, and where it was called
    if torch.accelerator.is_available():
        torch.manual_seed(0)
    torch.default_generator.manual_seed(0)


_FITS = runpy.run_path(str(Path(__file__).with_name("few_fits.py")))["FITS"]


def _number(place):
    module, _, name = place.rpartition(".")
    return getattr(importlib.import_module(module), name)


@pytest.fixture(autouse=True, scope="session")
def few_fits():
    """Fewer fits in each model than a user has; all of the same kinds.

    Tests that are of the number of fits, those of held-out scores and of thresholds that are
    made of them, and those that compare with a process of their own, ask for ``all_fits``.
    """
    numbers = {place: _number(place) for place, _ in _FITS}
    with pytest.MonkeyPatch.context() as patch:
        for place, few in _FITS:
            patch.setattr(place, few)
        yield numbers


@pytest.fixture
def all_fits(few_fits, monkeypatch):
    """As many fits as a user has."""
    for place, number in few_fits.items():
        monkeypatch.setattr(place, number)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def generator():
    return torch.Generator().manual_seed(0)


@pytest.fixture(scope="session")
def shared():
    """Return the path of a file in `shared/`, which lies beside the project; skip without it."""

    def path(*parts):
        found = SHARED.joinpath(*parts)
        if not found.exists():
            pytest.skip(f"{'/'.join(('shared', *parts))} is not on this machine")
        return found

    return path


class Copy:
    """A copy of this process that calls a function and ends, in place of one that starts anew.

    A process that starts anew takes seconds of a processor for its imports; a copy has them.

    Args:
        folder: for what it writes.
        function, arguments: what is called.
        environment: variables that it has besides.
    """

    def __init__(self, folder, function, *arguments, environment=None):
        self.code = None
        self._files = [folder / name for name in ("stdout", "stderr")]
        self.pid = os.fork()
        if self.pid == 0:
            os.environ |= environment or {}
            self._run(function, arguments)

    def _run(self, function, arguments):
        code = 1
        try:
            for number, path in enumerate(self._files, 1):
                os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), number)
            sys.stdout, sys.stderr = (os.fdopen(n, "w", buffering=1) for n in (1, 2))
            result = function(*arguments)
            code = result if isinstance(result, int) else 0
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
        except BaseException:
            traceback.print_exc()
        finally:
            if code == 0 and torch.distributed.is_initialized():
                torch.distributed.destroy_process_group()
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)  # what pytest does at its end is its own

    def poll(self):
        """The exit code, negative for a signal; None while it runs."""
        if self.code is None:
            done, status = os.waitpid(self.pid, os.WNOHANG)
            self.code = os.waitstatus_to_exitcode(status) if done else None
        return self.code

    def wait(self, seconds=240):
        """The exit code, when it has ended; it is killed after so many seconds."""
        end = time.monotonic() + seconds
        while self.poll() is None:
            if time.monotonic() > end:
                self.kill()
            time.sleep(0.01)
        return self.code

    def kill(self, number=signal.SIGKILL):
        if self.poll() is None:
            os.kill(self.pid, number)

    @property
    def stdout(self):
        return self._files[0].read_text()

    @property
    def stderr(self):
        return self._files[1].read_text()


@dataclass(frozen=True)
class Ended:
    """What became of processes: exit codes by rank, and what they wrote, in one text each."""

    codes: list[int]
    stdout: str
    stderr: str


class Copies:
    """Starts copies of this process, alone or as one group, as ``torchrun`` starts them.

    What starts as ``torchrun`` does it is tested in `tests/training/test_processes.py`.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.count = 0
        for name in ("torch.distributed.nn", "torch._dynamo"):  # once, in place of in each copy
            importlib.import_module(name)

    def start(self, function, *arguments, environment=None):
        """A running copy."""
        self.count += 1
        folder = self.folder / str(self.count)
        folder.mkdir()
        return Copy(folder, function, *arguments, environment=environment)

    def __call__(self, size, function, *arguments, seconds=240):
        """Call a function in a group of processes; when one fails the others are ended."""
        port = free_port()
        running = [
            self.start(
                function, *arguments,
                environment={
                    "RANK": str(rank), "LOCAL_RANK": str(rank), "TORCHELASTIC_RUN_ID": "tests",
                    "WORLD_SIZE": str(size), "LOCAL_WORLD_SIZE": str(size),
                    "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port),
                },
            )
            for rank in range(size)
        ]  # fmt: skip
        end = time.monotonic() + seconds
        while None in (codes := [one.poll() for one in running]):
            if any(codes) or time.monotonic() > end:
                time.sleep(2)  # for what the others have to say
                for one in running:
                    one.kill()
            time.sleep(0.01)
        return Ended(
            codes,
            *("".join(t) for t in zip(*((o.stdout, o.stderr) for o in running), strict=True)),
        )


def free_port():
    """A port that nothing listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@pytest.fixture(scope="session")
def processes(tmp_path_factory):
    """Call ``processes(2, function, *arguments)`` to run it in two processes of one group."""
    if not hasattr(os, "fork"):
        pytest.skip("this system cannot copy a process")
    if torch.cuda.is_available():  # the pretend one, see device/whole_suite.py
        pytest.skip("a process that has a GPU cannot be copied")
    return Copies(tmp_path_factory.mktemp("processes"))
