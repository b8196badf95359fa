"""pushforward fit: options, config files, what is refused, what is printed."""

import json
import math

import numpy as np
import pandas as pd
import pytest

import pushforward


def test_prints_the_folder_and_nothing_else(run, csv, tmp_path, small):
    folder = tmp_path / "model"
    done = run("fit", "gis", csv, "-o", folder, "--drop", "id", *small).ok()
    assert done.out == f"{folder}\n"
    assert "layers" in done.err
    assert "fitted in" in done.err
    assert pushforward.load(folder).columns_.labels == ("length", "age", "count", "group", "w")


@pytest.mark.parametrize("more", [(), ("-o", "model")])
def test_the_error_for_data_without_a_model_names_the_order(run, csv, more):
    done = run("fit", csv, *more)
    assert done.code == 2
    assert done.err.startswith("pushforward: The model comes before the data")
    assert f"pushforward fit auto {csv} -o FOLDER" in done.err


def test_a_model_without_data_misses_data(run):
    done = run("fit", "gis")
    assert done.code == 2
    assert "Missing argument 'DATA'" in done.err


def test_quiet_says_nothing(run, csv, tmp_path, small):
    done = run("fit", "gis", csv, "-o", tmp_path / "model", "-q", *small).ok()
    assert done.err == ""


def test_options_equal_the_python_call(table, gis):
    X = table[["length", "age", "count", "group"]]
    model = pushforward.GIS(
        random_state=1, bounds={"age": (0, None)}, max_layers=3, search_steps=3, knots=16
    )
    model.fit(X, sample_weight=table["w"].to_numpy())
    loaded = pushforward.load(gis)
    assert loaded.get_params() == model.get_params() | {"bounds": {"age": [0.0, None]}}
    np.testing.assert_array_equal(loaded.score_samples(X), model.score_samples(X))


def test_json(run, csv, tmp_path, small):
    folder = tmp_path / "model"
    done = run("fit", "gis", csv, "-o", folder, "--json", "--random-state", "3", "-q", *small).ok()
    told = json.loads(done.out)
    assert told["folder"] == str(folder)
    assert (told["model"], told["class"], told["n_rows"], told["seed"]) == ("gis", "GIS", 240, 3)
    assert told["n_layers"] <= 3
    assert np.isfinite(told["held_out_nats"])
    assert told["seconds"] > 0


def test_the_account_of_auto(run, tmp_path):
    done = run("fit", "auto", "two_moons", "-o", tmp_path / "m", "--minutes", "0.02").ok()
    assert "held-out nats a row" in done.err
    assert pushforward.load(tmp_path / "m").minutes == 0.02


def test_config_and_what_overrules_it(run, csv, tmp_path):
    config = tmp_path / "fit.toml"
    config.write_text(
        'random_state = 5\ndrop = ["id"]\nweight = "w"\ncontamination = 0.1\nmissing = "drop"\n'
        '[column]\ncount = "continuous"\nage = "continuous"\n'
        '[bounds]\nage = "0:"\nlength = [-100, 100]\n'
        "[set]\nmax_layers = 2\nsearch_steps = 3\nknots = 16\n"
    )
    more = ["--set", "max_layers=1", "--bounds", "age=-1:", "--random-state", "6"]
    run("fit", "gis", csv, "-o", tmp_path / "m", "--config", config, *more).ok()
    model = pushforward.load(tmp_path / "m")
    assert (model.random_state, model.contamination, model.missing) == (6, 0.1, "drop")
    assert (model.max_layers, model.search_steps) == (1, 3)
    assert model.columns == {"count": "continuous", "age": "continuous"}
    assert model.bounds == {"age": [-1, None], "length": [-100, 100]}
    assert model.columns_.labels == ("length", "age", "count", "group")


