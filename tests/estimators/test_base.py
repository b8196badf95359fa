"""The contract: saving, loading, citing, importing."""

import json
import pickle
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch

import pushforward
from pushforward import (
    GIS,
    AutoDensity,
    ModelFileError,
    NotFittedError,
    ParameterError,
    PushforwardError,
)
from pushforward.storage.model_folder import read_folder, write_folder


def mixed(n=150):
    r = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "x": r.exponential(size=n),
            "k": r.integers(0, 5, n),
            "c": r.choice(["a", "b"], n),
            "one": 1.5,
        }
    )


def array(n=150):
    x = np.random.default_rng(1).normal(size=(n, 3))
    x[:, 2] = np.abs(x[:, 2])
    return x


MODELS = {
    "gis": lambda: GIS(max_layers=6, random_state=0).fit(array()),
    "double": lambda: GIS(max_layers=6, precision="float64", random_state=0).fit(array()),
    "margins": lambda: GIS(max_layers=6, margins=True, random_state=0).fit(mixed()),
    "whiten": lambda: GIS(max_layers=0, whiten=True, random_state=0).fit(array()),
    "faithful": lambda: GIS(faithful=True, max_layers=4, random_state=0).fit(array()),
    "auto": lambda: AutoDensity(random_state=0).fit(mixed()),
    "constant": lambda: AutoDensity(random_state=0).fit(np.ones((30, 2))),
    "one row": lambda: GIS().fit([[1.0, 2.0]]),
}


@pytest.mark.parametrize("name", list(MODELS))
def test_a_loaded_model_answers_as_the_saved_one_to_the_last_bit(name, tmp_path):
    model = MODELS[name]()
    again = pushforward.load(model.save(tmp_path / "model"))
    assert type(again) is type(model)
    rows = model.sample(20, random_state=3)
    for method in ("score_samples", "decision_function", "predict"):
        assert (getattr(again, method)(rows) == getattr(model, method)(rows)).all()
    loaded = again.sample(20, random_state=3)
    assert loaded.equals(rows) if isinstance(rows, pd.DataFrame) else (loaded == rows).all()
    assert again.offset_ == model.offset_
    assert again.n_features_in_ == model.n_features_in_
    if isinstance(model, GIS):
        assert (again.transform(rows) == model.transform(rows)).all()
        assert again.history_ == model.history_
        assert again.n_layers_ == model.n_layers_
        assert again.stopped_ == model.stopped_
    else:
        assert again.account() == model.account()


@pytest.mark.parametrize("cls", [GIS, AutoDensity])
def test_every_parameter_is_kept(cls, tmp_path):
    given = {
        "bounds": {2: (0, None), 0: (-10.0, 10)},
        "columns": {1: "continuous"},
        "missing": "drop",
        "contamination": 0.1,
        "false_alarm_rate": 0.01,
        "random_state": 7,
        "minutes": 1.5,
    }
    if cls is GIS:
        given |= {"max_layers": 3, "slices": 2, "step": 0.4, "tail_step": 0.01, "knots": 20}
        given |= {"bandwidth": 0.8, "search_steps": 7, "search_rows": 50, "whiten": True}
        given |= {"margins": True, "validation_fraction": 0.2, "patience": 3}
        given |= {"precision": "float64", "warm_start": True}
    model = cls(**given).fit(array())
    again = pushforward.load(model.save(tmp_path / "model"))
    kept = again.get_params()
    kept["bounds"] = {k: tuple(v) for k, v in kept["bounds"].items()}
    assert kept == model.get_params()


def test_names_of_columns_are_kept(tmp_path):
    model = GIS(max_layers=2, columns={"k": "category"}, bounds={"x": (0, None)}).fit(mixed())
    again = pushforward.load(model.save(tmp_path / "model"))
    assert again.columns == {"k": "category"}
    assert list(again.feature_names_in_) == list(model.feature_names_in_)


def test_numpy_parameters_can_be_saved(tmp_path):
    model = GIS(
        max_layers=np.int64(2), step=np.float32(0.5), random_state=np.random.RandomState(0)
    ).fit(array())
    again = pushforward.load(model.save(tmp_path / "model"))
    assert again.max_layers == 2
    assert again.step == pytest.approx(0.5)
    assert again.random_state is None


def test_a_loaded_model_can_be_fitted_further(tmp_path):
    model = GIS(max_layers=3, warm_start=True, random_state=0).fit(array())
    again = pushforward.load(model.save(tmp_path / "model"))
    again.fit(array())
    model.fit(array())
    assert again.n_layers_ == 6
    assert (again.score_samples(array()) == model.score_samples(array())).all()


def test_the_card_and_the_config_can_be_read(tmp_path):
    folder = GIS(max_layers=2, random_state=0).fit(mixed()).save(tmp_path / "model")
    card = (folder / "README.md").read_text()
    assert "GIS" in card
    assert "x" in card
    config = json.loads((folder / "config.json").read_text())
    assert config["model"]["class"] == "GIS"


