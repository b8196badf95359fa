"""Interrupted fits go on: killed at any moment and repeated, they end as if nothing happened."""

import os
import random
import signal
import subprocess
import sys
import time
import warnings

import numpy as np
import pytest
import torch

import pushforward
from pushforward.storage import checkpoint
from pushforward.storage.checkpoint import Checkpoint

# steps are written ten times a second, and each process says how many it took over
CHILD = """
import sys, torch
torch.set_num_threads(1)
import pushforward.storage.checkpoint as c
c._EVERY, c._SHARE = 0.1, 1e9
find = c.Checkpoint.open
def open(self, digest, seed, **more):
    seed = find(self, digest, seed, **more)
    print("TOOK", len(self._steps), file=sys.stderr, flush=True)
    return seed
c.Checkpoint.open = open
from pushforward.cli.app import main
sys.argv[0] = "pushforward"
main()
"""


@pytest.fixture
def eager(monkeypatch):
    monkeypatch.setattr(checkpoint, "_EVERY", 0.0)
    monkeypatch.setattr(checkpoint, "_SHARE", 1e9)


def table(n=500):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n, 4))
    x[:, 1] += x[:, 0] ** 2
    return x


class Interrupted(BaseException):
    """What a test raises in the middle of a fit."""


def interrupt(monkeypatch, after):
    """Let the fit die in its ``after``-th writing, once that is done."""
    write, count = Checkpoint.write, iter(range(1, 10**6))

    def writing(self):
        write(self)
        if next(count) == after:
            raise Interrupted

    monkeypatch.setattr(Checkpoint, "write", writing)
    return lambda: monkeypatch.setattr(Checkpoint, "write", write)


@pytest.mark.parametrize(
    ("cls", "settings", "moments"),
    [
        (pushforward.GIS, {}, (1, 7)),
        (pushforward.GIS, {"faithful": True, "max_layers": 6}, (2,)),
        (pushforward.AutoDensity, {"contamination": "auto"}, (2, 9)),
        (pushforward.TableSIG, {"layers": 12, "search_steps": 3}, (1, 5)),
    ],
)
def test_an_interrupted_fit_ends_as_an_uninterrupted_one(
    cls, settings, moments, eager, monkeypatch, tmp_path
):
    x = table(150)
    expected = cls(random_state=3, **settings).fit(x)
    for moment in moments:
        restore = interrupt(monkeypatch, moment)
        with pytest.raises(Interrupted):
            cls(random_state=3, **settings).fit(x, folder=tmp_path / "work")
        restore()
    found = cls(random_state=3, **settings).fit(x, folder=tmp_path / "work")
    assert np.array_equal(found.score_samples(x), expected.score_samples(x))
    assert found.offset_ == expected.offset_
    assert found._state() == expected._state()
    assert not list(tmp_path.iterdir())


def test_finished_steps_are_not_done_again(eager, monkeypatch, tmp_path):
    x = table()
    made = []
    make = pushforward.models.sliced.layer_growth.Layering.make

    def counted(self, *arguments):
        made.append(1)
        return make(self, *arguments)

    monkeypatch.setattr(pushforward.models.sliced.layer_growth.Layering, "make", counted)
    pushforward.GIS(random_state=0).fit(x)
    whole = len(made)
    made.clear()
    restore = interrupt(monkeypatch, whole - 2)
    with pytest.raises(Interrupted):
        pushforward.GIS(random_state=0).fit(x, folder=tmp_path / "work")
    restore()
    made.clear()
    pushforward.GIS(random_state=0).fit(x, folder=tmp_path / "work")
    assert len(made) == 2


def test_without_a_seed_the_interrupted_one_is_kept(eager, monkeypatch, tmp_path):
    x = table()
    work = Checkpoint(tmp_path / "work")
    assert work.open("d", 5) == 5
    work.keep("step", {"t": torch.ones(1)})
    restore = interrupt(monkeypatch, 3)
    with pytest.raises(Interrupted):
        pushforward.GIS().fit(x, folder=tmp_path / "other")
    restore()
    first = Checkpoint(tmp_path / "other")
    model = pushforward.GIS().fit(x, folder=first)
    assert model._seed == first._seed
    assert Checkpoint(tmp_path / "work").open("d", 9) == 5
    assert Checkpoint(tmp_path / "work").open("d", 5, asked=True) == 5
    another = Checkpoint(tmp_path / "work")
    with pytest.warns(UserWarning, match="it has another seed. The fit begins anew"):
        assert another.open("d", 9, asked=True) == 9
    assert another.get("step") is None