def test_constraints_are_said_and_kept(run, tmp_path):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"start": rng.integers(0, 50, 80)})
    frame["last day"] = frame["start"] + rng.integers(0, 9, 80)
    frame.to_csv(tmp_path / "stays.csv", index=False)
    words = ["fit", "gis", tmp_path / "stays.csv", "-o", tmp_path / "m", "--set", "max_layers=0"]
    run(*words, "--constraint", "start <= last day").ok()
    rows = pushforward.load(tmp_path / "m").sample(300, random_state=0)
    assert (rows["start"] <= rows["last day"]).all()
    config = tmp_path / "fit.toml"
    config.write_text('constraint = ["last day < start"]\n')
    run(*words, "--overwrite", "--config", config).refused("does not hold in 80 of 80 rows")


@pytest.mark.filterwarnings("default::FutureWarning")
def test_old_words_work_and_say_the_new_ones(run, csv, tmp_path):
    config = tmp_path / "fit.toml"
    config.write_text("seed = 5\n[set]\nmax_layers = 1\n")
    said = run("fit", "gis", csv, "-o", tmp_path / "a", "--config", config).ok().err
    assert "It is called random_state." in said
    run("fit", "gis", csv, "-o", tmp_path / "b", "--seed", "5", "--set", "max_layers=1").ok()
    found = [pushforward.load(tmp_path / name).random_state for name in "ab"]
    assert found == [5, 5]
    small = ["--set", "steps=1", "--set", "width=8", "--set", "depth=1", "--set", "rate=0.25"]
    said = run("fit", "table-gan", csv, "-o", tmp_path / "c", *small).ok().err
    assert "It is called learning_rate." in said
    assert pushforward.load(tmp_path / "c").learning_rate == 0.25


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("sede = 1", "unknown word 'sede'"),
        ("random_state = 'x'", "Expected a whole number"),
        ("minutes = true", "Expected a number"),
        ("random_state = ", "is not TOML"),
        ("missing = 'x'", "Expected one of error, drop, auto, model"),
        ("[bounds]\nage = 3", "Expected LOW:HIGH"),
        ("[set]\nnope = 3", "no parameter 'nope'"),
    ],
)
def test_a_config_that_cannot_be_used(run, csv, tmp_path, text, said):
    config = tmp_path / "fit.toml"
    config.write_text(text)
    run("fit", "gis", csv, "-o", tmp_path / "m", "--config", config).refused(said)
    assert not (tmp_path / "m").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["gss", "iris"], "did you mean 'gis'?"),
        (["gis", "irsi"], "did you mean 'iris'?"),
        (["gis", "nothing.csv"], "does not exist"),
        (["gis", "iris", "--drop", "nope"], "the column 'nope'"),
        (["gis", "iris", "--weight", "nope"], "the column 'nope'"),
        (["gis", "iris", "--column", "species"], "NAME=KIND"),
        (["gis", "iris", "--column", "species=colour"], "colour"),
        (["gis", "iris", "--bounds", "petal width (cm)=1"], "LOW:HIGH"),
        (["gis", "iris", "--bounds", "petal width (cm)=5:6"], "petal width (cm)"),
        (["gis", "iris", "--set", "layers=3"], "no parameter 'layers'"),
        (["gis", "iris", "--set", "random_state=3", "--random-state", "1"], "both given"),
        (["gis", "iris", "--set", "max_layers=many"], "whole number"),
        (["gis", "iris", "--contamination", "most"], "Expected a share"),
        (["gis", "iris", "--contamination", "0.9"], "from 0 to 0.5"),
        (["gis", "iris", "--missing", "fill"], "Expected one of error, drop, auto, model."),
        (["gis", "iris", "--random-state", "-1"], "--random-state"),
        (["gis", "iris", "--random-state", "one"], "--random-state"),
        (["gis", "iris", "--minutes", "0"], "minutes"),
        (["gis", "iris", "--config", "nothing.toml"], "nothing.toml: No such file"),
        (["auto", "iris", "--set", "knots=3"], "no parameter 'knots'"),
        (["auto", "iris", "--continue"], "These models can: gis"),
        (["gis", "iris", "--nope"], "See pushforward fit --help."),
    ],
)
def test_refusals(run, tmp_path, words, said):
    run("fit", *words, "-o", tmp_path / "m").refused(said)
    assert not (tmp_path / "m").exists()


