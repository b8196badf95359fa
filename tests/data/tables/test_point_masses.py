"""Mixed columns: point masses count with probabilities, the other values per unit."""

import json
import math

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import integrate
from scipy.stats import gaussian_kde

from pushforward.data import Columns
from pushforward.data.tables.point_masses import Atoms
from pushforward.errors import DataError, ModelFileError

NORMAL = torch.distributions.Normal(0.0, 1.0)


def zeros(share, n=1000, seed=0):
    r = np.random.default_rng(seed)
    x = np.where(r.random(n) < share, 0.0, r.gamma(2, 10, n))
    return pd.DataFrame({"x": x, "y": r.normal(size=n)})


def density(columns, X, draws=1):
    """The density of rows under independent standard normal coordinates."""
    total = 0.0
    for draw in range(draws):
        z, log_det = columns.encode(X, draw=draw)
        total = total + (NORMAL.log_prob(z).sum(1) + log_det).exp()
    return (total / draws).numpy()


@pytest.mark.parametrize("share", [0.24, 0.36, 0.9])
def test_a_value_of_many_rows_is_a_point_mass(share):
    frame = zeros(share)
    columns = Columns.learn(frame).columns
    assert columns.kinds == ("mixed", "continuous")
    assert [tuple(one.shape) for one in columns.atoms] == [(1, 2), (0, 2)]
    assert columns.discrete.tolist() == [False, False]
    assert columns.dequantised.tolist() == [True, False]
    z, _ = columns.encode(frame)
    low, high = columns.atoms[0][0]
    inside = ((z[:, 0] > low) & (z[:, 0] < high)).numpy()
    np.testing.assert_array_equal(inside, frame["x"] == 0)
    np.testing.assert_array_equal(columns.cell_index(z)[:, 0], inside.astype(int))
    back = columns.decode(z)
    np.testing.assert_array_equal(back["x"] == 0, frame["x"] == 0)
    np.testing.assert_allclose(back["x"], frame["x"], rtol=1e-9)
    assert abs(float(z[:, 0].mean())) < 0.1
    assert float(z[:, 0].std()) == pytest.approx(1, abs=0.1)


def test_all_of_an_interval_is_exactly_its_value():
    columns = Columns.learn(zeros(0.36)).columns
    low, high = columns.atoms[0][0]
    z = torch.zeros(1001, 2).double()
    z[:, 0] = torch.linspace(float(low), float(high), 1001)[:]
    assert (columns.decode(z[1:-1])["x"] == 0).all()
    z[:, 0] = torch.linspace(float(high) + 1e-6, float(high) + 3, 1001)
    assert (columns.decode(z)["x"] > 0).all()


def test_masses_at_the_ends_and_between_keep_the_order():
    r = np.random.default_rng(0)
    x = r.uniform(0, 50, 2000)
    x[:480], x[480:700], x[700:900] = 50.0, 0.0, 20.0
    columns = Columns.learn(x[:, None]).columns
    assert columns.columns[0].atoms.values == (0.0, 20.0, 50.0)
    z, _ = columns.encode(x[:, None])
    order = np.argsort(z[:, 0].numpy(), kind="stable")
    assert (np.diff(x[order]) >= 0).all()
    np.testing.assert_allclose(columns.decode(z)[:, 0], x, atol=1e-9)


def test_mass_and_density_add_to_one():
    columns = Columns.learn(zeros(0.36)[["x"]]).columns
    low, high = columns.atoms[0][0]
    mass = float(NORMAL.cdf(high) - NORMAL.cdf(low))
    found = density(columns, pd.DataFrame({"x": [0.0]}), draws=500)[0]
    assert found == pytest.approx(mass, rel=0.02)
    parts = [
        integrate.quad(lambda x: density(columns, pd.DataFrame({"x": [x]}))[0], *ends, limit=200)[
            0
        ]
        for ends in ((-200, -1e-12), (1e-12, 400))
    ]
    assert mass + sum(parts) == pytest.approx(1, abs=1e-6)


def test_wide_whole_numbers_have_point_masses_too():
    r = np.random.default_rng(1)
    balance = np.where(r.random(400) < 0.225, 0, r.integers(5, 2000, 400))
    columns = Columns.learn(balance[:, None]).columns
    assert columns.kinds == ("mixed",)
    z, _ = columns.encode(balance[:, None])
    back = columns.decode(z)
    assert back.dtype == balance.dtype
    np.testing.assert_array_equal(back[:, 0], balance)
    # whole numbers beside the mass count with a probability each, and all add to one
    every = np.arange(-5000, 9000)[:, None]
    assert density(columns, every, 20).sum() == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("step", [0.0, 1.0, 0.25])
