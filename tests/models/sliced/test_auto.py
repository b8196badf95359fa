"""The automatic model is never worse than a Gaussian and says what it did."""

import dataclasses
import time
import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import ks_2samp
from sklearn.datasets import load_diabetes

import pushforward
from pushforward import GIS, AutoDensity, DataError, ParameterError, UnsupportedError
from pushforward.errors import LeftOutWarning
from pushforward.models.sliced.layer_growth import Layering
from pushforward.models.sliced.structure import Structure, fit_structure, wide_gaussian
from pushforward.transport import Rows, SlicedDensity


def table(kind, n, seed=0):
    r = np.random.default_rng(seed)
    return {
        "gaussian": lambda: (
            r.normal(size=(n, 3)) @ np.array([[1, 0.9, 0], [0, 0.5, 0], [0, 1, 2]])
        ),
        "clusters": lambda: r.integers(0, 4, n)[:, None] * [5.0, -5.0] + r.normal(size=(n, 2)),
        "heavy": lambda: r.standard_t(2, size=(n, 3)),
        "integers": lambda: r.poisson([2, 9, 0.5], size=(n, 3)),
        "moons": lambda: moons(r, n),
        "mixed": lambda: pd.DataFrame(
            {
                "length": r.normal(size=n),
                "income": r.lognormal(1, 1.5, size=n),
                "count": r.poisson(3, n),
                "colour": r.choice(["red", "green", "blue"], n, p=[0.6, 0.3, 0.1]),
                "flag": r.random(n) < 0.2,
            }
        ),
    }[kind]()


def moons(r, n):
    t, upper = np.pi * r.random(n), r.random(n) < 0.5
    x = np.where(upper, np.cos(t), 1 - np.cos(t))
    y = np.where(upper, np.sin(t), 0.5 - np.sin(t))
    return np.column_stack([x, y]) + 0.1 * r.normal(size=(n, 2))


@pytest.fixture(scope="module")
def fitted():
    kept = {}

    def get(kind, n=800):
        if kind not in kept:
            kept[kind] = AutoDensity(random_state=0).fit(table(kind, n))
        return kept[kind]

    return get


def gaussian_values(model, train, test):
    """One Gaussian on the model's own coordinates, in the units of the table."""
    z, _ = model.columns_.encode(train, draw=1)
    w, log_det = model.columns_.encode(test)
    covariance = torch.cov(z.T) + 1e-6 * torch.eye(z.shape[1])
    return (
        torch.distributions.MultivariateNormal(z.mean(0), covariance).log_prob(w) + log_det
    ).numpy()


@pytest.mark.parametrize("kind", ["gaussian", "clusters", "heavy", "integers", "mixed", "moons"])
def test_never_worse_than_one_gaussian_on_fresh_rows(kind, fitted):
    model = fitted(kind)
    fresh = table(kind, 2000, seed=1)
    gain = model.score_samples(fresh) - gaussian_values(model, table(kind, 800), fresh)
    gain = np.clip(gain, -50, 50)  # one far row must not decide
    noise = 3 * gain.std() / np.sqrt(len(gain))
    assert gain.mean() > -0.02 - min(noise, 0.03)
    if kind != "gaussian":
        assert gain.mean() > {"clusters": 0.6, "heavy": 0.3, "moons": 0.7}.get(kind, 0.1)


def test_a_gaussian_table_costs_next_to_nothing(fitted):
    fresh = table("gaussian", 4000, seed=1)
    covariance = np.array([[1, 0.9, 0], [0, 0.5, 0], [0, 1, 2]])
    truth = torch.distributions.MultivariateNormal(
        torch.zeros(3).double(), torch.from_numpy(covariance.T @ covariance)
    )
    best = truth.log_prob(torch.from_numpy(fresh)).mean()
    assert fitted("gaussian").score(fresh) > best - 0.06


def test_it_says_so_when_nothing_beat_one_gaussian():
    said = []
    for seed in range(2):
        r = np.random.default_rng(seed)
        model = AutoDensity(random_state=seed).fit(r.normal(size=(80, 2)))
        said.append("nothing beat one Gaussian" in model.account())
        shares = {t["structure"]: t["weight"] for t in model.trials_ if t["weight"]}
        assert sum(shares.values()) == pytest.approx(1, abs=1e-6)
        if said[-1]:
            assert shares == {"Gaussian": 1.0}
        values = [t["held_out"] for t in model.trials_]
        assert values == sorted(values, reverse=True)
        assert "Gaussian" in {t["structure"] for t in model.trials_}
    assert any(said)


