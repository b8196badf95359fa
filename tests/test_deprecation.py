"""An old word works and warns, beside the new one it is refused, and signatures do not have it."""

import inspect
import warnings

import numpy as np
import pytest
from sklearn.base import clone

import pushforward
from pushforward import ParameterError, data, metrics, refinement, report
from pushforward.deprecation import old_words, renamed
from pushforward.estimators.registry import MODELS
from pushforward.refinement.methods import current_settings


@renamed(seed="random_state", labels="y")
def both(X, *, y=None, random_state=0):
    """Give them back."""
    return X, y, random_state


def test_an_old_word_warns_where_it_is_written_and_works():
    with pytest.warns(FutureWarning, match="seed of both .* called random_state") as said:
        assert both(1, seed=3) == (1, None, 3)
    assert said[0].filename == __file__
    with pytest.warns(FutureWarning) as said:
        assert both(1, seed=3, labels=2) == (1, 2, 3)
    assert len(said) == 2


def test_the_new_word_does_not_warn():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert both(1, y=2, random_state=3) == (1, 2, 3)


def test_both_words_at_once_are_refused():
    with pytest.raises(ParameterError, match="seed and random_state"):
        both(1, seed=3, random_state=3)

    @renamed(labels="y")
    def fit(X, y=None):
        return X, y

    with pytest.raises(ParameterError, match="labels and y"):
        fit(1, 2, labels=2)


def test_signatures_and_docstrings_are_those_of_the_function():
    assert list(inspect.signature(both).parameters) == ["X", "y", "random_state"]
    assert both.__doc__ == "Give them back."
    assert old_words(both) == {"seed": "random_state", "labels": "y"}


TRAINED = [
    name
    for name in sorted(set(MODELS) & set(pushforward.__all__))
    if "learning_rate" in getattr(pushforward, name)._get_param_names()
]


@pytest.mark.parametrize("name", TRAINED)
def test_models_take_rate_for_learning_rate(name):
    cls = getattr(pushforward, name)
    with pytest.warns(FutureWarning, match=f"rate of {name}"):
        model = cls(rate=0.25)
    assert model.learning_rate == 0.25
    assert "rate" not in model.get_params()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert clone(model).learning_rate == 0.25
    with pytest.warns(FutureWarning, match="rate of set_params"):
        assert model.set_params(rate=0.5).learning_rate == 0.5
    with pytest.raises(ParameterError, match="rate and learning_rate"):
        cls(rate=0.25, learning_rate=0.5)


def test_all_trained_models_are_among_them():
    assert len(TRAINED) == 17


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (pushforward.evaluate, {"seed": "random_state", "labels": "y"}),
        (pushforward.compare, {"seed": "random_state", "labels": "y"}),
        (pushforward.refine, {"seed": "random_state", "labels": "y"}),
        (refinement.compare_methods, {"seed": "random_state", "labels": "y"}),
        (refinement.collapse, {"seed": "random_state", "labels": "y"}),
        (refinement.dot, {"rate": "learning_rate"}),
        (pushforward.fit, {"checkpoint": "folder"}),
        (pushforward.GIS.fit, {"checkpoint": "folder"}),
        (pushforward.AutoDensity.fit, {"checkpoint": "folder"}),
        (pushforward.Glow.score_samples, {"n_samples": "n_draws"}),
        (pushforward.Glow.bits_per_dim, {"n_samples": "n_draws"}),
        (pushforward.Glow.diagnose, {"seed": "random_state"}),
        (pushforward.VAE.elbo, {"n_samples": "n_draws", "seed": "random_state"}),
        (pushforward.VAE.bits_per_dim, {"n_samples": "n_draws", "seed": "random_state"}),
    ],
    ids=lambda value: getattr(value, "__qualname__", ""),
)
def test_functions_keep_their_old_words(function, words):
    assert old_words(function) == words
    assert not words.keys() & inspect.signature(function).parameters.keys()


OLD = {"seed", "rate", "checkpoint", "labels"}
ROOMS = (pushforward, metrics, metrics.features, refinement, data)


