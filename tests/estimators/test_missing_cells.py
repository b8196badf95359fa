"""Fits to tables with missing cells, and what is said of rows that have some."""

import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats

import pushforward
from pushforward.data import Columns
from pushforward.errors import DataError, LeftOutWarning
from pushforward.estimators.missing_cells import completions

COVARIANCE = np.array([[1.0, 0.8], [0.8, 2.0]])


def gaussian(n, seed=0):
    rng = np.random.default_rng(seed)
    return rng.multivariate_normal([3.0, -1.0], COVARIANCE, n)


def holes_in(X, share, seed=0):
    gone = np.random.default_rng(seed).random(X.shape) < share
    gone[gone.all(axis=1), 0] = False
    return np.where(gone, np.nan, X)


@pytest.fixture(scope="module")
def model(few_fits):
    with pytest.MonkeyPatch.context() as patch:
        for place, number in few_fits.items():  # held-out scores are asked for
            patch.setattr(place, number)
        return pushforward.AutoDensity(random_state=0).fit(holes_in(gaussian(800), 0.3))


def test_a_gaussian_is_found_again_where_cells_are_missing(model):
    new = gaussian(2000, seed=1)
    truth = stats.multivariate_normal([3.0, -1.0], COVARIANCE).logpdf(new)
    assert model.score(new) > truth.mean() - 0.03
    off = np.cov(model.sample(20_000, random_state=0, complete=True).T) - COVARIANCE
    assert abs(off).max() < 0.2


def test_cells_missing_by_the_value_of_another_do_not_bias_the_fit():
    X = gaussian(1500)
    gone = X[:, 0] > 3.3  # dropping the rows would halve the first column
    holes = np.where(np.column_stack([np.zeros(1500, bool), gone]), np.nan, X)
    model = pushforward.AutoDensity(random_state=0).fit(holes)
    mean = model.sample(20_000, random_state=0, complete=True).mean(axis=0)
    assert mean == pytest.approx([3.0, -1.0], abs=0.12)
    assert X[~gone, 1].mean() < -1.3


def test_scores_of_rows_with_holes_are_those_of_what_they_have(model):
    new = gaussian(200, seed=2)
    first = np.column_stack([new[:, 0], np.full(200, np.nan)])
    expected = stats.norm(3, 1).logpdf(new[:, 0])
    assert abs(model.score_samples(first) - expected).mean() < 0.06
    both = np.concatenate([new, first])
    scores = model.score_samples(both)
    np.testing.assert_allclose(scores[:200], model.score_samples(new))
    np.testing.assert_allclose(scores[200:], model.score_samples(first))
    blank = model.score_samples(both, missing="blank")
    assert np.isnan(blank[200:]).all()
    np.testing.assert_allclose(blank[:200], scores[:200])
    with pytest.raises(DataError, match="rows 200"):
        model.score_samples(both, missing="error")
    with pytest.raises(DataError, match="NaN"):
        pushforward.GIS(max_layers=2).fit(new).score_samples(both)


def test_a_row_without_cells_has_probability_one(model):
    nothing = model.score_samples(np.full((1, 2), np.nan))
    assert nothing == pytest.approx([0.0], abs=0.05)
    assert model.predict(np.full((1, 2), np.nan)) == [1]


def test_held_out_density_is_that_of_the_cells_there(model):
    fresh = holes_in(gaussian(3000, seed=3), 0.3, seed=4)
    per_row = model.score_samples(fresh)
    assert model.held_out_ == pytest.approx(per_row.mean(), abs=4 * per_row.std() / 800**0.5)


@pytest.mark.parametrize("contamination", [None, 0, "auto"])
def test_as_many_false_alarms_with_holes_as_without(contamination):
    rng = np.random.default_rng(0)

    def rows(n):
        return np.column_stack([gaussian(n, rng.integers(1000)), rng.exponential(size=n)])

    model = pushforward.AutoDensity(contamination=contamination, random_state=0, minutes=0.3)
    model.fit(holes_in(rows(600), 0.2))
    fresh = rows(3000)
    whole = (model.predict(fresh) == -1).mean()
    fresh[:, 1] = np.nan
    # each threshold is a quantile of 600 rows, so that either rate deviates by .013
    assert (model.predict(fresh) == -1).mean() == pytest.approx(whole, abs=0.04)
    strange = np.array([[9.0, np.nan, 1.0], [3.0, np.nan, 30.0], [3.0, -1.0, np.nan]])
    assert model.predict(strange).tolist() == [-1, -1, 1]


