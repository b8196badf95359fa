"""Measures of tables with missing cells: no row is left out, and holes count as well."""

import warnings

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch
from scipy.stats import ks_2samp, spearmanr

import pushforward
from pushforward.data import Columns
from pushforward.errors import DataError, LeftOutWarning
from pushforward.metrics import (
    broken_dependence,
    classifier_two_sample,
    column_fidelity,
    pair_fidelity,
    train_on_synthetic,
)
from pushforward.metrics.missing_cells import blanked
from pushforward.metrics.table_encoding import TableCode


def ship(n, seed, *, by_class=True):
    """Passengers: the deck depends on the class, and so does whether it is known."""
    rng = np.random.default_rng(seed)
    kind = rng.choice(["first", "second", "third"], n)
    fare = np.exp(rng.normal(size=n)) + 3.0 * (kind == "first")
    deck = np.where(kind == "first", rng.choice(["A", "B"], n), rng.choice(["E", "F"], n))
    known = np.where(kind == "first", 0.8, 0.1) if by_class else np.full(n, 0.33)
    deck = pd.Series(deck).mask(rng.random(n) > known)
    age = pd.Series(10 + 3 * fare + rng.normal(size=n)).mask(rng.random(n) < 0.2)
    return pd.DataFrame({"class": kind, "fare": fare, "age": age, "deck": deck})


@pytest.fixture(scope="module")
def real():
    return ship(900, 0)


@pytest.fixture(scope="module")
def fresh():
    return ship(900, 1)


def test_known_cells_are_compared_with_known_cells_and_shares_with_shares(real, fresh):
    each = column_fidelity(real, fresh).details["columns"]
    known = real["age"].dropna(), fresh["age"].dropna()
    assert each["age"] == pytest.approx(1 - ks_2samp(*known).statistic)
    shares = [f["deck"].value_counts(normalize=True).sort_index() for f in (real, fresh)]
    assert each["deck"] == pytest.approx(1 - (shares[0] - shares[1]).abs().sum() / 2)
    more = fresh.assign(age=fresh["age"].mask(np.arange(900) < 450))
    found = column_fidelity(real, more).details
    gap = more["age"].isna().mean() - real["age"].isna().mean()
    assert found["columns"]["age"] == pytest.approx(1 - gap)
    assert found["missing"]["age"] == [real["age"].isna().mean(), more["age"].isna().mean()]
    assert "fare" not in found["missing"]
    none = fresh.assign(deck=None)
    empty = column_fidelity(real, none)
    assert empty.details["columns"]["deck"] == 0
    assert empty.warnings == (
        "No sample has a cell in 'deck': such columns are taken for wholly wrong.",
    )


def test_pairs_are_compared_among_the_rows_that_have_both(real, fresh):
    torn = fresh.assign(age=np.random.default_rng(0).permutation(fresh["age"]))
    worst = pair_fidelity(real, torn).details["worst_pairs"]
    value = {tuple(pair["columns"]): pair["value"] for pair in worst}
    ranks = [spearmanr(f["fare"], f["age"], nan_policy="omit").statistic for f in (real, torn)]
    assert value["fare", "age"] == pytest.approx(1 - abs(ranks[0] - ranks[1]) / 2, abs=0.02)
    both = [
        f.dropna(subset="deck").groupby(["class", "deck"]).size() / f["deck"].count()
        for f in (real, torn)
    ]
    apart = both[0].sub(both[1], fill_value=0).abs().sum() / 2
    assert value["class", "deck"] == pytest.approx(1 - apart)
    assert pair_fidelity(real, fresh).value > pair_fidelity(real, torn).value + 0.05
    # pairs that are hardly ever known together say nothing
    apart = real.assign(age=real["age"].where(real["deck"].isna()))
    pairs = [p["columns"] for p in pair_fidelity(apart, apart).details["worst_pairs"]]
    assert ["age", "deck"] not in pairs
    assert len(pairs) == 5
    none = pair_fidelity(real, real.assign(deck=None)).details["worst_pairs"]
    assert [pair["value"] for pair in none[:3]] == [0, 0, 0]


def test_what_holes_depend_on_is_a_dependence(real, fresh):
    at_random = ship(900, 1, by_class=False)
    found = broken_dependence(real, at_random)
    lost = {tuple(pair["columns"]): pair["value"] for pair in found.details["worst_pairs"]}
    assert lost["class", "deck"] > 0.2
    assert broken_dependence(real, fresh).value < 0.1
    code = TableCode.learn(real)
    areas = [
        classifier_two_sample(code.numbers(real), code.numbers(table), missing=True).value
        for table in (fresh, at_random)
    ]
    assert areas[0] < 0.56 < 0.6 < areas[1]
    with pytest.raises(DataError, match="NaN"):
        classifier_two_sample(code.numbers(real), code.numbers(fresh))
    with pytest.raises(DataError, match="infinite"):
        classifier_two_sample(np.full((50, 1), np.inf), np.ones((50, 1)), missing=True)


