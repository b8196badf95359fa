"""Neural flows of tables: the contract, and densities that are densities."""

import numpy as np
import pytest
import torch
from sklearn.utils.estimator_checks import parametrize_with_checks

import pushforward
from pushforward.models.flows import TableFlow

QUICK = {"steps": 20, "couplings": 2, "width": 8, "random_state": 0}


@parametrize_with_checks([TableFlow(**QUICK), TableFlow(network="nice", **QUICK)])
def test_scikit_learn_finds_nothing_wrong(estimator, check):
    check(estimator)


@pytest.mark.parametrize("network", ["realnvp", "nice"])
def test_the_density_of_a_plane_integrates_to_one(network):
    X = pushforward.load_dataset("two_moons").to_numpy()
    model = TableFlow(network=network, steps=300, couplings=4, width=32, random_state=0).fit(X)
    side = np.linspace(-6, 7, 400)
    grid = np.stack(np.meshgrid(side, side), -1).reshape(-1, 2)
    mass = np.exp(model.score_samples(grid)).sum() * (side[1] - side[0]) ** 2
    assert abs(mass - 1) < 0.01


def test_it_learns_more_than_a_gaussian_and_comes_back_from_its_folder(tmp_path):
    X = pushforward.load_dataset("two_moons")
    model = TableFlow(steps=400, couplings=6, width=32, random_state=0).fit(X)
    gaussian = pushforward.GIS(max_layers=0, whiten=True, validation_fraction=0).fit(X)
    new = pushforward.data.two_moons(500, random_state=9)
    assert model.score(new) > gaussian.score(new) + 0.3
    again = pushforward.load(model.save(tmp_path / "flow"))
    assert (again.score_samples(new) == model.score_samples(new)).all()
    assert again.sample(3, random_state=1).equals(model.sample(3, random_state=1))
    assert len(model.explain(new.iloc[:2])) == 4


def test_mixed_columns_and_the_threads_random_state():
    X = pushforward.load_dataset("mixture")
    before = torch.get_rng_state()
    model = TableFlow(**QUICK).fit(X)
    assert torch.equal(torch.get_rng_state(), before)
    assert model.sample(4).dtypes.equals(X.dtypes)