def test_missing_cells(run, table, tmp_path, small):
    holes = table.assign(length=table["length"].where(table["id"] != 7))
    path = tmp_path / "holes.csv"
    holes.to_csv(path, index=False)
    run("fit", "gis", path, "-o", tmp_path / "m").refused("row 7", "missing")
    run("fit", "gis", path, "-o", tmp_path / "m", "--missing", "drop", *small).ok()
    assert pushforward.load(tmp_path / "m").columns_.n_rows == 239
    brief = ("--minutes", "0.01")
    shown = run("fit", "auto", path, "-o", tmp_path / "drop", "--missing", "drop", *brief).ok()
    note = "pushforward: note: 1 of 240 rows left out for missing cells."
    assert shown.err.count("left out for missing cells") == 1
    assert note in shown.err
    assert "rows left out             1\n" in run("info", tmp_path / "drop").ok().out
    shown = run("fit", "auto", path, "-o", tmp_path / "auto", *brief).ok()
    assert "pushforward: note: missing cells modelled, of 'length'." in shown.err
    lines = run("score", tmp_path / "auto", path).ok().out.splitlines()
    assert len(lines) == 241
    assert all(math.isfinite(float(line.split(",")[0])) for line in lines[1:])
    run("fit", "auto", path, "-o", tmp_path / "e", "--missing", "error").refused("row 7")
    quiet = run("fit", "auto", path, "-o", tmp_path / "quiet", "--quiet", *brief).ok()
    assert quiet.err == ""


def test_a_folder_that_is_taken(run, csv, gis, tmp_path):
    before = (gis / "config.json").read_bytes()
    run("fit", "gis", csv, "-o", gis).refused("--overwrite", "--continue")
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "a.txt").write_text("dear")
    run("fit", "gis", csv, "-o", tmp_path / "letters").refused("is not a model")
    run("fit", "gis", csv, "-o", tmp_path / "letters", "--overwrite").refused("is not a model")
    assert (gis / "config.json").read_bytes() == before


def test_overwrite_and_continue(run, tmp_path, small):
    folder = tmp_path / "m"
    words = ["fit", "gis", "two_moons", "-o", folder, "--random-state", "0", "-q", "--continue"]
    run(*words, *small).ok()  # none there: a plain fit
    first = pushforward.load(folder)
    run(*words, *small).ok()
    grown = pushforward.load(folder)
    assert grown.n_layers_ > first.n_layers_
    assert grown.warm_start is False
    run("fit", "auto", "two_moons", "-o", folder, "--continue").refused("gis")
    run("fit", "gis", "iris", "-o", folder, "-q", "--overwrite", *small).ok()
    assert pushforward.load(folder).n_features_in_ == 5


def test_continue_with_another_class(run, auto):
    run("fit", "gis", "two_moons", "-o", auto, "--continue").refused("AutoDensity, not GIS")


def test_arrays_count_their_columns_from_0(run, tmp_path, small):
    rng = np.random.default_rng(0)
    X = np.column_stack([np.arange(100.0), rng.normal(size=(100, 2)), rng.uniform(size=100)])
    np.save(tmp_path / "X.npy", X)
    words = ["--drop", "0", "--weight", "3", "--bounds", "2=-50:", *small]
    run("fit", "gis", tmp_path / "X.npy", "-o", tmp_path / "m", *words).ok()
    model = pushforward.load(tmp_path / "m")
    assert model.columns_.labels == (0, 1)
    assert [entry["bounds"] for entry in model.columns_.describe()] == [None, (-50.0, None)]
    told = run("score", tmp_path / "m", tmp_path / "X.npy", "--json", "-q")
    told.refused("4 features")  # without names it cannot know which
    words = ["--drop", "0", "--drop", "3", "--json", "-q"]
    told = json.loads(run("score", tmp_path / "m", tmp_path / "X.npy", *words).ok().out)
    assert told["mean_log_density"] == pytest.approx(model.score(X[:, 1:3]))
