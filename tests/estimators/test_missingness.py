"""Samples have holes as the table of the fit has them."""

import time

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch

import pushforward
from pushforward.data import Columns
from pushforward.estimators.missing_cells import completions, rows_of
from pushforward.estimators.missingness import Missingness
from pushforward.transport.discrete_chain import DiscreteChain
from pushforward.transport.table_mixture import TableMixture

N = 800


def learned(frame, seed=0):
    """The distribution of the holes of a frame, its columns and coordinates of whole rows."""
    found = Columns.learn(frame, missing="model")
    (whole,) = completions(found, 1)
    z, log_det = found.columns.encode(whole, draw=np.random.default_rng(0))
    rows = rows_of(found.columns, z, None, log_det)
    return Missingness.fit(found.columns, found.X, rows, seed), found.columns, z


def gaps(missingness, columns, z, n=4000, seed=0):
    generator = torch.Generator().manual_seed(seed)
    z = z[torch.randint(len(z), (n,), generator=generator)]
    labels = [columns.labels[j] for j in missingness.columns]
    modelled = [j for j, column in enumerate(columns.columns) if not column.left_out]
    found = missingness.sample(z, generator, modelled)
    return pd.DataFrame(found, columns=labels), columns.decode(z)


def frame(seed=0):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(rng.normal(size=(N, 3)).round(3), columns=["a", "b", "c"]), rng


def test_holes_that_come_together_come_together_and_are_independent_of_the_cells():
    X, rng = frame()
    together = rng.random(N) < 0.2
    X.loc[together, ["a", "b"]] = np.nan
    X.loc[~together & (rng.random(N) < 0.5), "c"] = np.nan  # never with the others
    missingness, columns, z = learned(X)
    assert missingness.n_coordinates == 0
    assert missingness.indicator.tolist() == [0, 0, 1]
    drawn, _rows = gaps(missingness, columns, z)
    assert (drawn["a"] == drawn["b"]).all()
    assert drawn["a"].mean() == pytest.approx(together.mean(), abs=0.03)
    assert drawn["c"].mean() == pytest.approx(X["c"].isna().mean(), abs=0.03)
    assert (drawn["a"] & drawn["c"]).mean() < 0.01
    assert missingness.gain > 0.05
    assert "on one another alone" in missingness.note(columns)


def test_holes_depend_on_cells_where_they_do():
    X, rng = frame()
    X["kind"] = rng.choice(["x", "y"], N)
    share = np.where(X["kind"] == "x", 0.7, 0.1)
    X.loc[rng.random(N) < share, "b"] = np.nan
    X.loc[X["a"] > 1, "c"] = np.nan
    missingness, columns, z = learned(X)
    assert missingness.n_coordinates == columns.n_coordinates
    drawn, rows = gaps(missingness, columns, z)
    by_kind = drawn["b"].groupby(rows["kind"]).mean()
    assert by_kind["x"] == pytest.approx(0.7, abs=0.08)
    assert by_kind["y"] == pytest.approx(0.1, abs=0.05)
    assert drawn["c"][rows["a"] > 1.1].mean() > 0.9
    assert drawn["c"][rows["a"] < 0.9].mean() < 0.05
    assert "depends on the other cells" in missingness.note(columns)


def test_holes_at_random_depend_on_nothing_and_no_row_is_without_a_cell():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(N, 2)), columns=["a", "b"])
    X = X.mask(rng.random(X.shape) < 0.5)
    X = X[X.notna().any(axis=1)].reset_index(drop=True)
    missingness, columns, z = learned(X)
    drawn, _ = gaps(missingness, columns, z)
    assert not drawn.all(axis=1).any()
    assert drawn.mean().to_numpy() == pytest.approx(X.isna().mean().to_numpy(), abs=0.04)
    assert np.corrcoef(drawn["a"], drawn["b"])[0, 1] < -0.2  # one of them is there