@pytest.mark.parametrize("n", [30, 100, 1000])
def test_the_wide_gaussian_seldom_leaves_the_range_by_more_than_a_range(n):
    r = np.random.default_rng(0)
    x = np.stack([r.random(n), r.normal(size=n), r.random(n) < 0.5, r.exponential(size=n)], 1)
    x = torch.from_numpy((x - x.mean(0)) / x.std(0))
    density = wide_gaussian(Rows.continuous(x))
    drawn = density.sample(100_000, torch.Generator().manual_seed(0))
    low, high = x.amin(0), x.amax(0)
    outside = (drawn < 2 * low - high) | (drawn > 2 * high - low)
    assert (outside.double().mean(0) / n < 1.5e-5).all()  # it has the weight of one row
    assert float(drawn.std(0)[1]) > 1.4


def test_the_wide_gaussian_takes_no_cell_of_an_atom_for_a_range():
    r = np.random.default_rng(0)
    x = torch.from_numpy(np.where(r.random(400) < 0.5, 20 * r.random(400), 20 + r.random(400)))
    rows = Rows.continuous(((x - x.mean()) / x.std())[:, None])
    low = -x.mean() / x.std()
    held = dataclasses.replace(rows, atoms=(torch.stack([low, low + 20 / x.std()])[None],))
    spread = [
        float(wide_gaussian(one).sample(20_000, torch.Generator().manual_seed(0)).std())
        for one in (held, rows)
    ]
    assert spread[0] < 0.8 * spread[1]


def test_the_account_names_what_was_tried_and_chosen(fitted):
    model = fitted("clusters")
    account = model.account()
    assert "held-out nats a row" in account
    assert model.trials_[0]["structure"] in account
    assert "over one Gaussian" in account
    shares = [t["weight"] for t in model.trials_]
    assert sum(shares) == pytest.approx(1, abs=1e-6)
    structures = {t["structure"] for t in model.trials_}
    assert "Gaussian" in structures
    assert any("GIS" in s for s in structures)
    assert any("margins" in s for s in structures)


def test_fit_prints_the_account_to_stderr_and_nothing_to_stdout(capsys):
    model = pushforward.fit(table("gaussian", 60), random_state=0)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert model.account() in captured.err
    pushforward.fit(table("gaussian", 60), random_state=0, verbose=False)
    assert capsys.readouterr().err == ""


def test_fit_refuses_unknown_parameters():
    with pytest.raises(ParameterError, match="contaminated"):
        pushforward.fit(table("gaussian", 30), contaminated=0.1)


def test_minutes_bound_the_time():
    x = np.random.default_rng(0).normal(size=(4000, 8)) ** 3
    begun = time.monotonic()
    model = AutoDensity(random_state=0, minutes=0.01).fit(x)
    assert time.monotonic() - begun < 10
    assert np.isfinite(model.score(x))
    for bad in (0, -1, "soon"):
        with pytest.raises(ParameterError, match="minutes"):
            AutoDensity(minutes=bad).fit(x[:50])


@pytest.mark.parametrize("n", [1, 2, 5, 19, 20, 21, 50])
@pytest.mark.parametrize("d", [1, 3, 30])
def test_few_rows_give_finite_scores_and_samples(n, d):
    x = np.random.default_rng(n).normal(size=(n, d))
    model = AutoDensity(random_state=0).fit(x)
    fresh = np.random.default_rng(99).normal(size=(20, d))
    if n > 1:
        assert np.isfinite(model.score_samples(fresh)).all()
    assert np.isfinite(model.score_samples(x)).all()
    assert np.isfinite(model.sample(20, random_state=0)).all()
    assert model.sample(20).shape == (20, d)
    assert isinstance(model.account(), str)


def test_one_column(fitted):
    x = np.exp(np.random.default_rng(0).normal(size=(600, 1)))
    model = AutoDensity(random_state=0).fit(x)
    grid = np.concatenate([np.linspace(-20, 30, 100001), np.logspace(np.log10(30), 7, 5001)[1:]])
    grid = np.concatenate([-np.logspace(7, np.log10(20), 5001)[:-1], grid])
    density = np.exp(model.score_samples(grid[:, None]))
    assert np.trapezoid(density, grid) == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("kind", ["clusters", "moons"])
