"""Numbers that spread over orders of magnitude are modelled behind their logarithm."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.datasets import load_breast_cancer

import pushforward
from pushforward.data import Columns
from pushforward.data.tables.log_transform import LogTransform
from pushforward.errors import ModelFileError


def countries(n=150, seed=0):
    """Per head for some and whole economies for others, as tables of nations mix them."""
    r = np.random.default_rng(seed)
    size = np.where(r.random(n) < 0.45, 0.0, 7.0) + r.normal(size=n)
    early, late = 3 + size + 0.3 * r.normal(size=n), 4 + size + 0.3 * r.normal(size=n)
    return pd.DataFrame({"early": 10**early, "late": 10**late})


@pytest.fixture(scope="module")
def model():
    return pushforward.AutoDensity(random_state=0).fit(countries())


@pytest.mark.parametrize("shift", [0.0, 3.0])
@pytest.mark.parametrize("last", [None, 5e6, 8e6])
def test_the_way_back_leads_to_the_same_numbers_also_beyond_the_ends(shift, last):
    scale = LogTransform(2.0, 5e6, shift, last)
    x = np.array([-50.0, -3.0, 0.0, 1.9, 2.0, 77.0, 5e6, 5.1e6, 8e6, 8.1e6, 9e7]) - shift
    y, log_slope = scale.forward(x)
    assert (np.diff(y) > 0).all()
    np.testing.assert_allclose(scale.inverse(y), x, rtol=1e-12, atol=1e-12)
    step = 1e-6 * np.maximum(abs(x + shift), 1.0)
    slope = (scale.forward(x + step)[0] - scale.forward(x - step)[0]) / (2 * step)
    inside = ~np.isin(x + shift, [2.0, 5e6, 8e6])
    np.testing.assert_allclose(np.exp(log_slope)[inside], slope[inside], rtol=1e-5)
    if last is None:  # folders of before 2026-12: a step beyond the largest is that number
        end = scale.inverse(scale.forward(np.array([5e6 - shift]))[0] + 1)
        assert end == pytest.approx(1e7 - shift)


def test_a_range_beyond_the_largest_image_is_a_range_of_the_numbers_but_for_many_orders():
    scale = LogTransform(2.0, 30.0, last=50.0)
    low, largest = scale.forward(np.array([2.0, 50.0]))[0]
    assert scale.inverse(np.array([2 * largest - low])) == pytest.approx(98.0, rel=1e-12)
    # of six orders of magnitude the chord is 14 times as steep as the tangent
    scale = LogTransform(1.0, 1e6, last=1e6)
    (largest,) = scale.forward(np.array([1e6]))[0]
    assert scale.inverse(np.array([largest + 4])) == pytest.approx(2e6, rel=1e-12)


def test_hardly_a_sample_is_more_than_a_range_beyond_the_rows():
    # 9 of 100,000 cells were while the tangent went on beyond the largest number
    rows = load_breast_cancer(as_frame=True).data
    model = pushforward.AutoDensity(random_state=0).fit(rows)
    assert any(column.logarithm is not None for column in model.columns_.columns)
    drawn = model.sample(20_000, random_state=0)
    beyond = np.maximum(rows.min() - drawn, drawn - rows.max()) / (rows.max() - rows.min())
    assert (beyond > 1).to_numpy().mean() < 3e-5
    assert beyond.to_numpy().max() < 2.5


def test_what_spreads_over_orders_of_magnitude_is_found_in_any_unit_and_whatever_the_weights():
    r = np.random.default_rng(0)
    wide, narrow = np.exp(2 * r.normal(size=200)), np.exp(0.3 * r.normal(size=200))
    for unit in (1e-9, 1.0, 7e12):
        found = LogTransform.learn(wide * unit)
        assert found == LogTransform(
            (wide * unit).min(), (wide * unit).max(), last=(wide * unit).max()
        )
        assert LogTransform.learn(narrow * unit) is None
    assert LogTransform.learn(10 + 0.1 * r.normal(size=200)) is None
    assert LogTransform.learn(r.random(200)) is None
    assert LogTransform.learn(-wide) is None
    assert LogTransform.learn(np.append(wide, -1.0)) is None
    assert LogTransform.learn(wide[:9]) is None
    with_zero = LogTransform(wide.min(), wide.max(), last=wide.max())
    assert LogTransform.learn(np.append(wide, 0.0)) == with_zero
    assert LogTransform.learn(np.zeros(30)) is None
    assert LogTransform.learn(np.full(30, 2.0)) is None
    assert LogTransform.learn(np.append(wide, 1e300)) is None  # squares would overflow
    two = np.concatenate([np.linspace(1, 2, 50), np.geomspace(3, 1e6, 50)])
    few = np.repeat([1.0, 0.0], 50)  # rows without weight say nothing
    assert LogTransform.learn(two, np.repeat([1.0, 1.0], 50)) is not None
    assert LogTransform.learn(two, few) is None


def test_small_values_keep_their_share_in_samples(model):
    # on a linear scale their half of the rows is one point beside the largest
    drawn, rows = model.sample(3000, random_state=0), countries()
    for name in ("early", "late"):
        below = 10.0 ** (6.5 if name == "early" else 7.5)
        assert (drawn[name] < below).mean() == pytest.approx((rows[name] < below).mean(), abs=0.06)
        for q in (0.05, 0.3, 0.7, 0.95):
            ours, theirs = np.log10([drawn[name].quantile(q), rows[name].quantile(q)])
            assert ours == pytest.approx(theirs, abs=0.35)
        assert drawn[name].min() >= 0
        assert drawn[name].max() < 100 * rows[name].max()


def test_densities_are_those_of_the_logarithms_by_their_derivative(model):
    fresh = countries(400, seed=1)
    of_logs = pushforward.AutoDensity(random_state=0).fit(np.log(countries()))
    expected = of_logs.score_samples(np.log(fresh)) - np.log(fresh).sum(axis=1)
    assert model.score_samples(fresh).mean() == pytest.approx(expected.mean(), abs=0.15)


def test_a_density_on_a_logarithmic_scale_sums_to_one():
    x = np.exp(2 * np.random.default_rng(0).normal(size=300))
    model = pushforward.AutoDensity(random_state=0).fit(x[:, None])
    assert model.columns_.columns[0].logarithm is not None
    edges = np.concatenate([np.linspace(-3, 0, 400), np.geomspace(1e-7, 1e5, 6000)])
    p = np.exp(model.score_samples(edges[:, None]))
    total = (np.diff(edges) * (p[1:] + p[:-1]) / 2).sum()
    assert total == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("value", [0.0, -5.0, -1e10, 1e30])
def test_numbers_unlike_those_of_the_fit_have_a_density_and_far_ones_are_outliers(model, value):
    odd = countries(3).assign(early=value)
    scores = model.score_samples(odd)
    assert np.isfinite(scores).all()
    if abs(value) > 1e6:
        assert (model.predict(odd) == -1).all()


def test_whole_numbers_of_many_sizes_come_back_exactly_and_are_sampled_whole():
    r = np.random.default_rng(0)
    people = np.exp(9 + 2.5 * r.normal(size=400)).astype(np.int64) + 1
    frame = pd.DataFrame({"people": people, "area": people * np.exp(0.4 * r.normal(size=400))})
    columns = Columns.learn(frame).columns
    assert columns.columns[0].logarithm == LogTransform(
        people.min() + 0.5, people.max() + 0.5, float(people.min()), people.max() + 0.5
    )
    assert not columns.discrete[0]
    z, log_det = columns.encode(frame)
    assert (columns.decode(z)["people"] == people).all()
    assert torch.isfinite(log_det).all()
    model = pushforward.AutoDensity(random_state=0).fit(frame)
    drawn = model.sample(2000, random_state=0)["people"]
    assert drawn.dtype == np.int64
    assert drawn.min() >= people.min()
    for q in (0.05, 0.5, 0.95):
        assert np.log(drawn.quantile(q)) == pytest.approx(np.log(np.quantile(people, q)), abs=0.6)


def test_zeros_among_amounts_stay_a_point_mass_beside_the_logarithms():
    r = np.random.default_rng(0)
    amount = np.where(r.random(500) < 0.3, 0.0, np.exp(6 + 2 * r.normal(size=500)))
    frame = pd.DataFrame({"amount": amount, "age": r.normal(40, 10, 500)})
    model = pushforward.AutoDensity(random_state=0).fit(frame)
    (column, _) = model.columns_.columns
    assert (column.kind, column.atoms.values) == ("mixed", (0.0,))
    assert column.logarithm is not None
    z, _ = model.columns_.encode(frame)
    back = model.columns_.decode(z)["amount"]
    assert (back[amount == 0] == 0).all()
    np.testing.assert_allclose(back, amount, rtol=1e-9)
    drawn = model.sample(3000, random_state=0)["amount"]
    assert (drawn == 0).mean() == pytest.approx(0.3, abs=0.05)
    for q in (0.05, 0.5, 0.95):
        ours = np.log(drawn[drawn > 0].quantile(q))
        assert ours == pytest.approx(np.log(np.quantile(amount[amount > 0], q)), abs=0.35)
    # a zero counts by its probability, an amount by its density
    beside = frame.assign(age=40.0)
    scores = model.score_samples(beside)
    age = np.log(np.exp(-0.5 * 0) / (10 * np.sqrt(2 * np.pi)))
    assert scores[amount == 0].mean() == pytest.approx(np.log((amount == 0).mean()) + age, abs=0.3)
    some = (amount > 300) & (amount < 500)
    of_normal = -np.log(2 * np.sqrt(2 * np.pi)) - np.log(amount[some]) + np.log(0.7)
    assert scores[some].mean() == pytest.approx(of_normal.mean() + age, abs=0.4)


def test_whole_amounts_with_zeros_too():
    r = np.random.default_rng(0)
    amount = np.where(r.random(600) < 0.3, 0, np.exp(7 + 2 * r.normal(size=600)).astype(int) + 1)
    columns = Columns.learn(pd.DataFrame({"amount": amount})).columns
    (column,) = columns.columns
    assert (column.kind, column.atoms.values) == ("mixed", (0.0,))
    assert column.atoms.step == 1.0
    assert column.logarithm is not None
    z, log_det = columns.encode(pd.DataFrame({"amount": amount}))
    assert (columns.decode(z)["amount"] == amount).all()
    assert torch.isfinite(log_det).all()


def test_bounds_of_the_user_take_the_scale_away():
    rows = countries()
    assert Columns.learn(rows).columns.columns[0].logarithm is not None
    free = Columns.learn(rows, bounds={"early": (None, None)}).columns
    assert [column.logarithm is None for column in free.columns] == [True, False]
    assert "logarithmic scale" not in free.describe()[0]["note"]
    assert "logarithmic scale" in free.describe()[1]["note"]


def test_a_saved_model_has_the_same_scale_and_a_tampered_one_is_refused(model, tmp_path):
    model.save(tmp_path / "m")
    loaded = pushforward.load(tmp_path / "m")
    rows = countries(20, seed=3)
    np.testing.assert_array_equal(loaded.score_samples(rows), model.score_samples(rows))
    config = model.columns_.to_config()
    entry = config["columns"][0]
    assert Columns.from_config(json.loads(json.dumps(config))).columns == model.columns_.columns
    older = json.loads(json.dumps(config))
    del older["columns"][0]["logarithm"]["last"]
    assert Columns.from_config(older).columns[0].logarithm.last is None
    for wrong in (
        {"last": 1.0},
        {"low": 0.0},
        {"low": 9e99},
        {"shift": -1.0},
        {"high": float("inf")},
        {"x": 1},
    ):
        bad = json.loads(json.dumps(config))
        bad["columns"][0]["logarithm"] = {**entry["logarithm"], **wrong}
        with pytest.raises(ModelFileError, match="logarithm"):
            Columns.from_config(bad)


def test_the_torch_distribution_has_the_same_densities_and_gradients(model):
    rows = countries(50, seed=2)
    x = torch.tensor(rows.to_numpy(), requires_grad=True)
    log_prob = model.distribution().log_prob(x)
    np.testing.assert_allclose(log_prob.detach(), model.score_samples(rows), rtol=1e-9)
    log_prob.sum().backward()
    step = 1e-3 * rows["early"].to_numpy()
    ends = [model.score_samples(rows.assign(early=rows["early"] + s)) for s in (step, -step)]
    np.testing.assert_allclose(
        x.grad[:, 0].numpy() * step * 2, ends[0] - ends[1], rtol=0.02, atol=2e-5
    )
    drawn = model.distribution().sample((500,))
    assert float(drawn[:, 0].quantile(0.2)) < 1e5
