"""A save that is killed, fails or is raced leaves one whole model, and the next one tidies up.

``PUSHFORWARD_KILLS=200`` runs the full scale; the default is a tenth of it.
"""

import builtins
import errno
import json
import os
import sys

import pytest
import torch

from pushforward.errors import ModelFileError
from pushforward.storage import atomic
from pushforward.storage.model_folder import read_folder, write_folder

sys.path.insert(0, os.path.dirname(__file__))
import killed_saves

KILLS = int(os.environ.get("PUSHFORWARD_KILLS", "20"))
WAYS = ["exchange", "renames"]

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="forks and signals")


@pytest.fixture(scope="module")
def seen(processes, tmp_path_factory):
    copy = processes.start(killed_saves.main, tmp_path_factory.mktemp("kills"), KILLS)
    assert copy.wait(600) == 0, copy.stderr
    assert copy.stderr == ""
    return json.loads(copy.stdout)


@pytest.mark.parametrize("way", WAYS)
def test_killed_at_random_moments(seen, way):
    case = seen[f"random_kills {way}"]
    assert len(case["values"]) == KILLS
    assert set(case["values"]) <= {0, 1}
    assert case["midway"]  # the kills did hit saves
    assert case["left"] == []
    if way == "exchange":
        assert case["missing"] == 0  # the name was there at every moment


@pytest.mark.parametrize("way", WAYS)
def test_killed_at_every_system_call(seen, way):
    case = seen[f"kill_at_every_call {way}"]
    assert case["steps"] > 30
    assert set(case["values"]) == {0, 1}
    assert case["values"][0] == 0
    assert case["values"][-1] == 1
    assert case["left"] == []
    assert bool(case["missing"]) == (way == "renames")  # then the copy set aside was read


@pytest.mark.parametrize("way", WAYS)
def test_two_processes_save_to_one_folder(seen, way):
    case = seen[f"race {way}"]
    assert case["statuses"] == [0, 0]
    assert set(case["values"]) <= {0, 1}
    assert case["left"] == []


@pytest.mark.parametrize("way", WAYS)
def test_disk_that_fills_up(seen, way):
    case = seen[f"full_disk {way}"]
    assert set(case["errors"]) == {7}
    assert set(case["values"]) == {0}
    assert case["left"] == []


# --- every call that can fail, fails ---------------------------------------------------------

FAILING = [(os, "mkdir"), (os, "open"), (os, "fsync"), (os, "rename"), (builtins, "open")]
FAILING += [(atomic, "_exchange")]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EACCES])
@pytest.mark.parametrize("call", FAILING, ids=lambda call: f"{call[0].__name__}.{call[1]}")
@pytest.mark.parametrize("old", [True, False])
@pytest.mark.parametrize("way", WAYS)
def test_failing_calls(tmp_path, monkeypatch, way, call, code, old):
    folder = tmp_path / "model"
    if way == "renames":
        if call[1] == "_exchange":
            return
        monkeypatch.setattr(atomic, "_exchange", lambda new, target: False)
    original = getattr(*call)
    failed = 0
    for at in range(100):
        for path in folder.iterdir() if folder.exists() else ():
            path.unlink()
        if old:
            write_folder(folder, {"value": 0}, {"w": torch.zeros(3)}, "")
        elif folder.exists():
            folder.rmdir()
        calls = []

        def failing(*args, calls=calls, at=at, **kwargs):
            calls.append(args)
            if len(calls) == at + 1:
                raise OSError(code, os.strerror(code))
            return original(*args, **kwargs)

        with monkeypatch.context() as patch:
            patch.setattr(*call, failing)
            try:
                write_folder(folder, {"value": 1}, {"w": torch.ones(3)}, "")
            except ModelFileError as error:
                refusal = str(error)
            else:
                refusal = ""
        assert [path.name for path in tmp_path.iterdir()] in ([], ["model"])
        if len(calls) <= at:
            assert not refusal
            break
        failed += 1
        if refusal and not old and not folder.exists():
            continue
        config, tensors = read_folder(folder)
        assert tensors["w"].tolist() == [config["value"]] * 3
        assert refusal == "" or os.strerror(code) in refusal
        assert refusal or config["value"] == 1
    assert failed or call[1] == "_exchange" or (call[1] == "rename" and way == "exchange" and old)
    assert read_folder(folder)[0] == {"value": 1}


@pytest.mark.parametrize("name", ["unlink", "rmdir", "close"])
def test_what_cannot_be_removed_is_removed_by_the_next_save(tmp_path, monkeypatch, name):
    folder = write_folder(tmp_path / "model", {"value": 0}, {}, "")
    with monkeypatch.context() as patch:
        if name != "close":

            def failing(*args, **kwargs):
                raise OSError(errno.EPERM, "no")

            patch.setattr(os, name, failing)
        write_folder(folder, {"value": 1}, {}, "")
        assert read_folder(folder)[0] == {"value": 1}
    write_folder(folder, {"value": 2}, {}, "")
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_interrupted_from_the_keyboard(tmp_path, monkeypatch):
    folder = write_folder(tmp_path / "model", {"value": 0}, {}, "")

    def interrupt(descriptor):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", interrupt)
        with pytest.raises(KeyboardInterrupt):
            write_folder(folder, {"value": 1}, {}, "")
    assert read_folder(folder)[0] == {"value": 0}
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_the_swap_is_one_system_call_here(tmp_path):
    """On Linux with a common file system; elsewhere the two renames do it."""
    if sys.platform != "linux":
        pytest.skip("renameat2 is Linux's")
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).touch()
    if not atomic._exchange(tmp_path / "a", tmp_path / "b"):
        pytest.skip("this file system cannot exchange")
    assert os.listdir(tmp_path / "a") == ["b"]
    with pytest.raises(FileNotFoundError):
        atomic._exchange(tmp_path / "a", tmp_path / "none")


@pytest.mark.parametrize("library", [object(), OSError("no libc")])
def test_an_old_libc_falls_back(tmp_path, monkeypatch, library):
    def load(*args, **kwargs):
        if isinstance(library, OSError):
            raise library
        return library

    folder = write_folder(tmp_path / "model", {"value": 0}, {}, "")
    monkeypatch.setattr(atomic.ctypes, "CDLL", load)
    write_folder(folder, {"value": 1}, {}, "")
    assert read_folder(folder)[0] == {"value": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_a_folder_that_another_save_moves_while_it_is_looked_at_is_looked_at_anew(tmp_path):
    target, looked = tmp_path / "model", []

    def check(path):
        looked.append((path / "a.txt").read_bytes())
        if len(looked) == 1:  # as another save does between its two renames
            path.rename(tmp_path / "old")
            path.mkdir()
            (path / "a.txt").write_bytes(b"theirs")
            (tmp_path / "old" / "a.txt").unlink()
            raise FileNotFoundError(errno.ENOENT, "No such file or directory")

    atomic.write_folder_atomically(target, {"a.txt": b"first"}, check)
    atomic.write_folder_atomically(target, {"a.txt": b"ours"}, check)
    assert (target / "a.txt").read_bytes() == b"ours"
    assert looked[:2] == [b"first", b"theirs"]


def test_what_must_not_be_replaced_is_refused_at_once(tmp_path):
    (tmp_path / "model").mkdir()

    def check(path):
        raise ModelFileError("mine")

    with pytest.raises(ModelFileError, match="mine"):
        atomic.write_folder_atomically(tmp_path / "model", {"a.txt": b"1"}, check)
    assert list((tmp_path / "model").iterdir()) == []
