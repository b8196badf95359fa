"""Broken dependence: what is lost, what cannot be, and what is left alone."""

import numpy as np
import pandas as pd
import pytest

from pushforward.errors import DataError
from pushforward.metrics import broken_dependence

CITIES = {"Rome": "Italy", "Milan": "Italy", "Paris": "France", "Lyon": "France", "Bern": "CH"}


def table(n, seed):
    """A function of a category, two numbers that depend, and one that depends on nothing."""
    rng = np.random.default_rng(seed)
    city = rng.choice(list(CITIES), n)
    x = rng.normal(size=n)
    return pd.DataFrame(
        {
            "city": city,
            "country": [CITIES[c] for c in city],
            "x": x,
            "y": x + rng.normal(size=n),
            "alone": rng.normal(size=n),
        }
    )


def torn(frame, share, *names):
    """The named columns shuffled in that share of the rows."""
    rng = np.random.default_rng(0)
    frame = frame.copy()
    rows = np.flatnonzero(rng.random(len(frame)) < share)
    for name in names:
        frame.loc[rows, name] = frame[name].to_numpy()[rng.permutation(rows)]
    return frame


@pytest.fixture(scope="module")
def real():
    return table(2000, 1)


def test_fresh_rows_break_nothing_and_independent_columns_everything(real):
    fresh = broken_dependence(real, table(2000, 2))
    assert fresh.value < 0.05
    assert fresh.details["pairs"] == 2
    assert fresh.details["impossible"] == 0
    everything = broken_dependence(real, torn(table(2000, 2), 1.0, "country", "y"))
    assert everything.value > 0.95


@pytest.mark.parametrize("share", [0.2, 0.5])
def test_it_is_the_share_of_the_rows_whose_dependence_is_gone(real, share):
    found = broken_dependence(real, torn(table(4000, 2), share, "country", "y"))
    each = {tuple(pair["columns"]): pair for pair in found.details["worst_pairs"]}
    assert each["city", "country"]["impossible"] == pytest.approx(share, abs=0.05)
    assert each["city", "country"]["lost"] == pytest.approx(share, abs=0.05)
    assert each["x", "y"]["lost"] == pytest.approx(share, abs=0.08)
    assert each["x", "y"]["impossible"] == 0
    assert found.interval[0] < found.value < found.interval[1]


def test_dependence_the_other_way_is_lost_and_more_of_it_is_not(real):
    pair = real[["x", "y"]]
    assert broken_dependence(pair, pair.assign(y=-pair["y"])).value == 1
    assert broken_dependence(pair, pair.assign(y=pair["x"])).value == 0


def test_levels_and_values_that_no_real_row_has_are_impossible(real):
    pair = real[["city", "country"]]
    strange = pair.assign(country=pair["country"].where(np.arange(len(pair)) % 2 == 0, "Peru"))
    found = broken_dependence(pair, strange)
    assert found.details["worst_pairs"][0]["impossible"] > 0.5


def test_training_rows_make_known_what_occurs(real):
    pair = real[["city", "country"]]
    moved = pair.assign(country=pair["country"].where(pair["city"] != "Bern", "Italy"))
    some = pair[pair["city"] != "Bern"]
    alone = broken_dependence(some, moved)
    beside = broken_dependence(some, moved, train=moved)
    assert alone.details["impossible"] > 0
    assert beside.details["impossible"] == 0


def test_few_rows_say_little_about_what_never_occurs():
    rng = np.random.default_rng(0)
    code = rng.integers(0, 60, size=120)
    few = pd.DataFrame({"a": [f"a{k}" for k in code], "b": [f"b{k}" for k in code]})
    assert broken_dependence(few, torn(few, 1.0, "b")).details["impossible"] == 0


@pytest.mark.parametrize("n", [40, 80])
def test_few_rows_show_a_strong_dependence_and_its_loss(n):
    few = table(n, 5)
    found = broken_dependence(few, torn(table(n, 6), 1.0, "country", "y"))
    pairs = {tuple(pair["columns"]) for pair in found.details["worst_pairs"]}
    assert ("city", "country") in pairs
    assert found.value > 0.7
    assert broken_dependence(few, table(n, 7)).value < 0.3


def test_rare_levels_do_not_make_dependence_or_loss(real):
    rng = np.random.default_rng(0)

    def long_tailed(n):
        code = np.minimum(rng.geometric(0.15, size=(n, 2)), 60)
        return pd.DataFrame(
            {"a": [f"a{k}" for k in code[:, 0]], "b": [f"b{k}" for k in code[:, 1]]}
        )

    counted = [broken_dependence(long_tailed(400), long_tailed(400)) for _ in range(20)]
    assert sum(one.details["pairs"] for one in counted) <= 1


def test_nothing_to_break_is_said_and_one_column_refused(real):
    found = broken_dependence(real[["x", "alone"]], real[["x", "alone"]])
    assert found.value == 0
    assert found.interval is None
    assert "Nothing" in found.warnings[0] or "nothing" in found.warnings[0]
    with pytest.raises(DataError, match="at least two"):
        broken_dependence(real[["x"]], real[["x"]])
