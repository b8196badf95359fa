"""CIFAR-10 and CIFAR-100 in the four published layouts."""

import pickle

import numpy as np
import pytest

from pushforward.data import open_images
from pushforward.errors import DataError

NAMES = ["airplane", "automobile", "bird", "cat"]


@pytest.fixture
def ten(pictures):
    return pictures(12, 3, 32, 32), np.arange(12) % 4


def write_binary(folder, images, labels):
    folder.mkdir()
    rows = np.hstack([labels[:, None].astype(np.uint8), images.reshape(len(images), -1)])
    for k, part in enumerate(np.split(rows[:10], 5), start=1):
        part.tofile(folder / f"data_batch_{k}.bin")
    rows[10:].tofile(folder / "test_batch.bin")
    (folder / "batches.meta.txt").write_text("\n".join(NAMES) + "\n\n")
    return folder


def write_python(folder, images, labels, protocol=2):
    folder.mkdir()
    flat = images.reshape(len(images), -1)
    parts = {f"data_batch_{k}": slice(2 * k - 2, 2 * k) for k in range(1, 6)}
    for name, rows in (parts | {"test_batch": slice(10, 12)}).items():
        batch = {b"data": flat[rows], b"labels": labels[rows].tolist(), b"batch_label": b"?"}
        (folder / name).write_bytes(pickle.dumps(batch, protocol))
    (folder / "batches.meta").write_bytes(meta())
    return folder


def meta():
    """The names of the classes as Python 2 spelled them."""
    lines = "".join(f"S'{name}'\na" for name in NAMES)
    return f"(dS'label_names'\n(l{lines}s.".encode()


@pytest.mark.parametrize("write", [write_binary, write_python])
def test_ten(tmp_path, ten, write):
    images, labels = ten
    folder = write(tmp_path / "cifar", images, labels)
    train, test = open_images(folder), open_images(folder, "test")
    np.testing.assert_array_equal(train.images[:], images[:10])
    np.testing.assert_array_equal(test.images[:], images[10:])
    np.testing.assert_array_equal(train.labels, labels[:10])
    np.testing.assert_array_equal(test.labels, labels[10:])
    assert train.class_names == tuple(NAMES)
    assert (train.split, test.split, train.name) == ("train", "test", "cifar")


def test_some_batches(tmp_path, ten):
    folder = write_binary(tmp_path / "cifar", *ten)
    (folder / "data_batch_5.bin").unlink()
    (folder / "batches.meta.txt").unlink()
    found = open_images(folder)
    assert (len(found), found.class_names) == (8, None)


def test_a_hundred(tmp_path, pictures):
    images, coarse, fine = pictures(3, 3, 32, 32), np.array([1, 0, 1]), np.array([2, 3, 0])
    rows = np.hstack([np.stack([coarse, fine], 1).astype(np.uint8), images.reshape(3, -1)])
    binary, python = tmp_path / "cifar-100-binary", tmp_path / "cifar-100-python"
    binary.mkdir()
    python.mkdir()
    for split in ("train", "test"):
        rows.tofile(binary / f"{split}.bin")
        batch = {"data": images.reshape(3, -1)}
        batch |= {"coarse_labels": coarse.tolist(), "fine_labels": fine.tolist()}
        (python / split).write_bytes(pickle.dumps(batch, 2))
    (binary / "fine_label_names.txt").write_text("\n".join(NAMES))
    (python / "meta").write_bytes(pickle.dumps({"fine_label_names": NAMES}, 2))
    for folder in (binary, python):
        for split in ("train", "test"):
            found = open_images(folder, split)
            np.testing.assert_array_equal(found.images[:], images)
            assert found.labels.tolist() == [2, 3, 0]
            assert found.class_names == tuple(NAMES)


@pytest.mark.parametrize("size", [0, 1, 3072, 3073 * 2 + 5])
def test_binary_cut_short(tmp_path, ten, size):
    folder = write_binary(tmp_path / "cifar", *ten)
    (folder / "data_batch_2.bin").write_bytes(bytes(size))
    with pytest.raises(DataError, match=r"data_batch_2\.bin has .* multiple of 3,073"):
        open_images(folder)


def test_more_labels_than_names(tmp_path, ten):
    images, labels = ten
    for number, write in enumerate((write_binary, write_python)):
        folder = write(tmp_path / f"cifar{number}", images, labels + 5)
        with pytest.raises(DataError, match="names 4 classes"):
            open_images(folder)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({b"data": np.zeros((2, 5), np.uint8)}, r"\(N, 3072\)"),
        ({b"data": b"12"}, "uint8 array"),
        ({b"labels": [1]}, "2 labels"),
        ({b"labels": [1, -1]}, "2 labels"),
        ({b"labels": ["a", "b"]}, "2 labels"),
        ({b"labels": None}, "2 labels"),
    ],
)
def test_other_python_batches(tmp_path, ten, change, words):
    folder = write_python(tmp_path / "cifar", *ten)
    batch = {b"data": np.zeros((2, 3072), np.uint8), b"labels": [1, 2]} | change
    (folder / "data_batch_3").write_bytes(pickle.dumps(batch, 2))
    with pytest.raises(DataError, match=words):
        open_images(folder)
    (folder / "batches.meta").write_bytes(pickle.dumps({"label_names": 3}, 2))
    (folder / "data_batch_3").unlink()
    with pytest.raises(DataError, match="names of the classes"):
        open_images(folder)