def test_a_folder_of_an_unknown_class_is_refused(tmp_path):
    folder = write_folder(tmp_path / "model", {"class": "Popen"}, {"w": torch.ones(1)}, "#")
    with pytest.raises(ModelFileError, match="Popen"):
        pushforward.load(folder)


def damaged(config, tensors):
    """Well-sealed folders whose parts do not fit each other."""
    yield {**config, "columns": None}, tensors
    yield {k: v for k, v in config.items() if k != "offset"}, tensors
    yield {**config, "offset": "low"}, tensors
    yield {**config, "history": 3}, tensors
    yield {**config, "parameters": {"unknown": 1}}, tensors
    yield {**config, "parameters": 5}, tensors
    yield config, {}
    for name in tensors:
        yield config, {k: v for k, v in tensors.items() if k != name}
    for name, tensor in tensors.items():
        yield config, {**tensors, name: tensor.reshape(-1)[:0]}
        yield config, {**tensors, name: torch.zeros(2, 3, 4, 5, 6)}
    name = next(name for name in tensors if name.endswith("flow.depths"))
    depths = tensors[name]
    yield config, {**tensors, name: depths + 1}
    yield config, {**tensors, name: -depths}


def test_parts_that_do_not_fit_each_other_are_refused(tmp_path):
    model = GIS(max_layers=3, margins=True, validation_fraction=0, random_state=0).fit(mixed())
    config, tensors = read_folder(model.save(tmp_path / "model"))
    accepted = []
    for i, (bad_config, bad_tensors) in enumerate(damaged(config, tensors)):
        folder = write_folder(tmp_path / str(i), bad_config, bad_tensors, "#")
        try:
            loaded = pushforward.load(folder)
            loaded.score_samples(mixed())
            accepted.append(i)
        except PushforwardError:
            pass
    assert accepted == []


@pytest.mark.parametrize("cls", [GIS, AutoDensity])
def test_calls_before_fit_say_so(cls, tmp_path):
    model = cls()
    calls = [
        lambda: model.score_samples(array()),
        lambda: model.sample(2),
        lambda: model.predict(array()),
        lambda: model.explain(array()),
        lambda: model.distribution(),
        lambda: model.save(tmp_path / "model"),
    ]
    calls.append((lambda: model.transform(array())) if cls is GIS else (lambda: model.account()))
    for call in calls:
        with pytest.raises(NotFittedError, match="fit"):
            call()
    assert not (tmp_path / "model").exists()


def test_n_draws_below_one_is_refused():
    model = MODELS["gis"]()
    for bad in (0, -3, 1.5, "many", None):
        with pytest.raises(ParameterError, match="n_draws"):
            model.score_samples(array(), n_draws=bad)


def test_cite_gives_bibtex():
    for model in (GIS(), AutoDensity()):
        text = model.cite()
        assert "@inproceedings" in text
        assert "Sliced Iterative Normalizing Flows" in text
        assert text.count("{") == text.count("}")


def test_models_can_be_pickled_for_worker_processes():
    model = MODELS["gis"]()
    again = pickle.loads(pickle.dumps(model))  # noqa: S301 (our own bytes)
    assert (again.score_samples(array()) == model.score_samples(array())).all()


# Importing


def python(code):
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_importing_loads_nothing_heavy():
    code = (
        "import sys, pushforward; heavy = {'torch', 'sklearn', 'pandas', 'scipy', 'polars',"
        " 'matplotlib', 'pyarrow'}; print(sorted(heavy & set(sys.modules)))"
    )
    assert python(code).strip() == "[]"


def test_importing_and_using_leave_torchs_global_state_alone():
    code = """
import torch
def state():
    return (torch.get_default_dtype(), torch.is_grad_enabled(), torch.get_num_threads(),
            torch.are_deterministic_algorithms_enabled(), torch.initial_seed(),
            torch.get_rng_state().sum().item(), torch.get_default_device(),
            torch.get_float32_matmul_precision(), torch.is_anomaly_enabled())
before = state()
import numpy, pushforward
x = numpy.random.default_rng(0).normal(size=(40, 2))
model = pushforward.GIS(max_layers=2, random_state=0).fit(x)
model.sample(3, random_state=0)
pushforward.AutoDensity(random_state=0, minutes=1e-6).fit(x).score(x)
assert state() == before, (state(), before)
"""
    python(code)


def test_every_public_name_is_there_and_in_dir():
    for name in pushforward.__all__:
        assert getattr(pushforward, name) is not None
    assert set(pushforward.__all__) <= set(dir(pushforward))
    with pytest.raises(AttributeError, match="nonsense"):
        _ = pushforward.nonsense
