"""Folders of parquet files: fitted, scored, filled in and sampled part by part."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

import pushforward
from pushforward import devices
from pushforward.cli import app
from pushforward.data import open_data
from pushforward.errors import LeftOutWarning
from pushforward.training import Processes

FITS = {"auto": [], "gis": ["--set", "max_layers=3"]}


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data") / "parts"
    (folder / "more").mkdir(parents=True)
    rng = np.random.default_rng(0)
    for i, name in enumerate(["a", "b", "more/c"]):
        frame = pd.DataFrame({"x": rng.normal(size=200), "kind": rng.choice(["u", "v"], 200)})
        frame["y"] = frame["x"] ** 2 + rng.normal(size=200) + (i == 2)
        frame.to_parquet(folder / f"{name}.parquet", row_group_size=70)
    frame[:0].to_parquet(folder / "d.parquet")
    return folder


@pytest.fixture(autouse=True, scope="module")
def small_blocks():
    """Blocks of so few rows that processes share the growth of a GIS of 60."""
    small = replace(devices.sizes_of(devices.PROCESSOR), layer_rows=20)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(devices, "_OF_A_PROCESSOR", small)
        yield


@pytest.fixture(scope="module")
def fitted(parts):
    """Models by one process, of 60 rows of the parts."""
    models = {
        "auto": pushforward.AutoDensity(random_state=0),
        "gis": pushforward.GIS(max_layers=3, random_state=0),
    }
    for model in models.values():
        with pytest.warns(LeftOutWarning, match="fitted to 60 of 600 rows, drawn"):
            model.fit(pushforward.data.draw_rows(open_data(parts), 60))
    return models


@pytest.fixture(scope="module")
def model(fitted, tmp_path_factory):
    return fitted["gis"].save(tmp_path_factory.mktemp("model") / "m")


def written(folder):
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}


def test_a_sample_was_fitted_and_that_is_said(fitted, model, run):
    gis = fitted["gis"]
    assert gis.drawn_from_ == 600
    assert pushforward.load(model).drawn_from_ == 600
    assert 60 <= gis.columns_.n_rows < 70
    assert f"{gis.columns_.n_rows} rows drawn from 600" in (model / "README.md").read_text()
    assert json.loads(run("info", model, "--json").ok().out)["drawn_from"] == 600


def test_a_fit_of_all_rows_forgets_that_the_one_before_it_drew_some(parts):
    gis = pushforward.GIS(max_layers=1, random_state=0)
    with pytest.warns(LeftOutWarning, match="60 of 600 rows, drawn"):
        gis.fit(pushforward.data.draw_rows(open_data(parts), 60))
    assert gis.drawn_from_ == 600
    gis.fit(np.arange(40.0).reshape(20, 2) ** 2)
    assert gis.drawn_from_ is None


def test_score_writes_a_part_for_each_and_goes_on(parts, model, run, tmp_path):
    out = tmp_path / "out"
    first = run("score", model, parts, "-o", out).ok()
    assert written(out) == {"a.parquet", "b.parquet", "d.parquet", "more/c.parquet"}
    assert first.err.startswith("600 rows, ")
    scored = pd.read_parquet(out / "more" / "c.parquet")
    loaded = pushforward.load(model)
    expected = loaded.score_samples(pd.read_parquet(parts / "more" / "c.parquet"))
    np.testing.assert_array_equal(scored["log_density"], expected)
    assert len(pd.read_parquet(out / "d.parquet")) == 0

    before = {name: (out / name).stat().st_mtime_ns for name in written(out)}
    (out / "b.parquet").unlink()
    (out / "a.parquet").write_bytes((out / "a.parquet").read_bytes()[:-9])  # cut short
    again = run("score", model, parts, "-o", out).ok()
    assert "2 of 4 parts were whole already" in again.err
    assert again.err.splitlines()[-1] == first.err.splitlines()[-1]
    after = {name: (out / name).stat().st_mtime_ns for name in written(out)}
    assert {name for name in before if before[name] != after[name]} == {"a.parquet", "b.parquet"}

    other = run("score", model, parts, "-o", out, "--keep").ok()  # not what the parts hold
    assert "whole already" not in other.err
    assert list(pd.read_parquet(out / "a.parquet").columns) == [
        *("x", "kind", "y", "log_density", "nats_above_threshold", "outlier")
    ]
    (out / "z.parquet").write_bytes(b"")
    run("score", model, parts, "-o", out).refused("z.parquet, which is no part of this table")


def test_other_outputs_than_folders_are_as_before(parts, model, run, tmp_path):
    run("score", model, parts, "-o", tmp_path / "s.csv").ok()
    assert len(pd.read_csv(tmp_path / "s.csv")) == 600
    pd.read_parquet(parts / "a.parquet").to_csv(tmp_path / "a.csv", index=False)
    run("score", model, tmp_path / "a.csv", "-o", tmp_path / "s").refused("has no known ending")


def test_impute_and_sample_in_parts(parts, model, run, tmp_path, monkeypatch):
    small = tmp_path / "holes"
    small.mkdir()
    for i in range(2):
        frame = pd.read_parquet(parts / "a.parquet")[:4]
        frame.loc[i, "y"] = None
        frame.to_parquet(small / f"{i}.parquet")
    words = ["--seed", "1", "--draws", "10"]
    done = run("impute", model, small, "-o", tmp_path / "filled", *words).ok()
    assert "filled 2 missing cells of 8 rows" in done.err
    filled = pd.read_parquet(tmp_path / "filled" / "1.parquet")
    assert filled.notna().all(axis=None)

    monkeypatch.setattr("pushforward.cli.sample._BLOCKS_A_PART", 1)
    monkeypatch.setattr("pushforward.cli.sample.rows_at_a_time", lambda n: 300)
    run("sample", model, "-n", "700", "--seed", "1", "-o", tmp_path / "rows").ok()
    assert len(written(tmp_path / "rows")) == 3
    run("sample", model, "-n", "700", "--seed", "1", "-o", tmp_path / "rows.parquet").ok()
    together = open_data(tmp_path / "rows").read()
    pd.testing.assert_frame_equal(together, pd.read_parquet(tmp_path / "rows.parquet"))


def commanded(commands):
    """Run commands one after the other."""
    for words in commands:
        try:
            app(words)
        except SystemExit as done:
            if done.code:
                raise
        Processes().barrier()  # a folder is there for all when it is written


def test_two_processes_make_what_one_does_and_share_the_parts(
    processes, parts, fitted, model, run, tmp_path
):
    refined = ["refine", str(model), str(parts), "--method", "rejection", "--seed", "0"]
    commands = [
        ["fit", name, str(parts), "-o", str(tmp_path / name), "--rows", "60", "--seed", "0", *more]
        for name, more in FITS.items()
    ]
    commands += [
        ["score", str(model), str(parts), "-o", str(tmp_path / "out")],
        ["sample", str(model), "-n", "50", "--seed", "1", "-o", str(tmp_path / "rows")],
        [*refined, "-o", str(tmp_path / "refined")],
        ["sample", str(tmp_path / "refined"), "-n", "50", "-o", str(tmp_path / "better")],
        ["sample", str(tmp_path / "refined"), "-n", "50", "-o", str(tmp_path / "better")],
    ]
    ended = processes(2, commanded, commands)
    assert ended.codes == [0, 0], ended.stderr
    assert ended.stderr.count("fitted in") == 2
    assert ended.stderr.count("600 rows, -") == 1
    test = pd.read_parquet(parts / "b.parquet")
    for name, alone in fitted.items():
        own = pushforward.load(tmp_path / name)
        np.testing.assert_array_equal(own.score_samples(test), alone.score_samples(test))
        assert own.drawn_from_ == 600
    assert written(tmp_path / "out") == {"a.parquet", "b.parquet", "d.parquet", "more/c.parquet"}
    said = json.loads(pq.read_metadata(tmp_path / "out" / "a.parquet").metadata[b"pushforward"])
    assert said["said"]["rows"] == 200
    assert ended.stderr.count("1 of 1 parts were whole already") == 1
    run(*refined, "-o", tmp_path / "alone").ok()
    alone = pushforward.load(tmp_path / "alone").sample(50, random_state=0)
    pd.testing.assert_frame_equal(
        pushforward.load(tmp_path / "refined").sample(50, random_state=0), alone
    )
    assert len(open_data(tmp_path / "better").read()) == 50
