"""What a predictor says, on tables whose conditional distributions are known."""

import copy
import dataclasses
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from sklearn.utils.estimator_checks import parametrize_with_checks

import pushforward
from pushforward.errors import DataError, LeftOutWarning, NotFittedError, ParameterError
from pushforward.models.prediction import location_scale, pool, stacked_regression
from pushforward.models.prediction.completed_rows import speaking_for_all


def rooms(n, seed=0):
    """Price is a multiple of the area by the city, with errors that grow with it."""
    rng = np.random.default_rng(seed)
    area = rng.uniform(20, 120, n).round(1)
    city = rng.choice(["Rome", "Oslo", "Bern"], n)
    by = pd.Series(city).map({"Rome": 3.0, "Oslo": 5.0, "Bern": 6.0}).to_numpy()
    noise = rng.normal(size=n)
    frame = pd.DataFrame({"area": area, "city": city, "floor": rng.integers(0, 9, n)})
    frame["price"] = by * area + 0.1 * by * area * noise
    return frame, by * area


@pytest.fixture
def quick(monkeypatch):
    """The same fits with one kind of regression, two folds, and no joint density."""
    monkeypatch.setattr(location_scale, "KINDS", ("curves",))
    monkeypatch.setattr(location_scale, "_SPREAD", ("curves",))
    monkeypatch.setattr(location_scale, "_CLASSES", ("curves",))
    monkeypatch.setattr(stacked_regression, "_FOLDS", 2)
    monkeypatch.setattr(pool, "_MOST_COLUMNS", 0)


@pytest.fixture(scope="module")
def prices():
    frame, _ = rooms(300)
    return pushforward.Predictor("price", random_state=0).fit(frame)


@pytest.fixture(scope="module")
def kinds():
    X, _ = rooms(200)
    return pushforward.Predictor(random_state=0).fit(X[["area", "price"]], X["city"])


def test_means_and_intervals_are_those_of_the_truth(prices):
    frame, truth = rooms(300, seed=1)
    given = prices.given(frame)
    assert prices.task_ == "regression"
    assert np.abs(given.mean() / truth - 1).mean() < 0.03
    assert np.median(given.std() / (0.1 * truth)) == pytest.approx(1, abs=0.15)
    for level in (0.5, 0.9):
        low, high = given.interval(level).T
        inside = ((frame["price"] >= low) & (frame["price"] <= high)).mean()
        assert inside == pytest.approx(level, abs=0.06)
    expected = (
        -0.5 * np.log(2 * np.pi * (0.1 * truth) ** 2)
        - 0.5 * ((frame["price"] - truth) / (0.1 * truth)) ** 2
    )
    assert prices.log_prob(frame).mean() == pytest.approx(expected.mean(), abs=0.12)
    best = 1 - (frame["price"] - truth).var() / frame["price"].var()
    assert prices.score(frame) == pytest.approx(best, abs=0.015)


def test_what_a_distribution_says_agrees_with_itself(prices):
    frame, _ = rooms(30, seed=2)
    given = prices.given(frame)
    for q in (0.05, 0.5, 0.95):
        assert given.cdf(given.quantile(q)) == pytest.approx(q, abs=1e-6)
    low, high = given.interval(0.8).T
    inside = given.prob(low[0], high[0])
    assert inside[0] == pytest.approx(0.8, abs=1e-6)
    assert given.prob(None, low[0])[0] == pytest.approx(0.1, abs=1e-6)
    drawn = given.sample(5000, random_state=0)
    assert drawn.shape == (30, 5000)
    np.testing.assert_allclose(drawn.mean(1), given.mean(), rtol=0.02)
    np.testing.assert_allclose(drawn.std(1), given.std(), rtol=0.12)
    # the density is the slope of the distribution function
    middle = given.quantile(0.5)
    step = 0.1 * given.std()
    slope = (given.cdf(middle + step) - given.cdf(middle - step)) / (2 * step)
    np.testing.assert_allclose(np.exp(given.log_prob(middle)), slope, rtol=0.15)


def test_cells_that_no_row_of_the_fit_lacked_are_averaged_over(prices):
    fitted, _ = rooms(400)
    rows = pd.DataFrame({"area": 90.0, "city": [None] * 4 + ["Bern"] * 5, "floor": range(9)})
    rows.loc[4:7, "area"] = None
    given = prices.given(rows)
    mean = given.mean()
    # cities are as frequent, and areas say nothing of them
    by = fitted["price"].sum() / fitted["area"].sum()
    assert mean[:4].mean() == pytest.approx(90 * by, rel=0.06)
    own = fitted["price"][fitted["city"] == "Bern"].mean()
    assert mean[4:8].mean() == pytest.approx(own, rel=0.06)
    assert mean[8] == pytest.approx(90 * 6, rel=0.06)
    low, high = given.interval(0.9).T
    assert ((high - low)[:4] > 2.5 * 90).all()  # of Rome, 3 a unit, to Bern, 6 a unit
    np.testing.assert_allclose(prices.predict(rows[7:]), mean[7:], rtol=1e-9)
    with pytest.raises(DataError, match="missing='model'"):
        _without_joint(prices).predict(rows)


