"""Given totals, products and ends of what is open: exact conditions on several columns at once."""

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import norm

import pushforward
from pushforward.errors import DataError

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def bill():
    """Two correlated parts, their total, and a third number: 1,500 rows of a normal law."""
    rng = np.random.default_rng(0)
    a = rng.normal(3, 1, 1500)
    b = 0.5 * a + rng.normal(1, 0.5, 1500)
    frame = pd.DataFrame({"a": a, "b": b, "total": a + b, "d": 0.3 * a + rng.normal(size=1500)})
    return frame, _fitted(frame)


def _fitted(frame):
    return pushforward.AutoDensity(random_state=0).fit(frame)


@pytest.fixture(scope="module")
def orders():
    """Counts and amounts with their sums, a rounded index, and dates."""
    rng = np.random.default_rng(1)
    n = 800
    many = rng.poisson(3, n)
    few = rng.poisson(2 + many)
    height = np.round(rng.normal(1.7, 0.1, n), 2)
    weight = np.round(60 + 50 * (height - 1.7) + rng.normal(0, 9, n), 1)
    begin = pd.Timestamp("2026-01-01") + pd.to_timedelta(rng.integers(0, 300, n), unit="D")
    frame = pd.DataFrame(
        {
            "many": many,
            "few": few,
            "pieces": many + few,
            "height": height,
            "weight": weight,
            "index": np.round(weight / height**2, 1),
            "begin": begin,
            "end": begin + pd.to_timedelta(rng.geometric(0.1, n), unit="D"),
        }
    )
    return frame, _fitted(frame)


def test_given_a_total_its_parts_have_their_conditional_law(bill):
    frame, model = bill
    rows = frame[["a", "b", "d"]].to_numpy()
    covariance, mean = np.cov(rows.T), rows.mean(0)
    weigh = np.array([1.0, 1.0, 0.0])
    variance = weigh @ covariance @ weigh
    gain = covariance @ weigh / variance
    right = mean + gain * (8 - mean @ weigh)
    deviation = np.sqrt(np.diag(covariance) - gain * (covariance @ weigh))
    given = model.given({"total": 8.0}, n_draws=4000, random_state=0)
    assert float(given.effective_size[0]) > 400
    found = given.mean()[["a", "b", "d"]].to_numpy()[0]
    assert np.abs(found - right).max() < 0.12  # the fitted law is not quite normal
    assert np.abs(given.std()[["a", "b", "d"]].to_numpy()[0] / deviation - 1).max() < 0.15
    assert float(given.log_density()[0]) == pytest.approx(
        norm.logpdf(8, mean @ weigh, np.sqrt(variance)), abs=0.15
    )
    drawn = given.sample(500, random_state=1)
    assert np.abs(drawn["a"] + drawn["b"] - 8).max() < 1e-9
    assert (drawn["total"] == 8).all()
    assert drawn["a"].nunique() > 450


def test_conditional_times_marginal_is_the_joint(bill):
    _, model = bill
    row = pd.DataFrame({"a": [4.4], "b": [3.6], "total": [8.0], "d": [1.0]})
    given = model.given({"total": 8.0}, n_draws=20_000, random_state=0)
    joint = model.score_samples(row)
    parts = given.score_samples(row) + given.log_density()
    assert parts == pytest.approx(joint, abs=1e-6)
    with pytest.raises(DataError, match="does not have the cells that are given"):
        given.score_samples(row.assign(a=4.5, total=8.1))


def test_parts_that_are_missing_are_filled_in_as_their_total_says(bill):
    frame, model = bill
    rows = frame.iloc[:200].copy()
    rows[["a", "b"]] = np.nan
    filled = model.impute(rows, random_state=0)
    assert np.abs(filled["a"] + filled["b"] - rows["total"]).max() < 1e-9
    a, total = frame["a"], frame["total"]
    slope = np.cov(a, total)[0, 1] / total.var()
    expected = a.mean() + slope * (rows["total"] - total.mean())
    error = np.sqrt(np.mean((filled["a"] - frame["a"].iloc[:200]) ** 2))
    assert error < 1.1 * np.sqrt(np.mean((expected - frame["a"].iloc[:200]) ** 2))


def test_whole_numbers_keep_to_their_sum(orders):
    frame, model = orders
    drawn = model.given({"pieces": 9}, random_state=0).sample(1000, random_state=0)
    assert (drawn["many"] + drawn["few"] == 9).all()
    near = frame[frame["pieces"] == 9]
    assert drawn["many"].mean() == pytest.approx(near["many"].mean(), abs=0.5)


