"""``fit predictor`` and ``predict``: one column of a file by the others."""

import io
import json

import numpy as np
import pandas as pd
import pytest


@pytest.fixture(scope="module")
def houses(tmp_path_factory):
    """A file of prices by size and town, two of which are missing."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"size": rng.uniform(20, 90, 120).round(1)})
    frame["town"] = rng.choice(["a", "b"], 120)
    frame["price"] = (3 * frame["size"] * (1 + (frame["town"] == "b"))).round(1)
    frame.loc[[0, 1], "price"] = None
    folder = tmp_path_factory.mktemp("houses")
    frame.to_csv(folder / "houses.csv", index=False)
    return folder


@pytest.fixture(scope="module")
def fitted(run, houses):
    """What the command says of fits of two columns, which are in the folder of the file."""
    return {
        target: run(
            *("fit", "predictor", houses / "houses.csv", "--set", f"target={target}"),
            *("-o", houses / target, "--minutes", "0.02", "--random-state", "0"),
        ).ok()
        for target in ("price", "town")
    }


def test_numbers_and_classes_are_predicted(run, houses, fitted):
    for target, done in fitted.items():
        assert "density of the target given" in done.err
        assert ("rows left out for lack of a target: 2" in done.err) == (target == "price")
    said = run("predict", houses / "price", houses / "houses.csv", "--level", "0.8", "-q").ok()
    table = pd.read_csv(io.StringIO(said.out))
    assert list(table) == ["predicted price", "low 0.8", "high 0.8", "log density"]
    assert (table["low 0.8"] <= table["high 0.8"]).all()
    assert table["log density"].isna().sum() == 2
    truth = pd.read_csv(houses / "houses.csv")["price"]
    assert np.corrcoef(table["predicted price"][2:], truth[2:])[0, 1] > 0.9
    out = houses / "towns.csv"
    run("predict", houses / "town", houses / "houses.csv", "-o", out).ok()
    towns = pd.read_csv(out)
    assert list(towns)[:3] == ["predicted town", "probability a", "probability b"]
    assert towns[["probability a", "probability b"]].sum(axis=1).to_numpy() == pytest.approx(1)


def test_what_moved_a_prediction(run, houses, fitted):
    said = run("explain", houses / "price", houses / "houses.csv", "--rows", "3", "-q").ok().out
    assert "predicted" in said
    assert "effect" in said
    assert "size" in said
    assert "town" in said
    few = json.loads(
        run("explain", houses / "price", houses / "houses.csv", "--rows", "2", "--json", "-q").out
    )
    assert [one["row"] for one in few] == [0, 1]
    assert {entry["column"] for entry in few[0]["columns"]} == {"size", "town"}


def test_holes_that_no_density_was_fitted_for(run, houses, fitted):
    holes = houses / "holes.csv"
    holes.write_text("size,town\n40,b\n40,\n")
    run("predict", houses / "price", holes).refused(
        "missing cells", "pushforward fit --missing model", "pushforward impute"
    )


def test_columns_that_are_lacking_are_named_with_what_may_be_meant(run, houses, fitted):
    other = houses / "other.csv"
    other.write_text("size,Town,x\n40,b,1\n")
    for words in (("predict", houses / "price", other), ("explain", houses / "price", other)):
        run(*words).refused(
            "other.csv lacks the column 'town' (is it 'Town' there?)",
            "It has the columns 'size', 'Town', 'x'. Rename",
            "empty columns",
        )
    run("predict", houses / "price", houses / "hoses.csv").refused("did you mean", "houses.csv'?")
    run("predict", houses / "prize", other).refused("no such folder (did you mean", "/price'?")
    run("predict", houses / "price", other, "--level", "90").refused(
        "--level is '90'. Expected a number from 0 to 1."
    )


def test_what_is_no_predictor_predicts_nothing(run, houses, fitted, csv, small, tmp_path):
    run("fit", "gis", csv, "-o", tmp_path / "m", "--drop", "id", *small).ok()
    run("predict", tmp_path / "m", csv).refused("GIS cannot predict", "predictor")
    for words in (("sample", houses / "price"), ("score", houses / "price", csv)):
        run(*words).refused("Predictor cannot")
    for words in (
        ("evaluate", houses / "price", houses / "houses.csv"),
        ("refine", houses / "price", houses / "houses.csv", "-o", tmp_path / "r"),
        ("report", houses / "price", "--data", houses / "houses.csv", "-o", tmp_path / "r.html"),
    ):
        run(*words).refused("Predictor")
    run("fit", "predictor", csv, "-o", tmp_path / "n").refused(
        "--set target=NAME, one of", "'age'"
    )
