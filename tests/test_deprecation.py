"""An old word works and warns, beside the new one it is refused, and signatures do not have it."""

import inspect
import warnings

import pytest
from sklearn.base import clone

import pushforward
from pushforward import ParameterError
from pushforward.deprecation import old_words, renamed
from pushforward.estimators.registry import MODELS


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