@pytest.fixture(scope="module")
def model():
    rng = np.random.default_rng(0)
    n = 150
    frame = pd.DataFrame(
        {
            "size": rng.normal(size=n),
            "count": pd.array(rng.poisson(3, n), dtype="Int64"),
            "day": pd.Timestamp("2024-03-01") + pd.to_timedelta(rng.integers(0, 99, n), "D"),
            "kind": pd.Categorical(rng.choice(["a", "b"], n)),
            "yes": rng.random(n) < 0.3,
        }
    )
    for label in ("count", "day", "kind", "yes"):
        frame[label] = frame[label].mask(rng.random(n) < 0.2)
    return pushforward.GIS(max_layers=1, missing="model", random_state=0).fit(frame), frame


def test_samples_have_holes_unless_they_are_to_be_complete(model, tmp_path):
    model, frame = model
    rows = model.sample(2000, random_state=0)
    pd.testing.assert_series_equal(rows.isna().mean(), frame.isna().mean(), atol=0.08)
    assert (rows.dtypes == frame.dtypes).all()
    whole = model.sample(2000, random_state=0, complete=True)
    assert whole.notna().all(axis=None)
    assert rows.where(rows.notna(), whole).astype(whole.dtypes).equals(whole)
    assert np.isfinite(model.score_samples(rows.head(20))).all()
    again = pushforward.load(model.save(tmp_path / "model"))
    assert again.sample(50, random_state=3).equals(model.sample(50, random_state=3))
    assert model.given({"yes": True}, random_state=0).sample(30).notna().all(axis=None)
    with pytest.raises(pushforward.errors.ParameterError, match="complete"):
        model.sample(2, complete="yes")


def test_identifiers_are_missing_where_those_of_the_table_are(tmp_path):
    """As cabins of the Titanic, known of few passengers, most of them of the first class."""
    X, rng = frame()
    X["c"] = rng.choice(["first", "third"], N)
    known = rng.random(N) < np.where(X["c"] == "first", 0.8, 0.1)
    X["cabin"] = [f"C{k}" if there else None for k, there in enumerate(known)]
    model = pushforward.GIS(max_layers=1, search_steps=3, random_state=0).fit(X)
    assert model.columns_.kinds[-1] == "identifier"
    for made in (model, pushforward.load(model.save(tmp_path / "m"))):
        drawn = made.sample(2000, random_state=1)
        share = drawn["cabin"].notna().groupby(drawn["c"]).mean()
        assert abs(share["first"] - 0.8) < 0.06
        assert abs(share["third"] - 0.1) < 0.06
    assert drawn["cabin"].dropna().is_unique
    assert model.sample(20, complete=True, random_state=1)["cabin"].tolist()[-1] == "id-20"
    more = model.columns_.number_on(drawn, 5000)
    assert (more["cabin"].isna() == drawn["cabin"].isna()).all()
    assert int(more["cabin"].dropna().iloc[0][3:]) > 5000


def test_what_holes_need_is_done_on_one_thread(monkeypatch):
    """Threads that wait for one another took five minutes where one takes twenty seconds."""
    X, rng = frame()
    X.loc[rng.random(N) < 0.3, "a"] = np.nan
    seen, fit = [], TableMixture.fit.__func__

    def watched(*args, **options):
        seen.append(torch.get_num_threads())
        return fit(*args, **options)

    monkeypatch.setattr(TableMixture, "fit", classmethod(watched))
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        model = pushforward.GIS(max_layers=1, search_steps=3, missing="model", random_state=0)
        model.fit(X).given(X[:20], random_state=0).sample(2)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert len(seen) >= 2  # what completes rows, and what proposes cells to condition on
    assert set(seen) == {1}


def test_a_model_is_judged_by_its_whole_rows(model):
    model, frame = model
    whole = frame.dropna()
    found = pushforward.evaluate(model, whole, random_state=0, measures=["column_fidelity"])
    assert found.measures[0].value > 0.8


