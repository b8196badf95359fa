"""What every model of images takes: labels by name, arrays on a scale that is said once."""

import numpy as np
import pytest

import pushforward
from pushforward.data import ArrayImages, ImageSet, open_images
from pushforward.errors import DataError, ModelFileError, ParameterError

NAMES = ("0", "1", "2", "10")  # the numbers of the classes are 0 to 3


def kinds(names, which, rng, each=40):
    """Images of a stripe whose place says the class: of the classes ``which`` of four."""
    images, labels = [], []
    for number, kind in enumerate(which):
        some = rng.integers(0, 40, (each, 8, 8), dtype=np.uint8)
        some[:, 2 * kind : 2 * kind + 2] += 200
        images.append(some)
        labels += [number] * each
    found = ArrayImages(np.concatenate(images), "nhw")
    return ImageSet(found, np.array(labels), tuple(names[kind] for kind in which), name="stripes")


def place(images):
    """The class whose stripe each image has."""
    return images.reshape(len(images), 4, -1).mean(2).argmax(1)


@pytest.fixture(scope="module")
def stripes():
    return kinds(NAMES, range(4), np.random.default_rng(0))


@pytest.fixture(scope="module")
def sig(stripes):
    return pushforward.SIG(layers=2, conditional=True, random_state=0).fit(stripes)


def test_a_label_may_be_given_by_name(sig):
    assert sig.class_names_ == NAMES
    assert sig.classes_.tolist() == [0, 1, 2, 3]
    for number, name in enumerate(NAMES):
        by_name = sig.sample(8, random_state=0, y=name)
        np.testing.assert_array_equal(by_name, sig.sample(8, random_state=0, y=number))
        assert (place(by_name) == number).all()
    mixed = sig.sample(2, random_state=0, y=["10", "2"])
    assert place(mixed).tolist() == [3, 2]
    with pytest.raises(DataError, match=r"label 3 is one that fit has not seen.*0, 1, 2, 10"):
        sig.sample(1, y="3")
    with pytest.raises(DataError, match="label 7"):
        sig.sample(1, y=7)


def test_names_are_saved(sig, tmp_path):
    again = pushforward.load(sig.save(tmp_path / "sig"))
    assert again.class_names_ == NAMES
    np.testing.assert_array_equal(again.sample(3, 0, y="10"), sig.sample(3, 0, y="10"))


def test_a_folder_with_other_names_is_refused(sig):
    state = sig._state() | {"class_names": ["a", "b"]}
    with pytest.raises(ModelFileError, match="2 names of 4 classes"):
        pushforward.SIG(conditional=True)._restore(state, sig._tensors())


def test_labels_of_another_set_are_matched_by_name(sig, rng):
    """A test set without class "0" numbers the others from 0; by name nothing shifts."""
    test = kinds(NAMES, (1, 2, 3), rng)
    assert test.labels.max() == 2
    own = sig.score_samples(test, test.labels)
    np.testing.assert_array_equal(own, sig.score_samples(test.images, test.labels + 1))
    np.testing.assert_array_equal(
        sig.encode(test, test.labels), sig.encode(test.images, test.labels + 1)
    )
    accuracy = np.mean(sig.predict_proba(test).argmax(1) == place(test.images[:]))
    assert accuracy > 0.9
    strange = kinds(("0", "1", "2", "elephant"), (2, 3), rng)
    with pytest.raises(DataError, match=r"stripes has images of 'elephant'.*'0', '1', '2', '10'"):
        sig.score_samples(strange, strange.labels)


def test_validation_is_matched_by_name(stripes, rng):
    options = {"layers": 2, "conditional": True, "random_state": 0}
    images = kinds(NAMES, (3, 1), rng)
    numbers = np.where(images.labels == 0, 3, 1)
    by_name = pushforward.SIG(**options).fit(stripes, validation=images)
    by_number = pushforward.SIG(**options).fit(stripes, validation=(images.images[:], numbers))
    assert by_name.best_ == by_number.best_
    strange = kinds(("a", "b", "c", "d"), range(4), rng)
    with pytest.raises(DataError, match="'a'"):
        pushforward.SIG(**options).fit(stripes, validation=strange)


def test_labels_that_are_names(stripes):
    y = np.array(NAMES)[stripes.labels]
    model = pushforward.SIG(layers=1, conditional=True, random_state=0)
    model.fit((stripes.images[:][:, 0], y))
    assert model.class_names_ == NAMES
    assert model.fit(stripes.images, y).class_names_ == NAMES
    assert model.fit(stripes.images, stripes.labels).class_names_ is None
    assert model.fit(stripes, stripes.labels).class_names_ == NAMES


def test_classes_without_images_have_no_name(rng):
    """Names of a split's classes may be more than it has images of."""
    found = kinds(NAMES, (0, 2), rng)
    found = ImageSet(found.images, found.labels * 2, ("cat", "dog", "owl"))
    model = pushforward.SIG(layers=1, conditional=True, random_state=0).fit(found)
    assert (model.classes_.tolist(), model.class_names_) == ([0, 2], ("cat", "owl"))
    assert (place(model.sample(4, 0, y="owl")) == 2).all()


