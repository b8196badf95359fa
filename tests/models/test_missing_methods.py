"""Models that cannot answer a call name those that can."""

import importlib

import pytest

import pushforward
from pushforward.errors import MissingMethodError
from pushforward.models.image_generator import MODELS_WITH


@pytest.mark.parametrize("method", list(MODELS_WITH))
def test_the_models_that_are_named_have_the_method_and_no_other_has(method):
    from pushforward.estimators.registry import MODELS

    of_images = {
        name
        for name, place in MODELS.items()
        if not name.startswith(("Table", "Character", "Auto", "GIS", "Refined", "Predictor"))
        and callable(getattr(getattr(importlib.import_module(place), name), method, None))
    }
    assert set(MODELS_WITH[method]) == of_images


def test_the_text_names_them():
    model = pushforward.DCGAN()
    for method, able in (
        ("score_samples", "Glow"),
        ("bits_per_dim", "SIG"),
        ("encode", "RealNVP"),
    ):
        assert not hasattr(model, method)
        with pytest.raises(MissingMethodError, match=f"has no {method}.*{able}"):
            getattr(model, method)
