"""WGAN-GP of tables: who moves by what, what goes in comes out, runs that go on."""

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

import pushforward
from pushforward.errors import (
    DataError,
    ModelFileError,
    NotFittedError,
    ParameterError,
    UnsupportedError,
)
from pushforward.metrics import grid_of_gaussians, modes
from pushforward.models.gans import CharacterGAN, TableGAN
from pushforward.models.gans.row_distance import neighbour_divergence
from pushforward.models.gans.table_gan import CellSource
from pushforward.training import Stream, TensorSource

SMALL = {"width": 8, "depth": 2, "batch_size": 16, "device": "cpu", "random_state": 0}


@pytest.fixture(scope="module")
def frame():
    return pushforward.data.mixture(200, random_state=1).astype({"count": "int32"})


@pytest.fixture(scope="module")
def fitted(frame):
    return TableGAN(**SMALL, steps=3).fit(frame)


def text_gan(**more):
    lines = ["a cat sat", "the dog ran off", "a dog", "cats"] * 10
    return CharacterGAN(width=4, blocks=1, latent=3, batch_size=8, device="cpu", **more), lines


def networks_and_batches():
    table = TableGAN(**SMALL, steps=1).fit(np.random.default_rng(0).normal(size=(40, 3)))
    text, lines = text_gan(steps=1, random_state=0)
    with pytest.warns(UserWarning, match=r"no text: its four-grams are 1\.00"):
        text.fit(lines)
    numbers = torch.from_numpy(text.alphabet_.numbers(lines))
    corners = nn.functional.one_hot(numbers, text.alphabet_.n_symbols).float()
    for model, x in ((table, torch.randn(16, 3)), (text, corners)):
        yield model, Stream(TensorSource(x), 8, seed=0).batch(0)


def test_each_phase_moves_one_player_by_its_own_gradient():
    for model, batch in networks_and_batches():
        for phase in model._phases():
            for name, network in model.networks_.items():
                network.zero_grad()
                network.requires_grad_(name in phase.networks)
            torch.stack([*phase.loss(batch).values()]).sum().backward()
            for name, network in model.networks_.items():
                slopes = [p.grad for p in network.parameters()]
                if name in phase.networks:
                    assert sum(s.abs().sum() for s in slopes if s is not None) > 0
                else:
                    assert slopes == [None] * len(slopes)
        again = model.settings_["critic_steps"]
        assert {p.name: p.repeats for p in model._phases()} == {"critic": again, "generator": 1}


class Slope(nn.Module):
    """A critic of one slope, in the direction of the first number."""

    def __init__(self, size):
        super().__init__()
        self.size = nn.Parameter(torch.tensor(size))

    def forward(self, x):
        return self.size * x.flatten(1)[:, 0]


@pytest.mark.parametrize("size", [1.0, 2.0, 3.0])
def test_the_penalty_is_of_each_row_on_its_own(size):
    for model, batch in networks_and_batches():
        model.networks_ |= {"critic": Slope(size)}
        penalty = model._critic_loss(batch)["penalty"]
        expected = model.settings_["penalty"] * (size - 1) ** 2
        assert penalty.item() == pytest.approx(expected, abs=1e-6)


# What comes in comes out


def test_columns_and_dtypes_of_a_frame(fitted, frame):
    made = fitted.sample(50, random_state=0)
    assert made.columns.tolist() == frame.columns.tolist()
    assert made.dtypes.tolist() == frame.dtypes.tolist()
    assert set(made["group"]) <= set("abc")
    assert (made["count"] >= 0).all()
    assert fitted.n_features_in_ == 4
    assert fitted.feature_names_in_.tolist() == frame.columns.tolist()
    pd.testing.assert_frame_equal(made, fitted.sample(50, random_state=0))


