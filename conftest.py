"""Tests and doctests find no cache: each begins as in a fresh home, and leaves nothing behind."""

import gc
import itertools
import os
import runpy
import shutil
import tempfile
import warnings
from pathlib import Path
from typing import Any

import pytest

_STEPS = 20  # of training in an example
_TESTS = itertools.count()  # a number for each
_FITS = runpy.run_path(str(Path(__file__).with_name("tests") / "few_fits.py"))["FITS"]


def pytest_configure(config: pytest.Config) -> None:
    """Give this process, and what it starts, a cache of its own: an xdist worker is a process."""
    os.environ["XDG_CACHE_HOME"] = folder = tempfile.mkdtemp(prefix="pushforward-cache-")
    config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))


def pytest_collection_finish() -> None:
    """Leave what was imported and collected, which stays, out of every garbage collection.

    Looking through it took a tenth of the time of the tests.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000)


@pytest.fixture(autouse=True)
def _fresh_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    """What one test has learned does not help the next."""
    # a name inside that of the process: to make and remove a folder takes as long as short tests
    monkeypatch.setenv("XDG_CACHE_HOME", f"{os.environ['XDG_CACHE_HOME']}/{next(_TESTS)}")


@pytest.fixture(autouse=True)
def _short_examples(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Examples of docstrings show what a call is like: their models may know little."""
    if not isinstance(request.node, pytest.DoctestItem):
        return
    warnings.filterwarnings("ignore", "What the model writes is no text")  # pytest ends it
    for place, number in (*_FITS, ("pushforward.models.sliced.stacking._FITS", 1)):
        monkeypatch.setattr(place, number)
    if "refinement" in request.node.name:
        from pushforward.refinement import density_ratio

        for name in ("_STEPS", "_STEPS_THAT_WEIGH"):
            monkeypatch.setattr(density_ratio, name, 50)
    from pushforward.training import Loop

    run = Loop.run

    def few_steps(self: Loop, *, steps: int | None = None, **options: Any) -> None:
        run(self, steps=None if steps is None else min(steps, _STEPS), **options)

    if "models" in request.node.name:
        monkeypatch.setattr(Loop, "run", few_steps)
