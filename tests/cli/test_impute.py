"""``pushforward impute`` and ``sample --given``."""

import io
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

import pushforward
from pushforward import Columns
from pushforward.cli.impute import given_conditions


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    """A file, and a model of it: group decides level, age follows size."""
    rng = np.random.default_rng(0)
    group = rng.choice(["a", "b", "c"], 400)
    size = rng.normal(10, 2, 400).round(2)
    frame = pd.DataFrame(
        {
            "group": group,
            "level": pd.Series(group).map({"a": "low", "b": "high", "c": "high"}).to_numpy(),
            "size": size,
            "age": np.rint(5 * size + rng.normal(0, 3, 400)).astype(int),
            "day": (
                pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 300, 400), "D")
            ).strftime("%Y-%m-%d"),
        }
    )
    folder = tmp_path_factory.mktemp("people")
    frame.to_csv(folder / "people.csv", index=False)
    pushforward.fit(frame, random_state=0, verbose=False, minutes=0.05).save(folder / "model")
    return folder


def test_it_fills_holes_and_leaves_the_rest(run, people):
    frame = pd.read_csv(people / "people.csv").head(20)
    holes = frame.astype(object)
    holes.loc[0, "level"] = None
    holes.loc[1, "age"] = None
    holes.loc[2, ["group", "size", "day"]] = None
    holes["note"] = "x"
    holes.to_csv(people / "holes.csv", index=False)
    out = people / "filled.csv"
    done = run("impute", people / "model", people / "holes.csv", "-o", out, "--random-state", "1")
    assert "filled 5 missing cells of 20 rows" in done.ok().err
    assert "left out the column 'note'" in done.err
    cells = pd.read_csv(people / "filled.cells.csv")
    assert str(people / "filled.cells.csv") in done.err
    assert cells[["row", "column"]].to_numpy().tolist() == [
        *([0, "level"], [1, "age"], [2, "group"], [2, "size"], [2, "day"])
    ]
    age = cells.loc[1]
    assert float(age["low"]) < float(age["value"]) < float(age["high"])
    assert 6 < float(age["high"]) - float(age["low"]) < 16  # deviation 3
    assert cells.loc[0, "probability"] == pytest.approx(1)
    assert cells["probability"].notna().tolist() == [True, False, True, False, False]
    assert "2024-01-01" <= cells.loc[4, "low"] < cells.loc[4, "high"] <= "2024-12-31"
    filled = pd.read_csv(out)
    assert filled.notna().all().all()
    assert filled["level"][0] == frame["level"][0]
    assert abs(filled["age"][1] - frame["age"][1]) < 12
    assert filled["day"].str.fullmatch(r"2024-\d\d-\d\d").all()
    same = frame.drop(index=[0, 1, 2]).reset_index(drop=True)
    pd.testing.assert_frame_equal(filled.drop(index=[0, 1, 2]).reset_index(drop=True), same)


def test_cells_are_listed_in_the_format_of_the_table_or_not_at_all(run, people):
    frame = pd.read_csv(people / "people.csv").head(4)
    frame.to_csv(people / "whole.csv", index=False)
    frame["age"] = frame["age"].astype(object).where(frame.index > 1)
    frame.to_csv(people / "two.csv", index=False)
    words = ["impute", people / "model", people / "two.csv", "-o"]
    run(*words, people / "two.parquet", "--level", "0.5").ok()
    cells = pd.read_parquet(people / "two.cells.parquet")
    assert cells["column"].tolist() == ["age", "age"]
    assert (cells["high"].astype(float) - cells["low"].astype(float)).between(2, 7).all()
    run(*words, people / "without.csv", "--no-cells").ok()
    assert not (people / "without.cells.csv").exists()
    run("impute", people / "model", people / "whole.csv", "-o", people / "none.csv").ok()
    assert len(pd.read_csv(people / "none.cells.csv")) == 0
    run(*words, people / "x.csv", "--level", "2").refused("level")


def test_columns_that_the_file_lacks_are_filled_in(run, people):
    frame = pd.read_csv(people / "people.csv").head(10)
    frame[["group", "size"]].to_csv(people / "short.csv", index=False)
    drawn = run("impute", people / "model", people / "short.csv", "--strategy", "sample", "-q")
    table = pd.read_csv(io.StringIO(drawn.ok().out))
    assert list(table.columns) == ["group", "level", "size", "age", "day"]
    expected = frame["group"].map({"a": "low", "b": "high", "c": "high"})
    assert (table["level"] == expected).all()
    assert drawn.err == ""


def test_samples_of_what_is_given(run, people):
    words = ["-n", "60", "--random-state", "0", "--given", "group=b", "--given", "size=11..14"]
    words += ["--given", "group=a", "--given", "day=2024-03-01..2024-03-31"]
    drawn = pd.read_csv(io.StringIO(run("sample", people / "model", *words).ok().out))
    assert len(drawn) == 60
    assert set(drawn["group"]) == {"a", "b"}
    assert drawn["size"].between(11, 14).all()
    assert drawn["day"].str.startswith("2024-03-").all()


def test_what_is_given_is_written_as_one_says_it(run, people):
    words = ["sample", people / "model", "-n", "40", "--random-state", "0", "--given"]
    same = [run(*words, *given).ok().out for given in (["size>12"], ["size > 12"], ["size=> 12"])]
    assert same[0] == same[1] == same[2]
    assert (pd.read_csv(io.StringIO(same[0]))["size"] > 12).all()
    low = run(*words, "size <= 12", "--given", "group = b").ok().out
    found = pd.read_csv(io.StringIO(low))
    assert (found["size"] <= 12).all()
    assert (found["group"] == "b").all()


def test_a_column_may_have_the_signs_of_a_condition_in_its_name():
    frame = pd.DataFrame({"a>1=b": np.arange(30.0) / 7, "a": np.arange(30) / 3})
    columns = Columns.learn(frame).columns
    model = SimpleNamespace(capabilities=lambda: SimpleNamespace(columns=columns))
    expected = {"a>1=b": 2.0, "a": (np.nextafter(1, 2), None)}
    assert given_conditions(["a>1=b=2", "a>1"], model) == expected


def test_what_cannot_be_given(run, people, gis):
    model = people / "model"
    run("sample", model, "--given", "group").refused("COLUMN=VALUE")
    run("sample", model, "--given", "grop=a").refused("'grop' (did you mean 'group'?)")
    run("sample", model, "--given", "town=x").refused("--given names the column 'town'")
    run("sample", model, "--given", "group=z").refused("had no 'z' in fit")
    run("sample", model, "--given", "size=big").refused("size")
    run("sample", model, "--given", "size=1e7..2e7").refused("meets the conditions")
    run("impute", model, people / "people.csv", "--strategy", "best").refused("strategy")
