"""Writers that are killed, ended or have no room leave nothing, and say which file it was."""

import os
import resource
import signal
import sys
import threading
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import pushforward
from pushforward.cli import app
from pushforward.data import TableWriter, write_table
from pushforward.errors import DataError, ModelFileError, ParameterError
from pushforward.estimators.table_density import TableDensity
from pushforward.storage import atomic
from pushforward.storage.model_folder import check_target, write_folder
from pushforward.training.run_lock import run_of_one

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="forks and signals")

SUFFIXES = ["csv", "csv.gz", "tsv", "parquet", "feather", "npy", "npz"]


def rows(n=4000):
    return pd.DataFrame(np.random.default_rng(0).standard_normal((n, 4)), columns=list("abcd"))


def fork(work):
    """Run something in a process of its own; its exit code, or minus a signal."""
    pid = os.fork()
    if pid:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    try:
        work()
        os._exit(0)
    except BaseException as error:
        print(f"worker: {error!r}", file=sys.stderr, flush=True)
        os._exit(1)


def left_in(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("limit", [0, 100, 5000, 30_000])
def test_a_disk_without_room(tmp_path, suffix, limit):
    """The system refuses more than so many bytes in a file, as a full disk does midway."""
    path = tmp_path / f"rows.{suffix}"
    path.write_bytes(b"old")

    def write_often():
        with TableWriter(path) as writer:
            for _ in range(3):
                writer.write(rows())

    def work():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        with pytest.raises(DataError, match=rf"{path}.*File too large"):
            write_often()

    assert fork(work) == 0
    assert left_in(tmp_path) == [path.name]
    assert path.read_bytes() == b"old"


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_killed_while_it_writes(tmp_path, suffix):
    path = tmp_path / f"rows.{suffix}"

    def work():
        with TableWriter(path) as writer:
            writer.write(rows())
            os.kill(os.getpid(), signal.SIGKILL)

    assert fork(work) == -signal.SIGKILL
    assert len(left_in(tmp_path)) == 1  # so there was something to be removed
    write_table(path, rows(3))
    assert left_in(tmp_path) == [path.name]


def test_what_another_process_writes_is_left(tmp_path):
    path = tmp_path / "rows.csv"
    with TableWriter(path) as slow:
        slow.write(rows(5))
        write_table(path, rows(3))
        slow.write(rows(5))
    assert len(pd.read_csv(path)) == 10
    assert left_in(tmp_path) == ["rows.csv"]


def test_pictures_of_a_killed_command(tmp_path):
    target = tmp_path / "pictures"

    def work():
        from pushforward.cli.image_io import image_sink

        with image_sink(target, "nhw") as write:
            write(np.zeros((3, 8, 8), np.uint8))
            os.kill(os.getpid(), signal.SIGKILL)

    assert fork(work) == -signal.SIGKILL
    assert len(left_in(tmp_path)) == 1
    from pushforward.cli.image_io import image_sink

    with image_sink(target, "nhw") as write:
        write(np.zeros((2, 8, 8), np.uint8))
    assert left_in(tmp_path) == ["pictures"]
    assert left_in(target) == ["000000.png", "000001.png"]


def test_a_file_that_is_written_whole_is_named(tmp_path, monkeypatch):
    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(atomic, "_write_synced", full)
    with pytest.raises(OSError, match=r"No space left.*page.html"):
        atomic.write_file_atomically(tmp_path / "page.html", b"1")
    assert left_in(tmp_path) == []


def test_a_command_that_is_asked_to_end(tmp_path, monkeypatch):
    golden = Path(__file__).parents[1] / "golden" / "gis"
    drawn = TableDensity.sample

    def ended(self, *args, **options):
        assert len(left_in(tmp_path)) == 1  # so there was something to be removed
        os.kill(os.getpid(), signal.SIGTERM)
        return drawn(self, *args, **options)

    monkeypatch.setattr(TableDensity, "sample", ended)

    def work():
        try:
            app(["sample", str(golden), "-n", "5", "-o", str(tmp_path / "x.csv"), "--quiet"])
        except SystemExit as done:
            os._exit(done.code)

    assert fork(work) == 143
    assert left_in(tmp_path) == []


# --- before the work --------------------------------------------------------------------------


def refused(*words):
    with pytest.raises(SystemExit) as done:
        app([*map(str, words)])
    return done.value.code


PLACES = {
    "a file above": lambda home: home / "file" / "model",
    "a name too long": lambda home: home / ("x" * 240),
    "a folder too long": lambda home: home / ("x" * 300) / "model",
    "no real folder": lambda home: Path("/proc/self/model"),
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("command", ["fit", "refine"])
def test_a_place_that_cannot_be_written(tmp_path, monkeypatch, capsys, place, command):
    (tmp_path / "file").write_text("")
    (tmp_path / "x.csv").write_text("a,b\n" + "1,2\n3,4\n5,6\n" * 9)
    monkeypatch.setattr("pushforward.cli.fit.open_source", lambda *args: pytest.fail("read"))
    monkeypatch.setattr("pushforward.cli.refine.open_source", lambda *args: pytest.fail("read"))
    golden = Path(__file__).parents[1] / "golden" / "gis"
    words = ["fit", "gis"] if command == "fit" else ["refine", golden]
    assert refused(*words, tmp_path / "x.csv", "-o", PLACES[place](tmp_path)) == 2
    assert "saved" in capsys.readouterr().err
    assert left_in(tmp_path) == ["file", "x.csv"]


def test_a_model_that_may_not_be_replaced(tmp_path, monkeypatch, capsys):
    write_folder(tmp_path / "m", {}, {}, "")
    (tmp_path / "m" / "notes.txt").write_text("mine")
    monkeypatch.setattr("pushforward.cli.fit.open_source", lambda *args: pytest.fail("read"))
    assert refused("fit", "gis", "x.csv", "-o", tmp_path / "m", "--overwrite") == 2
    assert "notes.txt" in capsys.readouterr().err


def test_a_place_that_can_be_written(tmp_path):
    check_target(tmp_path / "new" / "deep" / "model")
    assert left_in(tmp_path) == []
    with pytest.raises(ModelFileError):
        check_target(tmp_path / ("x" * 300))


def test_pictures_need_what_is_not_installed(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    images = np.zeros((40, 8, 8), np.uint8)
    monkeypatch.setattr(pushforward.SIG, "_read", lambda *args, **options: pytest.fail("read"))
    with pytest.raises(ParameterError, match=r"pushforward\[images\]"):
        pushforward.SIG(layers=1).fit(images, folder=tmp_path / "run")


# --- one run, one training --------------------------------------------------------------------


def test_a_run_of_another_process(tmp_path):
    held, done = threading.Event(), threading.Event()

    def other():
        with run_of_one(tmp_path / "run"):
            held.set()
            done.wait(30)

    thread = threading.Thread(target=other)
    thread.start()
    try:
        assert held.wait(30)
        model = pushforward.TableFlow(steps=2, random_state=0)
        with pytest.raises(ParameterError, match="Another process trains in"):
            model.fit(rows(50), folder=tmp_path / "run")
        with run_of_one(tmp_path / "run", first=False), run_of_one(None):
            pass
    finally:
        done.set()
        thread.join()
    model.fit(rows(50), folder=tmp_path / "run")
    with run_of_one(tmp_path / "run"):
        pass


def test_the_lock_of_a_run_goes_with_its_process(tmp_path):
    def work():
        with run_of_one(tmp_path / "run"):
            os.kill(os.getpid(), signal.SIGKILL)

    assert fork(work) == -signal.SIGKILL
    with run_of_one(tmp_path / "run"):
        assert left_in(tmp_path / "run") == []


def test_the_advice_at_a_damaged_checkpoint(tmp_path):
    model = pushforward.TableFlow(steps=2, random_state=0).fit(rows(50), folder=tmp_path / "run")
    weights = next((tmp_path / "run").rglob("model.safetensors"))
    weights.write_bytes(weights.read_bytes()[:-5])
    with pytest.raises(ModelFileError, match=r"remove .*checkpoint to begin anew") as caught:
        model.fit(rows(50), folder=tmp_path / "run")
    assert "save the model again" not in str(caught.value)