def test_densities_in_two_dimensions_integrate_to_one(kind, fitted):
    model = fitted(kind)
    x = table(kind, 800)
    middle, half = x.mean(0), 30 * np.ptp(x, axis=0)
    u = (np.arange(500) + 0.5) / 500 * 2 - 1
    a, b = (half[i] * np.sinh(8 * u) / np.sinh(8) + middle[i] for i in (0, 1))
    da, db = (half[i] * 8 * np.cosh(8 * u) / np.sinh(8) * 2 / 500 for i in (0, 1))
    grid = np.stack(np.meshgrid(a, b, indexing="ij"), -1).reshape(-1, 2)
    density = np.exp(model.score_samples(grid)).reshape(500, 500)
    assert float((density * da[:, None] * db).sum()) == pytest.approx(1, abs=1e-3)


def test_all_columns_constant():
    model = AutoDensity(random_state=0).fit(np.full((30, 2), 7.0))
    assert (model.sample(4) == 7).all()
    same, other = model.score_samples([[7.0, 7.0], [7.0, 8.0]])
    assert np.exp(same) == pytest.approx((31 / 32) ** 2)
    assert other < same - 2
    assert "constant" in model.account()
    assert (model.predict([[7.0, 7.0]]) == 1).all()


def test_repeated_columns_and_rows_give_finite_scores():
    r = np.random.default_rng(0)
    x = r.normal(size=(200, 2))
    columns = np.column_stack([x, x])
    rows = np.repeat(x[:40], 5, axis=0)
    for data in (columns, rows):
        model = AutoDensity(random_state=0).fit(data)
        assert np.isfinite(model.score_samples(data)).all()
        assert np.isfinite(model.score_samples(r.normal(size=(20, data.shape[1])))).all()
        assert np.isfinite(model.sample(100, random_state=0)).all()
    # copies of rows are no spikes: fresh rows fit about as well as to the rows without copies
    fresh = r.normal(size=(1000, 2))
    single = AutoDensity(random_state=0).fit(x[:40]).score(fresh)
    assert AutoDensity(random_state=0).fit(rows).score(fresh) > single - 0.3


def test_weights_bring_the_density_to_the_rows_they_stress():
    r = np.random.default_rng(0)
    x = np.concatenate([r.normal(size=(500, 2)), r.normal(size=(500, 2)) + 6])
    weight = np.repeat([1.0, 0.02], 500)
    model = AutoDensity(random_state=0).fit(x, sample_weight=weight)
    sample = model.sample(2000, random_state=0)
    assert (sample.sum(1) > 6).mean() == pytest.approx(0.02 / 1.02, abs=0.02)
    assert model.score(r.normal(size=(500, 2))) > -3.1


def test_whole_weights_equal_repeated_rows():
    x = table("clusters", 150)
    count = np.random.default_rng(0).integers(0, 4, 150)
    weighted = AutoDensity(random_state=0).fit(x, sample_weight=count)
    repeated = AutoDensity(random_state=0).fit(x.repeat(count, axis=0))
    fresh = table("clusters", 200, seed=1)
    assert weighted.score_samples(fresh) == pytest.approx(repeated.score_samples(fresh), abs=1e-6)


def test_a_seed_gives_the_same_bits():
    x = table("mixed", 80)
    a, b = (AutoDensity(random_state=3).fit(x) for _ in range(2))
    assert (a.score_samples(x) == b.score_samples(x)).all()
    assert a.sample(50, random_state=1).equals(b.sample(50, random_state=1))
    assert a.account() == b.account()
    assert "GIS" in a.account()  # flows have grown


def test_samples_follow_the_data(fitted):
    for kind in ("clusters", "moons", "heavy"):
        model, x = fitted(kind), table(kind, 800)
        sample = model.sample(5000, random_state=0)
        fresh = table(kind, 2000, seed=1)
        for j in range(x.shape[1]):
            assert ks_2samp(sample[:, j], x[:, j]).pvalue > 1e-3
        scores, expected = model.score_samples(sample), model.score_samples(fresh)
        assert np.median(scores) == pytest.approx(np.median(expected), abs=0.35)


def test_samples_of_a_mixed_table_look_like_it(fitted):
    model, x = fitted("mixed"), table("mixed", 800)
    sample = model.sample(5000, random_state=0)
    assert list(sample.columns) == list(x.columns)
    assert (sample.dtypes == x.dtypes).all()
    for name in ("colour", "flag", "count"):
        shares = sample[name].value_counts(normalize=True)
        expected = x[name].value_counts(normalize=True)
        assert abs(shares.sub(expected, fill_value=0)).max() < 0.05
    assert sample["count"].min() >= 0


