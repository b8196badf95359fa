"""Names, values and numbers of others in what is printed, written and copied."""

import copy
import io
import json
import pickle
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

import pushforward
from pushforward.cli import app
from pushforward.data import open_table, write_table
from pushforward.errors import DataError, ParameterError
from pushforward.plain_text import fenced, in_markdown, printable
from pushforward.refinement import RefinedModel

GOLDEN = Path(__file__).parents[1] / "golden"
HOSTILE = "\x1b[31mred\x07 \u202eback | <img src=x> `code` *bold* [a](b)"


def run(*words):
    with pytest.raises(SystemExit) as done:
        app([*map(str, words)])
    return done.value.code


def hostile_table():
    rng = np.random.default_rng(0)
    words = rng.choice([HOSTILE, "=cmd()", "plain"], 60)
    return pd.DataFrame({HOSTILE: rng.standard_normal(60), "=name": words})


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    home = tmp_path_factory.mktemp("hostile")
    model = pushforward.GIS(max_layers=1, random_state=0).fit(hostile_table())
    write_table(home / "rows.parquet", hostile_table())
    return model.save(home / "model")


def test_a_card_has_no_marks_of_others(hostile):
    card = (hostile / "README.md").read_text()
    assert "<img" not in card
    assert r"\*bold\*" in card
    assert all(one.isprintable() or one == "\n" for one in card)


@pytest.mark.parametrize("words", [["info"], ["explain", "rows.parquet"], ["sample", "-n", "2"]])
def test_what_is_printed_moves_no_cursor(hostile, capsys, words):
    data = [hostile.parent / word for word in words[1:] if word.endswith("parquet")]
    rest = words[1 + len(data) :]
    assert run(words[0], hostile, *data, *rest) == 0
    out, err = capsys.readouterr()
    assert "\x1b" not in err
    if words[0] != "sample":  # whose output is data
        assert "\x1b" not in out
        assert "\u202e" not in out
        assert "red" in out


def test_an_error_moves_no_cursor(tmp_path, capsys):
    assert run("info", tmp_path / "\x1b[2Jgone") == 2
    assert "\x1b" not in capsys.readouterr().err


def test_texts():
    assert printable("a\nb\x00", lines=True) == "a\nb\\x00"
    assert printable("größe 数") == "größe 数"
    assert in_markdown("a\nb") == "a b"
    assert "```" not in fenced("a\n```\nb")


@pytest.mark.parametrize("suffix", ["csv", "tsv.gz"])
def test_formulas(tmp_path, suffix):
    path = tmp_path / f"x.{suffix}"
    table = pd.DataFrame({"=n": ["=1+1", "-5", "@a", "a=b"], "b": [-1.0, 2.0, 3.0, 4.0]})
    write_table(path, table)
    assert open_table(path).read()["=n"].tolist() == ["=1+1", "-5", "@a", "a=b"]
    write_table(path, table, formulas="escape")
    found = open_table(path).read()
    assert found["'=n"].tolist() == ["'=1+1", "-5", "'@a", "a=b"]
    assert found["b"].tolist() == table["b"].tolist()
    with pytest.raises(DataError, match="formula"):
        write_table(path, table, formulas="refuse")
    with pytest.raises(ParameterError, match="keep, escape, refuse"):
        write_table(path, table, formulas="x")


def test_formulas_of_the_command(hostile, tmp_path, capsys):
    assert run("sample", hostile, "-n", 9, "--formulas", "escape", "--random-state", 0) == 0
    assert "'=cmd()" in capsys.readouterr().out
    refused = ["--formulas", "refuse", "-o", tmp_path / "x.csv"]
    assert run("sample", hostile, "-n", 9, *refused) == 2
    assert list(tmp_path.iterdir()) == []


# --- numbers ----------------------------------------------------------------------------------


@pytest.mark.parametrize("setting", ["knots=18446744073709551616", "max_layers=1" + "0" * 30])
def test_numbers_beyond_all_numbers(tmp_path, capsys, setting):
    (tmp_path / "x.csv").write_text("a,b\n" + "1,2\n3,4\n" * 9)
    line = ["fit", "gis", tmp_path / "x.csv", "-o", tmp_path / "m", "--set", setting]
    assert run(*line) == 2
    assert "9,007,199,254,740,992 at most" in capsys.readouterr().err