def test_missing_cells_are_a_place_of_their_own(real):
    code = TableCode.learn(real)
    rows = pd.DataFrame(
        {"class": "first", "fare": 1.0, "age": [real["age"].mean(), np.nan, np.nan],
         "deck": ["A", "A", None]}
    )  # fmt: skip
    points = code.points(code.numbers(rows))
    assert np.linalg.norm(points[0] - points[1]) == pytest.approx(0.5**0.5)
    assert np.linalg.norm(points[1] - points[2]) == pytest.approx(0.5**0.5)
    assert np.isfinite(points).all()


def test_prediction_is_of_the_rows_that_have_a_target(real, fresh):
    found = train_on_synthetic(real, fresh, target="deck")
    assert found.details["n_test"] + found.details["n_real"] == real["deck"].count()
    assert found.value > 0.7
    assert train_on_synthetic(real, fresh).details["target"] == "class"  # deck is mostly missing
    with pytest.raises(DataError, match="the target 'deck'"):
        train_on_synthetic(real, fresh.assign(deck=None), target="deck")
    assert train_on_synthetic(real, fresh.assign(deck=None)).value > 0.5


def test_samples_without_holes_get_those_of_real_rows(real):
    whole = ship(400, 2).assign(age=30.5, deck="A")
    for samples, columns in ((whole, ["age", "deck"]), (whole.assign(deck=None), ["age"])):
        with pytest.warns(UserWarning, match="no missing cells, and real rows have"):
            found = pushforward.evaluate(samples, real, measures=["column_fidelity"])
        shares = found["column_fidelity"].details["missing"]
        for name in columns:
            assert shares[name][1] == pytest.approx(shares[name][0], abs=0.08)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pushforward.evaluate(ship(400, 2), real, measures=["column_fidelity"])
        pushforward.evaluate(whole, whole, measures=["column_fidelity"])
    rare = real.assign(rare=np.where(np.arange(900) < 5, 1.0, np.nan))
    with pytest.warns(LeftOutWarning, match="left out of the measures.*'rare'"):
        pushforward.evaluate(rare, rare, measures=["column_fidelity"])


def test_arrays_with_missing_cells_are_tables(rng):
    X = rng.normal(size=(300, 2))
    X[:, 1] += X[:, 0]
    holes = np.where(rng.random(X.shape) < 0.2, np.nan, X)
    found = pushforward.evaluate(holes, holes, measures=["column_fidelity", "mmd"])
    assert (found.kind, found["column_fidelity"].value) == ("table", 1)
    assert pushforward.evaluate(X, X, measures=["mmd"]).kind == "rows"


class Whole:
    """A model of someone else's, which knows whole rows only."""

    def fit(self, X):
        return self

    def sample(self, n, random_state=0):
        return ship(n, random_state)

    def score_samples(self, X):
        assert not X.isna().any(axis=None)
        return -X["fare"].to_numpy()


def test_a_density_of_whole_rows_says_which_it_was_judged_by(real):
    found = pushforward.evaluate(Whole(), real, measures=["likelihood"])["nats_per_row"]
    whole = real.dropna()
    assert found.value == pytest.approx(-whole["fare"].mean())
    assert found.warnings[0].startswith(f"{900 - len(whole)} of 900 rows left out")
    kept = pushforward.evaluate(Whole(), real, measures=["ood"], other=real)
    assert kept["auroc"].details["n_real"] == len(whole)
    assert "rows with missing cells left out" in kept["auroc"].warnings[0]


@pytest.mark.parametrize(
    "form",
    [lambda f: f, pl.from_pandas, pa.Table.from_pandas, np.asarray, torch.tensor],
    ids=["pandas", "polars", "arrow", "array", "tensor"],
)
def test_cells_are_blanked_in_any_container(form):
    frame = pd.DataFrame({"a": [1, 2, 3], "b": [4.5, 5.5, 6.5]})
    table = form(frame.to_numpy() if form is torch.tensor else frame)
    columns, gap = Columns.learn(table).columns, np.array([True, False, True])
    found = blanked(table, {columns.labels[0]: gap})
    assert type(found) is type(table)
    first, second = columns.missing(found).values()
    assert (first == gap).all()
    assert not second.any()
    assert columns.complete(table).all()