def test_probabilities_of_categories_sum_to_one():
    r = np.random.default_rng(0)
    first = r.choice(["a", "b", "c"], 600, p=[0.5, 0.4, 0.1])
    second = np.where(r.random(600) < 0.8, first == "a", r.random(600) < 0.5)
    frame = pd.DataFrame({"first": first, "second": second})
    model = AutoDensity(random_state=0).fit(frame)
    every = pd.DataFrame([(c, f) for c in "abc" for f in (True, False)], columns=frame.columns)
    probability = np.exp(model.score_samples(every, n_draws=100))
    assert probability.sum() == pytest.approx(1, abs=0.05)
    for row, p in zip(every.itertuples(index=False), probability, strict=True):
        share = ((frame["first"] == row.first) & (frame["second"] == row.second)).mean()
        assert p == pytest.approx(share, abs=0.05)


def test_a_score_does_not_depend_on_the_rows_beside_it(fitted):
    model, rows = fitted("mixed"), table("mixed", 60, seed=4)
    together = model.score_samples(rows)
    one_by_one = [model.score_samples(rows[i : i + 1])[0] for i in range(60)]
    assert together == pytest.approx(one_by_one, abs=1e-4)
    assert model.score(rows) == pytest.approx(together.mean())


# Samples of kinds of tables that went wrong once


def assert_shares(sample, rows, value):
    """The share of a value in many samples is that of the rows, within sampling error."""
    share = (rows == value).mean()
    noise = np.sqrt(share * (1 - share) / len(rows))
    assert (sample == value).mean() == pytest.approx(share, abs=3.5 * noise)


def test_many_samples_of_two_normal_columns_are_normal(all_fits):
    r = np.random.default_rng(0)
    x = pd.DataFrame({"x": r.normal(size=300), "y": r.normal(size=300)})
    sample = AutoDensity(random_state=0).fit(x).sample(100_000, random_state=0)
    assert sample.std().to_numpy() == pytest.approx(x.std().to_numpy(), rel=0.05)
    assert float(sample.abs().max().max()) < 8


@pytest.mark.parametrize("bounds", [None, {0: (0, None), 1: (0, None)}])
def test_many_samples_of_lognormal_columns_have_their_size(bounds):
    x = np.exp(np.random.default_rng(0).normal(size=(300, 2)) * [0.5, 1.5])
    sample = AutoDensity(random_state=0, bounds=bounds).fit(x).sample(100_000, random_state=0)
    assert (sample >= 0).all()
    reach = x.max(0) + np.ptp(x, axis=0)  # a whole range beyond all seen
    assert (sample > reach).mean() < 1e-4
    assert (sample < 10 * x.max(0)).all()
    noise = x.std(0) / np.sqrt(300)
    assert (abs(sample.mean(0) - x.mean(0)) < 4 * noise).all()
    top = np.quantile(x, 0.98, axis=0)
    winsorised, rows = np.minimum(sample, top).std(0), np.minimum(x, top).std(0)
    assert winsorised == pytest.approx(rows, rel=0.12)


def test_collinear_columns_are_collinear_in_samples():
    a = np.random.default_rng(0).normal(size=60)
    model = AutoDensity(random_state=0, minutes=0.03).fit(np.column_stack([a, 2 * a, a + 1]))
    sample = model.sample(20_000, random_state=0)
    assert abs(2 * sample[:, 0] - sample[:, 1]).max() < 0.05 * a.std()
    assert abs(sample[:, 2] - sample[:, 0] - 1).max() < 0.05 * a.std()


def test_the_mean_of_samples_is_that_of_the_rows():
    x = pushforward.load_dataset("breast_cancer")
    model = AutoDensity(random_state=0).fit(x)
    sample = model.sample(100_000, random_state=0)
    noise = x.std() / np.sqrt(len(x))
    assert (abs(sample.mean() - x.mean()) < 4 * noise).all()


@pytest.mark.parametrize("more", [False, True])
def test_two_columns_that_say_the_same_say_the_same_in_all_samples(more):
    r = np.random.default_rng(0)
    code = r.integers(0, 4, 200)
    x = pd.DataFrame({"code": code, "name": np.array(["w", "x", "y", "z"])[code]})
    if more:
        x["length"] = r.normal(size=200) + code
        x["side"] = r.choice(["left", "right"], 200)
    sample = AutoDensity(random_state=0).fit(x).sample(20_000, random_state=0)
    pairs = set(zip(sample["code"], sample["name"], strict=True))
    assert pairs == {(0, "w"), (1, "x"), (2, "y"), (3, "z")}
    for value in range(4):
        assert_shares(sample["code"], x["code"], value)


