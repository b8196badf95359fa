"""Discrete columns: lists of values, told from grids, counts and point masses."""

import json

import numpy as np
import pandas as pd
import pytest
import torch

from pushforward.data import Columns
from pushforward.data.tables.value_list import ValueList

NORMAL = torch.distributions.Normal(0.0, 1.0)


def kind(x, **options):
    return Columns.learn(np.asarray(x)[:, None], **options).columns.kinds[0]


def fares(n=1300, seed=0):
    r = np.random.default_rng(seed)
    listed = np.round(r.lognormal(2.5, 1.0, 250), 4)
    return r.choice(listed, n, p=r.dirichlet(np.full(250, 0.5)))


def test_prices_are_a_list_of_values():
    x = fares()
    columns = Columns.learn(x[:, None]).columns
    assert columns.kinds == ("discrete",)
    assert columns.columns[0].values == tuple(np.unique(x))
    assert columns.discrete.tolist() == [True]
    z, _ = columns.encode(x[:, None])
    np.testing.assert_array_equal(columns.decode(z)[:, 0], x)
    index = np.searchsorted(np.unique(x), x)
    np.testing.assert_array_equal(columns.cell_index(z)[:, 0], index)
    low, high = columns.edges(0, index)
    assert ((z[:, 0] > low) & (z[:, 0] < high)).all()


def test_its_density_is_per_unit_and_adds_to_one():
    x = fares()
    columns = Columns.learn(x[:, None]).columns
    cells = columns.columns[0].listed
    middles = (cells.edges[1:] + cells.edges[:-1]) / 2
    draws = [columns.encode(middles[:, None], draw=d) for d in range(200)]
    found = torch.stack([(NORMAL.log_prob(z)[:, 0] + ld).exp() for z, ld in draws]).mean(0)
    low, high = columns.edges(0, np.arange(len(middles)))
    mass = NORMAL.cdf(high) - NORMAL.cdf(low)
    widths = torch.from_numpy(np.diff(cells.edges))
    torch.testing.assert_close(found * widths, mass, rtol=0.02, atol=0)


def test_unseen_values_fall_in_the_cell_they_lie_in():
    cells = ValueList((0.0, 10.0, 20.0, 60.0))
    x = np.array([-5.1, -4.9, 1.0, 16.0, 79.9, 80.0, 1e6])
    assert cells.index(x).tolist() == [-1, 0, 0, 2, 3, 4, 50000]
    np.testing.assert_allclose(
        np.exp(cells.log_width(np.array([-1, 0, 2, 3, 4]))), [20, 10, 25, 40, 20]
    )
    columns = Columns.learn(fares()[:, None]).columns
    z, log_det = columns.encode(np.array([[1e9], [-1e9]]))
    assert z[0] > 1000
    assert z[1] < -1000
    assert torch.isfinite(log_det).all()


@pytest.mark.parametrize(
    ("x", "expected"),
    [
        (lambda r: r.choice([0, 10_000, 20_000], 200), "grid"),
        (lambda r: r.choice([0, 10_000, 20_000, 25_001], 200), "discrete"),
        (lambda r: r.choice([1, 2, 5, 10, 20, 50, 100, 200], 500), "discrete"),
        (lambda r: r.choice([1, 2, 5, 10, 20, 50, 100, 200.0], 500), "discrete"),
        (lambda r: r.integers(1, 60, 500) * 1000, "grid"),
        (lambda r: r.integers(1, 60, 500) * 1000.0, "grid"),
        (lambda r: r.poisson(3, 500), "integer"),
        (lambda r: np.floor(r.pareto(1.0, 1000)).astype(int).clip(0, 900), "integer"),
        (lambda r: np.floor(r.lognormal(8, 1, 1000)).astype(int), "integer"),
        (lambda r: r.integers(0, 2, 500) * 8, "integer"),
        (lambda r: np.round(r.normal(0, 1, 5000), 2), "grid"),
        (lambda r: r.normal(0, 1, 500), "continuous"),
        (lambda r: np.repeat(r.normal(size=20), 10), "discrete"),
        (lambda r: np.repeat(r.normal(size=250), 2), "continuous"),
        (lambda r: r.choice([1.69, 1.79, 1.99, 2.09, 2.13, 2.18], 400), "discrete"),
    ],
)
def test_told_from_grids_and_counts(x, expected):
    for seed in range(3):
        assert kind(x(np.random.default_rng(seed))) == expected


def test_copies_of_rows_are_no_repeats():
    r = np.random.default_rng(0)
    X = r.normal(size=(30, 3))
    assert set(Columns.learn(np.repeat(X, 8, axis=0)).columns.kinds) == {"continuous"}
    words = pd.DataFrame({"x": fares(), "w": r.choice(["a", "b"], 1300)})
    assert Columns.learn(words).columns.kinds == ("discrete", "category")


def test_whole_numbers_in_steps_keep_their_dtype():
    x = np.random.default_rng(0).integers(1, 60, (500, 1)) * 1000
    columns = Columns.learn(x).columns
    back = columns.decode(torch.linspace(-3, 3, 100).double()[:, None])
    assert back.dtype == x.dtype
    assert (back % 1000 == 0).all()
    np.testing.assert_array_equal(columns.decode(columns.encode(x)[0]), x)


def test_declared_and_saved():
    x = np.round(np.random.default_rng(0).normal(size=40), 3)
    columns = Columns.learn(x[:, None], columns={0: "discrete"}).columns
    assert columns.kinds == ("discrete",)
    again = Columns.from_config(json.loads(json.dumps(columns.to_config())))
    assert again.to_config() == columns.to_config()
    np.testing.assert_array_equal(again.decode(again.encode(x[:, None])[0])[:, 0], x)


def test_categories_alone_are_nominal():
    frame = pd.DataFrame({"w": list("abca"), "b": [True, False] * 2, "n": [1, 2, 2, 3]})
    columns = Columns.learn(frame).columns
    assert columns.nominal.tolist() == [True, False, False]
