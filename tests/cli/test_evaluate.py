"""pushforward evaluate and compare."""

import json

import numpy as np
import pytest


@pytest.fixture
def parts(table, tmp_path):
    for name, rows in (("train", table[:120]), ("test", table[120:])):
        rows.to_csv(tmp_path / f"{name}.csv", index=False)
    return tmp_path


def test_evaluate_a_model_and_its_samples(run, gis, parts):
    test, train = parts / "test.csv", parts / "train.csv"
    options = ["--train", train, "--rows", "100", "--random-state", "1"]
    done = run("evaluate", gis, test, *options, "--ood", train, "--json").ok()
    found = json.loads(done.out)
    assert {"column_fidelity", "nats_per_row", "auroc"} <= {m["name"] for m in found["measures"]}
    assert found["kind"] == "table"
    text = run("evaluate", gis, test, *options, "-m", "column_fidelity").ok().out
    assert "95 % interval" in text
    assert "column_fidelity" in text
    run("sample", gis, "-n", "80", "--random-state", "2", "-o", parts / "new.csv").ok()
    done = run("evaluate", parts / "new.csv", test, "--drop", "id", "--drop", "w", "--json")
    assert done.code == 2  # the samples have no such columns
    run("evaluate", gis, test, "--drop", "length").refused("test.csv lacks the column 'length'")
    done = run("evaluate", parts / "new.csv", parts / "new.csv", "-m", "pair_fidelity", "--json")
    assert json.loads(done.ok().out)["measures"][0]["value"] == 1


def test_compare_models(run, gis, parts, tmp_path):
    done = run(
        "compare", gis, parts / "train.csv", "--data", parts / "test.csv",
        "-m", "column_fidelity", "-m", "likelihood", "--target", "group",
    )  # fmt: skip
    assert "*" in done.ok().out
    assert "not taken: likelihood" in done.err
    run("compare", gis, gis, "--data", parts / "test.csv").refused("named twice")


def test_images_and_text(run, tmp_path):
    rng = np.random.default_rng(0)
    np.save(tmp_path / "x.npy", rng.integers(0, 256, (60, 8, 8), dtype=np.uint8))
    options = ["--images", "--features", "pixels", "-m", "fid", "-n", "200", "--json"]
    found = json.loads(run("evaluate", tmp_path / "x.npy", "digits", *options).ok().out)
    assert found["kind"] == "images"
    (tmp_path / "a.txt").write_text("one line\n" * 9)
    found = run("evaluate", tmp_path / "a.txt", tmp_path / "a.txt", "--json").ok()
    assert [m["name"] for m in json.loads(found.out)["measures"]] == ["js_4", "js_6"]
    (tmp_path / "b.txt").write_text("one line\n" + "\n" * 8)  # blank samples are samples
    found = run("evaluate", tmp_path / "b.txt", tmp_path / "a.txt").ok()
    assert "8 of 9 generated lines are blank, and 0 of 9 real ones" in found.err


def test_mistakes_are_one_line(run, gis, parts):
    run("evaluate", "nowhere", parts / "test.csv").refused("nowhere")
    run("evaluate", gis, parts / "test.csv", "-m", "fid").refused("'fid'")
    run("evaluate", gis, parts / "test.csv", "--target", "q").refused("--target")


def test_compare_fits_models_that_are_named(run, tmp_path):
    words = ("dcgan", "vae", "--data", "digits", "--images", "--range", "width=4,8")
    done = run(
        "compare", *words, "--train", "digits", "--minutes", "0.002", "--runs", "2",
        "-o", tmp_path / "sweep", "-m", "fid", "--features", "pixels", "--rows", "100",
    )  # fmt: skip
    assert "dcgan" in done.ok().out
    names = {path.name for path in (tmp_path / "sweep").iterdir()}
    assert {"dcgan-0", "dcgan-1", "vae-0", "vae-1", "runs.csv", "best.png"} <= names
    run("compare", *words).refused("Give --train")
    run("compare", "dcgan", tmp_path / "sweep" / "vae-0", "--data", "digits").refused(
        "names of models, or folders"
    )
    run("compare", tmp_path / "sweep" / "vae-0", "--data", "digits", "--runs", "2").refused(
        "--runs is for names of models"
    )


def test_samples_that_are_no_bytes(run, tmp_path):
    """Samples of a tanh generator are judged as the bytes they are."""
    images = np.random.default_rng(0).integers(0, 256, (2, 60, 8, 8), dtype=np.uint8)
    np.save(tmp_path / "real.npy", images[0])
    np.save(tmp_path / "bytes.npy", images[1])
    np.save(tmp_path / "floats.npy", images[1] / 127.5 - 1)
    words = [tmp_path / "real.npy", "--images", "-m", "fid", "--features", "pixels", "--json"]
    run("evaluate", tmp_path / "floats.npy", *words).refused("pixel_range=(-1, 1)")
    told = [
        json.loads(run("evaluate", tmp_path / name, *words, *more).ok().out)["measures"]
        for name, more in (("bytes.npy", []), ("floats.npy", ["--pixel-range=-1:1"]))
    ]
    assert told[0] == told[1]
    both = ["compare", tmp_path / "floats.npy", "--data", *words]
    run(*both).refused("pixel_range=(-1, 1)")
    (compared,) = json.loads(run(*both, "--pixel-range=-1:1").ok().out)["models"].values()
    assert compared["measures"] == told[0]