def test_arrays_bounds_and_constant_columns():
    rng = np.random.default_rng(0)
    X = np.stack([rng.random(60), np.full(60, 7.0), rng.exponential(size=60)], 1)
    X = X.astype(np.float32)
    model = TableGAN(**SMALL, steps=2, bounds={0: (0, 1)}).fit(X)
    made = model.sample(40, random_state=0)
    assert made.dtype == np.float32
    assert made.shape == (40, 3)
    assert (made[:, 1] == 7).all()
    assert ((made[:, 0] >= 0) & (made[:, 0] <= 1)).all()
    assert model.settings_["latent"] == 2
    assert model.decode(model.prior(40, random_state=0)).tolist() == made.tolist()


def test_rows_lie_anywhere_in_their_cell(frame):
    columns = pushforward.Columns.learn(frame).columns
    z, _ = columns.encode(frame)
    source = CellSource.of(columns, z)
    generator = torch.Generator().manual_seed(0)
    draws = torch.stack([source.take(np.arange(200), generator)[0] for _ in range(50)])
    for draw in draws[:3]:
        pd.testing.assert_frame_equal(columns.decode(draw), columns.decode(z))
    spread = draws.std(0).amax(0)
    assert ((spread > 0) == columns.discrete).all()


def test_a_saved_model_is_the_same(fitted, frame, tmp_path):
    folder = fitted.save(tmp_path / "model")
    again = pushforward.load(folder)
    pd.testing.assert_frame_equal(
        again.sample(9, random_state=3), fitted.sample(9, random_state=3)
    )
    assert (again.critic(frame) == fitted.critic(frame)).all()
    assert again.get_params() == fitted.get_params()
    assert again.best_ == fitted.best_
    assert "| group | category | a, b, c |" in (folder / "README.md").read_text()
    assert "@" in again.cite()


def same_runs(a, b):
    for key, value in a.history_[-1].items():
        assert key == "seconds" or value == b.history_[-1][key], key
    for key, value in a._tensors().items():
        assert torch.equal(value, b._tensors()[key]), key


def test_ten_steps_and_ten_are_twenty(frame, tmp_path):
    constant = {**SMALL, "preset": "paper", "latent": 4}  # its rate does not know the budget
    TableGAN(**constant, steps=10).fit(frame, folder=tmp_path)
    resumed = TableGAN(**constant, steps=20).fit(frame, folder=tmp_path)
    same_runs(TableGAN(**constant, steps=20).fit(frame), resumed)
    with pytest.raises(ParameterError, match="another folder"):
        TableGAN(**constant, steps=20).fit(frame[:150], folder=tmp_path)


def test_an_interrupted_run_goes_on(frame, tmp_path):
    def stop(text, share):
        if share >= 0.5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        TableGAN(**SMALL, steps=10).fit(frame, folder=tmp_path, report=stop)
    resumed = TableGAN(**SMALL, steps=10).fit(frame, folder=tmp_path)
    same_runs(TableGAN(**SMALL, steps=10).fit(frame), resumed)


def test_the_best_weights_are_those_of_the_nearest_samples(fitted, frame):
    values = [
        record[name]
        for record in fitted.history_
        for name in ("divergence", "averaged.divergence")
        if name in record
    ]
    assert fitted.best_["value"] == min(values)
    model = TableGAN(**SMALL, steps=2).fit(frame, validation=frame[:30])
    assert "divergence" in model.best_["measures"]
    assert TableGAN(**SMALL, steps=2, validation_fraction=0.0).fit(frame).best_ is None


def test_the_divergence_of_normals():
    g = torch.Generator().manual_seed(0)
    a, b = torch.randn(2, 1500, 2, generator=g)
    shift = torch.tensor([1.5, 0.0])
    assert neighbour_divergence(a, b) == pytest.approx(0, abs=0.15)
    assert neighbour_divergence(a, b + shift) == pytest.approx(1.5**2, rel=0.25)
    assert neighbour_divergence(a, a) < 100  # equal rows give a number
    assert np.isfinite(neighbour_divergence(a, torch.zeros(1500, 2)))


