"""Constraints hold in samples, conditions and filled cells, by construction or by rejection."""

import json
import warnings

import numpy as np
import pandas as pd
import pytest

import pushforward
from pushforward.data import Columns
from pushforward.data.tables.constraints import parse
from pushforward.errors import DataError, ModelFileError, ParameterError

N = 300
RULES = ["start <= end", "a + b == total", "city -> country", "a + 2 k <= 16", "first <= last"]


def table(n=N, seed=0):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"start": rng.normal(10, 3, n).round(2)})
    frame["end"] = (frame["start"] + rng.exponential(1, n)).round(2)
    frame["a"], frame["b"] = rng.poisson(3, n), rng.poisson(2, n)
    frame["total"] = frame["a"] + frame["b"]
    frame["city"] = rng.choice(list("xyz"), n)
    frame["country"] = frame["city"].map({"x": "A", "y": "A", "z": "B"})
    frame["k"] = np.minimum(rng.integers(0, 6, n), (16 - frame["a"]) // 2)
    frame["first"] = pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 99, n), "D")
    frame["last"] = frame["first"] + pd.to_timedelta(rng.integers(0, 3, n), "D")
    return frame


def hold(rows):
    assert (rows["start"] <= rows["end"]).all()
    assert (rows["a"] + rows["b"] == rows["total"]).all()
    assert (rows["country"] == rows["city"].map({"x": "A", "y": "A", "z": "B"})).all()
    assert (rows["a"] + 2 * rows["k"] <= 16).all()
    assert (rows["first"] <= rows["last"]).all()


@pytest.fixture(scope="module")
def model():
    options = {"max_layers": 1, "constraints": RULES, "missing": "model", "random_state": 0}
    return pushforward.GIS(**options).fit(table())


def test_samples_keep_to_constraints(model, tmp_path):
    rows = model.sample(3000, random_state=0)
    hold(rows)
    assert (rows["end"] == rows["end"].round(2)).all()
    assert rows.dtypes.equals(table().dtypes)
    assert [rule.built for rule in model.columns_.constraints] == [True, True, False, False, True]
    assert 0.1 < model.kept_ < 1
    again = pushforward.load(model.save(tmp_path / "model"))
    assert again.sample(50, random_state=1).equals(model.sample(50, random_state=1))
    frame = table(20, seed=1)
    np.testing.assert_array_equal(again.score_samples(frame), model.score_samples(frame))


def test_the_density_is_that_of_the_rows_that_keep_to_them():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(2000, 2))
    X = X[X.sum(axis=1) <= 0]
    model = pushforward.GIS(max_layers=0, constraints=["x0 + x1 <= 0"], random_state=0).fit(X)
    off = np.linspace(-4, 4, 81)
    grid = np.stack(np.meshgrid(off, off), axis=-1).reshape(-1, 2) - [0.001, 0.002]
    inside = grid[grid.sum(axis=1) <= 0]
    total = np.exp(model.score_samples(inside)).sum() * (off[1] - off[0]) ** 2
    assert total == pytest.approx(1, abs=0.06)
    assert (model.sample(1000, random_state=0).sum(axis=1) <= 0).all()
    given = model.given(np.array([[-0.5, np.nan]]), random_state=0)
    assert (given.sample(200, random_state=0).sum(axis=1) <= 0).all()
    line = np.column_stack([np.full(81, -0.5), np.linspace(-4, 0.4999, 81)])
    mass = np.exp(given.score_samples(line)).sum() * (line[1, 1] - line[0, 1])
    assert mass == pytest.approx(1, abs=0.08)


def test_conditions_and_filled_cells_keep_to_them(model):
    hold(model.given({"a": 2, "start": (9, 12)}, random_state=0).sample(100, random_state=0))
    frame = table(200, seed=2)
    rng = np.random.default_rng(3)
    holes = frame.mask(rng.random(frame.shape) < 0.35)
    for strategy in ("sample", "mean"):
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # no known cell is left out of account
            filled = model.impute(holes, strategy=strategy, random_state=0, n_draws=50)
        assert filled.notna().all(axis=None)
        assert (filled.where(holes.notna()) == holes).where(holes.notna(), True).all(axis=None)
        assert (filled["start"] <= filled["end"]).all()
        assert (filled["first"] <= filled["last"]).all()
        assert (filled["a"] + filled["b"] == filled["total"]).all()


