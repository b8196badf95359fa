"""Interrupted fits go on: killed at any moment and repeated, they end as if nothing happened."""

import random
import shutil
import sys
import time
import warnings

import numpy as np
import pytest
import torch

import pushforward
from pushforward.cli import app
from pushforward.errors import ModelFileError, ParameterError
from pushforward.storage import checkpoint
from pushforward.storage.checkpoint import (
    Checkpoint,
    RunCheckpoint,
    digest,
    read_checkpoint,
)
from pushforward.storage.model_folder import write_folder


# steps are written ten times a second, and each process says how many it took over
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
    x = table(60 if cls is pushforward.AutoDensity else 150)
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
    assert work.open({"d": 1}, 5) == 5
    work.keep("step", {"t": torch.ones(1)})
    restore = interrupt(monkeypatch, 3)
    with pytest.raises(Interrupted):
        pushforward.GIS().fit(x, folder=tmp_path / "other")
    restore()
    first = Checkpoint(tmp_path / "other")
    model = pushforward.GIS().fit(x, folder=first)
    assert model._seed == first._seed
    assert Checkpoint(tmp_path / "work").open({"d": 1}, 9, asked=False) == 5
    assert Checkpoint(tmp_path / "work").open({"d": 1}, 5) == 5
    another = Checkpoint(tmp_path / "work")
    with pytest.warns(UserWarning, match=r"it has another seed \(random_state\). The fit begins"):
        assert another.open({"d": 1}, 9) == 9
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
    ("change", "data", "said"),
    [
        ({"step": 0.5}, 500, "it has step None, and this one 0.5"),
        ({"random_state": 1}, 500, "it has another seed"),
        ({}, 499, "it has other columns"),
    ],
)
def test_another_fit_begins_anew_and_says_so(change, data, said, eager, monkeypatch, tmp_path):
    restore = interrupt(monkeypatch, 2)
    with pytest.raises(Interrupted):
        pushforward.GIS(random_state=0, max_layers=4).fit(table(), folder=tmp_path / "work")
    restore()
    settings = {"random_state": 0, "max_layers": 4, **change}
    with pytest.warns(UserWarning, match=rf"cannot be continued: {said}.*\. The fit begins anew"):
        found = pushforward.GIS(**settings).fit(table()[:data], folder=tmp_path / "work")
    expected = pushforward.GIS(**settings).fit(table()[:data])
    assert np.array_equal(found.score_samples(table()), expected.score_samples(table()))


def test_a_damaged_checkpoint_is_not_used(eager, tmp_path):
    work = Checkpoint(tmp_path / "work")
    work.open({}, 5)
    work.keep("step", {"t": torch.ones(100)})
    weights = tmp_path / "work" / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-3] ^= 1
    weights.write_bytes(data)
    again = Checkpoint(tmp_path / "work")
    with pytest.warns(UserWarning, match="begins anew"):
        assert again.open({}, 9) == 9
    assert again.get("step") is None


def test_what_differs_is_named_the_seed_first(tmp_path):
    identity = {"width": 4, "shape": [2, 3], "data": digest("rows")}
    work = Checkpoint(tmp_path / "work")
    work.open({**identity, "shape": (2, 3)}, 5)
    work.put("a", {"t": torch.ones(2)}, {"count": 3})
    work.put("b", {})
    work.write()
    found = read_checkpoint(tmp_path / "work")
    assert found.difference(identity, 5) == ""
    assert found.difference({**identity, "width": 8}, 6) == "another seed (random_state)"
    assert found.difference({**identity, "width": 8}, 5) == "width 4, and this one 8"
    assert found.difference({**identity, "data": digest("others")}, 5) == "other data"
    assert found.difference({**identity, "depth": 1}, 5) == "depth None, and this one 1"
    assert (found.steps["a"].facts, found.steps["b"].facts) == ({"count": 3}, {})
    assert found.steps["a"].tensors["t"].equal(torch.ones(2))
    assert found.steps["b"].tensors == {}


def test_a_run_is_refused_where_a_fit_in_steps_begins_anew(tmp_path):
    def begun(folder):
        work = RunCheckpoint(folder)
        work.open({"width": 4}, 5)
        work.put("run", {}, {"step": 1})
        work.write(seconds=7.0)

    place = tmp_path / "run" / "checkpoint"
    begun(place)
    again = RunCheckpoint(place)
    assert again.chosen_seed(9, asked=False) == 5
    assert again.chosen_seed(9, asked=True) == 9
    assert again.open({"width": 4}, 5) == 5
    assert (again.facts("run"), again.seconds) == ({"step": 1}, 7.0)
    text = r"run in .*run cannot be continued: it has width 4, and this one 8. Choose another"
    with pytest.raises(ParameterError, match=text):
        RunCheckpoint(place).open({"width": 8}, 5)
    assert read_checkpoint(place).identity == {"width": 4}  # nothing was lost
    (place / "README.md").write_text("# other")
    for use in (
        lambda: RunCheckpoint(place).open({"width": 4}, 5),
        lambda: RunCheckpoint(place).chosen_seed(9, asked=False),
    ):
        with pytest.raises(ModelFileError, match=r"cannot be continued: .*[^.]\. Choose another"):
            use()


def test_only_the_process_that_writes_writes(eager, tmp_path):
    silent = Checkpoint(tmp_path / "work", writes=False)
    silent.open({}, 1)
    silent.keep("a", {"t": torch.ones(1)})
    silent.write()
    assert silent.get("a") is not None
    assert not (tmp_path / "work").exists()
    loud = Checkpoint(tmp_path / "work")
    loud.open({}, 1)
    loud.keep("a", {"t": torch.ones(1)})
    silent.discard()
    assert (tmp_path / "work").is_dir()