def test_a_city_is_in_its_country_in_all_samples():
    r = np.random.default_rng(0)
    city = r.integers(0, 30, 500)
    x = pd.DataFrame(
        {
            "city": [f"city {i}" for i in city],
            "country": [f"country {i // 5}" for i in city],
            "height": r.normal(size=500) + city // 5,
        }
    )
    sample = AutoDensity(random_state=0).fit(x).sample(20_000, random_state=0)
    seen = set(zip(x["city"], x["country"], strict=True))
    assert set(zip(sample["city"], sample["country"], strict=True)) == seen
    middle = sample.groupby("country")["height"].mean()
    # 17 rows a city are few to tell thirty heights by: smoothing takes some of the difference
    assert middle["country 5"] - middle["country 0"] == pytest.approx(5, abs=0.9)


@pytest.mark.parametrize(
    "rows",
    [
        {"a": ["p", "q"], "b": ["r", "s"]},
        {"a": [1, 5], "b": ["r", "s"]},
        {"a": [1.25, 7.75], "b": ["r", "s"]},
        {"a": [1.25, 7.75], "b": [3.5, 9.1]},
        {"a": [1.25, 7.75, 2.1], "b": [3.5, 9.1, 3.3]},
    ],
)
def test_a_few_rows_repeated_five_hundred_times_are_the_only_ones(rows):
    x = pd.DataFrame(rows)
    model = AutoDensity(random_state=0).fit(pd.concat([x] * 500, ignore_index=True))
    sample = model.sample(20_000, random_state=0)
    counts = sample.value_counts()
    assert set(counts.index) == set(x.itertuples(index=False, name=None))
    assert counts.to_numpy() / 20_000 == pytest.approx(np.full(len(x), 1 / len(x)), abs=0.02)


def test_point_masses_keep_their_shares_and_prices_their_cents():
    r = np.random.default_rng(0)
    x = pd.DataFrame(
        {
            "rain": np.where(r.random(500) < 0.36, 0, r.exponential(10, 500)),
            "debt": np.where(r.random(500) < 0.9, 0, r.lognormal(2, 1, 500)),
            "score": np.minimum(r.normal(50, 10, 500), 57.0),
            "price": np.round(r.lognormal(3, 0.5, 500), 2),
        }
    )
    sample = AutoDensity(random_state=0).fit(x).sample(20_000, random_state=0)
    assert_shares(sample["rain"], x["rain"], 0)
    assert_shares(sample["debt"], x["debt"], 0)
    assert_shares(sample["score"], x["score"], 57.0)
    assert (sample[["rain", "debt", "price"]] >= 0).all(axis=None)
    assert sample["score"].max() == 57.0
    assert (sample["price"] == sample["price"].round(2)).all()


def test_wide_tables_of_discrete_columns():
    r = np.random.default_rng(0)
    x = pd.DataFrame(r.random((100, 14)) < 0.3).astype(int).add_prefix("answer ")
    x["answer 7"] = x["answer 3"]
    model = AutoDensity(random_state=0).fit(x)
    sample = model.sample(2000, random_state=0)
    assert (sample["answer 7"] == sample["answer 3"]).all()
    assert sample.mean().to_numpy() == pytest.approx(x.mean().to_numpy(), abs=0.08)
    assert model.score(x) > 1.15 * 13 * np.log(0.3**0.3 * 0.7**0.7)


# Outliers


@pytest.mark.parametrize(
    ("kind", "rate"),
    [("gaussian", 0.05), ("clusters", 0.05), ("heavy", 0.05), ("mixed", 0.05), ("mixed", 0.2)],
)
def test_false_alarms_are_as_many_as_asked_for(kind, rate, fitted):
    model = fitted(kind)
    if rate != model.false_alarm_rate:
        model = AutoDensity(random_state=0, false_alarm_rate=rate).fit(table(kind, 800))
    alarms = (model.predict(table(kind, 4000, seed=7)) == -1).mean()
    # the threshold rests on some hundred held-out rows: their number sets the tolerance
    tolerance = 3.5 * np.sqrt(rate * (1 - rate) * (1 / 240 + 1 / 4000))
    assert alarms == pytest.approx(rate, abs=tolerance)