def test_products_in_the_rounding_of_their_column(orders):
    frame, model = orders
    given = model.given({"index": 22.0}, random_state=0)
    drawn = given.sample(1000, random_state=0)
    assert np.abs(drawn["weight"] / drawn["height"] ** 2 - 22).max() <= 0.0501
    near = frame[(frame["index"] - 22).abs() < 1]
    for name in ("height", "weight"):
        assert drawn[name].mean() == pytest.approx(near[name].mean(), rel=0.02)
        assert drawn[name].std() == pytest.approx(near[name].std(), rel=0.3)


def test_an_end_without_its_beginning(orders):
    frame, model = orders
    given = model.given({"end": "2026-06-01"}, random_state=0)
    assert float(given.effective_size[0]) > 200  # days before it, not any of the year
    drawn = given.sample(1000, random_state=0)
    assert (drawn["end"] == pd.Timestamp("2026-06-01")).all()
    days = (drawn["end"] - drawn["begin"]).dt.days
    assert days.min() >= 1
    assert days.mean() == pytest.approx((frame["end"] - frame["begin"]).dt.days.mean(), rel=0.2)


def test_several_conditions_at_once(orders):
    _, model = orders
    cells = {"pieces": 9, "index": 22.0, "end": "2026-06-01", "height": (1.6, None)}
    drawn = model.given(cells, random_state=0).sample(300, random_state=0)
    assert (drawn["many"] + drawn["few"] == 9).all()
    assert np.abs(drawn["weight"] / drawn["height"] ** 2 - 22).max() <= 0.0501
    assert (drawn["end"] == pd.Timestamp("2026-06-01")).all()
    assert drawn["height"].min() >= 1.6


def test_what_no_row_can_have_is_refused(orders):
    _, model = orders
    with pytest.raises(DataError, match="meets the conditions"):
        model.given({"pieces": -3}, random_state=0).mean()


def test_totals_that_no_draw_makes_are_told_and_left_out_of_account(orders):
    frame, model = orders
    rows = frame.iloc[:4].copy()
    rows[["many", "few"]] = np.nan
    rows.loc[1, "pieces"] = -3
    with pytest.warns(
        UserWarning, match="'pieces' are left out of account in 1 rows, .* row 1: no"
    ):
        filled = model.impute(rows, strategy="sample", random_state=0)
    right = filled["many"] + filled["few"] == rows["pieces"]
    assert right[[0, 2, 3]].all()
    assert filled.notna().all(axis=None)


def test_a_list_of_values_follows_where_nothing_else_can():
    rng = np.random.default_rng(0)
    prices = np.array([95_000, 120_000, 149_500, 210_000, 399_000])
    asked = rng.choice(prices, 400)
    frame = pd.DataFrame(
        {"asked": asked, "paid": rng.choice(prices, 400), "x": rng.normal(size=400)}
    )
    frame["both"] = frame["asked"] + frame["paid"]
    model = pushforward.AutoDensity(random_state=0).fit(frame)
    given = model.given({"both": 330_000}, random_state=0)
    drawn = given.sample(400, random_state=0)
    assert set(zip(drawn["asked"], drawn["paid"], strict=True)) == {
        (120_000, 210_000),
        (210_000, 120_000),
    }
    both = frame[frame["both"] == 330_000]
    share = float(np.mean(both["asked"] == 120_000))
    assert float(np.mean(drawn["asked"] == 120_000)) == pytest.approx(share, abs=0.35)


def test_a_total_that_others_imply_is_looked_at_and_nothing_follows_from_it():
    rng = np.random.default_rng(2)
    parts = rng.poisson((3, 5, 4, 6), (500, 4))
    frame = pd.DataFrame(parts, columns=list("abcd"))
    frame["ab"], frame["cd"] = frame["a"] + frame["b"], frame["c"] + frame["d"]
    frame["all"] = frame["ab"] + frame["cd"]
    model = pushforward.GIS(max_layers=3, random_state=0).fit(frame)
    drawn = model.given({"ab": 8, "cd": 9, "all": 17}, random_state=0).sample(100, random_state=0)
    assert (drawn["a"] + drawn["b"] == 8).all()
    assert (drawn["c"] + drawn["d"] == 9).all()
    with pytest.raises(DataError, match="meets the conditions"):
        model.given({"ab": 8, "cd": 9, "all": 18}, random_state=0).mean()
    rows = frame.head(5).astype(float)
    rows[list("abcd")] = np.nan
    filled = model.impute(rows, strategy="sample", random_state=0)
    assert (filled["a"] + filled["b"] == rows["ab"]).all()
    rows.loc[2, "all"] += 1
    with pytest.warns(UserWarning, match="'all' are left out of account in 1 rows"):
        model.impute(rows, strategy="sample", random_state=0)
