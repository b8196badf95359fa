"""What ``given`` and ``impute`` say, on tables whose conditionals are known."""

import numpy as np
import pandas as pd
import pytest

import pushforward
from pushforward.errors import DataError, ParameterError
from pushforward.transport.conditioning import Conditioner


def city_table(n=600, seed=0):
    """City decides country, sex does not matter, weight follows height, fees are often 0."""
    rng = np.random.default_rng(seed)
    city = rng.choice(["Paris", "Lyon", "Rome", "Oslo"], n, p=[0.4, 0.2, 0.3, 0.1])
    country = pd.Series(city).map(
        {"Paris": "France", "Lyon": "France", "Rome": "Italy", "Oslo": "Norway"}
    )
    height = rng.normal(170, 10, n).round(1)
    return pd.DataFrame(
        {
            "city": city,
            "country": country.to_numpy(),
            "height": height,
            "weight": (70 + 0.8 * (height - 170) + rng.normal(0, 5, n)).round(1),
            "fee": np.where(rng.random(n) < 0.6, 0.0, rng.gamma(3, 10, n).round(2)),
            "children": rng.poisson(1.5, n),
            "when": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 365, n), "D"),
        }
    )


@pytest.fixture(scope="module")
def rows():
    return city_table()


@pytest.fixture(scope="module")
def model(rows):
    return pushforward.fit(rows, random_state=0, verbose=False, minutes=0.2)


