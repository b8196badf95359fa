"""The installed command in processes of its own: start-up, pipes, terminals, memory."""

import os
import pty
import re
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

ESCAPE = "\x1b"


def test_help_starts_without_torch(command):
    found = command(shell=f"{sys.executable} -X importtime -m pushforward --help")
    assert found.returncode == 0
    assert "Usage: pushforward" in found.stdout
    for heavy in ("torch", "sklearn", "pandas"):
        assert not re.search(rf"\| +{heavy}$", found.stderr, re.MULTILINE)


def test_exit_code_and_streams(command, tmp_path):
    found = command("fit", "gss", "iris", "-o", tmp_path / "m")
    assert (found.returncode, found.stdout) == (2, "")
    assert found.stderr.count("\n") == 1
    assert ESCAPE not in found.stderr


def test_colour_only_where_it_is_wanted():
    def seen(**more):
        mine, theirs = pty.openpty()
        subprocess.run(
            [sys.executable, "-m", "pushforward", "frobnicate"],
            stderr=theirs,
            env={**os.environ, "TERM": "xterm-256color", **more},
            check=False,
        )
        return os.read(mine, 4096).decode()

    assert "\x1b[1;31m" in seen()
    assert "31m" not in seen(NO_COLOR="1")


def test_rows_go_to_stdout_while_a_bar_is_on_the_terminal(gis):
    """Rich would redirect stdout to stderr while a bar is up."""
    mine, theirs = pty.openpty()
    words = ["sample", str(gis), "-n", "2000", "--random-state", "1"]
    found = subprocess.run(
        [sys.executable, "-m", "pushforward", *words],
        stdout=subprocess.PIPE,
        stderr=theirs,
        env={**os.environ, "TERM": "xterm-256color"},
        check=True,
    )
    assert found.stdout.count(b"\n") == 2001
    assert b"sampling" in os.read(mine, 65536)


def test_a_reader_that_leaves(gis, command):
    line = f"{sys.executable} -m pushforward sample {gis} -n 30000 | head -n 2"
    found = command(shell=line)
    assert found.stdout.count("\n") == 2
    assert found.stderr == ""


MEASURE = """
import resource, sys
from typer.testing import CliRunner
from pushforward.cli import app

def score(path):
    result = CliRunner().invoke(app, ["score", sys.argv[1], path, "-o", path + ".parquet"])
    assert result.exit_code == 0, result.stderr
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

few = score(sys.argv[2])
print(score(sys.argv[3]) - few)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="ru_maxrss is in KiB on Linux")
def test_scoring_takes_constant_memory(run, tmp_path):
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(900_000, 4)), columns=list("abcd"))
    X[:300_000].to_parquet(tmp_path / "few.parquet", row_group_size=20_000)
    X.to_parquet(tmp_path / "many.parquet", row_group_size=20_000)
    X[:500].to_parquet(tmp_path / "fit.parquet")
    words = ["--set", "max_layers=2", "--set", "knots=8", "--set", "search_steps=2", "-q"]
    run("fit", "gis", tmp_path / "fit.parquet", "-o", tmp_path / "m", *words).ok()
    files = [str(tmp_path / name) for name in ("m", "few.parquet", "many.parquet")]
    grown = subprocess.run(
        [sys.executable, "-c", MEASURE, *files], capture_output=True, text=True, check=True
    )
    assert float(grown.stdout) < 18, "MiB for 600,000 more rows of 32 bytes"
    written = pd.read_parquet(tmp_path / "many.parquet.parquet")
    assert len(written) == 900_000
