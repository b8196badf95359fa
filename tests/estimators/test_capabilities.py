"""What models say that they can do is what they do."""

import inspect
from pathlib import Path

import numpy as np
import pytest
import torch

import pushforward
from pushforward.cli.registry import METHOD_OF, MODELS
from pushforward.data import Codec
from pushforward.errors import NotFittedError, UnsupportedError
from pushforward.estimators.capabilities import capabilities_of, is_model, methods_of

GOLDEN = Path(__file__).parent.parent / "golden"
# a predictor makes no rows, and has none of what is asked here
FOLDERS = sorted(
    path.name
    for path in GOLDEN.iterdir()
    if (path / "config.json").exists() and path.name != "predictor"
)
KINDS = {"tables": "table", "images": "images", "text": "text"}


@pytest.fixture(scope="module", params=FOLDERS)
def model(request):
    return pushforward.load(GOLDEN / request.param)


def test_every_family_says_what_its_samples_and_scores_bear_out(model):
    can = model.capabilities()
    rows = model.sample(3, random_state=0)
    assert isinstance(can.codec, Codec)
    assert can.codec.kind == can.kind
    assert can.density == ("score_samples" in can.methods)
    z, _ = can.codec.encode(can.codec.open(rows))
    assert z.shape == (3, *can.codec.event_shape)
    assert can.conditional == (can.classes is not None)
    if can.conditional:
        assert len(model.sample(2, random_state=0, y=can.classes[0])) == 2


def test_latents_become_rows_and_come_back(model):
    can = model.capabilities()
    latents = can.latent_space
    generator = torch.Generator().manual_seed(0)
    if latents is None:
        assert can.draw is not None or type(model).__name__ == "RefinedModel"
        if can.draw is not None:
            assert can.draw(3, generator).shape == (3, *can.codec.event_shape)
        return
    codes = latents.prior.sample(3, generator)
    with torch.no_grad():
        z = latents.decode(codes)
        assert z.shape == (3, *can.codec.event_shape)
        can.codec.decode(z)
        assert latents.encode is not None or not latents.invertible
        if latents.encode is not None:
            again = latents.encode(z)
            assert again.shape == codes.shape
            if latents.invertible:
                torch.testing.assert_close(again.double(), codes.double(), rtol=0, atol=0.05)


def test_levels_and_temperature_are_those_of_codes_and_samples(model):
    can = model.capabilities()
    asked = inspect.signature(model.sample).parameters
    assert can.temperature == ("temperature" in asked)
    if not can.latent_levels:
        return
    y = {} if can.classes is None else {"y": can.classes[0].item()}
    codes = model.encode(model.sample(2, random_state=0), **y)
    assert codes.shape[1] == sum(can.latent_levels)


def test_the_critic_says_of_encoded_rows_what_it_says_of_rows(model):
    can = model.capabilities()
    assert (can.critic is not None) == can.can("critic")
    if can.critic is not None:
        rows = model.sample(4, random_state=1)
        seen = can.codec.encode(can.codec.open(rows), *([None] if can.kind == "images" else []))[0]
        with torch.no_grad():
            said = can.critic(seen.float())
        np.testing.assert_allclose(said.numpy(), model.critic(rows), rtol=1e-4, atol=1e-4)


COMMANDS = {command for entry in MODELS.values() for command in entry.can} - {"continue"}


def test_the_command_says_what_a_model_of_that_name_can_do(model):
    entries = [entry for entry in MODELS.values() if entry.cls == type(model).__name__]
    if not entries:
        assert type(model).__name__ == "RefinedModel"
        return
    (entry,), can = entries, model.capabilities()
    assert KINDS[entry.data] == can.kind
    assert ("continue" in entry.can) == can.resumable
    able = {command for command in COMMANDS if can.can(METHOD_OF.get(command, command))}
    if can.kind != "images":  # which those commands are for
        able -= {"interpolate", "edit", "diagnose"}
    assert able == set(entry.can) - {"continue"}


def test_a_model_that_is_not_fitted_says_so():
    with pytest.raises(NotFittedError):
        pushforward.GIS().capabilities()


def test_a_model_of_ones_own_needs_no_more_than_sample():
    class Mine:
        def sample(self, n_samples, random_state=None):
            return np.zeros((n_samples, 2))

    class Scoring(Mine):
        def score_samples(self, X):
            return np.zeros(len(X))

    class Recorded(Mine):
        history_, offset_ = [{"step": 1, "loss": 2.0}], np.float64(-3)

    can = capabilities_of(Recorded())
    assert (can.history, can.threshold) == ([{"step": 1, "loss": 2.0}], -3.0)
    can = capabilities_of(Mine())
    assert (can.kind, can.density, can.codec, can.latent_space) == ("rows", False, None, None)
    assert capabilities_of(Scoring()).density
    assert methods_of(Scoring()) == {"sample", "score_samples"}
    assert is_model(Mine())


def test_what_a_model_of_ones_own_says_of_itself_counts():
    inner = pushforward.load(GOLDEN / "gis")

    class Wrapped:
        def sample(self, n_samples, random_state=None):
            return inner.sample(n_samples, random_state)

        def capabilities(self):
            return inner.capabilities()

    assert capabilities_of(Wrapped()).kind == "table"


@pytest.mark.parametrize("data", [np.zeros((3, 2)), ["a", "b"], 3])
def test_data_are_no_models(data):
    assert not is_model(data)
    with pytest.raises(UnsupportedError, match="has no method 'sample'"):
        capabilities_of(data)


def test_frames_can_be_sampled_and_are_data():
    import pandas as pd

    assert not is_model(pd.DataFrame({"x": [1.0]}))


def test_a_predictor_makes_no_rows():
    model = pushforward.load(GOLDEN / "predictor")
    can = model.capabilities()
    assert (can.kind, can.density, can.latent_space, can.draw) == ("prediction", False, None, None)
    assert can.can("predict_interval")
    assert not can.can("sample")
    with pytest.raises(UnsupportedError, match="makes no rows"):
        pushforward.evaluate(model, np.zeros((30, 7)))