def _without_joint(model):
    """A predictor whose inputs were too many for a joint density."""
    other = copy.copy(model)
    other.pool_ = dataclasses.replace(model.pool_, joint=None)
    return other


def test_rows_are_predicted_alike_alone_and_among_others(prices):
    frame, _ = rooms(12, seed=3)
    whole = prices.predict(frame)
    alone = np.concatenate([prices.predict(frame.iloc[[i]]) for i in range(12)])
    np.testing.assert_allclose(whole, alone, rtol=1e-9)
    np.testing.assert_allclose(prices.predict(frame.drop(columns="price")), whole, rtol=0)
    np.testing.assert_allclose(prices.predict(pl.from_pandas(frame)), whole, rtol=1e-12)


def test_a_seed_gives_the_same_predictions_whatever_the_container(quick):
    frame, _ = rooms(60)
    one, other = (
        pushforward.Predictor("price", random_state=0).fit(table)
        for table in (frame, pl.from_pandas(frame))
    )
    assert (one.predict(frame) == other.predict(frame)).all()


def test_what_moves_a_prediction(prices):
    rows = pd.DataFrame({"area": [110.0, 110.0], "city": ["Rome", "Bern"], "floor": [4, 4]})
    found = prices.explain(rows)
    effect = found.set_index(["row", "column"])["effect"]
    assert effect[0, "city"] < -50
    assert effect[1, "city"] > 50
    assert effect[1, "area"] > 100
    assert abs(effect[1, "floor"]) < 20
    assert found["column"][0] != "floor"
    assert found["value"][0] in (110.0, "Rome")
    usual = prices.predict(rooms(500)[0]).mean()
    assert effect[1].sum() == pytest.approx(prices.predict(rows)[1] - usual, rel=0.15)


def test_classes(kinds):
    frame, _ = rooms(300, seed=4)
    X = frame[["area", "price"]]
    assert kinds.task_ == "classification"
    assert kinds.classes_.tolist() == ["Bern", "Oslo", "Rome"]
    p = kinds.predict_proba(X)
    assert p.shape == (300, 3)
    assert p.sum(1) == pytest.approx(1)
    assert (p > 0).all()
    assert kinds.score(X, frame["city"]) > 0.8
    # what is said to be so likely is as often so
    assert p.max(1).mean() == pytest.approx((kinds.predict(X) == frame["city"]).mean(), abs=0.06)
    expected = np.log(p[np.arange(300), np.searchsorted(kinds.classes_, frame["city"])])
    assert kinds.log_prob(X, frame["city"]) == pytest.approx(expected)
    given = kinds.given(X)
    assert given.to_frame().columns.tolist() == ["Bern", "Oslo", "Rome"]
    drawn = given.sample(400, random_state=0)
    np.testing.assert_allclose((drawn == "Rome").mean(1), p[:, 2], atol=0.12)
    assert "predict_interval" in dir(kinds)
    with pytest.raises(TypeError, match="no intervals"):
        kinds.predict_interval(X)
    with pytest.raises(DataError, match="'Paris'"):
        kinds.log_prob(X[:1], ["Paris"])
    effects = kinds.explain(X[:2])
    assert set(effects["column"]) == {"area", "price"}


def test_repeated_values_and_bounds_of_the_target_are_kept(quick):
    rng = np.random.default_rng(0)
    x = rng.normal(size=250)
    none = rng.random(250) < 1 / (1 + np.exp(2 * x))
    y = np.where(none, 0.0, np.exp(x + 0.3 * rng.normal(size=250)))
    model = pushforward.Predictor(random_state=0).fit(x[:, None], y)
    given = model.given(np.array([[-2.0], [2.0]]))
    zero = given.prob(0, 0)
    assert zero[0] > 0.85
    assert zero[1] < 0.15
    assert (given.sample(500, random_state=0) >= 0).all()
    assert given.interval(0.5)[0].tolist() == [0.0, 0.0]


