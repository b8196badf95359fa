"""Exit codes, and which stream gets what."""

import signal
import warnings

import pytest
import torch

from pushforward.errors import DataError, Terminated
from pushforward.training.interrupt import Interrupt


@pytest.fixture
def broken(monkeypatch):
    """Make ``pushforward models`` raise an error."""

    def arrange(error):
        def fail(*arguments):
            raise error

        monkeypatch.setattr("pushforward.cli.models.print_table", fail)

    return arrange


def test_a_bug_shows_its_traceback(run, broken):
    broken(RuntimeError("boom"))
    done = run("models")
    assert done.code == 1
    assert "Traceback" in done.err
    assert "RuntimeError: boom" in done.err
    assert done.err.splitlines()[-1].startswith("pushforward: this is a bug")


def test_debug_shows_every_traceback(run, broken):
    broken(DataError("two\nlines"))
    run("models").refused("two lines")
    for words in (["--debug", "models"], ["models", "--debug"]):
        done = run(*words)
        assert done.code == 2
        assert "Traceback" in done.err
        assert done.err.splitlines()[-1] == "pushforward: two lines"


def test_the_system_refuses(run, broken):
    broken(PermissionError(13, "Permission denied", "there"))
    run("models").refused("there: Permission denied.")


def test_interrupted(run, broken):
    broken(KeyboardInterrupt())
    done = run("models")
    assert done.code == 130
    assert len(done.err.splitlines()) == 1


def test_a_closed_pipe_is_silent(run, broken):
    broken(BrokenPipeError(32, "Broken pipe"))
    done = run("models")
    assert (done.code, done.out, done.err) == (141, "", "")


def test_an_interrupted_fit_leaves_nothing(run, monkeypatch, tmp_path):
    def stop(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("pushforward.models.sliced.gis.grow", stop)
    assert run("fit", "gis", "iris", "-o", tmp_path / "m").code == 130
    assert list(tmp_path.iterdir()) == []


def test_a_fit_that_is_asked_to_end_keeps_its_work_and_says_so_by_its_code(
    run, monkeypatch, tmp_path
):
    def stop(*arguments, checkpoint, **options):
        checkpoint.keep("flow", {"x": torch.zeros(1)})
        checkpoint.write()
        raise Terminated

    monkeypatch.setattr("pushforward.models.sliced.gis.grow", stop)
    done = run("fit", "gis", "iris", "-o", tmp_path / "m")
    assert done.code == 143
    assert "Repeat the command to go on" in done.err
    assert [path.name for path in tmp_path.iterdir()] == [".m.pushforward-fit"]


def test_an_interrupt_of_a_training_knows_its_signal():
    for number, error in ((signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, Terminated)):
        with Interrupt() as interrupt:
            signal.raise_signal(number)
        assert interrupt.requested
        assert interrupt.error is error


@pytest.mark.filterwarnings("default:a\nb:UserWarning")
def test_warnings_are_notes(run, monkeypatch):
    monkeypatch.setattr(
        "pushforward.cli.models.print_table", lambda *a: warnings.warn("a\nb", stacklevel=1)
    )
    assert run("models").ok().err == "pushforward: note: a b\n"


@pytest.mark.filterwarnings("default:.*(not read|no classes):UserWarning")
def test_quiet_silences_notes_on_what_is_read(run, tmp_path):
    from PIL import Image

    for name in ("sub/a.png", "loose.png"):
        path = tmp_path / "mixed" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (8, 8)).save(path)
    (tmp_path / "mixed" / "notes.txt").write_text("x")
    words = ["fit", "dcgan", tmp_path / "mixed", "--set", "steps=1", "--set", "width=4"]
    assert "not read: 1 .txt" in run(*words, "-o", tmp_path / "a").ok().err
    assert run(*words, "-o", tmp_path / "b", "--quiet").ok().err == ""


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--minutes", "abc"], "--minutes is 'abc'. Expected a number."),
        (["--rows", "ten"], "--rows is 'ten'. Expected a whole number of at least 1."),
        (["--seed", "-1"], "--seed is '-1'. Expected a whole number from 0 to 4294967295."),
        (["--missing", "modl"], "'modl' (did you mean 'model'?). Expected one of error, drop"),
        (["--minuts", "3"], "There is no option --minuts (did you mean --minutes?)"),
        (["--minutes", "0"], "--minutes is 0.0. Expected a number above 0, or leave it out."),
        (["--set", "max_layer=3"], "no parameter 'max_layer' (did you mean 'max_layers'?)"),
        (["--set", "max_layers=no"], "--set max_layers is 'no'. Expected a whole number"),
        (
            ["--column", "species=categry"],
            "--column species is 'categry' (did you mean 'category'",
        ),
        (["--column", "species"], "--column is 'species'. Expected NAME=KIND."),
        (["--bounds", "species"], "--bounds is 'species'. Expected NAME=LOW:HIGH."),
        (["--constraint", "Species -> x"], "--constraint has 'Species -> x', and there is no"),
        (["--bounds", "petal=0:"], "'petal'. The table has the columns 'sepal length (cm)'"),
        (["--drop", "Species"], "--drop names the column 'Species' (did you mean 'species'?)"),
    ],
)
def test_options_are_refused_with_what_was_got_and_what_is_expected(run, tmp_path, words, text):
    run("fit", "gis", "iris", "-o", tmp_path / "m", *words).refused(text)


def test_what_was_probably_meant(run, tmp_path, gis, csv):
    run("fit", "giss", "iris", "-o", tmp_path / "m").refused("(did you mean 'gis'?)")
    run("fit", "gis", "irs", "-o", tmp_path / "m").refused("(did you mean 'iris'?)")
    run("info", gis.with_name("gs")).refused(f"(did you mean '{gis}'?)")
    run("sample", gis, "8").refused("Got 8 without an option before it. Expected --rows 8.")
    run("evaluate", gis, csv, "--measure", "mdd").refused("--measure has 'mdd' (did you mean")