def test_samples_approach_the_data():
    rng = np.random.default_rng(0)
    x = rng.normal(size=1000)
    X = np.stack([3 + x, 0.95 * x + 0.3 * rng.normal(size=1000)], axis=1)
    model = TableGAN(
        **{**SMALL, "width": 32, "batch_size": 64}, learning_rate=5e-3, steps=100
    ).fit(X)
    made = model.sample(2000, random_state=0)
    assert np.corrcoef(made.T)[0, 1] > 0.8
    np.testing.assert_allclose(made.mean(0), [3, 0], atol=0.5)
    first = next(record["divergence"] for record in model.history_ if "divergence" in record)
    assert model.best_["value"] < min(0.5, first / 4)


# What is refused


def test_there_is_no_likelihood(fitted, frame):
    for name in ("score_samples", "score", "encode"):
        assert not hasattr(fitted, name)
        with pytest.raises(UnsupportedError, match="GIS"):
            getattr(fitted, name)
    text, _ = text_gan(steps=1)
    with pytest.raises(UnsupportedError, match="No model of lines"):
        _ = text.score_samples
    with pytest.raises(NotFittedError):
        text.sample(2)
    with pytest.raises(AttributeError, match="nonsense"):
        _ = fitted.nonsense


@pytest.mark.parametrize(
    ("wrong", "match"),
    [
        ({"preset": "best"}, "fast, paper"),
        ({"width": 0}, "width"),
        ({"depth": 1.5}, "depth"),
        ({"latent": -1}, "latent"),
        ({"penalty": 0.0}, "penalty"),
        ({"critic_steps": 0}, "critic_steps"),
        ({"validation_fraction": 1.0}, "validation_fraction"),
        ({"networks": {"encoder": nn.Identity()}}, "generator, critic"),
        ({"networks": {"generator": nn.Linear(4, 3)}}, "shape"),
    ],
)
def test_wrong_settings(wrong, match, frame):
    with pytest.raises(ParameterError, match=match):
        TableGAN(**{**SMALL, "steps": 1, **wrong}).fit(frame)


def test_wrong_rows(fitted, frame):
    with pytest.raises(DataError, match="constant"):
        TableGAN(**SMALL, steps=1).fit(np.ones((30, 2)))
    with pytest.raises(DataError, match="NaN"):
        TableGAN(**SMALL, steps=1).fit(np.array([[1.0, np.nan], [2.0, 3.0]]))
    with pytest.raises((DataError, ValueError), match="group"):
        fitted.critic(frame.drop(columns="group"))
    with pytest.raises(DataError, match=r"\(n, 4\)"):
        fitted.decode(np.zeros((2, 5)))
    with pytest.raises(DataError, match="finite"):
        fitted.decode(np.full((2, 4), np.inf))
    with pytest.raises(ParameterError, match="temperature"):
        fitted.sample(2, temperature=0.5)
    with pytest.raises(ParameterError, match="n_samples"):
        fitted.sample(0)


def test_networks_of_ones_own(frame, tmp_path):
    own = {"generator": nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 4))}
    model = TableGAN(**SMALL, networks=own, latent=4, steps=2).fit(frame)
    folder = model.save(tmp_path / "model")
    with pytest.raises(ModelFileError, match="restore"):
        pushforward.load(folder)
    again = TableGAN(**SMALL, networks=own, latent=4).restore(folder)
    pd.testing.assert_frame_equal(again.sample(5, 0), model.sample(5, 0))


# The sets it is shown on


def test_the_samplers_of_the_toys_are_exact():
    centres, sd = grid_of_gaussians()
    X = pushforward.data.gaussian_grid(20_000, random_state=1).to_numpy()
    quality, found, imbalance = modes(X, centres, sd)
    assert quality.value > 0.999
    assert found.value == 25
    assert imbalance.value < 0.002
    assert quality.details["spread"] == pytest.approx(1, abs=0.02)
    from sklearn.datasets import make_swiss_roll

    theirs = make_swiss_roll(20_000, noise=0.25, random_state=0)[0][:, [0, 2]] / 7.5
    ours = pushforward.data.swiss_roll(20_000, random_state=1).to_numpy()
    for power in (1, 2, 3):
        np.testing.assert_allclose((ours**power).mean(0), (theirs**power).mean(0), atol=0.03)
