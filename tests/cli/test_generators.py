"""Models of tables and of text that train in a run: fitted, sampled, judged, gone on with."""

import json

import numpy as np
import pandas as pd
import pytest

import pushforward

LINES = [
    "The cat sat .",
    "A dog ran off .",
    "Cats and dogs !",
    "Some longer line than thirty-two .",
]
TABLE = ["--set", "width=8", "--set", "depth=1", "--random-state", "0"]
TEXT = ["--set", "width=4", "--set", "blocks=1", "--set", "latent=3", "--random-state", "0"]


@pytest.fixture(scope="module")
def lines(tmp_path_factory):
    path = tmp_path_factory.mktemp("text") / "lines.txt"
    path.write_text("\n".join(LINES * 12), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def text(run, lines, tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "text"
    done = run("fit", "character-gan", lines, "-o", folder, "--set", "steps=2", *TEXT).ok()
    assert "48 lines" in done.err
    assert "held out js 4" in done.err
    return folder


@pytest.fixture(scope="module")
def rows_model(run, csv, tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "rows"
    words = ["--drop", "id", "--bounds", "age=0:", "--set", "steps=2", *TABLE]
    done = run("fit", "table-gan", csv, "-o", folder, *words).ok()
    assert "240 rows of 5 columns" in done.err
    return folder


def test_a_table_comes_out(run, rows_model, csv, tmp_path):
    out = tmp_path / "rows.csv"
    run("sample", rows_model, "-n", "40", "--random-state", "1", "-o", out).ok()
    made = pd.read_csv(out)
    model = pushforward.load(rows_model)
    pd.testing.assert_frame_equal(made, model.sample(40, random_state=1), check_dtype=False)
    assert made.columns.tolist() == ["length", "age", "count", "group", "w"]
    assert made["age"].min() >= 0
    run("evaluate", rows_model, csv, "-m", "column_fidelity", "-n", "100").ok()
    assert json.loads(run("info", rows_model, "--json").ok().out)["class"] == "TableGAN"
    run("score", rows_model, csv).refused("TableGAN cannot score", "gis")
    latents = tmp_path / "latents.npy"
    np.save(latents, model.prior(3, random_state=1))
    assert len(run("decode", rows_model, latents).ok().out.splitlines()) == 4


def test_a_run_goes_on(run, rows_model, csv, tmp_path):
    assert (rows_model.with_name("rows.run") / "log.csv").is_file()
    words = ["fit", "table-gan", csv, "-o", rows_model, "--drop", "id", "-q", "--continue"]
    run(*words, "--set", "steps=4").ok()
    assert pushforward.load(rows_model).history_[-1]["step"] == 4
    run(*words, "--set", "steps=4").refused("has taken its 4 steps")


def test_a_density_that_is_trained_is_a_run(run, csv, tmp_path):
    """It takes weights, as densities do, and goes on, as runs do."""
    small = ["--set", "couplings=2", "--set", "width=8", "--set", "batch_size=32", "-q"]
    words = ["fit", "table-flow", csv, "-o", tmp_path / "flow", "--drop", "id", "--weight", "w"]
    run(*words, *small, "--set", "steps=2").ok()
    assert (tmp_path / "flow.run" / "checkpoint").is_dir()
    info = json.loads(run("info", tmp_path / "flow", "--json").ok().out)
    assert (info["class"], info["n_columns"], info["steps"]) == ("TableFlow", 4, 2)
    assert info["held_out_nats"] < 0
    assert "held_out_held_out" not in info
    run(*words, "-q", "--continue", "--set", "steps=4").ok()
    model = pushforward.load(tmp_path / "flow")
    table = pd.read_csv(csv)
    direct = pushforward.TableFlow(couplings=2, width=8, batch_size=32, steps=4, random_state=0)
    direct.fit(table[["length", "age", "count", "group"]], sample_weight=table["w"].to_numpy())
    assert [r["step"] for r in model.history_] == [r["step"] for r in direct.history_]
    assert len(run("score", tmp_path / "flow", csv).ok().out.splitlines()) == 241


def test_lines_come_out(run, text, lines, tmp_path):
    done = run("sample", text, "-n", "7", "--random-state", "1").ok()
    model = pushforward.load(text)
    assert done.out == "".join(f"{line}\n" for line in model.sample(7, random_state=1))
    out = tmp_path / "made.txt"
    assert run("sample", text, "-n", "50", "-o", out).ok().out == f"{out}\n"
    assert len(out.read_text().split("\n")) == 51
    told = json.loads(run("evaluate", text, lines, "--json").ok().out)
    assert {m["name"] for m in told["measures"]} == {"js_4", "js_6"}
    assert json.loads(run("info", text, "--json").ok().out)["line_length"] == 32
    latents = tmp_path / "latents.npy"
    np.save(latents, model.prior(7, random_state=1))
    assert run("decode", text, latents).ok().out == done.out


def test_what_is_for_other_data(run, csv, lines, text, tmp_path):
    folder = tmp_path / "model"
    run("fit", "character-gan", lines, "-o", folder, "--size", "32").refused("--size", "of text")
    run("fit", "character-gan", lines, "-o", folder, "--drop", "id").refused("--drop", "of text")
    run("fit", "table-gan", csv, "-o", folder, "--weight", "w").refused("--weight", "TableGAN")
    run("fit", "character-gan", csv.parent / "no.txt", "-o", folder).refused("cannot be read")
    run("sample", text, "--temperature", "0.5").refused("--temperature", "of text")
    run("encode", text, csv).refused("CharacterGAN cannot encode")