def test_a_run_of_an_earlier_version_goes_on(tmp_path):
    facts = {
        "identity": {"seed": 3, "model": "DCGAN", "rate": 0.1},
        "step": 2, "draws": 4, "seconds": 1.5, "history": [], "best": None, "updates": 0,
    }  # fmt: skip
    tensors = {"network/g.a/b": torch.ones(2), "best/g.a/b": torch.zeros(2)}
    write_folder(tmp_path / "run", {"class": "Checkpoint", "facts": facts}, tensors, "#")
    work = RunCheckpoint(tmp_path / "run")
    assert work.chosen_seed(9, asked=False) == 3
    assert work.open({"model": "DCGAN", "learning_rate": 0.1}, 3) == 3
    assert work.seconds == 1.5
    assert work.facts("run") == {
        k: facts[k] for k in ("step", "draws", "history", "best", "updates")
    }
    assert work.get("network")["g.a/b"].equal(torch.ones(2))
    assert work.get("best")["g.a/b"].equal(torch.zeros(2))
    assert work.get("average") == {}


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (
            {"unfinished": "0" * 64, "seed": 3, "seconds": 1.0},
            "it was begun by an earlier version",
        ),
        ({"class": "GIS"}, "holds a saved model, no unfinished fit"),
        ({"class": "Checkpoint"}, "no checkpoint as it was written: KeyError: 'steps'"),
        ({"class": "Checkpoint", "facts": {"identity": {}}}, "KeyError: 'seed'"),
        ({"class": "Checkpoint", "steps": {}, "seed": "x"}, "KeyError"),
        ({"class": "Checkpoint", "steps": {"step": {}}, "identity": 3}, "AttributeError"),
    ],
)
def test_what_cannot_be_gone_on_from_is_said_and_nothing_crashes(config, said, tmp_path):
    write_folder(tmp_path / "work", config, {"step::t": torch.ones(1)}, "#")
    x = table(60)
    model = pushforward.GIS(max_layers=1, random_state=0)
    with pytest.warns(UserWarning, match=rf"cannot be continued: .*{said}.* The fit begins anew"):
        found = model.fit(x, folder=tmp_path / "work")
    expected = pushforward.GIS(max_layers=1, random_state=0).fit(x)
    assert np.array_equal(found.score_samples(x), expected.score_samples(x))
    assert not (tmp_path / "work").exists()


def test_an_identity_that_json_cannot_hold_is_refused(tmp_path):
    with pytest.raises(ParameterError, match=r"identity\['rate'\] is inf"):
        Checkpoint(tmp_path / "work").open({"rate": float("inf")}, 1)
    assert Checkpoint().open({"rate": float("inf")}, 1) == 1  # which is kept nowhere


def test_a_step_replaces_its_parts(tmp_path):
    work = Checkpoint(tmp_path / "work")
    work.keep("a/1", {"t": torch.zeros(1)})
    work.keep("a/2", {"t": torch.zeros(1)})
    work.keep("ab", {"t": torch.zeros(1)})
    work.keep("a", {"t": torch.ones(1)})
    assert [name for name in ("a/1", "a/2", "ab", "a") if work.get(name)] == ["ab", "a"]


def command(words):
    """The command, which keeps its work every tenth of a second and says how much it took up."""
    checkpoint._EVERY, checkpoint._SHARE = 0.1, 1e9
    find = Checkpoint.open

    def opened(self, identity, seed, **more):
        seed = find(self, identity, seed, **more)
        print("TOOK", len(self._steps), file=sys.stderr, flush=True)
        return seed

    Checkpoint.open = opened
    app(words)


@pytest.mark.parametrize("model", ["gis", "auto"])
def test_killed_commands_go_on(model, processes, tmp_path):
    data = tmp_path / "table.npy"
    np.save(data, table(1000 if model == "gis" else 60))
    random.seed(model)

    def start(output):
        words = ["fit", model, str(data), "-o", str(output), "--random-state", "0"]
        return processes.start(command, words)

    assert start(tmp_path / "whole").wait() == 0
    work = tmp_path / ".killed.pushforward-fit"
    for _ in range(2 if model == "gis" else 1):
        copy = start(tmp_path / "killed")
        changed = work.stat().st_ctime if work.is_dir() else 0.0
        while copy.poll() is None:  # some moments after it has kept something new
            if work.is_dir() and work.stat().st_ctime != changed:
                time.sleep(random.uniform(0.0, 0.2 if model == "gis" else 0.02))
                copy.kill()
                break
            time.sleep(0.005)
        if through := copy.wait() == 0:  # before the kill: there is nothing to go on with
            shutil.rmtree(tmp_path / "killed")
    final = start(tmp_path / "killed")
    assert final.wait() == 0, final.stderr
    assert ("TOOK 0" in final.stderr) == through
    files = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("whole", "killed")]
    assert files[0] == files[1]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["killed", "table.npy", "whole"]


@pytest.mark.parametrize("inside", [False, True])
def test_a_file_in_the_place_of_the_folder_is_refused_before_the_work(tmp_path, inside):
    file = tmp_path / "notes.txt"
    file.write_text("mine")
    folder = file / "run" if inside else file
    for model in (pushforward.GIS(), pushforward.DCGAN(steps=1), pushforward.SIG()):
        X = np.random.default_rng(0).normal(size=(40, 2))
        if not isinstance(model, pushforward.GIS):
            X = np.zeros((40, 28, 28), np.uint8) + np.arange(40, dtype=np.uint8)[:, None, None]
        with pytest.raises(ParameterError, match=r"notes\.txt is a file"):
            model.fit(X, folder=folder)
    assert file.read_text() == "mine"
