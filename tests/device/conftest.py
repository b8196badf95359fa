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
scripts = ("count", "exercise", "families", "pretend_cuda", "refusals", "tasks")
collect_ignore = [f"{name}.py" for name in scripts]


def module(name):
    """A module of this folder, which is no package."""
    spec = importlib.util.spec_from_file_location(name, HERE / f"{name}.py")
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


@pytest.fixture(scope="session")
def on_device():
    """Call with a script of this folder and its arguments: what it prints, on the device."""
    pretend_cuda = module("pretend_cuda")
    if reason := pretend_cuda.missing():
        pytest.skip(reason)
    pretend_cuda.build()

    def run(script, *arguments, **variables):
        done = subprocess.run(
            [sys.executable, str(HERE / script), *map(str, arguments)],
            capture_output=True, text=True, timeout=300, check=False,
            env={**os.environ, "OMP_NUM_THREADS": "1", **variables},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.fixture(scope="session")
def exercised(on_device, tmp_path_factory):
    """Call with names: the records of exercise.py, and the folder of what was saved."""

    def records(*names):
        folder = tmp_path_factory.mktemp("device")
        on_device("exercise.py", folder / "out.json", *names)
        return json.loads((folder / "out.json").read_text()), folder

    return records
