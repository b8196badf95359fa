"""A classifier learned from the given images: right, repeatable, kept on disk, never trusted."""

import warnings

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from pushforward.errors import DataError, ParameterError
from pushforward.metrics.features import ClassifierFeatures, find_features
from pushforward.metrics.features.classifier import Classifier


@pytest.fixture(scope="module")
def digits():
    known = load_digits()
    return (known.images * 15).astype(np.uint8)[:, None], known.target


@pytest.fixture(scope="module")
def learned(digits, tmp_path_factory):
    images, labels = digits
    folder = tmp_path_factory.mktemp("cache")
    return ClassifierFeatures(images[:1400], labels[:1400], cache=folder), folder


def test_it_tells_digits_apart(learned, digits):
    features, _ = learned
    images, labels = digits
    right = (features.probabilities(images[1400:]).argmax(axis=1) == labels[1400:]).mean()
    assert right > 0.85
    assert features.accuracy > 0.9
    assert features(images[:5]).shape == (5, features.dimension) == (5, 128)


def test_what_is_kept_comes_back_bit_for_bit(learned, digits, monkeypatch):
    features, folder = learned
    images, labels = digits

    def untrained(*_):
        raise AssertionError("trained again")

    monkeypatch.setattr("pushforward.metrics.features.classifier._trained", untrained)
    again = ClassifierFeatures(images[:1400], labels[:1400], cache=folder)
    assert again.digest == features.digest
    assert again.accuracy == features.accuracy
    np.testing.assert_array_equal(again(images[:9]), features(images[:9]))
    with pytest.raises(AssertionError, match="trained again"):
        ClassifierFeatures(images[:1400], labels[:1400], random_state=1, cache=folder)
    with pytest.raises(AssertionError, match="trained again"):
        ClassifierFeatures(images[:1399], labels[:1399], cache=folder)


def test_a_damaged_cache_is_trained_again_and_mended(digits, tmp_path):
    images, labels = digits[0][:300], digits[1][:300]
    options = {"epochs": 2, "cache": tmp_path}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # two epochs do not make a good classifier
        first = ClassifierFeatures(images, labels, **options)
        (path,) = (tmp_path / "classifiers").glob("*/model.safetensors")
        whole = path.read_bytes()
        path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
        second = ClassifierFeatures(images, labels, **options)
    assert path.read_bytes() == whole
    assert second.digest == first.digest


def test_the_seed_decides_and_torchs_own_is_not_touched(digits):
    images, labels = digits[0][:240], digits[1][:240]
    options = {"epochs": 1, "cache": False}
    before = torch.get_rng_state()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        made = [
            ClassifierFeatures(images, labels, random_state=s, **options).digest for s in (3, 3, 4)
        ]
    assert torch.equal(torch.get_rng_state(), before)
    assert made[0] == made[1] != made[2]


def test_labels_without_meaning_are_warned_of(digits, rng):
    images = digits[0][:480]
    with pytest.warns(UserWarning, match="its features say little"):
        ClassifierFeatures(images, rng.permutation(digits[1][:480]), epochs=1, cache=False)


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 32, 32), (3, 64, 48), (1, 5, 5)])
def test_any_size_and_grey_or_colour(shape):
    network = Classifier(shape, 4).eval()
    features = network(torch.zeros(2, *shape))
    assert features.shape == (2, 128)
    assert network.logits(features).shape == (2, 4)


def test_what_it_cannot_learn_from_is_refused(digits):
    images, labels = digits
    with pytest.raises(ParameterError, match="'pca' or 'pixels'"):
        find_features("classifier", train=images)
    with pytest.raises(DataError, match=r"labels have shape \(5,\); expected \(1797,\)"):
        find_features("classifier", train=images, y=labels[:5])
    with pytest.raises(ParameterError, match="1 classes"):
        find_features("classifier", train=images, y=np.zeros(len(images)))


def test_images_of_another_size_are_refused(learned):
    with pytest.raises(DataError, match="trained on"):
        learned[0](np.zeros((1, 1, 9, 9), dtype=np.uint8))


def test_a_budget_ends_learning_and_what_was_cut_short_is_not_kept(digits, tmp_path):
    images, labels = digits
    with pytest.warns(UserWarning, match="features say little"):
        hurried = ClassifierFeatures(images, labels, cache=tmp_path, minutes=1e-6)
    assert hurried.learned < 1
    assert not any(tmp_path.iterdir())
    found = find_features("classifier", train=images[:300], y=labels[:300], minutes=10)
    assert found.learned == 1