def public():
    """Functions, constructors and methods of the public packages by name."""
    for room in ROOMS:
        for name in room.__all__:
            found = getattr(room, name)
            if inspect.isclass(found) and not issubclass(found, (tuple, Exception)):
                yield f"{room.__name__}.{name}", found.__init__
                for word, method in inspect.getmembers(found, inspect.isfunction):
                    if not word.startswith("_"):
                        yield f"{room.__name__}.{name}.{word}", method
            elif inspect.isfunction(found):
                yield f"{room.__name__}.{name}", found


def test_no_public_signature_has_an_old_word():
    # a set of images has labels as an attribute, with names beside them
    allowed = {"pushforward.data.ImageSet", "pushforward.ImageSet"}
    found = {
        name: OLD & inspect.signature(function).parameters.keys()
        for name, function in public()
        if name not in allowed
    }
    assert len(found) > 200
    assert {name: words for name, words in found.items() if words} == {}


def test_the_old_words_of_a_fit_and_of_a_measure_still_work(tmp_path):
    X = np.random.default_rng(0).normal(size=(60, 2))
    model = pushforward.GIS(max_layers=1, random_state=0)
    with pytest.warns(FutureWarning, match="checkpoint of fit") as said:
        model.fit(X, checkpoint=tmp_path / "work")
    assert said[0].filename == __file__
    new = metrics.sliced_wasserstein(X, X + 1, random_state=3)
    with pytest.warns(FutureWarning, match="seed of sliced_wasserstein"):
        assert metrics.sliced_wasserstein(X, X + 1, seed=3).value == new.value
    with pytest.raises(ParameterError, match="seed and random_state"):
        metrics.sliced_wasserstein(X, X + 1, seed=3, random_state=3)


def test_settings_of_dot_take_rate_for_learning_rate():
    with pytest.warns(FutureWarning, match="called learning_rate"):
        assert current_settings("dot", {"rate": 0.1, "steps": 2}) == {
            "learning_rate": 0.1, "steps": 2,
        }  # fmt: skip
    assert current_settings("drs", {"rate": 0.1}) == {"rate": 0.1}


def test_old_names_of_limitations_are_the_new_ones_and_warn_where_they_are_used():
    with pytest.warns(FutureWarning, match="blind_to .* limitation_of") as caught:
        assert metrics.blind_to is metrics.limitation_of
    assert caught[0].filename == __file__
    with pytest.warns(FutureWarning, match="BLIND_TO .* LIMITATIONS"):
        assert metrics.BLIND_TO is metrics.LIMITATIONS
    measure = metrics.Measure("fid", 1.0)
    with pytest.warns(FutureWarning, match="blind_to .* limitation") as caught:
        assert measure.blind_to == measure.limitation == metrics.LIMITATIONS["fid"]
    assert caught[0].filename == __file__
    with pytest.raises(AttributeError, match="no attribute 'deaf_to'"):
        metrics.deaf_to  # noqa: B018


@pytest.mark.parametrize(
    ("module", "old", "new"),
    [
        (report, "strangest_rows", "least_likely_rows"),
        (report, "Strange", "UnlikelyRow"),
        (refinement, "Look", "StepResult"),
        (refinement, "value_and_slope", "value_and_gradient"),
    ],
)
def test_old_names_of_a_package_are_the_new_ones_and_warn_where_they_are_used(module, old, new):
    with pytest.warns(FutureWarning, match=f"{old} .* {new}") as caught:
        assert getattr(module, old) is getattr(module, new)
    assert caught[0].filename == __file__
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        module.nothing  # noqa: B018


def test_what_was_given_to_read_a_file_was_called_said():
    reading = data.open_data("iris").reading
    with pytest.warns(FutureWarning, match="said .* given") as caught:
        assert reading.said == reading.given == {}
    assert caught[0].filename == __file__


def test_explain_of_images_is_called_inlier_maps():
    X = np.random.default_rng(0).integers(0, 256, (60, 4, 4), dtype=np.uint8)
    model = pushforward.SIG(layers=1, validation_fraction=0, device="cpu", random_state=0).fit(X)
    with pytest.warns(FutureWarning, match="inlier_maps") as caught:
        maps = model.explain(X[:3])
    assert caught[0].filename == __file__
    assert np.array_equal(maps, model.inlier_maps(X[:3]))
    assert maps.shape == (3, 4, 4)
