"""Neural flows of tables: the contract, and densities that are densities."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.utils.estimator_checks import parametrize_with_checks

import pushforward
from pushforward.errors import NotFittedError, ParameterError, TrainingError
from pushforward.models.flows import TableFlow

QUICK = {"steps": 20, "couplings": 2, "width": 8, "random_state": 0}


SHORT = {**QUICK, "steps": 3}


@parametrize_with_checks([TableFlow(**SHORT), TableFlow(network="nice", **SHORT)])
def test_scikit_learn_finds_nothing_wrong(estimator, check):
    check(estimator)


@pytest.mark.parametrize("network", ["realnvp", "nice"])
def test_the_density_of_a_plane_integrates_to_one(network):
    X = pushforward.load_dataset("two_moons").to_numpy()
    model = TableFlow(network=network, steps=30, couplings=4, width=16, random_state=0).fit(X)
    side = np.linspace(-6, 7, 200)
    grid = np.stack(np.meshgrid(side, side), -1).reshape(-1, 2)
    mass = np.exp(model.score_samples(grid)).sum() * (side[1] - side[0]) ** 2
    assert abs(mass - 1) < 0.01


def test_it_learns_more_than_a_gaussian_and_comes_back_from_its_folder(tmp_path):
    X = pushforward.load_dataset("two_moons")
    model = TableFlow(steps=100, couplings=4, width=24, random_state=0).fit(X)
    gaussian = pushforward.GIS(max_layers=0, whiten=True, validation_fraction=0).fit(X)
    new = pushforward.data.two_moons(500, random_state=9)
    assert model.score(new) > gaussian.score(new) + 0.2
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


def interrupted(after):
    """A report that ends the fit at a step."""

    def report(text, share):
        if text.startswith(f"step {after}"):
            raise KeyboardInterrupt

    return report


@pytest.mark.parametrize("more", [{}, {"contamination": 0.1, "network": "nice"}])
def test_an_interrupted_run_ends_as_an_uninterrupted_one(more, tmp_path):
    X = pushforward.load_dataset("two_moons")[:200]
    weight = np.random.default_rng(0).random(len(X))
    whole = TableFlow(**QUICK, **more).fit(X, sample_weight=weight)
    model = TableFlow(**QUICK, **more)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, sample_weight=weight, folder=tmp_path, report=interrupted(7))
    with pytest.raises(NotFittedError):
        model.sample()
    model.fit(X, sample_weight=weight, folder=tmp_path)
    assert (model.score_samples(X) == whole.score_samples(X)).all()
    assert (model.predict(X) == whole.predict(X)).all()
    assert model.offset_ == whole.offset_
    clock = {"seconds": 0}
    assert [r | clock for r in model.history_] == [r | clock for r in whole.history_]
    assert (tmp_path / "log.csv").read_text().count("\n") == 1 + len(whole.history_)


def test_a_run_goes_on_by_its_seed_with_the_same_rows_only(tmp_path):
    X = pushforward.load_dataset("two_moons")[:200]
    first = TableFlow(**QUICK | {"random_state": None, "steps": 3}).fit(X, folder=tmp_path)
    more = TableFlow(**QUICK | {"random_state": None, "steps": 5}).fit(X, folder=tmp_path)
    assert more._seed == first._seed
    assert [record["step"] for record in more.history_] == [1, 2, 3, 4, 5]
    with pytest.raises(ParameterError, match="continued: it has other data"):
        TableFlow(**QUICK | {"random_state": None}).fit(X + 1, folder=tmp_path)
    with pytest.raises(ParameterError, match="continued: it has width 8, and this one 9"):
        TableFlow(**QUICK | {"random_state": None, "width": 9}).fit(X, folder=tmp_path)


def test_seeds_repeat_and_weights_count():
    X = pushforward.load_dataset("two_moons")[:200]
    fits = [
        TableFlow(**QUICK | {"random_state": seed}).fit(X, sample_weight=weight).score_samples(X)
        for seed, weight in ((1, None), (1, None), (2, None), (1, np.arange(1.0, 201.0)))
    ]
    assert (fits[0] == fits[1]).all()
    assert (fits[0] != fits[2]).any()
    assert (fits[0] != fits[3]).any()


def test_rows_to_choose_by_may_be_given():
    X = pushforward.load_dataset("two_moons")
    model = TableFlow(**QUICK).fit(X[:200], validation=X[200:400])
    assert model.held_out_ == pytest.approx(model.score(X[200:400]))
    assert model.best_["measures"].keys() == {"held_out"}


def test_a_loss_that_is_not_finite_leaves_the_best_weights(monkeypatch):
    X = pushforward.load_dataset("two_moons")[:200]
    loss, steps = TableFlow._loss, []

    def failing(self, batch):
        steps.append(1)
        terms = loss(self, batch)
        return terms if len(steps) < 15 else {**terms, "nats": terms["nats"] * np.inf}

    monkeypatch.setattr(TableFlow, "_loss", failing)
    model = TableFlow(**QUICK)
    with pytest.raises(TrainingError, match="step 15, "):
        model.fit(X)
    assert model.best_["step"] < 15
    assert np.isfinite(model.score_samples(X)).all()
    assert (model.predict(X) == 1).mean() > 0.8


def test_tables_with_nothing_to_train(tmp_path):
    for X in (np.ones((30, 2)), np.array([[1.0, 2.0]])):
        model = TableFlow(**QUICK).fit(X, folder=tmp_path / "run")
        again = pushforward.load(model.save(tmp_path / "model"))
        assert (again.score_samples(X) == model.score_samples(X)).all()
        assert not (tmp_path / "run").exists()
        assert again.capabilities().history == []


def test_a_flow_keeps_the_zeros_of_a_grid(rng):
    zeros = rng.random(500) < 0.7
    X = pd.DataFrame({"discount": np.where(zeros, 0.0, rng.uniform(1, 30, 500).round(1))})
    X["amount"] = rng.normal(50, 9, 500) - X["discount"]
    model = pushforward.TableFlow(steps=60, couplings=4, width=24, random_state=0).fit(X)
    drawn = model.sample(4000, random_state=0)["discount"]
    assert abs((drawn == 0).mean() - zeros.mean()) < 0.1
    assert ((drawn > 0) & (drawn < 0.9)).mean() < 0.02  # 0.2 as cells
