"""How a file of text is read, said on the command line, in a config file and by a model."""

import json

import numpy as np
import pytest

import pushforward


@pytest.fixture(scope="module")
def german(tmp_path_factory):
    """Semicolons, decimal commas, no names, codes with zeros, -99 and NA, in cp1252."""
    rng = np.random.default_rng(0)
    lines = []
    for i in range(200):
        x = f"{rng.normal():.3f}".replace(".", ",")
        code, town = rng.choice(["01067", "80331"]), rng.choice(["Köln", "Bonn", "NA"])
        lines.append(f"{x if i % 20 else -99};{code};{town}\n")
    path = tmp_path_factory.mktemp("german") / "x.csv"
    path.write_text("".join(lines), encoding="cp1252")
    return path


@pytest.fixture(scope="module")
def fitted(german, run, small, tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "gis"
    words = ["--missing-values", "-99", "--missing", "drop", "--no-header", "--random-state", "0"]
    run("fit", "gis", german, "-o", folder, *words, *small).ok()
    return folder


def test_fit_prints_what_was_decided(run, german, tmp_path, small):
    done = run("fit", "gis", german, "-o", tmp_path / "m", "--missing", "drop", *small).ok()
    notes = [line for line in done.err.splitlines() if line.startswith("pushforward: note: ")]
    for text in ("cp1252", "';'", "decimal commas", "without a header", "'NA'"):
        assert any(text in note for note in notes), text
    model = pushforward.load(tmp_path / "m")
    assert not hasattr(model, "reading_")
    towns = model.columns_.columns[2].values
    assert sorted(towns) == ["Bonn", "Köln"]


def test_a_model_remembers_what_was_said(run, fitted, tmp_path):
    model = pushforward.load(fitted)
    assert model.reading_.given == {"header": False, "missing_values": ["-99"]}
    assert sorted(model.columns_.columns[2].values) == ["Bonn", "Köln", "NA"]
    new = tmp_path / "new.csv"
    new.write_text("0,5;01067;NA\n-99;80331;Bonn\n", encoding="cp1252")
    told = json.loads(run("score", fitted, new, "--missing", "blank", "--json").ok().out)
    assert (told["rows"], told["scored"]) == (2, 1)
    refused = run("score", fitted, new)
    assert "missing values" in refused.err
    shown = run("explain", fitted, new, "--missing", "blank", "--json").ok().out
    assert json.loads(shown)[0]["columns"][0]["column"].startswith("column_")
    told = run("score", fitted, new, "--missing-values", "x", "--json").ok().out
    assert json.loads(told)["scored"] == 2


def test_latents_and_judgement_read_alike(run, fitted, german, tmp_path):
    new = tmp_path / "new.csv"
    lines = [line for line in german.read_text("cp1252").splitlines(True) if "-99" not in line]
    new.write_text("".join(lines), encoding="cp1252")
    run("encode", fitted, new, "-o", tmp_path / "z.npy", "-q").ok()
    assert len(np.load(tmp_path / "z.npy")) == len(lines)
    run("evaluate", fitted, new, "-n", 50, "-m", "two_sample", "-q").ok()


def test_a_model_goes_on_with_the_table_read_as_before(run, german, tmp_path, small):
    words = ["--missing-values", "-99", "--missing", "drop", "--random-state", "0", *small]
    words += ["--set", "margins=false"]  # behind which so few steps find nothing to do
    run("fit", "gis", german, "-o", tmp_path / "m", *words).ok()
    words = ["--missing", "drop", "--continue", "--set", "max_layers=4"]
    run("fit", "gis", german, "-o", tmp_path / "m", *words).ok()
    model = pushforward.load(tmp_path / "m")
    assert model.n_layers_ > 3
    assert model.reading_.given == {"missing_values": ["-99"]}


def test_words_of_a_config_file(run, german, tmp_path, small):
    config = tmp_path / "fit.toml"
    config.write_text(
        'header = false\nencoding = "cp1252"\ndecimal = ","\nseparator = ";"\n'
        'missing_values = []\nmissing = "drop"\n'
    )
    run("fit", "gis", german, "-o", tmp_path / "m", "--config", config, *small).ok()
    said = pushforward.load(tmp_path / "m").reading_.given
    assert said == {
        "header": False, "encoding": "cp1252", "decimal": ",", "separator": ";",
        "missing_values": [],
    }  # fmt: skip
    words = ["--missing-values", "-99", "--overwrite"]
    run("fit", "gis", german, "-o", tmp_path / "m", "--config", config, *words, *small).ok()
    assert pushforward.load(tmp_path / "m").reading_.given == said | {"missing_values": ["-99"]}
    config.write_text("header = 1\n")
    refused = run("fit", "gis", german, "-o", tmp_path / "n", "--config", config)
    refused.refused("header is 1", "true or false")


def test_refused_where_they_mean_nothing(run, german, tmp_path):
    run("fit", "gis", "iris", "-o", tmp_path / "m", "--decimal", ",").refused("decimal is for csv")
    run("fit", "gis", german, "-o", tmp_path / "m", "--decimal", "x").refused("decimal is 'x'")
    run("fit", "glow", "digits", "-o", tmp_path / "m", "--no-header").refused(
        "--header is for models of tables"
    )