@pytest.mark.parametrize("share", [0.02, 0.3])
def test_a_number_of_contamination_labels_that_share_of_the_rows(share):
    x = table("heavy", 100)
    model = AutoDensity(random_state=0, contamination=share).fit(x)
    assert (model.predict(x) == -1).mean() == pytest.approx(share, abs=0.005)
    assert ((model.decision_function(x) < 0) == (model.predict(x) == -1)).all()
    assert (model.fit_predict(x) == model.predict(x)).all()


def test_outliers_score_low(fitted):
    model = fitted("moons")
    inside = model.score_samples(table("moons", 500, seed=3))
    outside = model.score_samples(np.array([[0.5, 0.25 + 3], [5, 5], [-3, 0], [100, 100]]))
    assert (outside < np.quantile(inside, 0.01)).all()


def test_explain_names_the_corrupted_column_first(fitted):
    rows = table("mixed", 20, seed=8)
    rows.loc[:9, "length"] = 25.0
    rows.loc[10:, "count"] = 60
    explained = fitted("mixed").explain(rows)
    assert list(explained.columns) == ["row", "column", "value", "expected", "gain"]
    assert len(explained) == 20 * 5
    first = explained.groupby("row").first()
    assert (first["column"][:10] == "length").mean() > 0.9
    assert (first["column"][10:] == "count").mean() > 0.9
    assert (explained["gain"] >= 0).all()
    at = explained[(explained["row"] == 0) & (explained["column"] == "length")]
    assert at["value"].item() == 25.0
    assert abs(at["expected"].item()) < 4


def test_explain_finds_what_only_the_rest_of_the_row_makes_strange():
    r = np.random.default_rng(0)
    x = r.normal(size=(800, 4))
    x[:, 1] = x[:, 0] + 0.05 * r.normal(size=800)
    x[:, 2] = x[:, 0] + 0.05 * r.normal(size=800)
    model = AutoDensity(random_state=0).fit(x)
    row = np.array([[1.0, 1.0, -1.0, 0.3]])
    first = model.explain(row).iloc[0]
    assert first["column"] == 2
    assert first["expected"] == pytest.approx(1.0, abs=0.3)


def test_explain_names_a_changed_constant():
    frame = pd.DataFrame({"x": np.random.default_rng(0).normal(size=99), "unit": "mm"})
    model = AutoDensity(random_state=0).fit(frame)
    rows = pd.DataFrame({"x": [0.0], "unit": ["inch"]})
    first = model.explain(rows).iloc[0]
    assert first["column"] == "unit"
    assert first["value"] == "inch"
    assert first["expected"] == "mm"


def test_explain_works_for_all_containers(fitted):
    model = fitted("gaussian")
    rows = table("gaussian", 5, seed=2)
    expected = model.explain(rows)
    for given in (rows.tolist(), torch.from_numpy(rows), pd.DataFrame(rows)):
        pd.testing.assert_frame_equal(model.explain(given), expected)


# torch


def test_distribution_is_the_density_in_torch(fitted):
    model = fitted("moons")
    distribution = model.distribution()
    x = table("moons", 50, seed=5)
    value = distribution.log_prob(torch.from_numpy(x))
    assert value.detach().numpy() == pytest.approx(model.score_samples(x), abs=1e-9)
    assert distribution.event_shape == (2,)
    assert distribution.batch_shape == ()
    shaped = distribution.log_prob(torch.from_numpy(x).reshape(5, 10, 2))
    assert shaped.shape == (5, 10)
    assert torch.allclose(shaped.reshape(-1), value)
    assert distribution.sample().shape == (2,)
    assert distribution.sample((3, 4)).shape == (3, 4, 2)
    assert distribution.support.check(torch.zeros(2))


@pytest.mark.parametrize("kind", ["moons", "heavy", "clusters"])
def test_the_gradient_of_distribution_is_that_of_finite_differences(kind, fitted):
    # the flow is in float32: differences need a step far above its rounding
    distribution = fitted(kind).distribution()
    x = torch.from_numpy(np.asarray(table(kind, 40, seed=6))).requires_grad_(True)
    (gradient,) = torch.autograd.grad(distribution.log_prob(x).sum(), x)
    assert torch.isfinite(gradient).all()
    step = 2e-3
    errors = []
    for j in range(x.shape[1]):
        shift = torch.zeros(x.shape[1]).double()
        shift[j] = step
        with torch.no_grad():
            rise = distribution.log_prob(x + shift) - distribution.log_prob(x - shift)
        difference = rise / (2 * step)
        errors.append((difference - gradient[:, j]).abs() / (1 + gradient[:, j].abs()))
    assert float(torch.stack(errors).median()) < 0.02


