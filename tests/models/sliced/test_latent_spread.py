"""The spread of latents: samples as wide as the rows, and not wider than held-out rows bear."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_wine

from pushforward import GIS
from pushforward.models.sliced.latent_spread import matched_spread, rows_to_match
from pushforward.transport import Component, Rows, SlicedDensity


def unit(d, scale=1.0):
    component = Component(0.0, torch.zeros(d).double(), scale * torch.eye(d).double(), [])
    return SlicedDensity.assemble([component])


def normal(n, d, seed):
    return Rows.continuous(torch.from_numpy(np.random.default_rng(seed).normal(size=(n, d))))


def test_a_density_half_as_wide_as_the_rows_is_spread_twice():
    # latents of held-out rows have a mean square of 4, so that three is not too wide for them
    spread = matched_spread(unit(5, 0.5), normal(4000, 5, 0), normal(800, 5, 1), 0)
    assert spread == pytest.approx(2, abs=0.1)


def test_a_density_as_wide_as_the_rows_stays_and_so_does_a_wider_one():
    assert matched_spread(unit(5), normal(4000, 5, 0), normal(800, 5, 1), 0) < 1.05
    assert matched_spread(unit(5, 2.0), normal(4000, 5, 0), normal(800, 5, 1), 0) == 1


def test_held_out_rows_bound_the_spread():
    train, held_out = normal(4000, 5, 0), normal(800, 5, 1)
    narrow = Rows.continuous(0.5 * held_out.x)
    assert matched_spread(unit(5, 0.5), train, narrow, 0) < 1.1


def test_without_rows_or_columns_nothing_is_spread():
    assert matched_spread(unit(3), normal(50, 3, 0), normal(0, 3, 1), 0) == 1
    assert matched_spread(unit(0), normal(50, 0, 0), normal(9, 0, 1), 0) == 1


def test_of_many_rows_some_are_compared(monkeypatch):
    rows = normal(500, 2, 0)
    assert rows_to_match(rows, 0) is rows
    monkeypatch.setattr("pushforward.models.sliced.latent_spread._ROWS", 400)
    some = rows_to_match(rows, 0)
    assert len(some) == 400
    assert len(some.x.unique(dim=0)) == 400


def test_samples_of_many_columns_and_few_rows_are_as_wide_as_the_rows():
    x = load_wine().data
    model = GIS(random_state=0).fit(x)
    ratio = model.sample(4000, random_state=0).std(0) / x.std(0)
    assert np.exp(np.log(ratio).mean()) == pytest.approx(1, abs=0.05)
    model.density_ = model.density_.with_spread(1.0)
    narrow = model.sample(4000, random_state=0).std(0) / x.std(0)
    assert np.exp(np.log(narrow).mean()) < 0.93
    faithful = GIS(random_state=0, max_layers=2, faithful=True).fit(x)
    assert float(faithful.density_.spread) == 1


def test_point_masses_begin_with_a_marginal_layer():
    rng = np.random.default_rng(0)
    x = rng.gamma(2.0, size=(300, 2))
    x[rng.random(300) < 0.4, 0] = 0.0
    mixed, plain = (GIS(random_state=0, max_layers=5).fit(part) for part in (x, x[:, 1:]))
    assert mixed.density_.margins is not None
    assert plain.density_.margins is None
    assert np.mean(mixed.sample(4000, random_state=0)[:, 0] == 0) == pytest.approx(0.4, abs=0.1)
    assert GIS(random_state=0, max_layers=1, margins=False).fit(x).density_.margins is None