def test_counts_have_probabilities(quick):
    rng = np.random.default_rng(0)
    x = rng.uniform(0, 2, 250)
    model = pushforward.Predictor(random_state=0).fit(x[:, None], rng.poisson(np.exp(x)))
    given = model.given(np.array([[1.5]]))
    total = sum(float(given.prob(k, k)[0]) for k in range(40))
    assert total == pytest.approx(1, abs=0.02)
    assert given.mean()[0] == pytest.approx(np.exp(1.5), rel=0.12)
    p = np.exp(model.given(np.full((15, 1), 1.5)).log_prob(np.arange(15)))
    assert p.sum() == pytest.approx(1, abs=0.02)
    assert p[0] == pytest.approx(np.exp(-np.exp(1.5)), abs=0.07)


def test_dates_are_predicted_as_dates(quick):
    rng = np.random.default_rng(0)
    days = rng.integers(1, 30, 200)
    start = pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 300, 200), "D")
    frame = pd.DataFrame({"start": start, "days": days})
    frame["end"] = frame["start"] + pd.to_timedelta(days + rng.integers(0, 3, 200), "D")
    model = pushforward.Predictor("end", random_state=0).fit(frame)
    found = pd.to_datetime(pd.Series(model.predict(frame)))
    assert np.abs((found - frame["end"]) / pd.Timedelta(days=1)).mean() < 3


def test_seasons_of_dates_are_inputs(quick):
    """Births by day: of inputs with parts of dates no predictor was fitted at all."""
    rng = np.random.default_rng(0)
    day = pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.choice(1000, 240, replace=False), "D")
    births = np.where(day.day_of_week >= 5, 8000, 12000) + rng.normal(0, 200, 240).round()
    frame = pd.DataFrame({"day": day, "births": births})
    model = pushforward.Predictor("births", random_state=0).fit(frame[:180])
    error = model.predict(frame[180:]) - frame["births"][180:]
    assert np.sqrt((error**2).mean()) < 250  # of 1,700 where only the target shows the season
    kind = np.where(births < 10_000, "weekend", "workday")
    day = frame[["day"]].assign(shop=rng.integers(0, 3, 240))
    day.loc[:4, "day"] = pd.NaT
    model = pushforward.Predictor(random_state=0).fit(day[:180], kind[:180])
    assert (model.predict(day[180:]) == kind[180:]).mean() > 0.98


def test_numbers_of_two_values_have_the_probabilities_of_their_rows(tmp_path):
    """Of passengers of the third class 80 % were adults, and 43 % were said to be.

    The size of errors of two values follows from what is expected: learned beside it, it told rows
    of the fit apart by what the regressions had not seen.
    """
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"class": rng.integers(1, 5, 500), "sex": rng.integers(0, 2, 500)})
    truth = np.where(X["class"] == 3, 0.8, np.where(X["class"] == 2, 0.9, 1.0))
    y = pd.Series(rng.random(500) < truth).astype(int)
    model = pushforward.Predictor(minutes=0.05, random_state=0).fit(X, y)
    cells = X.drop_duplicates()
    share = y.groupby([X["class"], X["sex"]]).mean()
    found = model.predict(cells)
    assert found == pytest.approx(share.loc[list(map(tuple, cells.to_numpy()))], abs=0.1)
    assert all(trial["density"] != "location and spread" for trial in model.trials_)
    again = pushforward.load(model.save(tmp_path / "model"))
    np.testing.assert_array_equal(again.predict(cells), found)


def waiting(n=150, seed=0):
    """A waiting time that only the treated have, a weight that some lack, and who is treated."""
    rng = np.random.default_rng(seed)
    treated = rng.random(n) < 0.6
    frame = pd.DataFrame({"age": rng.normal(50, 5, n)})
    frame["wait"] = np.where(treated, rng.gamma(2, 10, n).round(), np.nan)
    frame["weight"] = np.where(rng.random(n) < 0.2, np.nan, rng.normal(70, 10, n))
    return frame, np.where(treated, "yes", "no")


def test_that_a_cell_is_missing_is_an_input_where_it_tells_of_the_target(quick, tmp_path):
    """Of the smokers of a survey .73 were right where trees that take NaN had all."""
    frame, treated = waiting()
    model = pushforward.Predictor(random_state=0).fit(frame, treated)
    assert "whether a cell is missing of wait" in model.account()
    assert "weight" not in model.account()
    fresh, truth = waiting(seed=1)
    given = model.given(fresh)
    assert (given.mode() == truth).all()
    assert given.log_prob(truth).mean() > -0.05
    first = model.explain(fresh[:5]).groupby("row").first()
    assert (first["column"] == "wait").all()
    assert np.abs(first["effect"]).min() > 0.3
    # nothing is known of a column that is not there
    unknown = model.given(fresh[["age", "weight"]].head(3)).probability
    assert np.isfinite(unknown).all()
    again = pushforward.load(model.save(tmp_path / "model"))
    np.testing.assert_array_equal(again.given(fresh).probability, given.probability)