@pytest.mark.parametrize("odd", ["integers", "mixed"])
def test_distribution_refuses_discrete_columns(odd, fitted):
    with pytest.raises(UnsupportedError, match="score_samples"):
        fitted(odd).distribution()


def test_distribution_refuses_bounded_and_constant_columns():
    x = np.random.default_rng(0).random((50, 2))
    with pytest.raises(UnsupportedError, match="bounded"):
        AutoDensity(random_state=0, bounds={0: (0, 1)}).fit(x).distribution()
    x[:, 1] = 3
    with pytest.raises(UnsupportedError, match="constant"):
        AutoDensity(random_state=0).fit(x).distribution()


def test_missing_cells_are_dropped_when_asked():
    x = table("mixed", 100)
    x.loc[3, "colour"] = None
    x.loc[5, "length"] = np.nan
    with pytest.raises(DataError, match="row"):
        AutoDensity(missing="error").fit(x)
    model = AutoDensity(random_state=0, missing="drop", minutes=1e-6)
    with pytest.warns(LeftOutWarning, match="2 of 100 rows left out"):
        model.fit(x)
    assert model.columns_.n_rows == 98


def first_try():
    """A table as people have it: identifiers, remarks, a column mostly empty, some gaps."""
    rng = np.random.default_rng(0)
    n = 120
    frame = pd.DataFrame(
        {
            "id": np.arange(1, n + 1),
            "name": [f"{a} of {b}" for a, b in zip(rng.random(n), rng.random(n), strict=True)],
            "price": rng.choice([1.99, 4.99, 7.49, 9.95], n),
            "size": rng.normal(size=n),
            "rare": np.where(rng.random(n) < 0.9, np.nan, 1.0),
            "class": rng.choice(["a", "b"], n),
        }
    )
    frame.loc[3:5, "size"] = np.nan
    return frame


def test_texts_that_hardly_repeat_are_not_left_out_without_a_word():
    n = 120
    remark = [f"parcel {i * i} came late, and wet" for i in range(n - 20)] + ["none"] * 20
    frame = pd.DataFrame({"size": np.random.default_rng(0).normal(size=n), "remark": remark})
    with pytest.warns(LeftOutWarning, match="columns left out: 'remark'") as found:
        AutoDensity(random_state=0, minutes=1e-6).fit(frame)
    assert found[0].filename == __file__
    kept = AutoDensity(random_state=0, minutes=1e-6, columns={"remark": "text"})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        kept.fit(frame)  # what was declared need not be said


def test_a_table_with_gaps_fits_at_the_first_try_and_says_what_was_left_out(tmp_path, capsys):
    frame = first_try()
    share = f"{100 * frame['rare'].isna().mean():.0f} % of its cells are missing"
    left_out = f"columns left out: 'rare' ({share})"
    with pytest.warns(LeftOutWarning) as found:
        model = AutoDensity(random_state=0, minutes=1e-6).fit(frame)
    assert [str(one.message) for one in found] == [left_out]
    assert found[0].filename == __file__
    kinds = ("identifier", "identifier", "discrete", "continuous", "empty", "category")
    assert model.columns_.kinds == kinds
    assert model.columns_.listed.tolist() == [True, False, False]
    rows = model.sample(50, random_state=0)
    assert list(rows) == list(frame)
    assert rows["id"].tolist() == list(range(1, 51))
    assert rows["rare"].isna().all()
    assert rows["name"].tolist()[:2] == ["id-1", "id-2"]
    assert set(rows["price"]) <= set(frame["price"])
    assert rows["size"].isna().mean() < 0.12  # as of 3 rows of 120
    assert model.sample(50, random_state=0, complete=True)["size"].notna().all()
    dropped = AutoDensity(random_state=0, missing="drop", minutes=1e-6)
    with pytest.warns(LeftOutWarning, match="3 of 120 rows left out"):
        dropped.fit(frame.drop(columns="rare"))
    dropped.save(tmp_path / "m")
    assert "3 of 120 rows left out" in (tmp_path / "m" / "README.md").read_text()
    assert pushforward.load(tmp_path / "m").columns_.n_left_out == 3
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pushforward.fit(frame, random_state=0, minutes=1e-6)  # prints it instead
    assert share in capsys.readouterr().err


