"""Images in every form that ``fit`` takes are images to ``evaluate`` too."""

import pytest
import torch
from PIL import Image

import pushforward
from pushforward.errors import DataError, ParameterError


@pytest.fixture(scope="module")
def digits():
    found = pushforward.open_images("digits")
    return found.images[:120][:, 0], found.labels[:120]


def distance(samples, real, **options):
    return pushforward.evaluate(samples, real, measures=["fid"], cache=False, **options)[
        "fid"
    ].value


FORMS = {
    "list": lambda X, y: list(X),
    "pair": lambda X, y: (X, y),
    "pictures": lambda X, y: [Image.fromarray(one) for one in X],
    "data set": lambda X, y: torch.utils.data.TensorDataset(torch.from_numpy(X)),
    "fractions": lambda X, y: X / 255.0,
}


@pytest.mark.parametrize("form", list(FORMS))
def test_the_form_of_images_changes_nothing(digits, form):
    X, y = digits
    made = FORMS[form]
    options = {"pixel_range": (0, 1)} if form == "fractions" else {}
    expected = distance(X[:60], X[60:])
    assert distance(made(X[:60], y[:60]), X[60:], **options) == expected
    assert distance(X[:60], made(X[60:], y[60:]), **options) == expected


def test_labels_that_come_with_training_images_are_used(digits):
    X, y = digits
    found = pushforward.evaluate(X[:40], X[40:80], measures=["fid"], train=(X, y), cache=False)
    assert "classifier" in found["fid"].details["features"]


def test_what_cannot_be_compared_says_so(digits):
    X, _ = digits
    with pytest.raises(DataError, match="Got None"):
        pushforward.evaluate(X, None)
    with pytest.raises(ParameterError, match="models or samples by name"):
        pushforward.compare([X, X], X)
    with pytest.raises(DataError, match=r"pixel_range=\(0, 1\)"):
        pushforward.evaluate(X / 255.0, X)
    with pytest.raises(DataError, match=r"pixel_range=\(0, 1\)"):
        pushforward.evaluate(X, X / 255.0)


def test_an_evaluation_without_measures_prints_why(digits):
    text = str(pushforward.evaluate(digits[0][:1], digits[0], cache=False))
    assert "no measure could be taken" in text
    assert "Expected at least 4 rows" in text
