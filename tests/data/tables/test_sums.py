"""Totals of whose parts few values are left: noted, and by a constraint counted from the parts."""

import json

import numpy as np
import pandas as pd
import pytest
import torch

import pushforward
from pushforward import Columns
from pushforward.errors import ModelFileError

RULE = "fare + tip <= total"


@pytest.fixture(scope="module")
def rides():
    """Fares and tips, and totals that have one of four surcharges besides."""
    rng = np.random.default_rng(0)
    n = 600
    fare = rng.gamma(3, 5, n).round(2)
    tip = (fare * rng.uniform(0, 0.3, n)).round(2)
    extra = rng.choice([0.3, 0.8, 3.3, 3.8], n, p=[0.1, 0.2, 0.4, 0.3])
    return pd.DataFrame(
        {
            "fare": fare,
            "tip": tip,
            "total": (fare + tip + extra).round(2),
            "riders": rng.poisson(2, n),
        }
    )


@pytest.fixture(scope="module")
def columns(rides):
    return Columns.learn(rides, missing="model", constraints=[RULE]).columns


def test_what_is_left_is_noted(rides):
    found = {one["name"]: one["note"] for one in Columns.learn(rides).columns.describe()}
    assert f"the constraint '{RULE}'" in found["total"]
    assert not any("one of few values" in found[name] for name in ("fare", "tip", "riders"))
    # a total of other rows is none, nor is one of which as many values are left
    for other in (
        rides["total"].sample(frac=1, random_state=0).to_numpy(),
        rides["fare"] + rides["tip"] + np.random.default_rng(1).gamma(2, 1, 600).round(2),
    ):
        notes = [
            one["note"] for one in Columns.learn(rides.assign(total=other)).columns.describe()
        ]
        assert not any("one of few values" in note for note in notes)


def test_the_coordinate_of_a_total_is_what_is_left_of_it(rides, columns):
    total = columns.columns[2]
    assert (total.kind, total.values, total.addends) == ("discrete", (0.3, 0.8, 3.3, 3.8), (0, 1))
    assert not columns.rejecting
    z, log_det = columns.encode(rides)
    pd.testing.assert_frame_equal(columns.decode(z), rides)
    # the map keeps volumes: as if what is left stood in the place of the total
    left = rides.assign(total=(rides["total"] - rides["fare"] - rides["tip"]).round(2))
    alone = Columns.learn(left, columns={"total": "discrete"}).columns
    own, own_log_det = alone.encode(left)
    np.testing.assert_allclose(log_det, own_log_det, rtol=1e-12)
    np.testing.assert_allclose(z, own, rtol=1e-12, atol=1e-12)
    moved = columns.decode(z[np.random.default_rng(0).permutation(len(z))] + 0.02)
    rest = (moved["total"] - moved["fare"] - moved["tip"]).round(2)
    assert set(rest) <= {0.3, 0.8, 3.3, 3.8}


def test_what_is_known_of_a_total(rides, columns):
    some = rides.head(4).astype(object)
    some.loc[1, "tip"] = some.loc[2, "total"] = None
    _, log_det, known = columns.encode_known(some)
    assert known.int().tolist() == [[1, 1, 1, 1], [1, 0, 0, 1], [1, 1, 0, 1], [1, 1, 1, 1]]
    whole, whole_log_det = columns.encode(rides.head(4))
    assert log_det[0] == pytest.approx(float(whole_log_det[0]))
    # a part that was filled in agrees with the total that is known
    drawn = torch.where(known, whole, whole.flip(0))
    filled = columns.fill(some, drawn, np.arange(4))
    assert filled["total"][1] == rides["total"][1]
    rest = filled["total"] - filled["fare"] - filled["tip"].astype(float)
    assert set(rest.astype(float).round(2)) <= {0.3, 0.8, 3.3, 3.8}


def test_it_comes_back_and_older_descriptions_are_read(rides, columns):
    config = json.loads(json.dumps(columns.to_config()))
    again = Columns.from_config(config)
    assert (again.encode(rides)[0] == columns.encode(rides)[0]).all()
    assert again.kept().columns[2].addends == (0, 1)
    # what has no sums is written as before they were known
    assert "addends" not in config["columns"][0]
    for wrong in ([0, 0], [2, 0], [0, 9], ["fare"], [[0]]):
        config["columns"][2]["addends"] = wrong
        with pytest.raises(ModelFileError):
            Columns.from_config(config)


def test_a_density_of_such_a_table(rides):
    model = pushforward.GIS(constraints=[RULE], random_state=0, max_layers=3).fit(rides)
    drawn = model.sample(300, random_state=0)
    rest = (drawn["total"] - drawn["fare"] - drawn["tip"]).round(2)
    assert set(rest) <= {0.3, 0.8, 3.3, 3.8}
    # probabilities of what is left are those of totals beside given parts
    given = model.given(rides[["fare", "tip", "riders"]].head(3), random_state=0)
    mass = given.probabilities("total").to_numpy()
    np.testing.assert_allclose(mass.sum(axis=1), 1, rtol=1e-9)
    assert ((mass > 0).sum(axis=1) <= 4).all()
    joint = model.score_samples(rides.head(3))
    part = model.score_samples(rides.head(3).assign(total=np.nan), missing="model")
    of_given = given.score_samples(rides.head(3))
    np.testing.assert_allclose(joint - part, of_given, atol=0.35)
    some = model.given({"total": 20.0}, random_state=0).sample(50, random_state=0)
    assert (some["total"] == 20).all()
    assert set((some["total"] - some["fare"] - some["tip"]).round(2)) <= {0.3, 0.8, 3.3, 3.8}
    low = model.given({"total": (20, 25)}, random_state=0).sample(50, random_state=0)
    assert low["total"].between(20, 25).all()