def test_a_table_of_all_kinds_with_holes_fits_and_answers(tmp_path):
    rng = np.random.default_rng(0)
    n = 200
    kind = rng.choice(["a", "b", "c"], n)
    frame = pd.DataFrame(
        {
            "kind": kind,
            "name": pd.Series(kind).map({"a": "Anna", "b": "Bert", "c": "Carl"}),
            "size": 5.0 * (kind == "a") + rng.normal(size=n).round(2),
            "count": rng.poisson(3, n),
            "spent": np.where(rng.random(n) < 0.4, 0.0, rng.exponential(20, n).round(2)),
            "day": pd.Timestamp("2024-03-01") + pd.to_timedelta(rng.integers(0, 99, n), "D"),
            "yes": rng.random(n) < 0.3,
        }
    )
    frame = frame.mask(rng.random(frame.shape) < 0.15)
    model = pushforward.AutoDensity(random_state=0, minutes=0.3).fit(frame)
    rows = model.sample(500, random_state=0, complete=True)
    assert rows.notna().all(axis=None)
    assert rows.groupby("kind")["name"].nunique().max() == 1  # filled in as it was
    zero = (frame["spent"].dropna() == 0).mean()
    assert (rows["spent"] == 0).mean() == pytest.approx(zero, abs=0.1)
    few = frame.head(60)
    assert np.isfinite(model.score_samples(few)).all()
    again = pushforward.load(model.save(tmp_path / "model"))
    np.testing.assert_array_equal(again.predict(few), model.predict(few))
    gains = model.explain(frame.head(10))
    gaps = frame.head(10).isna().sum(axis=None)
    assert len(gains) == 10 * frame.shape[1] - gaps
    assert gains["value"].notna().all()


def test_known_cells_are_kept_and_missing_ones_follow_the_others():
    X = pd.DataFrame(gaussian(500), columns=["a", "b"])
    X["c"] = (X["a"] * 10).round()
    holes = X.mask(np.random.default_rng(0).random(X.shape) < 0.3)
    holes = holes[holes.notna().any(axis=1)].reset_index(drop=True)
    learned = Columns.learn(holes, missing="model")
    whole, other = completions(learned, 2)
    assert (whole != other).any(axis=None)
    assert whole.notna().all(axis=None)
    there = holes.notna()
    np.testing.assert_allclose(whole.to_numpy()[there], holes.to_numpy()[there], rtol=1e-12)
    filled = there["c"] & ~there["a"]
    assert filled.sum() > 50
    assert np.corrcoef(whole["a"][filled], whole["c"][filled])[0, 1] > 0.98


def test_the_order_of_rows_does_not_matter():
    X = holes_in(gaussian(200), 0.3)
    shuffled = X[np.random.default_rng(1).permutation(200)]
    one, other = (
        pushforward.GIS(max_layers=3, missing="model", random_state=0).fit(rows).score(X[:20])
        for rows in (X, shuffled)
    )
    assert one == pytest.approx(other, rel=1e-6)


@pytest.mark.parametrize("name", ["GIS", "TableSIG", "TableFlow", "TableGAN"])
def test_the_other_models_of_tables_take_holes_when_asked(name):
    torch.manual_seed(0)
    X = pd.DataFrame(holes_in(gaussian(120), 0.2), columns=["a", "b"])
    options = {"steps": 2} if name in ("TableFlow", "TableGAN") else {"minutes": 0.02}
    model = getattr(pushforward, name)(missing="model", random_state=0, **options).fit(X)
    more = {} if name == "TableGAN" else {"complete": True}
    assert model.sample(5, random_state=0, **more).notna().all(axis=None)
    with pytest.raises(DataError, match="NaN"):
        getattr(pushforward, name)(random_state=0, **options).fit(X)


def test_tables_without_numbers_and_words_among_numbers():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({name: rng.choice(["x", "y", "z"], 200) for name in "abc"})
    frame["d"] = frame["a"]
    frame = frame.mask(rng.random(frame.shape) < 0.2)
    whole, *_ = completions(Columns.learn(frame, missing="model"), 1)
    assert whole.notna().all(axis=None)
    assert (whole["a"] == whole["d"]).all()
    price = pd.Series(rng.normal(50, 9, 200).round(2)).astype(str)
    frame["price"] = price.mask(rng.random(200) < 0.3, "-")
    learned = Columns.learn(frame, missing="model")
    assert learned.columns.columns[4].missing == pytest.approx(0.3, abs=0.1)
    whole, *_ = completions(learned, 1)
    assert (whole["price"] != "-").all()
    assert whole["price"].astype(float).between(0, 100).all()