def test_a_generator_of_numpy_resumes_where_it_draws_the_same(eager, monkeypatch, tmp_path):
    x = table()
    restore = interrupt(monkeypatch, 3)
    with pytest.raises(Interrupted):
        pushforward.GIS(random_state=np.random.RandomState(3)).fit(x, folder=tmp_path / "w")
    restore()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        again = pushforward.GIS(random_state=np.random.RandomState(3))
        again.fit(x, folder=Checkpoint(tmp_path / "w"))
    assert again._seed == pushforward.estimators.parameters.drawn_seed(np.random.RandomState(3))


@pytest.mark.parametrize(
    ("change", "data"),
    [({"step": 0.5}, 500), ({"random_state": 1}, 500), ({}, 499)],
)
def test_another_fit_begins_anew_and_says_so(change, data, eager, monkeypatch, tmp_path):
    restore = interrupt(monkeypatch, 2)
    with pytest.raises(Interrupted):
        pushforward.GIS(random_state=0).fit(table(), folder=tmp_path / "work")
    restore()
    settings = {"random_state": 0, **change}
    with pytest.warns(UserWarning, match="begins anew"):
        found = pushforward.GIS(**settings).fit(table()[:data], folder=tmp_path / "work")
    expected = pushforward.GIS(**settings).fit(table()[:data])
    assert np.array_equal(found.score_samples(table()), expected.score_samples(table()))


def test_a_damaged_checkpoint_is_not_used(eager, tmp_path):
    work = Checkpoint(tmp_path / "work")
    work.open("d", 5)
    work.keep("step", {"t": torch.ones(100)})
    weights = tmp_path / "work" / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-3] ^= 1
    weights.write_bytes(data)
    again = Checkpoint(tmp_path / "work")
    with pytest.warns(UserWarning, match="begins anew"):
        assert again.open("d", 9) == 9
    assert again.get("step") is None


def test_a_step_replaces_its_parts(tmp_path):
    work = Checkpoint(tmp_path / "work")
    work.keep("a/1", {"t": torch.zeros(1)})
    work.keep("a/2", {"t": torch.zeros(1)})
    work.keep("ab", {"t": torch.zeros(1)})
    work.keep("a", {"t": torch.ones(1)})
    assert [name for name in ("a/1", "a/2", "ab", "a") if work.get(name)] == ["ab", "a"]


@pytest.mark.skipif(os.name == "nt", reason="no SIGKILL")
@pytest.mark.parametrize("model", ["gis", "auto"])
def test_killed_commands_go_on(model, tmp_path):
    data = tmp_path / "table.npy"
    np.save(data, table(2000 if model == "gis" else 150))
    random.seed(model)

    def start(output):
        words = [sys.executable, "-c", CHILD, "fit", model, str(data), "-o", str(output)]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        return subprocess.Popen(
            [*words, "--random-state", "0"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )

    whole = start(tmp_path / "whole")
    assert whole.wait(120) == 0
    work = tmp_path / ".killed.pushforward-fit"
    for _ in range(2 if model == "gis" else 1):
        process = start(tmp_path / "killed")
        changed = work.stat().st_ctime if work.is_dir() else 0.0
        while process.poll() is None:  # some moments after it has kept something new
            if work.is_dir() and work.stat().st_ctime != changed:
                time.sleep(random.uniform(0.0, 0.2))
                process.send_signal(signal.SIGKILL)
                break
            time.sleep(0.005)
        process.wait(60)
    final = start(tmp_path / "killed")
    _, said = final.communicate(timeout=120)
    assert final.returncode == 0, said
    if "TOOK" in said:  # it may have been through before the second kill
        assert "TOOK 0" not in said
    files = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("whole", "killed")]
    assert files[0] == files[1]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["killed", "table.npy", "whole"]