@pytest.mark.parametrize("container", ["polars", "pyarrow", "numpy"])
def test_other_containers_have_holes_too(container):
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"x": rng.normal(size=200), "k": rng.integers(0, 5, 200) * 1.0})
    X = X.mask(rng.random(X.shape) < 0.3)
    X = X[X.notna().any(axis=1)]
    if container == "numpy":
        table = X.to_numpy()
    else:
        table = pl.from_pandas(X).with_columns(
            pl.col("k").cast(pl.Int32), day=pl.date(2024, 1, 1) + pl.duration(days=pl.col("k"))
        )
        table = table.to_arrow() if container == "pyarrow" else table
    model = pushforward.GIS(max_layers=0, missing="model", random_state=0).fit(table)
    rows = model.sample(500, random_state=0)
    assert type(rows) is type(table)
    if container == "numpy":
        share = np.isnan(rows).mean(axis=0)
    else:
        rows = pl.from_arrow(rows) if container == "pyarrow" else rows
        share = rows.select(pl.all().is_null().mean()).row(0)
    assert share[0] == pytest.approx(X["x"].isna().mean(), abs=0.08)
    assert share[1:] == pytest.approx([X["k"].isna().mean()] * (len(share) - 1), abs=0.08)


def test_near_its_deadline_a_fit_looks_at_few_rows(monkeypatch):
    seen = []
    fit = DiscreteChain.fit.__func__

    def counted(cls, rows, *arguments, **options):
        seen.append(len(rows))
        return fit(cls, rows, *arguments, **options)

    monkeypatch.setattr(DiscreteChain, "fit", classmethod(counted))
    r = np.random.default_rng(0)
    X = pd.DataFrame(r.normal(size=(2000, 2)), columns=["a", "b"])
    whole, gone = X.copy(), r.random(2000) < 0.2
    X.loc[gone, "b"] = np.nan
    learned = Columns.learn(X, missing="model")
    z, log_det = learned.columns.encode(whole, draw=np.random.default_rng(0))
    rows = rows_of(learned.columns, z, None, log_det)
    late = Missingness.fit(learned.columns, X, rows, 0, deadline=time.monotonic())
    assert max(seen) == 500
    assert late is not None
    generator = torch.Generator().manual_seed(0)
    share = late.sample(z, generator, [0, 1]).mean()
    assert share == pytest.approx(gone.mean(), abs=0.06)
    seen.clear()
    Missingness.fit(learned.columns, X, rows, 0, deadline=time.monotonic() + 3600)
    assert max(seen) == 2000


def test_a_short_budget_completes_cells_by_a_mixture_of_few_rows(monkeypatch):
    seen = []
    fit = TableMixture.fit.__func__

    def counted(cls, rows, *arguments, **options):
        seen.append(len(rows))
        return fit(cls, rows, *arguments, **options)

    monkeypatch.setattr(TableMixture, "fit", classmethod(counted))
    r = np.random.default_rng(0)
    X = pd.DataFrame(r.normal(size=(2000, 2)), columns=["a", "b"])
    X.loc[r.random(2000) < 0.2, "b"] = np.nan
    found = Columns.learn(X, missing="model")
    for minutes in (None, 1.0, 0.2, 1e-6):
        (whole,) = completions(found, 1, minutes=minutes)
        assert whole["b"].notna().all()
    assert seen == [2000, 2000, 1000, 500]


def test_after_the_deadline_one_normal_distribution_is_tried_and_holes_are_of_one_another_alone():
    r = np.random.default_rng(0)
    X = pd.DataFrame(r.normal(size=(600, 2)) + 8 * r.integers(0, 3, (600, 1)), columns=["a", "b"])
    X.loc[(X["a"] > 8) & (r.random(600) < 0.6), "b"] = np.nan
    found = Columns.learn(X, missing="model")
    z, _, known = found.columns.encode_known(found.X, r)
    rows = rows_of(found.columns, z, None, torch.zeros(len(z)))
    components = []
    for deadline in (time.monotonic() - 1, time.monotonic() + 3600):
        mixture = TableMixture.fit(rows, 0, known, deadline=deadline).mixture
        components.append(len(mixture.gaussians.log_weight))
    assert components[0] == 1 < components[1]
    (whole,) = completions(found, 1)
    z, log_det = found.columns.encode(whole, draw=r)
    rows = rows_of(found.columns, z, None, log_det)
    for late, depends in ((-1, False), (3600, True)):
        deadline = time.monotonic() + late
        holes = Missingness.fit(found.columns, found.X, rows, 0, deadline=deadline)
        assert holes is not None
        assert (holes.n_coordinates > 0) == depends