# Scale and layout


@pytest.mark.parametrize("name", ["SIG", "DCGAN", "Glow"])
def test_the_scale_is_said_once(stripes, name, tmp_path):
    X = stripes.images[:][:, 0]
    small = {"layers": 1} if name == "SIG" else {"steps": 2, "width": 4}
    model = getattr(pushforward, name)(random_state=0, **small)
    ours = model.fit(X).sample(3, random_state=0)
    floats = (X / 127.5 - 1).astype(np.float32)
    with pytest.raises(DataError, match=r"pixel_range=\(-1, 1\)"):
        model.fit(floats)
    model.fit(floats, pixel_range=(-1, 1))
    np.testing.assert_array_equal(model.sample(3, random_state=0), ours)
    model = pushforward.load(model.save(tmp_path / "model"))
    question = model.critic if name == "DCGAN" else model.score_samples
    np.testing.assert_array_equal(question(floats[:9]), question(X[:9]))  # bytes stay bytes


def test_the_layout_is_said(rng):
    cubes = rng.integers(0, 256, (40, 3, 3, 3), dtype=np.uint8)
    model = pushforward.SIG(layers=1, random_state=0)
    with pytest.raises(DataError, match="layout='nhwc'"):
        model.fit(cubes)
    assert model.fit(cubes, layout="NCHW").sample(2).shape == (2, 3, 3, 3)
    assert model.pixels_.layout == "nchw"
    with pytest.raises(ParameterError, match="layout"):
        model.fit(cubes, layout="CHWN")


def test_sets_of_opened_arrays_go_in(stripes):
    found = open_images((stripes.images[:][:, 0], stripes.labels))
    pushforward.SIG(layers=1, conditional=True, random_state=0).fit(found)


# Resuming


def runs(X, folder, name="DCGAN", **words):
    words = {"steps": 2, "width": 4, "random_state": 1} | words
    fit = {word: words.pop(word) for word in ("validation", "y") if word in words}
    return getattr(pushforward, name)(**words).fit(X, folder=folder, **fit)


def test_a_run_goes_on_with_the_same_images_only(rng, tmp_path):
    """Of 400 images 144 are others: those that 256 evenly spread ones miss."""
    X = rng.integers(0, 256, (400, 8, 8), dtype=np.uint8)
    runs(X, tmp_path)
    other = X.copy()
    looked_at = np.linspace(0, 399, 256).round().astype(int)
    other[np.setdiff1d(np.arange(400), looked_at)] ^= 255
    with pytest.raises(ParameterError, match="cannot be continued: it has other data"):
        runs(other, tmp_path, steps=4)
    assert runs(X, tmp_path, steps=4).history_[-1]["step"] == 4


def test_a_run_goes_on_with_the_same_seed_and_settings_only(rng, tmp_path):
    X = rng.integers(0, 256, (60, 8, 8), dtype=np.uint8)
    runs(X, tmp_path, validation=X[:9])
    for words, text in (
        ({"random_state": 2, "validation": X[:9]}, "it has another seed"),
        ({"validation": X[1:10]}, "it has other held_out"),
        ({"width": 8, "validation": X[:9]}, "width 4, and this one 8"),
    ):
        with pytest.raises(ParameterError, match=text):
            runs(X, tmp_path, steps=4, **words)
    runs(X, tmp_path / "share", validation_fraction=0.1)
    with pytest.raises(ParameterError, match="held_out 6, and this one 12"):
        runs(X, tmp_path / "share", validation_fraction=0.2)


@pytest.mark.parametrize("name", ["DCGAN", "Glow"])
def test_without_a_seed_a_run_goes_on_with_its_own(rng, tmp_path, name):
    X = rng.integers(0, 256, (60, 8, 8), dtype=np.uint8)
    first = runs(X, tmp_path, name, random_state=None)
    np.random.seed(5)  # noqa: NPY002 (as another process would begin)
    again = runs(X, tmp_path, name, random_state=None, steps=4)
    straight = runs(X, None, name, random_state=None, steps=4)
    assert first._seed == again._seed != straight._seed
    assert again.history_[-1]["step"] == 4


def test_own_networks_of_other_sizes_are_another_run(rng, tmp_path):
    from torch import nn

    def critic(width):
        flat = nn.Sequential(nn.Flatten(), nn.Linear(64, width), nn.ReLU(), nn.Linear(width, 1))
        return {"networks": {"critic": flat}}

    X = rng.integers(0, 256, (60, 8, 8), dtype=np.uint8)
    runs(X, tmp_path, **critic(5))
    with pytest.raises(ParameterError, match="it has other networks"):
        runs(X, tmp_path, steps=4, **critic(6))
    runs(X, tmp_path, steps=4, **critic(5))


@pytest.mark.parametrize("name", ["SIG", "NICE", "DCGAN"])
def test_one_image_is_no_sample(name):
    X = np.zeros((1, 28, 28), np.uint8)
    with pytest.raises(DataError, match=r"1 image of 28 x 28\. Expected two"):
        getattr(pushforward, name)().fit(X)
