"""Sets asked for by name: where they are looked for, and that they are what was published."""

from pathlib import Path

import numpy as np
import pytest

from pushforward.data import IMAGE_SETS, image_sets, open_images
from pushforward.data.images import datasets
from pushforward.data.images.datasets import data_root
from pushforward.errors import DataError


@pytest.fixture(autouse=True)
def _no_sets(tmp_path, monkeypatch):
    monkeypatch.delenv("PUSHFORWARD_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)


def test_the_list():
    names = [found.name for found in image_sets()]
    assert names == sorted(IMAGE_SETS)
    for found in image_sets():
        assert found.about
        assert found.origin
        assert len(found.shape) == 3
        assert found.formats or found.made


def test_one_root(tmp_path, monkeypatch):
    assert data_root() == tmp_path / "cache" / "pushforward" / "data"
    monkeypatch.setenv("PUSHFORWARD_DATA", "told")
    assert data_root() == Path("told")
    assert data_root("given") == Path("given")
    monkeypatch.delenv("PUSHFORWARD_DATA")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert data_root() == Path.home() / ".cache" / "pushforward" / "data"


def write_small(folder, write_idx, pictures, train=60, test=10, side=28):
    for stem, count in (("train", train), ("t10k", test)):
        write_idx(folder / f"{stem}-images-idx3-ubyte", pictures(count, side, side))
        labels = (np.arange(count) % 10).astype(np.uint8)
        write_idx(folder / f"{stem}-labels-idx1-ubyte", labels)


@pytest.fixture
def small(monkeypatch):
    """The known sets with a thousandth of their images."""
    for name in ("mnist", "kmnist", "fashion_mnist"):
        splits = {"train": 60, "test": 10}
        monkeypatch.setitem(IMAGE_SETS, name, datasets.replace(IMAGE_SETS[name], splits=splits))


@pytest.mark.parametrize("place", ["mnist", "MNIST/raw", "mnist/MNIST/raw"])
@pytest.mark.parametrize("how", ["root", "environment", "cache"])
@pytest.mark.usefixtures("small")
def test_where_it_is_found(tmp_path, monkeypatch, write_idx, pictures, place, how):
    root = tmp_path / "cache" / "pushforward" / "data" if how == "cache" else tmp_path / "data"
    write_small(root / place, write_idx, pictures)
    if how == "environment":
        monkeypatch.setenv("PUSHFORWARD_DATA", str(root))
    options = {"root": root} if how == "root" else {}
    found = open_images("mnist", **options)
    assert (found.name, found.split, len(found)) == ("mnist", "train", 60)
    assert len(open_images("mnist", "test", **options)) == 10
    assert open_images("mnist", size=14, **options).images.shape == (1, 14, 14)
    assert IMAGE_SETS["mnist"].available(options.get("root"))
    coloured = open_images("color_mnist", "test", **options)
    assert (len(coloured), coloured.images.shape) == (10, (3, 28, 28))
    assert len(open_images("stacked_mnist", **options)) == 60


@pytest.mark.parametrize("name", ["celeba", "cifar10", "svhn", "imagenet64", "stacked_mnist"])
def test_not_on_this_machine(tmp_path, name):
    assert not IMAGE_SETS[name].available()
    with pytest.raises(DataError) as caught:
        open_images(name)
    text = str(caught.value)
    origin = IMAGE_SETS["mnist" if name == "stacked_mnist" else name].origin
    for words in ("not on this machine", str(tmp_path), "Nothing is downloaded", origin):
        assert words in text
    assert "PUSHFORWARD_DATA" in text


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"train": 59}, "59 images and not 60"),
        ({"side": 27}, r"\(1, 27, 27\) and not \(1, 28, 28\)"),
    ],
)
@pytest.mark.usefixtures("small")
def test_other_than_published(tmp_path, write_idx, pictures, change, words):
    write_small(tmp_path / "root" / "mnist", write_idx, pictures, **change)
    with pytest.raises(DataError, match=f"not mnist as it was published.*{words}.*open_images"):
        open_images("mnist", root=tmp_path / "root")
    assert len(open_images(tmp_path / "root" / "mnist")) in (59, 60)


@pytest.mark.usefixtures("small")
def test_classes_of_other_numbers(tmp_path, write_idx, pictures):
    write_small(tmp_path / "root" / "kmnist", write_idx, pictures)
    labels = np.zeros(60, np.uint8)
    labels[:9] = np.arange(9)
    write_idx(tmp_path / "root" / "kmnist" / "train-labels-idx1-ubyte", labels)
    with pytest.raises(DataError, match="classes have 1 to 52 images"):
        open_images("kmnist", root=tmp_path / "root")


@pytest.mark.usefixtures("small")
def test_splits(tmp_path, write_idx, pictures):
    write_small(tmp_path / "root" / "mnist", write_idx, pictures)
    with pytest.raises(DataError, match=r"no split 'valid'.*train, test"):
        open_images("mnist", "valid", root=tmp_path / "root")
    (tmp_path / "root" / "mnist" / "t10k-images-idx3-ubyte").unlink()
    with pytest.raises(DataError, match="has only train of mnist, not test"):
        open_images("mnist", "test", root=tmp_path / "root")


def test_names_that_are_none(tmp_path):
    with pytest.raises(DataError, match=r"did you mean 'cifar10'.*celeba, cifar10"):
        open_images("cifar_10")
    with pytest.raises(DataError, match=r"no file, folder or known image set"):
        open_images(tmp_path / "nothing.npz")


def test_a_path_comes_before_a_name(tmp_path, pictures):
    (tmp_path / "digits").mkdir()
    with pytest.raises(DataError, match="no images in a known format"):
        open_images("digits")


def test_digits():
    found = open_images("digits")
    images = found.images[:]
    assert images.shape == (1797, 1, 8, 8)
    assert (images.min(), images.max(), len(np.unique(images))) == (0, 255, 17)
    assert np.bincount(found.labels).sum() == 1797
    assert found.class_names == tuple("0123456789")


def test_fashion_of_debian():
    if not datasets.DEBIAN.is_dir():
        pytest.skip("Debian's package dataset-fashion-mnist is not installed")
    for split, count in (("train", 60_000), ("test", 10_000)):
        found = open_images("fashion_mnist", split)
        assert found.images.shape == (1, 28, 28)
        assert np.bincount(found.labels).tolist() == [count // 10] * 10
        assert (found.class_names[1], found.class_names[9]) == ("Trouser", "Ankle boots")


def test_mnist_beside_the_project(shared):
    root = shared("data")
    for split, count in (("train", 60_000), ("test", 10_000)):
        assert len(open_images("mnist", split, root=root)) == count