def test_intervals_lie_beside_each_other(step):
    atoms = Atoms((-2.0, 0.0, 1.0), (3.0, 2.0, 1.5), step)
    assert (np.diff(atoms.intervals.ravel()) >= 0).all()
    x = np.arange(-12, 13) * (step or 0.25)
    for u in (0.01, 0.5, 0.99):
        line, log_slope = atoms.forward(x, np.full(len(x), u))
        assert (np.diff(line) > 0).all()
        np.testing.assert_allclose(atoms.inverse(line), x, atol=1e-12)
        hit = np.isin(x, atoms.values)
        assert (atoms.find(line) > 0).tolist() == hit.tolist()
        assert (log_slope[~hit] == 0).all()
    assert atoms.forward(np.array([0.0]), 0.5)[1][0] == pytest.approx(math.log(2))


def test_a_few_equal_values_are_no_mass():
    r = np.random.default_rng(0)
    x = r.normal(size=1000)
    x[:22] = 0.0
    assert Columns.learn(x[:, None]).columns.kinds == ("continuous",)
    assert Columns.learn(x[:, None], columns={0: "mixed"}).columns.kinds == ("mixed",)
    with pytest.raises(DataError, match="declared mixed, and no value has more rows"):
        Columns.learn(r.normal(size=(50, 1)), columns={0: "mixed"})


def test_bounds_of_a_mixed_column():
    frame = zeros(0.36)
    columns = Columns.learn(frame, bounds={"x": (0, None)}).columns
    assert columns.kinds[0] == "mixed"
    with pytest.raises(DataError, match="leaves its bounds"):
        columns.encode(pd.DataFrame({"x": [-1.0], "y": [0.0]}))
    z = torch.linspace(-9, 9, 200).double()[:, None].expand(-1, 2)
    assert columns.decode(z)["x"].min() == 0


def test_saved_and_read_again():
    columns = Columns.learn(zeros(0.36)).columns
    again = Columns.from_config(json.loads(json.dumps(columns.to_config())))
    assert again.to_config() == columns.to_config()
    assert torch.equal(again.atoms[0], columns.atoms[0])


def test_a_value_that_would_spill_is_a_mass_for_smooth_models(rng):
    zeros = rng.random(400) < 0.7
    discount = np.where(zeros, 0.0, rng.uniform(1, 30, 400).round(1))
    weeks = np.where(zeros, 0, rng.integers(5, 60, 400))
    counts = rng.poisson(15, 400)
    X = pd.DataFrame({"discount": discount, "weeks": weeks, "counts": counts})
    assert Columns.learn(X).columns.kinds == ("grid", "integer", "integer")
    learned = Columns.learn(X, smooth=True).columns
    assert learned.kinds == ("mixed", "mixed", "integer")
    assert learned.columns[0].atoms.values == (0.0,)
    pd.testing.assert_frame_equal(learned.decode(learned.encode(X)[0]), X)


def test_an_atom_over_its_kernel_width_is_what_a_kernel_estimate_has_there():
    r = np.random.default_rng(0)
    x = np.concatenate([np.zeros(900), 50 + 10 * r.normal(size=1100)])
    width = Atoms.learn(x, np.array([0.0]), 0.0, None).kernel_width
    others = x[x != 0]
    bandwidth = 0.9 * others.std() * len(others) ** -0.2  # of normal values
    estimate = gaussian_kde(x, bw_method=bandwidth / x.std(ddof=1))
    assert estimate(0.0)[0] == pytest.approx(0.45 / width, rel=0.03)
    for order, unit in ((x[::-1], 1.0), (x, 2.0**990)):
        assert Atoms.learn(unit * order, np.array([0.0]), 0.0, None).kernel_width == unit * width
    assert Atoms.learn(np.zeros(30), np.array([0.0]), 1.0, None).kernel_width > 1


def test_atoms_of_older_folders_count_by_their_probability():
    columns = Columns.learn(zeros(0.4)).columns
    z, _ = columns.encode(zeros(0.4))
    assert columns.smooths_atoms
    widths = columns.log_kernel_width(z).numpy()
    at = (zeros(0.4)["x"] == 0).to_numpy()
    assert (widths[~at] == 0).all()
    np.testing.assert_allclose(np.exp(widths[at]), columns.columns[0].atoms.kernel_width)
    config = json.loads(json.dumps(columns.to_config()))
    assert Columns.from_config(config).to_config() == columns.to_config()
    del config["columns"][0]["atoms"]["kernel_width"]
    older = Columns.from_config(config)
    assert not older.smooths_atoms
    assert (older.log_kernel_width(z) == 0).all()


@pytest.mark.parametrize("width", [-1.0, float("nan"), "1", None])
def test_a_kernel_width_that_is_none_is_refused(width):
    config = Columns.learn(zeros(0.4)).columns.to_config()
    config["columns"][0]["atoms"]["kernel_width"] = width
    with pytest.raises(ModelFileError, match="kernel_width"):
        Columns.from_config(config)