def test_a_missing_cell_that_others_compute_is_computed(quick):
    """Everything that is modelled was known, so that the row was taken for complete."""
    frame, treated = waiting()
    frame = frame[["age"]].round(1).assign(twice=2 * frame["age"].round(1))
    frame.loc[::9, "twice"] = np.nan
    model = pushforward.Predictor(random_state=0).fit(frame, treated)
    filled = frame.assign(twice=2 * frame["age"])
    np.testing.assert_allclose(model.predict_proba(frame), model.predict_proba(filled))


def test_complete_rows_of_one_class_do_not_speak_for_all():
    complete = np.arange(100) < 60
    constant = torch.from_numpy(np.where(np.arange(100) < 98, 1.0, 0.0))[:, None]
    assert len(speaking_for_all(complete, constant)) == 100
    assert len(speaking_for_all(complete, torch.arange(100.0)[:, None] % 2)) == 60
    assert len(speaking_for_all(complete, torch.arange(100.0)[:, None])) == 100
    assert len(speaking_for_all(np.arange(100) < 30, torch.arange(100.0)[:, None] % 2)) == 100


@pytest.mark.parametrize("seed", range(30))
def test_the_rows_that_are_fitted_have_two_values_of_the_target(seed):
    out, fitted = pool._held_out(pd.Series(["no"] * 99 + ["yes"]), seed)
    assert sorted([*out, *fitted]) == list(range(100))
    assert 99 in fitted
    assert len(out) in (19, 20)


def test_rows_with_missing_cells_are_predicted_by_what_they_have(quick):
    frame, _ = rooms(200)
    rng = np.random.default_rng(1)  # not that of the areas, of which it would take the small ones
    holes = frame.copy()
    for column in ("area", "city"):
        holes.loc[rng.random(len(frame)) < 0.15, column] = None
    model = pushforward.Predictor("price", random_state=0).fit(holes)
    rows = pd.DataFrame(
        {"area": [60.0, None, 60.0], "city": ["Bern", "Bern", None], "floor": [1] * 3}
    )
    width = np.diff(model.predict_interval(rows))[:, 0]
    assert width[0] < 0.8 * width[1]
    assert width[0] < width[2]
    usual = frame[frame["city"] == "Bern"]["price"].mean()
    assert model.predict(pd.DataFrame({"city": ["Bern", "Rome"]}))[0] == pytest.approx(
        usual, rel=0.12
    )
    whole = pushforward.Predictor("price", random_state=0, minutes=0.02).fit(frame)
    with pytest.raises(DataError, match="missing"):
        whole.predict(rows)


@pytest.mark.parametrize("which", ["prices", "kinds"])
def test_it_comes_back_from_its_folder(which, request, tmp_path):
    model = request.getfixturevalue(which)
    frame, _ = rooms(20, seed=5)
    frame = frame[list(model.columns_.labels)]
    again = pushforward.load(model.save(tmp_path / "model"))
    assert (again.predict(frame) == model.predict(frame)).all()
    assert again.explain(frame[:1]).equals(model.explain(frame[:1]))
    assert "Predictor of" in (tmp_path / "model" / "README.md").read_text()
    assert "Predictor" in repr(again)


def test_what_is_left_out_is_said_once(quick):
    frame, _ = rooms(80)
    frame["attic"] = np.where(np.arange(80) < 65, None, "yes")
    frame.loc[[0, 5], "area"] = None
    with pytest.warns(LeftOutWarning, match="'attic'") as said:
        pushforward.Predictor("price", random_state=0, minutes=0.01).fit(frame)
    assert len([one for one in said if issubclass(one.category, LeftOutWarning)]) == 1


def test_rows_without_a_target_are_left_out(quick):
    frame, _ = rooms(60)
    frame.loc[:3, "price"] = None
    with pytest.warns(LeftOutWarning, match="4 of 60 rows left out"):
        pushforward.Predictor("price", minutes=0.01).fit(frame)
    with pytest.raises(DataError, match="targets are missing"):
        pushforward.Predictor("price", missing="error").fit(frame)


