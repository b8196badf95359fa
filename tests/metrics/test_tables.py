"""Measures of tables: mixed columns, corruptions in order, memory found."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ks_2samp

from pushforward.data import mixture
from pushforward.errors import DataError, ParameterError
from pushforward.metrics import (
    column_fidelity,
    nearest_neighbour_privacy,
    pair_fidelity,
    train_on_synthetic,
)
from pushforward.metrics.table_encoding import TableCode


@pytest.fixture(scope="module")
def real():
    return mixture(600, 1)


@pytest.fixture(scope="module")
def fresh():
    return mixture(600, 2)


def shuffled(frame, names):
    rng = np.random.default_rng(0)
    return frame.assign(**{name: rng.permutation(frame[name]) for name in names})


def test_columns_are_compared_by_their_kind(real, fresh):
    found = column_fidelity(real, fresh)
    each = found.details["columns"]
    assert each["x"] == pytest.approx(1 - ks_2samp(real["x"], fresh["x"]).statistic)
    shares = [frame["group"].value_counts(normalize=True).sort_index() for frame in (real, fresh)]
    assert each["group"] == pytest.approx(1 - (shares[0] - shares[1]).abs().sum() / 2)
    assert found.value == pytest.approx(np.mean(list(each.values())))


def test_columns_see_margins_and_pairs_see_dependence(real, fresh):
    torn = shuffled(fresh, ["x", "count"])
    moved = fresh.assign(x=fresh["x"] + 2)
    one_group = fresh.assign(group="a")
    columns = [column_fidelity(real, t).value for t in (real, fresh, moved)]
    assert columns == sorted(columns, reverse=True)
    assert column_fidelity(real, torn).value == pytest.approx(columns[1])  # what it is blind to
    assert column_fidelity(real, one_group).value < columns[1] - 0.05
    pairs = [pair_fidelity(real, t).value for t in (real, fresh, torn)]
    assert pairs == sorted(pairs, reverse=True)
    worst = pair_fidelity(real, torn).details["worst_pairs"][0]["columns"]
    assert "x" in worst or "count" in worst


def test_use_for_prediction_orders(real, fresh):
    torn = shuffled(fresh, ["group"])
    held_out = mixture(600, 3)
    good, bad = (
        train_on_synthetic(real, t, target="group", held_out=held_out) for t in (fresh, torn)
    )
    assert good.value > 0.9
    assert abs(good.details["gap"]) < 0.05
    assert bad.value < 0.7
    assert train_on_synthetic(real, fresh, target="x").details["score"] == "rank correlation"
    assert train_on_synthetic(real, fresh.assign(flag=True), target="flag").value == 0.5


def test_more_generated_rows_than_real_ones_are_fitted_on_where_asked(real, fresh):
    held_out, few = mixture(600, 3), real.head(60)
    as_many, every = (
        train_on_synthetic(few, fresh, target="group", held_out=held_out, all_rows=choice)
        for choice in (False, True)
    )
    assert (as_many.details["n_real"], as_many.details["n_generated"]) == (60, 60)
    assert (every.details["n_real"], every.details["n_generated"]) == (60, len(fresh))
    assert every.value > max(as_many.value, every.details["train_real"])


def test_a_class_that_a_number_gives_away_is_predicted_however_rare():
    rng = np.random.default_rng(0)
    thousandths = np.array([325, 222, 164, 55, 43, 37, 28, 26, 19, 17, 16, 14, 12, 10, 5, 2])
    years = np.array([9, 10, 13, 14, 11, 7, 12, 6, 4, 15, 5, 8, 16, 3, 2, 1])

    def degrees(n):
        level = rng.choice(16, n, p=thousandths / thousandths.sum())
        age = rng.integers(17, 90, n)
        return pd.DataFrame(
            {"degree": [f"d{k}" for k in level], "years": years[level], "age": age}
        )

    real, fresh, held_out = (degrees(n) for n in (3750, 3750, 1250))
    found = train_on_synthetic(real, fresh, target="degree", held_out=held_out)
    assert min(found.value, found.details["train_real"]) > 0.98
    assert found.details["balanced_accuracy"] > 0.9


def test_what_else_users_look_at_is_there(real, fresh):
    held_out = mixture(600, 3)
    number = train_on_synthetic(real, fresh, target="x", held_out=held_out).details
    assert number["r2"] <= 1
    assert number["train_real_r2"] == pytest.approx(number["r2"], abs=0.3)
    two = [t.assign(big=(t["x"] > 0).astype(int)) for t in (real, fresh, held_out)]
    found = train_on_synthetic(*two[:2], target="big", held_out=two[2])
    assert found.details["score"] == "auroc"  # two values are classes
    assert found.value > 0.99
    assert found.details["balanced_accuracy"] > 0.95


def test_containers_and_order_of_columns_do_not_matter(real, fresh):
    pl = pytest.importorskip("polars")
    expected = pair_fidelity(real, fresh).value
    other = fresh[fresh.columns[::-1]].assign(more=1)
    assert pair_fidelity(real, other).value == pytest.approx(expected)
    assert pair_fidelity(pl.from_pandas(real), pl.from_pandas(fresh)).value == pytest.approx(
        expected
    )


def test_bad_tables_are_named(real):
    with pytest.raises(DataError, match="lacks the columns"):
        column_fidelity(real, real.drop(columns="x"))
    with pytest.raises(DataError, match="contains infinity"):
        column_fidelity(real, real.assign(x=np.inf))
    with pytest.raises(DataError, match="one column"):
        pair_fidelity(real[["x"]], real[["x"]])
    with pytest.raises(ParameterError, match="target"):
        train_on_synthetic(real, real, target="y")
    unseen = real.assign(group="z", flag=True)
    assert column_fidelity(real, unseen).details["columns"]["group"] == 0


def test_memory_is_found_and_skill_is_not(real, fresh):
    held_out = mixture(600, 3)
    code = TableCode.learn(real)
    train, other, samples = (code.points(code.numbers(t)) for t in (real, held_out, fresh))
    honest = nearest_neighbour_privacy(train, other, samples)
    assert not honest.details["memorised"]
    assert honest.interval[0] < 0.5 < honest.interval[1]
    half = np.concatenate([train[:150], samples[:450]])
    caught = nearest_neighbour_privacy(train, other, half)
    assert caught.details["memorised"]
    assert 0.2 < caught.details["copies"] < 0.45
    assert "remembers" in caught.warnings[0]
    swapped = nearest_neighbour_privacy(other, train, half)
    assert not swapped.details["memorised"]
    unequal = nearest_neighbour_privacy(np.concatenate([train, train + 1e-3]), other, samples)
    assert unequal.details["n_real"] == len(other)


def test_code_has_a_place_for_every_kind():
    frame = pd.DataFrame({"a": [1.5, 2.5, 9.5], "b": ["u", "v", "u"], "c": [True, False, True],
                          "d": [7, 7, 7]})  # fmt: skip
    code = TableCode.learn(frame)
    numbers = code.numbers(frame)
    assert numbers.tolist() == [[1.5, 0, 0, 0], [2.5, 1, 1, 0], [9.5, 0, 0, 0]]
    cell, first = code.cells(numbers)
    assert ((cell >= first[:-1]) & (cell < first[1:])).all()
    points = code.points(code.numbers(pd.DataFrame({"a": [1.5] * 2, "b": ["u", "w"],
                                                    "c": [True] * 2, "d": [7, 7]})))  # fmt: skip
    assert np.linalg.norm(points[0] - points[1]) == pytest.approx(1)