@pytest.mark.parametrize("setting", ["bandwidth=1e999", "bandwidth=-1e999", "tail_step=nan"])
def test_numbers_that_are_none(tmp_path, capsys, setting):
    (tmp_path / "x.csv").write_text("a,b\n" + "1,2\n3,4\n" * 9)
    line = ["fit", "gis", tmp_path / "x.csv", "-o", tmp_path / "m", "--set", setting]
    assert run(*line) == 2
    assert setting.split("=")[0] in capsys.readouterr().err


@pytest.mark.parametrize("n", ["1e20", "1" + "0" * 20, "0", "-1"])
def test_numbers_of_rows(capsys, n):
    assert run("sample", GOLDEN / "gis", "-n", n) == 2
    assert "--rows" in capsys.readouterr().err


def test_too_little_memory_is_no_bug(monkeypatch, capsys):
    monkeypatch.setattr(
        "pushforward.cli.sample.loaded", lambda *args: (_ for _ in ()).throw(MemoryError)
    )
    assert run("sample", GOLDEN / "gis") == 2
    assert "memory" in capsys.readouterr().err


# --- where results go -------------------------------------------------------------------------


def test_a_closed_stdout(monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdout", None)  # as the interpreter finds it after >&-
    assert run("info", GOLDEN / "gis") == 0
    assert capsys.readouterr().err == ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has it")
def test_a_full_stdout(monkeypatch, capsys):
    with open("/dev/full", "w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        assert run("sample", GOLDEN / "gis", "-n", "3000", "--quiet") == 2
        monkeypatch.undo()
    expected = "pushforward: the output cannot be written: No space left on device.\n"
    assert capsys.readouterr().err == expected


def test_a_stdout_of_ascii(tmp_path, monkeypatch):
    table = pd.DataFrame({"größe": ["ä", "b"] * 30, "b": range(60)})
    folder = pushforward.GIS(max_layers=1, random_state=0).fit(table).save(tmp_path / "m")
    out = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(out, encoding="ascii"))
    assert run("info", folder, "--json") == 0
    assert json.loads(out.getvalue().decode())["columns"][0]["name"] == "größe"


# --- copies -----------------------------------------------------------------------------------


def answers(model):
    if not hasattr(model, "sample"):
        rows = model.columns_.decode(torch.zeros(2, model.columns_.n_coordinates))
        return [model.predict(rows), model.predict_interval(rows)]
    rows = model.sample(3, random_state=0)
    scores = getattr(model, "score_samples", None)
    return [np.asarray(rows), *([scores(rows)] if callable(scores) else [])]


@pytest.mark.parametrize("name", sorted(p.stem for p in GOLDEN.glob("*.npz")))
def test_every_model_is_copied_equal(name):
    """joblib sends models to other processes by pickles; we ourselves never read one."""
    model = pushforward.load(GOLDEN / name)
    first = answers(model)  # first, so that what is made in use is copied too
    for again in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):  # noqa: S301
        assert type(again) is type(model)
        for left, right in zip(first, answers(again), strict=True):
            assert np.array_equal(left, right)


def test_a_refined_model_keeps_its_report():
    model = pushforward.load(GOLDEN / "refined")
    assert copy.deepcopy(RefinedModel(abs, prior=2)).prior == 2  # not fitted: as it is
    assert str(pickle.loads(pickle.dumps(model)).report_) == str(model.report_)  # noqa: S301


def test_explain_of_columns_that_never_vary():
    table = pd.DataFrame({"a": [1] * 20, "b": ["x"] * 20})
    model = pushforward.GIS(max_layers=1, random_state=0).fit(table)
    found = model.explain(table.iloc[:1])
    assert list(found["gain"]) == [0, 0]
    other = model.explain(pd.DataFrame({"a": [2], "b": ["x"]}))
    assert other["column"][0] == "a"
    assert other["gain"][0] > 0