def test_gaps_are_refused_when_asked():
    with pytest.raises(DataError, match="rows 3, 4, 5"):
        AutoDensity(missing="error").fit(first_try().drop(columns="rare"))


@pytest.mark.parametrize("seed", range(2))
def test_a_few_values_repeated_many_times_are_finite(seed):
    r = np.random.default_rng(seed)
    x = np.repeat(r.normal(size=(7, 2)), r.integers(1, 30, 7), axis=0)
    if seed % 2:
        x = np.concatenate([x, r.normal(size=(50, 2))])
    model = AutoDensity(random_state=0).fit(x)
    sample = model.sample(200, random_state=0)
    for rows in (x, sample, r.normal(size=(50, 2))):
        assert np.isfinite(model.score_samples(rows)).all()


def test_a_flow_of_columns_that_determine_one_another_stays_near_its_rows():
    # s4 is about s1 / s3, often rounded: samples of it came to lie three ranges beyond
    x = load_diabetes(as_frame=True, scaled=False).frame[["s1", "s2", "s3", "s4", "s5"]]
    start = GIS(random_state=0, max_layers=1).fit(x)
    z, log_det = start.columns_.encode(x, draw=np.random.default_rng(0))
    rows = start._rows(z, None, log_det)
    out = torch.arange(len(x)) % 7 == 0
    train, held_out = rows.take(~out), rows.take(out)
    density = fit_structure(
        Structure(margins=False, flow=True), train, held_out, layering=Layering(4), seed=0
    )
    bare = SlicedDensity.assemble(density.components())

    def farthest(density):
        sample = density.sample(20_000, torch.Generator().manual_seed(0))
        s4 = start.columns_.decode(sample)["s4"]
        return (s4.max() - x.s4.max()) / (x.s4.max() - x.s4.min())

    assert density.ends is not None
    assert farthest(density) < 1 < farthest(bare)
    behind = Structure(margins=True, flow=True)
    inner = train.fit_margins()
    density = fit_structure(
        behind,
        train.through(inner),
        held_out.through(inner),
        layering=Layering(4),
        seed=0,
        margins=inner,
    )
    assert density.ends is None  # the margins have ends of their own
    assert farthest(density) < 1


def test_rows_of_ones_own_choose_and_make_the_threshold():
    r = np.random.default_rng(0)
    X, own = (
        pd.DataFrame({"x": r.normal(size=n), "kind": r.choice(["a", "b"], n)}) for n in (120, 60)
    )
    model = AutoDensity(random_state=0).fit(X, validation=own)
    assert model.held_out_ == pytest.approx(model.score(own), abs=0.05)  # but for noise in cells
    assert (model.predict(own) == -1).sum() <= 3
    with pytest.raises(DataError, match="kind"):
        AutoDensity(random_state=0).fit(X, validation=own[["x"]])
    named = pushforward.fit(X, validation=own, verbose=False, random_state=0)
    assert named.score(own) == model.score(own)


def test_listed_densities_are_those_of_the_columns_that_are_not_discrete_values():
    r = np.random.default_rng(0)
    frame = pd.DataFrame({"a": r.normal(size=400), "b": r.choice(list("xyz"), 400)})
    model = AutoDensity(random_state=0, minutes=0.05).fit(frame)
    gaussian = next(t["held_out"] for t in model.trials_ if t["structure"] == "Gaussian")
    assert gaussian == pytest.approx(-0.5 * np.log(2 * np.pi * np.e), abs=0.1)
    assert model.held_out_ == pytest.approx(gaussian - np.log(3), abs=0.1)
    assert "given the others: what is listed is the density without them" in model.account()


@pytest.mark.parametrize("n", [5, 14])
def test_few_rows_of_amounts_have_no_samples_below_zero(n):
    r = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "amount": np.exp(r.normal(3, 1, n)),
            "loss": -r.gamma(1, 5, n),
            "warmth": r.normal(size=n),
        }
    )
    rows = AutoDensity(random_state=0).fit(frame).sample(500, random_state=0)
    assert (rows["amount"] >= 0).all()
    assert (rows["loss"] <= 0).all()
    assert 0.05 < (rows["warmth"] < 0).mean() < 0.95
    assert rows["amount"].median() == pytest.approx(frame["amount"].median(), rel=0.6)
