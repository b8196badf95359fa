"""SIG of tables: samples come to the rows, and the density is that of the samples."""

import numpy as np
import pytest
import torch
from sklearn.utils.estimator_checks import parametrize_with_checks

import pushforward
from pushforward import TableSIG
from pushforward.errors import ParameterError
from pushforward.transport import Rows

QUICK = {"layers": 3, "search_steps": 3, "knots": 16}


@parametrize_with_checks([TableSIG(**QUICK)])
def test_scikit_learns_checks_pass(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def ring():
    rng = np.random.default_rng(0)
    angle = rng.uniform(0, 2 * np.pi, 2000)
    circle = np.stack([np.cos(angle), np.sin(angle)], 1)
    return 10 + circle * rng.normal(1, 0.05, (2000, 1))


@pytest.fixture(scope="module")
def model(ring):
    return TableSIG(random_state=0).fit(ring)


def test_samples_come_to_the_rows(model, ring):
    def radius(X):
        return np.linalg.norm(X - 10, axis=1)

    made = radius(model.sample(2000, random_state=0))
    before = radius(TableSIG(layers=0, random_state=0).fit(ring).sample(2000, random_state=0))
    assert (np.abs(before - 1) < 0.15).mean() < 0.5  # columns alone are no ring
    assert (np.abs(made - 1) < 0.15).mean() > 0.75
    assert np.abs(np.median(made) - 1) < 0.05


def test_the_density_integrates_to_one(model):
    at = np.linspace(8, 12, 161)
    grid = np.stack(np.meshgrid(at, at), -1).reshape(-1, 2)
    cell = (at[1] - at[0]) ** 2
    assert np.exp(model.score_samples(grid)).sum() * cell == pytest.approx(1, abs=0.05)


def test_it_is_better_than_independent_columns_and_knows_outliers(model, ring):
    alone = TableSIG(layers=0, random_state=0).fit(ring)
    assert model.score(ring) > alone.score(ring) + 0.2
    assert (model.predict(ring) == 1).mean() > 0.9
    assert model.predict([[10.0, 10.0], [13.0, 13.0]]).tolist() == [-1, -1]


def test_a_saved_model_is_the_same_and_seeds_repeat(model, ring, tmp_path):
    again = pushforward.load(model.save(tmp_path / "m"))
    assert (again.score_samples(ring[:50]) == model.score_samples(ring[:50])).all()
    assert (again.sample(9, random_state=1) == model.sample(9, random_state=1)).all()
    assert again.n_layers_ == model.n_layers_ == 100
    fits = [TableSIG(**QUICK, random_state=s).fit(ring).score_samples(ring[:9]) for s in (3, 3, 4)]
    assert (fits[0] == fits[1]).all()
    assert (fits[0] != fits[2]).any()


def test_rows_count_as_often_as_they_weigh():
    x = torch.arange(4.0).double()[:, None]
    rows = Rows.continuous(x, torch.tensor([1.0, 0, 3, 2]).double())
    counts = torch.bincount(rows.evenly().x[:, 0].long(), minlength=4)
    assert torch.allclose(counts / counts.sum(), torch.tensor([1, 0, 3, 2]) / 6, atol=0.1)


def test_minutes_end_a_fit(ring):
    assert TableSIG(minutes=1e-9, random_state=0).fit(ring).n_layers_ == 0


@pytest.mark.parametrize(
    "wrong", [{"layers": -1}, {"slices": 0}, {"step": 0}, {"minutes": 0}, {"knots": 3}]
)
def test_a_wrong_parameter_is_named(wrong, ring):
    with pytest.raises(ParameterError, match=next(iter(wrong))):
        TableSIG(**wrong).fit(ring)


def test_rows_of_ones_own_make_the_threshold(ring):
    own = ring[:400] + 0.3
    model = TableSIG(random_state=0, **QUICK).fit(ring[400:], validation=own)
    assert (model.predict(own) == -1).mean() == pytest.approx(0.05, abs=0.01)
    assert model.held_out_ == pytest.approx(model.score(own))
    all_of_it = TableSIG(random_state=0, validation_fraction=0.0, **QUICK).fit(ring[400:])
    assert np.array_equal(model.score_samples(own), all_of_it.score_samples(own))
