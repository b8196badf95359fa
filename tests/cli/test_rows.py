"""sample, score, explain, encode, decode: equal to the Python calls, whatever the file."""

import io
import json

import numpy as np
import pandas as pd
import pytest

import pushforward
from pushforward.cli import table_io
from pushforward.data import open_table

MODEL_COLUMNS = ["length", "age", "count", "group"]


@pytest.fixture
def small_batches(monkeypatch):
    """Batches of 50 rows, so that a small file has several."""
    monkeypatch.setattr("pushforward.cli.table_io.rows_at_a_time", lambda n_columns: 50)
    for module in ("sample", "encode"):
        monkeypatch.setattr(f"pushforward.cli.{module}.rows_at_a_time", lambda n_columns: 50)


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".feather", ".tsv.gz"])
def test_score_equals_python(run, gis, table, tmp_path, suffix, small_batches):
    source, target = tmp_path / f"in{suffix}", tmp_path / f"out{suffix}"
    with table_io.sink(source) as write:
        write(table[table.columns[::-1]])  # the order of columns does not matter
    done = run("score", gis, source, "-o", target, "--keep").ok()
    assert done.out == f"{target}\n"
    assert "left out the columns 'w', 'id'" in done.err
    assert "240 rows" in done.err
    model, written = pushforward.load(gis), open_table(target).read()
    expected = model.score_samples(table[MODEL_COLUMNS])
    np.testing.assert_allclose(written["log_density"], expected, rtol=1e-12)
    above = model.decision_function(table[MODEL_COLUMNS])
    np.testing.assert_allclose(written["nats_above_threshold"], above, rtol=1e-9, atol=1e-12)
    np.testing.assert_array_equal(written["outlier"], above < 0)
    assert written["id"].tolist() == table["id"].tolist()


def test_score_to_stdout(run, gis, csv, table):
    done = run("score", gis, csv).ok()
    lines = done.out.splitlines()
    assert lines[0] == "log_density,nats_above_threshold,outlier"
    assert len(lines) == 241
    expected = pushforward.load(gis).score_samples(table[MODEL_COLUMNS])
    assert float(lines[1].split(",")[0]) == expected[0]


def test_score_as_json(run, gis, csv, table):
    told = json.loads(run("score", gis, csv, "--json", "--draws", "3").ok().out)
    expected = pushforward.load(gis).score_samples(table[MODEL_COLUMNS], n_draws=3)
    assert told["mean_log_density"] == pytest.approx(expected.mean())
    assert told["outliers"] == int((expected < told["threshold"]).sum())
    assert (told["rows"], told["scored"]) == (240, 240)


def test_rows_with_missing_cells(run, gis, table, tmp_path, small_batches):
    holes = table.assign(length=table["length"].where(table["id"] != 130)).head(150)
    path, out = tmp_path / "holes.parquet", tmp_path / "out.parquet"
    holes.to_parquet(path)
    run("score", gis, path, "-o", out, "-q").refused("row 30", "count from row 100 of the file")
    assert list(tmp_path.iterdir()) == [path]  # nothing half
    told = json.loads(run("score", gis, path, "-o", out, "--missing", "blank", "--json").ok().out)
    assert (told["rows"], told["scored"]) == (150, 149)
    written = pd.read_parquet(out)
    assert written["log_density"].isna().to_numpy().nonzero()[0].tolist() == [130]
    assert written["outlier"].isna().sum() == 1
    few = tmp_path / "few.parquet"
    holes[80:140].to_parquet(few)
    found = json.loads(
        run("explain", gis, few, "-n", "60", "--missing", "blank", "--json").ok().out
    )
    assert {one["row"] for one in found} == {*range(60)} - {50}


def test_what_score_refuses(run, gis, csv, table, tmp_path):
    run("score", tmp_path / "nothing", csv).refused("no such folder")
    run("score", gis, tmp_path / "nothing.csv").refused("does not exist")
    run("score", gis, csv, "-o", tmp_path / "out.xls").refused("known ending")
    run("score", gis, csv, "-o", tmp_path / "no" / "out.csv").refused("does not exist")
    run("score", gis, csv, "-o", tmp_path / "out.npy", "-q").refused("csv or parquet")
    run("score", gis, csv, "--draws", "0").refused("--draws")
    run("score", gis, csv, "--drop", "age").refused("lacks the column 'age'")
    path = tmp_path / "in.csv"
    table.drop(columns="group").to_csv(path, index=False)
    run("score", gis, path).refused("lacks the column 'group'")
    table.assign(log_density=1).to_csv(path, index=False)
    run("score", gis, path, "--keep").refused("log_density")
    path.write_text(",".join(table.columns) + "\n")
    run("score", gis, path, "-q").refused("no rows")
    table.assign(age=-1.0).to_csv(path, index=False)
    run("score", gis, path, "-q").refused("bounds")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in.csv"]


def test_explain(run, gis, csv, table, small_batches):
    told = json.loads(run("explain", gis, csv, "-n", "3", "-c", "2", "--json").ok().out)
    model = pushforward.load(gis)
    scores = model.score_samples(table[MODEL_COLUMNS])
    assert [one["row"] for one in told] == np.argsort(scores)[:3].tolist()
    for one in told:
        assert one["log_density"] == pytest.approx(scores[one["row"]])
        expected = model.explain(table.loc[[one["row"]], MODEL_COLUMNS]).head(2)
        assert [entry["column"] for entry in one["columns"]] == expected["column"].tolist()
        assert [entry["gain"] for entry in one["columns"]] == pytest.approx(list(expected["gain"]))
    text = run("explain", gis, csv, "-n", "3").ok().out
    assert "gain in nats" in text.splitlines()[0]
    assert str(told[0]["row"]) in text


