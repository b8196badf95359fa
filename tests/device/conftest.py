"""The pretend device, for tests that start processes on it."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
# scripts that import each other: they run in processes of their own
scripts = (
    "count",
    "exercise",
    "families",
    "pretend_cuda",
    "refusals",
    "server",
    "tape",
    "tasks",
    "whole_suite",
)
collect_ignore = [f"{name}.py" for name in scripts]


def module(name):
    """A module of this folder, which is no package."""
    spec = importlib.util.spec_from_file_location(name, HERE / f"{name}.py")
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


@pytest.fixture(scope="session")
def on_device(tmp_path_factory):
    """Call with a script and its arguments: what it prints, on the device.

    A script is one of this folder, or named by its path from the root of the project.
    """
    pretend_cuda = module("pretend_cuda")
    if reason := pretend_cuda.missing():
        pytest.skip(reason)
    pretend_cuda.build()
    said = tmp_path_factory.mktemp("said") / "said"
    server = subprocess.Popen(
        [sys.executable, str(HERE / "server.py")],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip

    def run(script, *arguments):
        server.stdin.write(json.dumps([script, [*map(str, arguments)], str(said)]) + "\n")
        server.stdin.flush()
        code = server.stdout.readline()
        assert code == "0\n", said.with_suffix(".2").read_text()
        return said.with_suffix(".1").read_text()

    yield run
    server.stdin.close()
    server.wait(60)
    server.stdout.close()


@pytest.fixture(scope="session")
def exercised(on_device, tmp_path_factory):
    """Call with names: the records of exercise.py, and the folder of what was saved."""

    def records(*names):
        folder = tmp_path_factory.mktemp("device")
        on_device("exercise.py", folder / "out.json", *names)
        return json.loads((folder / "out.json").read_text()), folder

    return records