@pytest.fixture(scope="module")
def line():
    """Two columns, the second the first and noise of variance 1/4."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=800)
    X = np.column_stack([x, x + 0.5 * rng.normal(size=800)])
    return pushforward.fit(X, random_state=0, verbose=False, minutes=0.1)


def test_where_nothing_is_given_draws_are_of_the_density_and_worth_the_same(rows, model):
    """They were drawn from a rougher mixture and weighed: 1000 were worth 106."""
    nothing = rows.iloc[[0, 0]].mask(np.ones((2, rows.shape[1]), dtype=bool))
    given = model.given(nothing, n_draws=1000, random_state=0)
    assert given.effective_size == pytest.approx([1000, 1000])
    alone = model.given(nothing.iloc[[1]], n_draws=1000, random_state=0)
    assert given.mean().iloc[1].tolist() == alone.mean().iloc[0].tolist()
    text = next(name for name in rows if rows[name].dtype.kind not in "fiu")
    shares = rows[text].value_counts(normalize=True)
    found = given.probabilities(text).iloc[0]
    for level, share in shares.items():
        assert found[level] == pytest.approx(share, abs=0.06)


def test_the_mean_and_interval_of_a_line(line):
    given = line.given({0: 1.0}, random_state=0)
    assert given.open == (1,)
    assert np.isinf(given.effective_size).all()
    assert given.mean()[1][0] == pytest.approx(1.0, abs=0.1)
    assert given.std()[1][0] == pytest.approx(0.5, abs=0.1)
    interval = given.interval(0.9)
    assert interval["low"][0] == pytest.approx(1 - 0.82, abs=0.2)
    assert interval["high"][0] == pytest.approx(1 + 0.82, abs=0.2)
    assert given.cdf({1: 1.0})[0] == pytest.approx(0.5, abs=0.08)


def test_one_open_column_of_numbers_is_a_curve_not_a_grid(line):
    given = line.given({0: 1.0}, random_state=0)
    samples = given.sample(2000, random_state=0)[:, 1]
    assert len(np.unique(samples)) > 1990
    for q in (0.02, 0.11, 0.5, 0.83, 0.97):
        value = float(given.quantile(q)[1][0])
        assert given.cdf({1: value})[0] == pytest.approx(q, abs=2e-3)
        assert np.mean(samples <= value) == pytest.approx(q, abs=0.01)  # systematic draws
    assert np.diff([given.quantile(q)[1][0] for q in np.linspace(0.5, 0.52, 9)]).min() > 0


def test_conditional_and_marginal_make_the_joint(line):
    X = line.sample(20, random_state=5)
    holes = X.copy()
    holes[:, 1] = np.nan
    conditional = line.given(holes, random_state=0).score_samples(X)
    marginal = line.score_samples(X) - conditional
    # a density of the first column alone: it integrates to one
    at = np.full((400, 2), np.nan)
    at[:, 0] = np.linspace(-6, 6, 400)
    full = np.column_stack([at[:, 0], np.zeros(400)])
    log_p = line.score_samples(full) - line.given(at, random_state=0).score_samples(full)
    assert np.trapezoid(np.exp(log_p), at[:, 0]) == pytest.approx(1.0, abs=0.01)
    assert np.isfinite(marginal).all()


def test_a_function_of_what_is_given_is_certain(model):
    given = model.given({"city": "Rome"}, random_state=0)
    assert given.probabilities("country")["Italy"][0] > 0.99
    drawn = given.sample(300, random_state=0)
    assert (drawn["city"] == "Rome").all()
    assert (drawn["country"] == "Italy").all()


def test_the_other_way_round_only_what_is_possible(model):
    drawn = model.given({"country": "France"}, random_state=0).sample(300, random_state=0)
    assert set(drawn["city"]) == {"Paris", "Lyon"}
    assert (drawn["city"] == "Paris").mean() == pytest.approx(2 / 3, abs=0.1)


def test_samples_have_the_types_and_the_kind_of_numbers_of_the_table(model, rows):
    drawn = model.given({"city": "Oslo", "children": 2}, random_state=0).sample(50, random_state=1)
    assert list(drawn.columns) == list(rows.columns)
    assert drawn.dtypes.astype(str).to_dict() == rows.dtypes.astype(str).to_dict()
    assert (drawn["children"] == 2).all()
    assert (drawn["fee"] == 0).mean() == pytest.approx(0.6, abs=0.25)
    assert (drawn["fee"] >= 0).all()
    assert drawn["when"].between("2024-01-01", "2024-12-31").all()


def test_ranges_and_lists(model, rows):
    given = model.given({"height": (180, None), "city": ["Paris", "Rome"]}, random_state=0)
    drawn = given.sample(200, random_state=0)
    assert (drawn["height"] >= 180).all()
    assert set(drawn["city"]) <= {"Paris", "Rome"}
    tall = rows[rows["height"] >= 180]
    assert given.mean()["weight"][0] == pytest.approx(tall["weight"].mean(), abs=2.5)
    assert given.effective_size[0] >= 50
    dates = model.given({"when": ("2024-06-01", "2024-06-30")}, random_state=0)
    june = dates.sample(100, random_state=0)["when"]
    assert june.between("2024-06-01", "2024-06-30").all()
    assert pd.Timestamp(dates.mean()["when"][0]).month == 6


def test_probabilities_of_events(model, rows):
    given = model.given({"city": "Paris"}, random_state=0)
    assert given.prob({"country": "France"})[0] > 0.99
    assert given.prob({"country": ["Italy", "Norway"]})[0] < 0.01
    share = (rows[rows["city"] == "Paris"]["weight"] > 75).mean()
    assert given.prob({"weight": (75, None)})[0] == pytest.approx(share, abs=0.1)
    table = given.probabilities("children")
    assert table.sum(axis=1)[0] == pytest.approx(1.0)


def test_each_row_is_given_what_it_has(model, rows):
    holes = rows.head(6).copy().astype(object)
    holes.loc[0, "country"] = None
    holes.loc[1, ["height", "weight"]] = None
    holes.loc[2, :] = None
    given = model.given(holes, random_state=0)
    assert len(given) == 6
    drawn = given.sample(3, random_state=0)
    assert len(drawn) == 18
    assert (drawn["country"][:3] == rows["country"][0]).all()
    kept = drawn[9:].reset_index(drop=True)  # rows 3 to 5 have no holes
    expected = rows.iloc[np.repeat([3, 4, 5], 3)].reset_index(drop=True)
    pd.testing.assert_frame_equal(kept, expected)


@pytest.mark.parametrize("strategy", ["mean", "median", "mode", "sample"])
def test_impute_fills_holes_and_leaves_the_rest(model, rows, strategy):
    rng = np.random.default_rng(3)
    new = city_table(24, seed=7)
    holes = new.astype(object).mask(rng.random(new.shape) < 0.3)
    filled = model.impute(holes, strategy=strategy, random_state=0)
    again = model.impute(holes, strategy=strategy, random_state=0)
    pd.testing.assert_frame_equal(filled, again)
    assert filled.notna().all().all()
    assert filled.dtypes.astype(str).to_dict() == rows.dtypes.astype(str).to_dict()
    known = holes.notna()
    for name in new:
        assert (filled[name][known[name]] == new[name][known[name]]).all()
    given_city = known["city"] & ~known["country"]
    assert (filled["country"] == new["country"])[given_city].all()


def test_impute_beats_the_mean_of_the_column(model):
    new = city_table(60, seed=8)
    holes = new.copy()
    holes["weight"] = np.nan
    filled = model.impute(holes, random_state=0, n_draws=100)
    error = (filled["weight"] - new["weight"]).pow(2).mean() ** 0.5
    assert error < 0.75 * new["weight"].std()  # 5 of 9.4 kg are noise


def test_holes_in_frames_without_missing_cells_of_their_own(rows):
    polars = pytest.importorskip("polars")
    small = polars.from_pandas(rows[["city", "height", "children"]])
    model = pushforward.fit(small, random_state=0, verbose=False, minutes=0.05)
    holes = small.head(4).with_columns(children=polars.Series([1, None, None, 2]))
    filled = model.impute(holes, random_state=0)
    assert filled.schema == small.schema
    assert filled["children"].null_count() == 0
    assert filled["children"][0] == 1


def test_what_is_computed_from_others_follows():
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"a": rng.integers(0, 50, 300), "b": rng.integers(0, 50, 300)})
    X["total"] = X["a"] + X["b"]
    model = pushforward.fit(X, random_state=0, verbose=False, minutes=0.05)
    drawn = model.given({"a": 10}, random_state=0).sample(50, random_state=0)
    assert (drawn["a"] + drawn["b"] == drawn["total"]).all()
    computed = next(
        label
        for label, column in zip(model.columns_.labels, model.columns_.columns, strict=True)
        if column.formula is not None
    )
    exact = model.given({computed: 60}, random_state=0).sample(50, random_state=0)
    assert (exact[computed] == 60).all()
    assert (exact["a"] + exact["b"] == exact["total"]).all()
    ranged = model.given({computed: (60, 80)}, random_state=0).sample(50, random_state=0)
    assert ranged[computed].between(60, 80).all()


@pytest.fixture(scope="module")
def towns():
    """A rate, a zone and a distance, all functions of forty towns, and a number beside them."""
    rng = np.random.default_rng(0)
    town = rng.integers(0, 40, 600)
    rate, zone = rng.integers(10, 60, 40)[town], rng.integers(0, 5, 40)[town]
    X = pd.DataFrame({"town": [f"t{i:02d}" for i in town], "rate": rate, "zone": zone})
    X["distance"] = rng.integers(100, 140, 40)[town]
    X["x"] = town / 10 + rng.normal(size=600)
    return X, pushforward.fit(X, random_state=0, verbose=False, minutes=0.05)


def test_functions_of_open_columns_are_kept_by_every_draw(towns):
    """Each was drawn by itself: of rows with several, no draw was possible at all."""
    X, model = towns
    given = model.given(X[["x"]].head(4), n_draws=1000, random_state=0)
    assert (given.effective_size > 700).all()
    functions = X.drop(columns="x").drop_duplicates()
    drawn = given.sample(10, random_state=0).drop(columns="x")
    assert len(drawn.merge(functions)) == len(drawn) == 40
    # what is known of x alone is the sum over the towns
    each = functions[["town"]].merge(X[["x"]].head(4), how="cross")
    joint = model.given(each, n_draws=50, random_state=0).log_density().reshape(-1, 4)
    total = np.logaddexp.reduce(joint, axis=0)
    assert given.log_density() == pytest.approx(total, abs=0.03)


@pytest.mark.parametrize("strategy", ["mean", "median", "sample", "mode"])
def test_what_is_filled_in_keeps_functions(towns, strategy):
    """A town was filled in with the most probable one, and its rate with the mean of all rates."""
    X, model = towns
    rows = X.head(40).copy()
    rows[["town", "rate", "zone", "distance"]] = None
    rows.loc[:9, "zone"] = X["zone"]
    filled = model.impute(rows, strategy=strategy, random_state=0)
    functions = X.drop(columns="x").drop_duplicates()
    same = filled.drop(columns="x").astype(functions.dtypes.to_dict())
    assert len(same.merge(functions)) == len(rows)
    assert (filled["zone"].head(10) == X["zone"].head(10)).all()


def test_cells_that_contradict_a_function_are_answered(towns):
    """One such row among many, and none of them was filled in."""
    X, model = towns
    rows = X.head(3).astype({"rate": float, "zone": float, "distance": float})
    rows.loc[0, "zone"] = 1 + rows.loc[0, "zone"] % 4
    rows.loc[[0, 1], ["town", "distance"]] = [None, np.nan]
    filled = model.impute(rows, random_state=0)
    assert filled.notna().all(axis=None)
    assert filled.loc[1].tolist() == X.loc[1].tolist()
    rows.loc[0, "town"] = X.loc[0, "town"]
    assert np.isfinite(model.score_samples(rows)).all()
    with pytest.raises(DataError, match="meets the conditions"):
        model.given({"town": "t00", "zone": [1 + int(X["zone"][X["town"] == "t00"].iloc[0]) % 4]},
                    random_state=0).sample(2)  # fmt: skip


@pytest.mark.parametrize(
    ("conditions", "text"),
    [
        ({"town": "Rome"}, "no column 'town'"),
        ({"city": "Bergen"}, "had no 'Bergen' in fit"),
        ({"height": "tall"}, "Expected a value of a column that is"),
        ({"city": "Rome", "country": ["Norway"]}, "meets the conditions"),
        ({"height": (500, 600)}, "meets the conditions"),
        ({"city": ["Bergen"]}, "had no 'Bergen' in fit"),
    ],
)
def test_conditions_that_cannot_be(model, conditions, text):
    with pytest.raises(DataError, match=text):
        model.given(conditions, n_draws=100, random_state=0).sample(5, random_state=0)


def test_a_cell_of_numpy_is_said_as_a_person_writes_it(rng):
    model = pushforward.GIS(max_layers=0, random_state=0).fit(rng.normal(size=(60, 2)))
    with pytest.warns(UserWarning, match=r"in row 0: got 'ten'\. Expected a value"):
        model.given(np.array([["ten", "nan"], ["1", "nan"]]))


def test_ranges_that_are_none(model):
    with pytest.raises(ParameterError, match="ends before it begins"):
        model.given({"height": (180, 170)})
    with pytest.raises(ParameterError, match="column of numbers"):
        model.given({"city": ("A", "B")})
    with pytest.raises(ParameterError, match="n_draws"):
        model.given({"city": "Rome"}, n_draws=0)
    with pytest.raises(ParameterError, match="strategy"):
        model.impute(city_table(3), strategy="best")


def test_rows_to_score_have_what_is_given(model, rows):
    with pytest.raises(DataError, match="does not have the cells that are given"):
        model.given({"city": "Rome"}, random_state=0).score_samples(rows[rows["city"] == "Oslo"])


def test_a_row_has_the_same_answers_among_others(model, rows, rng):
    holes = rows.head(12).mask(rng.random((12, rows.shape[1])) < 0.4)
    holes.loc[3] = holes.loc[5]
    whole = model.given(holes, n_draws=200, random_state=0)
    alone = [model.given(holes.iloc[[i]], n_draws=200, random_state=0) for i in range(12)]
    np.testing.assert_allclose(
        whole.log_density(), np.concatenate([one.log_density() for one in alone]), rtol=1e-9
    )
    found = model.score_samples(holes)
    one_by_one = [model.score_samples(holes.iloc[[i]])[0] for i in range(12)]
    np.testing.assert_allclose(found, one_by_one, rtol=1e-9)
    assert found[3] == found[5]
    filled = model.impute(holes, random_state=0)
    part = model.impute(holes.iloc[4:8], random_state=0).reset_index(drop=True)
    pd.testing.assert_frame_equal(filled.iloc[4:8].reset_index(drop=True), part)
    # draws are those of each row, and other ones for a row that is there twice
    assert (
        whole.completions(3, random_state=0)
        .iloc[9:12]
        .equals(whole.completions(3, random_state=0).iloc[15:18].set_axis(range(9, 12)))
    )
    twice = whole.sample(3, random_state=0)
    assert not twice.iloc[9:12].equals(twice.iloc[15:18].set_axis(range(9, 12)))


def test_draws_of_what_hardly_ever_happens_may_be_bounded(model, monkeypatch):
    drawn, own = [], Conditioner.condition

    def counted(self, z, given, count, *more):
        drawn.append(count)
        return own(self, z, given, count, *more)

    monkeypatch.setattr(Conditioner, "condition", counted)
    odd = {"height": 140.0, "weight": 110.0, "fee": (95, None), "children": (4, None)}
    model.given(odd, n_draws=100, random_state=0).mean()
    needed = sum(drawn)
    for most in (100, 400):
        drawn.clear()
        model.given(odd, n_draws=100, max_draws=most, random_state=0).mean()
        assert sum(drawn) <= most < needed
    with pytest.raises(ParameterError, match="max_draws"):
        model.given(odd, max_draws=0)
