"""A table with a column of each kind, models fitted on it, and ways to run the command."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from pushforward.cli import app


@pytest.fixture(scope="session")
def small():
    """Options of a fit that takes no time."""
    return ["--set", "max_layers=3", "--set", "search_steps=3", "--set", "knots=16"]


@pytest.fixture(scope="session")
def table():
    rng = np.random.default_rng(0)
    n = 240
    group = rng.choice(3, size=n)
    return pd.DataFrame(
        {
            "id": np.arange(n),
            "length": rng.normal(group.astype(float)),
            "age": rng.exponential(2.0, n),
            "count": rng.poisson(3 + group),
            "group": np.array(["a", "b", "c"], dtype=object)[group],
            "w": rng.uniform(0.5, 1.5, n),
        }
    )


@pytest.fixture(scope="session")
def csv(table, tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "people.csv"
    table.to_csv(path, index=False)
    return path


class Run:
    """What a command did: exit code, stdout, stderr."""

    def __init__(self, words):
        result = CliRunner().invoke(app, [str(word) for word in words])
        self.code, self.out, self.err = result.exit_code, result.stdout, result.stderr
        self.error = result.exception

    def ok(self):
        assert self.code == 0, self.err
        return self

    def refused(self, *texts):
        """One line on stderr, exit code 2, nothing on stdout."""
        assert self.code == 2, (self.code, self.err)
        assert self.out == ""
        lines = self.err.splitlines()
        assert len(lines) == 1, self.err
        assert lines[0].startswith("pushforward: ")
        for text in texts:
            assert text in lines[0], self.err
        return self


@pytest.fixture(scope="session")
def run():
    return lambda *words: Run(words)


@pytest.fixture(scope="session")
def gis(csv, run, small, tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "gis"
    options = ["--drop", "id", "--weight", "w", "--bounds", "age=0:", "--random-state", "1"]
    run("fit", "gis", csv, "-o", folder, *options, *small).ok()
    return folder


@pytest.fixture(scope="session")
def auto(run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "auto"
    run(
        "fit", "auto", "two_moons", "-o", folder, "--random-state", "0", "--minutes", "0.02", "-q"
    ).ok()
    return folder


@pytest.fixture(scope="session")
def command():
    """Run the installed command in a process of its own; returns the process, finished."""
    script = Path(sys.executable).with_name("pushforward")

    def start(*words, shell=None, env=None, **options):
        line = shell or [str(script), *map(str, words)]
        return subprocess.run(
            line, shell=shell is not None, capture_output=True, text=True, timeout=60, env=env,
            check=False, **options,
        )  # fmt: skip

    return start