def test_sample_equals_python(run, gis, tmp_path):
    out = tmp_path / "rows.parquet"
    assert run("sample", gis, "-n", "100", "--random-state", "4", "-o", out).ok().out == f"{out}\n"
    pd.testing.assert_frame_equal(
        pd.read_parquet(out), pushforward.load(gis).sample(100, random_state=4)
    )
    text = run("sample", gis, "-n", "100", "--random-state", "4").ok().out
    assert text.splitlines()[0] == ",".join(MODEL_COLUMNS)
    assert len(text.splitlines()) == 101


def test_sample_in_batches(run, auto, tmp_path, small_batches):
    words = ["sample", auto, "--random-state", "4", "-o", tmp_path / "x.csv", "-n"]
    run(*words, "120").ok()
    rows = pd.read_csv(tmp_path / "x.csv")
    assert len(rows) == len(rows.drop_duplicates()) == 120  # no batch repeats another
    first = pushforward.load(auto).sample(50, random_state=4)
    np.testing.assert_allclose(rows[:50], first, rtol=1e-12)
    run(*words, "120").ok()
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "x.csv"), rows)


def test_samples_have_holes_unless_they_are_complete(run, tmp_path):
    rng = np.random.default_rng(0)
    holes = pd.DataFrame(rng.normal(size=(60, 2)), columns=["a", "b"])
    holes.loc[:19, "b"] = np.nan
    model = pushforward.GIS(max_layers=0, missing="model", random_state=0).fit(holes)
    words = ["sample", model.save(tmp_path / "m"), "-n", "80", "--random-state", "1"]
    rows = pd.read_csv(io.StringIO(run(*words).ok().out))
    whole = pd.read_csv(io.StringIO(run(*words, "--complete").ok().out))
    assert 10 < rows["b"].isna().sum() < 50
    assert whole.notna().all(axis=None)
    pd.testing.assert_frame_equal(rows.fillna(whole), whole)


def test_what_sample_refuses(run, gis, tmp_path):
    run("sample", gis, "-n", "0").refused("--rows")
    run("sample", gis, "-o", tmp_path / "x.odd").refused("known ending")
    run("sample", tmp_path).refused("config.json")


@pytest.mark.parametrize("name", ["z.csv", "z.npy", "z.parquet"])
def test_encode_and_decode(run, gis, csv, table, tmp_path, name, small_batches):
    z, back = tmp_path / name, tmp_path / "back.parquet"
    run("encode", gis, csv, "-o", z).ok()
    model = pushforward.load(gis)
    expected = model.encode(table[MODEL_COLUMNS])
    np.testing.assert_allclose(np.asarray(open_table(z).read()), expected, rtol=1e-12)
    if name == "z.csv":
        assert z.read_text().startswith("gis0,gis1")
    run("decode", gis, z, "-o", back).ok()
    rows = pd.read_parquet(back)
    assert rows["group"].tolist() == table["group"].tolist()
    np.testing.assert_allclose(rows["length"], table["length"], atol=1e-3)


def test_models_without_latents(run, auto, gis, csv, tmp_path):
    run("encode", auto, "two_moons").refused("AutoDensity cannot encode", "gis")
    run("decode", auto, "two_moons").refused("AutoDensity cannot decode", "gis")
    run("decode", gis, csv, "-q").refused("Latents have to be numbers")
    run("decode", gis, "two_moons").refused("Expected (n, 4)")


def test_an_array_in_an_array_out(run, tmp_path):
    rng = np.random.default_rng(0)
    np.save(tmp_path / "X.npy", rng.normal(size=(100, 3)).astype(np.float32))
    words = ["--set", "max_layers=2", "--set", "search_steps=3", "--random-state", "0", "-q"]
    run("fit", "gis", tmp_path / "X.npy", "-o", tmp_path / "m", *words).ok()
    run("sample", tmp_path / "m", "-n", "5", "-o", tmp_path / "S.npy").ok()
    assert np.load(tmp_path / "S.npy").dtype == np.float32
    done = run("sample", tmp_path / "m", "-n", "5").ok()
    assert done.out.startswith("column_0,column_1,column_2\n")
    done = run("score", tmp_path / "m", tmp_path / "X.npy", "--keep").ok()
    assert done.out.startswith(
        "column_0,column_1,column_2,log_density,nats_above_threshold,outlier\n"
    )
    run("explain", tmp_path / "m", tmp_path / "X.npy").ok()


def test_outliers_of_a_model_fitted_with_contamination_are_those_it_predicts(
    run, csv, table, tmp_path
):
    model = tmp_path / "model"
    run("fit", "gis", csv, "-o", model, "--contamination", "0.1", "--set", "max_layers=3").ok()
    told = json.loads(run("score", model, csv, "-o", tmp_path / "out.csv", "--json").ok().out)
    written = pd.read_csv(tmp_path / "out.csv")
    above = pushforward.load(model).decision_function(pd.read_csv(csv))
    expected = above < 0
    np.testing.assert_allclose(written["nats_above_threshold"], above, rtol=1e-9, atol=1e-12)
    assert written["outlier"].tolist() == expected.tolist()
    assert 12 < told["outliers"] == expected.sum() < 36
    assert told["threshold"] is None
