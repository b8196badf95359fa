"""Every parameter of every public class has a declaration, which is looked at before any work."""

import importlib
import inspect
import math

import numpy as np
import pytest

import pushforward
from pushforward.errors import ParameterError
from pushforward.estimators.registry import MODELS
from pushforward.validation import Integer, Number, OneOf, Strings, as_seed

NAN, INF = float("nan"), float("inf")
CLASSES = {
    name: getattr(importlib.import_module(home), name)
    for name, home in MODELS.items()
    if name != "RefinedModel"  # whose fit has a generator to look at first
}
COUNTS = (0, -1, 1.5, True, "5", NAN)
POSITIVES = (0, -1, NAN, INF, True, "5")
FLAGS = (1, 0.0, "yes")
#: What cannot be, by name; what else a word names is of the class.
BAD = {
    **dict.fromkeys(("minutes", "learning_rate", "memory", "clip", "margin"), POSITIVES),
    **dict.fromkeys(("noise", "bandwidth", "ratio", "gain", "scale"), POSITIVES),
    **dict.fromkeys(("image_weight", "code_weight"), POSITIVES),
    **dict.fromkeys(("steps", "batch_size", "width", "latent", "depth", "levels"), COUNTS),
    **dict.fromkeys(("critic_steps", "player_steps", "code", "features", "scales"), COUNTS),
    **dict.fromkeys(("blocks", "length", "characters", "samples", "max_images"), COUNTS),
    **dict.fromkeys(("slices", "patience", "search_steps"), COUNTS),
    **dict.fromkeys(("knots", "search_rows"), (*COUNTS, 1)),
    **dict.fromkeys(("hidden", "layers", "max_layers", "warm_up"), (-1, 1.5, True, "5", NAN)),
    **dict.fromkeys(("ema", "validation_fraction", "gate_floor"), (1.5, 1, -0.1, NAN, True, "0")),
    **dict.fromkeys(("step", "tail_step"), (0, 1.5, -1, NAN, True, "0.1")),
    **dict.fromkeys(("weight", "activity", "label_weight", "penalty"), (-1, NAN, INF, True, "1")),
    **dict.fromkeys(("flip", "conditional", "joint", "learn_top", "warm_start"), FLAGS),
    **dict.fromkeys(("whiten", "margins", "faithful"), FLAGS),
    "tile": FLAGS,
    "shift": (-0.1, 1.5, NAN, True, "0"),
    "alpha": (0, 0.5, NAN, True, "0.1"),
    "bits": (0, 9, 2.5, True, "8"),
    "couplings": COUNTS,
    "contamination": (-0.1, 0.6, NAN, True, "some"),
    "false_alarm_rate": (0, 1, NAN, True, "0.1"),
    "random_state": (-1, 2**32, 1.5, True, "0"),
    "target": (7.5, True),
    "device": ("tpu", 0, "cuda:99"),
    "verbose": (-1, 1.5, "yes"),
}  # fmt: skip


def parameters():
    return [(name, word) for name, cls in CLASSES.items() for word in cls._get_param_names()]


@pytest.mark.parametrize(("name", "word"), parameters())
def test_bad_values_are_refused_before_the_data_are_looked_at(name, word):
    bad = (*BAD.get(word, ("no such word", 7.5)), object())
    for value in bad:
        model = CLASSES[name](**{word: value})  # a constructor only keeps
        with pytest.raises(ParameterError, match=rf"^{word} is .*Expected "):
            model.fit(None)


@pytest.mark.parametrize("name", CLASSES)
def test_defaults_are_fit(name):
    """Each default, and each number of NumPy like it, may be used."""
    cls = CLASSES[name]
    rules = cls._all_rules()
    assert set(rules) == set(cls._get_param_names())
    for word, parameter in inspect.signature(cls.__init__).parameters.items():
        if word == "self":
            continue
        value = parameter.default
        assert rules[word].fits(value), word
        if isinstance(value, float):
            assert rules[word].fits(np.float32(value)), word
        elif isinstance(value, int) and not isinstance(value, bool):
            assert rules[word].fits(np.int64(value)), word


