"""What every fit in a run does alike, whatever a row is."""

import importlib
import inspect
import warnings

import numpy as np
import pandas as pd
import pytest

import pushforward
from pushforward.errors import DataError, ParameterError
from pushforward.estimators.registry import MODELS
from pushforward.estimators.table_density import TableDensity
from pushforward.estimators.trained_model import TrainedModel
from pushforward.storage.model_folder import read_folder, write_folder

IMAGES = np.random.default_rng(0).integers(0, 256, (40, 8, 8), dtype=np.uint8)
ROWS = np.random.default_rng(1).normal(size=(60, 2))
LINES = ["one line", "two lines", "three", "four of them", "five"] * 8
TINY = {"steps": 4, "batch_size": 8, "random_state": 0}
FITS = {
    "dcgan": (lambda: pushforward.DCGAN(width=2, **TINY), IMAGES),
    "table-gan": (lambda: pushforward.TableGAN(width=4, **TINY), ROWS),
    "character-gan": (lambda: pushforward.CharacterGAN(width=4, **TINY), LINES),
}

# a text model of a few steps writes none
pytestmark = pytest.mark.filterwarnings("ignore:What the model writes is no text:UserWarning")
every_fit = pytest.mark.parametrize("name", FITS)


@every_fit
def test_tensorboard_without_a_folder_is_refused(name):
    make, data = FITS[name]
    with pytest.raises(ParameterError, match="tensorboard needs a folder"):
        make().fit(data, tensorboard=True)


@every_fit
def test_validation_rows_are_held_out_in_place_of_a_share(name, tmp_path):
    make, data = FITS[name]
    model = make().fit(data, validation=data[:20], folder=tmp_path)
    assert model.best_ is not None
    again = make().fit(data, validation=data[:20], folder=tmp_path)  # the run is done
    assert again.history_ == model.history_
    with pytest.raises(ParameterError, match="Choose another folder"):
        make().fit(data, validation=data[1:21], folder=tmp_path)


def test_the_note_of_rows_left_out_names_the_callers_line():
    frame = pd.DataFrame(ROWS, columns=["a", "b"])
    frame.iloc[0, 0] = np.nan
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        pushforward.TableGAN(width=4, missing="drop", **TINY).fit(frame)
    (note,) = [one for one in said if "left out" in str(one.message)]
    assert note.filename == __file__


@every_fit
def test_a_run_begun_under_an_old_name_of_a_setting_goes_on(name, tmp_path):
    """``learning_rate`` was called ``rate`` in the settings of a run."""
    make, data = FITS[name]
    make().set_params(steps=2).fit(data, folder=tmp_path)
    config, tensors = read_folder(tmp_path / "checkpoint")
    config["identity"]["rate"] = config["identity"].pop("learning_rate")
    write_folder(tmp_path / "checkpoint", config, tensors, "#")
    model = make().fit(data, folder=tmp_path)
    assert [record["step"] for record in model.history_] == [1, 2, 3, 4]
    config["identity"]["rate"] = 0.5
    write_folder(tmp_path / "checkpoint", config, tensors, "#")
    with pytest.raises(ParameterError, match=r"it has learning_rate 0\.5, and this one 0\.0"):
        make().fit(data, folder=tmp_path)


def test_what_grows_has_no_phases():
    for name in ("_phases", "_prepare", "_measures", "_loss", "_divide"):
        assert hasattr(pushforward.Glow, name)
        assert not hasattr(pushforward.SIG, name)


def test_a_fit_that_cannot_go_on_leaves_the_model_as_it_was():
    model = pushforward.SIG(layers=1, warm_start=True, random_state=0).fit(IMAGES)
    before = model.sample(2, random_state=0)
    with pytest.raises(DataError, match="have shape"):
        model.fit(IMAGES[:, :4])
    with pytest.raises(ParameterError, match="goal is 'likelihood'"):
        model.set_params(goal="likelihood").fit(IMAGES)
    np.testing.assert_array_equal(model.sample(2, random_state=0), before)


def test_every_fit_takes_the_same_words():
    for name, module in MODELS.items():
        cls = getattr(importlib.import_module(module), name)
        takes = inspect.signature(cls.fit).parameters
        assert list(takes)[:3] == ["self", "X", "y"], cls
        words = {"folder": None, "report": None}
        if issubclass(cls, TableDensity):
            words["validation"] = None
        if issubclass(cls, TrainedModel):
            words |= {"validation": None, "tensorboard": False}
        for word, default in words.items():
            assert takes[word].kind is inspect.Parameter.KEYWORD_ONLY, (cls, word)
            assert takes[word].default is default, (cls, word)