def test_a_table_with_holes_is_evaluated_and_refined_by_all_of_its_rows():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(gaussian(300), columns=["a", "b"])
    frame["kind"] = rng.choice(["x", "y"], 300)
    frame["rare"] = np.where((rng.random(300) < 0.3) & (frame["kind"] == "x"), 1.5, np.nan)
    frame.loc[frame.index % 9 == 0, "rare"] = 0.5
    frame.loc[:29, "a"] = np.nan
    with warnings.catch_warnings():  # though 230 of 300 cells of one column are missing
        warnings.simplefilter("error", LeftOutWarning)
        model = pushforward.AutoDensity(random_state=0, minutes=0.02).fit(frame)
        found = pushforward.evaluate(model, frame, random_state=0)
    assert model.was_fitted_on(frame)
    assert not model.was_fitted_on(frame.head(200))
    assert found["two_sample_auroc"].details["n_real"] == 300
    assert found["nats_per_row"].details["n_real"] == 300
    assert found["column_fidelity"].details["missing"]["rare"][1] > 0.6
    with pytest.warns(UserWarning, match="real rows have missing cells") as said:
        refined = pushforward.refine(model, frame, random_state=0, minutes=0.05)
    assert len(said) == 1  # of the refit nothing: its columns are those of the model
    assert said[0].filename == __file__
    assert any("refit of it" in note for note in refined.report_.notes)
    assert "of the cells that are there" in model.account()
    # samples have the holes that the generator gives such rows
    drawn = refined.sample(200, random_state=1)
    assert drawn["rare"].isna().mean() == pytest.approx(frame["rare"].isna().mean(), abs=0.12)
    whole = refined.sample(200, random_state=1, complete=True)
    assert whole.notna().all(axis=None)
    assert drawn["b"].equals(whole["b"])


def test_a_wide_table_is_completed_by_factors():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 3)) @ rng.normal(size=(3, 60)) + 0.3 * rng.normal(size=(300, 60))
    holes = holes_in(X, 0.2)
    whole, *_ = completions(Columns.learn(holes, missing="model"), 1)
    gone = np.isnan(holes)
    np.testing.assert_allclose(whole[~gone], X[~gone])
    assert np.corrcoef(whole[gone], X[gone])[0, 1] > 0.9


def small_table(seed):
    """A few rows of columns of any kind, most of the cells missing in some."""
    rng = np.random.default_rng(seed)
    n, p = int(rng.choice([1, 2, 3, 5, 8, 15, 30, 80])), int(rng.integers(1, 6))
    makers = (
        lambda: rng.normal(size=n),
        lambda: rng.integers(0, 3, n).astype(float),
        lambda: rng.choice(list("abc"), n).astype(object),
        lambda: np.where(rng.random(n) < 0.6, 0.0, rng.exponential(size=n)),
        lambda: np.full(n, 2.5),
        lambda: rng.choice([1.99, 4.5], n),
        lambda: rng.random(n) < 0.5,
    )
    frame = pd.DataFrame({f"c{j}": makers[rng.integers(7)]() for j in range(p)})
    return frame.mask(rng.random(frame.shape) < rng.choice([0.1, 0.4, 0.8, 0.95]))


@pytest.mark.parametrize("seed", [3, 8, 21, 27, 29, 31, 44, 46, 50, 53, 57, 58])
def test_any_small_table_with_holes_is_answered_or_refused(seed):
    X = small_table(seed)
    model = pushforward.AutoDensity(missing="model", random_state=0, minutes=0.01)
    if X.isna().all(axis=None):
        with pytest.raises(DataError):
            model.fit(X)
        return
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", LeftOutWarning)
        model.fit(X)
    sparse = [c for c in model.columns_.describe() if c["kind"] == "empty" and c["missing"] < 1]
    assert bool(said) == bool(model.columns_.n_left_out or sparse)
    assert np.isfinite(model.score_samples(X)).all()
    assert set(model.predict(X)) <= {-1, 1}
    empty = [label for label, kind in zip(X, model.columns_.kinds, strict=True) if kind == "empty"]
    whole = model.sample(20, random_state=0, complete=True)
    assert whole.drop(columns=empty).notna().all(axis=None)
    assert model.impute(X).drop(columns=empty).notna().all(axis=None)
    assert (model.explain(X.head(2))["gain"] >= 0).all()