def test_presets_have_values_that_fit():
    """What a preset decides could be said by hand as well, and all of a class decide the same."""
    seen = 0
    for cls in CLASSES.values():
        rules = cls._all_rules()
        presets = getattr(cls, "_presets", {}).values()
        assert len({frozenset(preset) for preset in presets}) <= 1, cls
        for preset in presets:
            for word in set(preset) & set(rules):
                assert rules[word].fits(preset[word]), (cls, word, preset[word])
                seen += 1
    assert seen > 100


def test_ppgn():
    codes = lambda h: h[:, :, None, None]  # noqa: E731
    bad = {"steps": COUNTS, "latent": COUNTS, "pull": (0, 1, NAN), "push": (-1, NAN)}
    for word, values in bad.items():
        for value in values:
            model = pushforward.PPGN(codes, codes, **{"latent": 1, word: value})
            with pytest.raises(ParameterError, match=f"^{word} is"):
                model.sample(1)


def test_numbers_of_numpy_train_and_are_saved(tmp_path):
    X = np.random.default_rng(0).integers(0, 256, (40, 8, 8), dtype=np.uint8)
    words = {"width": 4, "steps": 2, "batch_size": 8, "latent": 3}
    model = pushforward.DCGAN(
        **{word: np.int64(value) for word, value in words.items()},
        learning_rate=np.float32(1e-3), random_state=np.int64(0),
    ).fit(X, folder=tmp_path / "run")  # fmt: skip
    assert pushforward.load(model.save(tmp_path / "model")).sample(2).shape == (2, 8, 8)


@pytest.mark.parametrize("value", [1, np.int64(1), 2.0, np.float32(2)])
def test_one_of_some_numbers_takes_those_that_are_equal(value):
    assert OneOf(1, 2).fits(value)


@pytest.mark.parametrize("value", [True, 3, "1", None, [1], math.nan])
def test_one_of_some_numbers_takes_no_others(value):
    assert not OneOf(1, 2).fits(value)


def test_a_list_of_texts():
    assert Strings().fits(("a",))
    assert Strings().fits([])
    assert not any(Strings().fits(value) for value in ("a", None, [1], {"a": 1}, ["a", None]))


def test_a_number_without_limits_is_finite():
    rule = Number(-math.inf)
    assert rule.fits(-1e300)
    assert not any(rule.fits(value) for value in (math.inf, -math.inf, math.nan, "1", True))


def test_texts():
    assert str(Integer(1, 8) | None) == "a whole number from 1 to 8, or None"
    assert str(Number(-math.inf)) == "a finite number"
    assert str(OneOf(1, 3, why="grey or RGB")) == "one of 1, 3 (grey or RGB)"
    assert str(Number(0, 0.5, ends="[]") | OneOf("auto")) == "a number from 0 to 0.5, or 'auto'"


def test_every_parameter_of_a_refined_model_has_a_rule():
    from pushforward.refinement import RefinedModel

    rules = RefinedModel._all_rules()
    assert set(rules) == set(RefinedModel._get_param_names())
    for word in set(rules) - {"generator", "critic_of"}:  # which may be any object
        with pytest.raises(ParameterError, match=rf"^{word} is .*Expected "):
            RefinedModel(object(), **{word: object()}).fit(None)


def test_a_seed_of_none_is_of_numpys_global_generator_as_in_scikit_learn():
    np.random.seed(7)  # noqa: NPY002
    first = [as_seed(None) for _ in range(3)]
    np.random.seed(7)  # noqa: NPY002
    assert [as_seed(None) for _ in range(3)] == first
    assert len(set(first)) == 3
    assert as_seed(np.random.RandomState(7)) == first[0]


def test_a_model_without_a_seed_repeats_with_numpys():
    X = np.random.default_rng(0).normal(size=(80, 2))
    drawn = []
    for _ in range(2):
        np.random.seed(3)  # noqa: NPY002
        drawn.append(pushforward.GIS(max_layers=1).fit(X).sample(4))
    assert np.array_equal(*drawn)