@pytest.mark.parametrize(
    ("options", "change", "text"),
    [
        ({"target": "cost"}, {}, "no column 'cost'"),
        ({"target": None}, {}, "y is None"),
        ({"target": "price", "task": "classification"}, {}, "has fractions"),
        ({"target": "city", "task": "regression"}, {}, "text such as"),
        ({"target": "price"}, {"price": 7.5}, "one value, 7.5"),
        ({"target": "price"}, {"price": np.inf}, "infinity"),
    ],
)
def test_targets_that_cannot_be(options, change, text):
    frame, _ = rooms(50)
    with pytest.raises(DataError, match=text):
        pushforward.Predictor(**options).fit(frame.assign(**change))


def test_parameters_and_order():
    with pytest.raises(NotFittedError):
        pushforward.Predictor("price").predict(np.zeros((2, 2)))
    with pytest.raises(ParameterError, match="task"):
        pushforward.Predictor("price", task="ranking").fit(rooms(50)[0])
    with pytest.raises(ParameterError, match="minutes"):
        pushforward.Predictor("price", minutes=-1).fit(rooms(50)[0])


@pytest.mark.parametrize("n", [2, 3, 5, 12, 39, 41])
def test_few_rows(n, quick):
    frame, _ = rooms(n)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        model = pushforward.Predictor("price", random_state=0).fit(frame)
        low, high = model.predict_interval(frame).T
    assert np.isfinite(model.predict(frame)).all()
    assert (low <= high).all()


def test_a_target_in_an_array_and_in_a_tensor(quick):
    X = rooms(80)[0][["area", "floor", "price"]].to_numpy()
    one = pushforward.Predictor(2, random_state=0, minutes=0.02).fit(X)
    other = pushforward.Predictor(2, random_state=0, minutes=0.02).fit(torch.from_numpy(X))
    assert one.predict(X[:, :2]).shape == other.predict(torch.from_numpy(X)).shape == (80,)


@parametrize_with_checks(
    [
        pushforward.Predictor(task=t, random_state=0, minutes=1e-6)
        for t in ("regression", "classification")
    ]
)
def test_scikit_learn_checks(estimator, check, quick):
    check(estimator)


def test_an_interrupted_fit_goes_on_to_the_same_result(quick, tmp_path, monkeypatch):
    frame, _ = rooms(60)
    whole = pushforward.Predictor("price", random_state=0).fit(frame)
    fit, fits = pushforward.AutoDensity.fit, []

    def fails_at_the_second(self, *args, **options):
        fits.append(self)
        if len(fits) == 2:
            raise KeyboardInterrupt
        return fit(self, *args, **options)

    monkeypatch.setattr(pushforward.AutoDensity, "fit", fails_at_the_second)
    with pytest.raises(KeyboardInterrupt):
        pushforward.Predictor("price", random_state=0).fit(frame, folder=tmp_path / "work")
    assert (tmp_path / "work").is_dir()
    again = pushforward.Predictor("price", random_state=0).fit(frame, folder=tmp_path / "work")
    assert len(fits) == 3  # of two the finished one was not fitted again
    assert (again.predict(frame) == whole.predict(frame)).all()
    assert not (tmp_path / "work").exists()


def test_a_row_with_missing_cells_is_predicted_alike_alone_and_among_others(quick):
    frame, _ = rooms(80)
    holes = frame.mask(np.random.default_rng(1).random(frame.shape) < 0.2)
    holes["price"] = frame["price"]
    model = pushforward.Predictor("price", random_state=0, minutes=0.05)
    with pytest.warns(LeftOutWarning, match="1 of 80 rows left out"):
        model.fit(holes)
    rows = holes.head(6)
    alone = [model.predict(rows.iloc[[i]])[0] for i in range(6)]
    np.testing.assert_allclose(model.predict(rows), alone, rtol=1e-9)


def test_a_state_of_other_inputs_is_refused(prices):
    found = prices.regressions_
    state = {**found.state_dict(), "coder.gaps": torch.tensor([0])}
    with pytest.raises(ValueError, match="of other inputs"):
        location_scale.LocationScale.from_state(
            prices.columns_, prices.target_, found.config(), state
        )


def test_a_target_whose_repeated_value_is_only_among_the_held_out_rows(quick, monkeypatch):
    """It was refused: mixed, and no value comes again. So was one of ten splits of Auto."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=80)
    y = x + rng.normal(size=80)
    y[:9] = 0.0
    monkeypatch.setattr(pool, "_held_out", lambda y, seed: (np.arange(20), np.arange(20, 80)))
    frame = pd.DataFrame({"x": x, "y": y})
    model = pushforward.Predictor("y", columns={"y": "mixed"}, random_state=0).fit(frame)
    assert model.target_.kind == "mixed"
    assert {c.density.columns_.kinds[-1] for c in model.pool_.components} == {"continuous"}
    assert np.isfinite(model.log_prob(frame)).all()
