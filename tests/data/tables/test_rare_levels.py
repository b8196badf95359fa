import copy

import numpy as np
import pandas as pd
import pytest

import pushforward
from pushforward.data import Columns
from pushforward.data.tables.rare_levels import RareLevels
from pushforward.errors import DataError, ModelFileError
from pushforward.estimators.conditions import taken_apart

FREQUENT, RARE = 60, 1200  # levels with 50 rows, and with one


@pytest.fixture(scope="module")
def towns():
    """3,000 rows of 60 towns, whose number is ``x``, and 1,200 rows of a town each."""
    names = [f"town {k:02d}" for k in range(FREQUENT) for _ in range(50)]
    names += [f"village {k:04d}" for k in range(RARE)]
    rng = np.random.default_rng(0)
    x = np.concatenate([np.repeat(np.arange(FREQUENT), 50), np.full(RARE, -20.0)])
    x = x + 0.1 * rng.standard_normal(len(x))
    frame = pd.DataFrame({"x": x, "town": names})
    return frame.iloc[rng.permutation(len(frame))].reset_index(drop=True)


def test_the_levels_of_a_cell_have_the_probability_of_the_cell_together():
    rare = RareLevels.learn(np.array([9, 5, 2, 1, 1]), np.array([9.0, 5.0, 2.0, 1.0, 1.0]), 4)
    assert rare is not None
    assert rare.first == 3  # as many as have two rows or more, and four cells
    levels = np.array([3, 4, 5])
    _, log_share = rare.spread(levels.astype(float), np.full(3, 0.3))
    np.testing.assert_allclose(np.exp(log_share).sum(), 1.0, rtol=1e-12)
    np.testing.assert_allclose(np.exp(log_share), [0.25, 0.25, 0.5])


def test_levels_of_equal_counts_stay_together():
    counts = np.array([9, 3, 3, 3, 2, 1])
    rare = RareLevels.learn(counts, counts.astype(float), 3)
    assert rare is not None
    assert rare.first == 1
    assert RareLevels.learn(np.full(6, 2), np.full(6, 2.0), 3) is None


def test_places_are_those_of_their_levels_at_the_ends_of_their_intervals():
    counts = np.concatenate([[10, 8], np.ones(10_000)])
    rare = RareLevels.learn(counts, counts, 1000)
    assert rare is not None
    levels = np.arange(len(counts))
    for u in (0.0, 1e-12, 0.5, 1 - 1e-12):
        places, _ = rare.spread(levels.astype(float), np.full(len(levels), u))
        scaled = (places - 3.3) / 7.7 * 7.7 + 3.3  # rounding, as of standardised coordinates
        np.testing.assert_array_equal(rare.level(scaled), levels)


def test_rare_levels_come_back_and_are_drawn_by_their_shares(towns):
    columns = Columns.learn(towns).columns
    assert columns.kinds == ("continuous", "category")
    assert columns.describe()[1]["note"] == "the 1,200 rarest of 1,260 texts count as one"
    z, _ = columns.encode(towns)
    assert columns.decode(z).town.tolist() == towns.town.tolist()
    assert columns.cell_index(z)[:, 1].max() == FREQUENT
    again = Columns.from_config(columns.to_config())
    assert again.decode(z).town.tolist() == towns.town.tolist()


def test_the_probability_of_a_rare_level_is_its_share_of_the_rows(towns):
    columns = Columns.learn(towns).columns
    some = pd.DataFrame({"x": 0.0, "town": ["village 0003", "village 0777", "elsewhere"]})
    z, log_det = columns.encode(some)
    usual = columns.encode(towns[towns.town == "town 07"])[1][0]
    np.testing.assert_allclose(log_det[:2] - usual, np.log(0.5 / RARE), rtol=1e-9)
    np.testing.assert_allclose(log_det[2] - usual, np.log(0.5), rtol=1e-9)
    assert (columns.cell_index(z)[:, 1] == FREQUENT).all()


def test_many_texts_are_modelled_given_the_other_columns(towns):
    model = pushforward.AutoDensity(random_state=0).fit(towns)
    drawn = model.sample(2000, random_state=0)
    assert set(drawn.town) <= set(towns.town)
    village = drawn.town.str.startswith("village")
    assert abs(village.mean() - RARE / len(towns)) < 0.03
    assert drawn.x[village].median() < -15 < 0 < drawn.x[~village].median()
    given = model.given({"town": "village 0003"})
    assert given.mean()["x"][0] < -15
    new = pd.DataFrame({"x": [-20.0], "town": ["elsewhere"]})
    assert model.predict(new)[0] == 1  # a place that is new is nothing strange among villages


def test_a_category_that_was_declared_has_a_cell_for_each_level(towns):
    columns = Columns.learn(towns, columns={"town": "category"}).columns
    z, _ = columns.encode(towns)
    assert columns.cell_index(z)[:, 1].max() == FREQUENT + RARE - 1


@pytest.mark.parametrize(
    "change",
    [
        {"first": 0},
        {"first": 61},
        {"unseen": 1.0},
        {"shares": [0.5, 0.5]},
        {"shares": [1.0 / 1199] * 1199 + [0.0]},
    ],
)
def test_altered_descriptions_are_refused(towns, change):
    config = copy.deepcopy(Columns.learn(towns).columns.to_config())
    config["columns"][1]["rare"] |= change
    with pytest.raises(ModelFileError, match="rare"):
        Columns.from_config(config)


def test_folders_of_before_have_none(towns):
    config = Columns.learn(towns, columns={"town": "category"}).columns.to_config()
    assert not any("rare" in entry for entry in config["columns"])
    assert Columns.from_config(config).columns[1].rare is None


def test_a_level_that_was_never_seen_can_be_given_and_is_no_event(towns):
    columns = Columns.learn(towns).columns
    row, ranges = taken_apart({"town": "elsewhere"}, columns)
    assert row.town.tolist() == ["elsewhere"]
    assert not ranges
    with pytest.raises(DataError, match="had no 'elsewhere' in fit"):
        taken_apart({"town": "elsewhere"}, columns, single=True)
    frequent = Columns.learn(towns[towns.x > -10]).columns
    with pytest.raises(DataError, match="had no 'elsewhere' in fit"):
        taken_apart({"town": "elsewhere"}, frequent)