def test_rows_that_break_one_are_refused_and_counted(model):
    frame = table()
    frame.loc[[3, 7], "end"] = frame.loc[[3, 7], "start"] - 1
    message = r"'start <= end' does not hold in 2 of 300 rows: rows 3, 7. The first has start"
    with pytest.raises(DataError, match=message):
        pushforward.GIS(constraints=["start <= end"]).fit(frame)
    with pytest.raises(DataError, match=message):
        model.score_samples(frame)
    with pytest.raises(DataError, match=r"does not hold in 1 of 1 rows"):
        model.given({"start": 5.0, "end": 4.0})
    frame = table()
    frame.loc[5, "country"] = "C"
    with pytest.raises(DataError, match=r"'city -> country' does not hold in 1 of 300 rows: row"):
        Columns.learn(frame, constraints=["city -> country"])
    frame.loc[5, "total"] += 1
    with pytest.raises(DataError, match=r"'a \+ b == total'"):
        Columns.learn(frame, constraints=["a + b == total"])


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        ("start <= stop", "no column 'stop'"),
        ("start <= end <= a", "has 2 of"),
        ("start", "has 0 of"),
        ("start + city <= 3", "'city', which is category"),
        ("first + last <= 3", "adds dates"),
        ("start 3 end < 4", "stand together"),
        ("start <", "one side is empty"),
        ("start - start <= 0", "no column is left"),
        ("a + b -> total", 'each side of "->" is one column'),
        ("a == 3", "is constant"),
    ],
)
def test_what_cannot_be_a_constraint_is_refused_with_how_it_could(rule, says):
    with pytest.raises(ParameterError, match=says):
        Columns.learn(table(30), constraints=[rule])
    with pytest.raises(ParameterError, match="a list of texts"):
        pushforward.GIS(constraints=rule).fit(table(30))


def test_names_are_read_as_they_are_meant():
    labels = ["net price", "net", "price-2", "3rd", "x y"]
    one, two, three = parse(["net price >= net", "`price-2` + 3rd = 2*net - 1.5", "x y<3"], labels)
    assert (one.places, one.coefficients, one.relation) == ((0, 1), (-1.0, 1.0), "<=")
    assert (two.places, two.coefficients, two.intercept) == ((2, 3, 1), (1.0, 1.0, -2.0), 1.5)
    assert (three.places, three.intercept, three.relation) == ((4,), -3.0, "<")


def test_columns_between_others_sums_of_sums_and_single_ends():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"low": rng.normal(size=N)})
    frame["mid"] = frame["low"] + rng.exponential(size=N)
    frame["high"] = frame["mid"] + rng.exponential(size=N)
    frame["n"], frame["m"], frame["o"] = (rng.integers(1, 9, N) for _ in range(3))
    frame["s"] = frame["n"] + frame["m"]
    frame["t"] = frame["s"] + frame["o"]
    rules = ["low <= mid", "mid <= high", "low <= high", "n + m == s", "s + o == t", "n >= 1"]
    model = pushforward.GIS(max_layers=0, constraints=rules, random_state=0).fit(frame)
    rows = model.sample(2000, random_state=0)
    assert rows["low"].le(rows["mid"]).all()
    assert rows["mid"].le(rows["high"]).all()
    assert rows["t"].eq(rows["n"] + rows["m"] + rows["o"]).all()
    assert rows["n"].min() >= 1
    assert model.columns_.columns[3].bounds == (1.0, None)
    assert model.kept_ == 1  # what the third says follows from the others
    holes = frame.head(60).copy()
    holes.loc[:19, "mid"] = np.nan
    holes.loc[20:39, ["low", "mid"]] = np.nan
    holes.loc[40:, "low"] = np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # no known cell is left out of account
        filled = model.impute(holes, strategy="sample", random_state=0, n_draws=20)
    known = holes.notna()
    assert (filled.where(known) == holes).where(known, True).all(axis=None)
    assert filled["low"].le(filled["mid"]).all()
    assert filled["mid"].le(filled["high"]).all()


def test_constraints_of_a_folder_are_checked():
    config = Columns.learn(table(), constraints=RULES).columns.to_config()
    assert Columns.from_config(json.loads(json.dumps(config))).to_config() == config
    for number, change in (
        (0, {"places": [0, 99]}),
        (0, {"places": [0, 0]}),
        (0, {"names": [1, 2]}),
        (0, {"coefficients": [1.0]}),
        (0, {"relation": ">="}),
        (0, {"tolerance": -1.0}),
        (0, {"built": 1}),
        (0, {"places": [0, 5]}),
        (2, {"values": [["x"]]}),
        (2, {"values": [[{}, []]]}),
        (4, {"places": [8, 0]}),
    ):
        bad = json.loads(json.dumps(config))
        bad["constraints"][number] |= change
        with pytest.raises(ModelFileError, match="constraints"):
            Columns.from_config(bad)


@pytest.mark.parametrize("strategy", ["mean", "median", "mode", "sample"])
def test_filled_cells_keep_functions_that_most_probable_values_break(strategy):
    """The most probable city is in another country than most rows are."""
    rng = np.random.default_rng(0)
    city = rng.choice(["Paris", "Lyon", "Nice", "Berlin"], 400, p=[0.2, 0.2, 0.2, 0.4])
    frame = pd.DataFrame({"city": city, "country": np.where(city == "Berlin", "D", "F")})
    frame["x"] = rng.normal(size=400) + (city != "Berlin")
    model = pushforward.AutoDensity(constraints=["city -> country"], random_state=0)
    rows = frame.head(20).copy()
    rows[["city", "country"]] = None
    filled = model.fit(frame).impute(rows, strategy=strategy, random_state=0)
    assert ((filled["city"] == "Berlin") == (filled["country"] == "D")).all()
