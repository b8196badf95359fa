"""The idx format: MNIST's layout, and files that are none."""

import gzip
import struct

import numpy as np
import pytest

from pushforward.data import open_images
from pushforward.data.images.idx import read_idx
from pushforward.errors import DataError


@pytest.mark.parametrize("ending", ["", ".gz"])
@pytest.mark.parametrize("joint", ["-", "."])
def test_the_published_folder(tmp_path, pictures, write_idx, ending, joint):
    images = {"train": pictures(12, 7, 5), "t10k": pictures(4, 7, 5)}
    for stem, array in images.items():
        write_idx(tmp_path / f"{stem}-images{joint}idx3-ubyte{ending}", array)
        labels = np.arange(len(array), dtype=np.uint8)
        write_idx(tmp_path / f"{stem}-labels{joint}idx1-ubyte{ending}", labels)
    for split, stem in (("train", "train"), ("test", "t10k")):
        found = open_images(tmp_path, split)
        assert found.split == split
        np.testing.assert_array_equal(found.images[:][:, 0], images[stem])
        np.testing.assert_array_equal(found.labels, np.arange(len(found)))
        assert found.labels.dtype == np.int64
    assert open_images(tmp_path).split == "train"
    with pytest.raises(DataError, match=r"'valid'.*train, test"):
        open_images(tmp_path, "valid")


def test_one_file(tmp_path, pictures, write_idx):
    images = pictures(6, 4, 4)
    path = write_idx(tmp_path / "letters-idx3-ubyte.gz", images)
    found = open_images(path)
    assert found.labels is None
    np.testing.assert_array_equal(found.images[2:4][:, 0], images[2:4])
    colours = pictures(2, 4, 4, 3)
    found = open_images(write_idx(tmp_path / "colours.idx", colours))
    np.testing.assert_array_equal(found.images[:], colours.transpose(0, 3, 1, 2))


def test_plain_files_are_mapped(tmp_path, pictures, write_idx):
    array = read_idx(write_idx(tmp_path / "a-idx3-ubyte", pictures(3, 2, 2)))
    assert isinstance(array, np.memmap)


def test_labels_of_another_number(tmp_path, pictures, write_idx):
    write_idx(tmp_path / "train-images-idx3-ubyte", pictures(3, 4, 4))
    write_idx(tmp_path / "train-labels-idx1-ubyte", np.zeros(4, np.uint8))
    with pytest.raises(DataError, match="3 images and labels"):
        open_images(tmp_path)


@pytest.mark.parametrize("ending", ["", ".gz"])
@pytest.mark.parametrize("cut", [0, 2, 6, 15, 16, 40, -1])
def test_cut_short(tmp_path, pictures, write_idx, ending, cut):
    whole = write_idx(tmp_path / "whole-idx3-ubyte", pictures(3, 5, 5)).read_bytes()
    path = tmp_path / f"cut-idx3-ubyte{ending}"
    path.write_bytes(gzip.compress(whole[:cut]) if ending else whole[:cut])
    with pytest.raises(DataError, match="cut-idx3"):
        open_images(path)


@pytest.mark.parametrize("ending", ["", ".gz"])
@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\1\0\x08\3", "01 00 08 03"),
        (b"\0\0\x0d\3" + b"\0" * 40, "0x0d.*0x08"),
        (b"\0\0\x08\0", "magic number"),
        (b"\0\0\x08\3" + struct.pack(">III", 1, 2, 2) + b"12345", "more"),
        (b"\0\0\x08\3" + struct.pack(">III", 2**31, 2**31, 2**31) + b"1", "shape|no compression"),
        (b"\0\0\x08\1" + struct.pack(">I", 2) + b"12", "axes"),
        (b"\0\0\x08\3" + struct.pack(">III", 0, 2, 2), "no images"),
    ],
)
def test_other_content(tmp_path, ending, data, words):
    path = tmp_path / f"bad-idx3-ubyte{ending}"
    path.write_bytes(gzip.compress(data) if ending else data)
    with pytest.raises(DataError, match=words):
        open_images(path)


def test_a_damaged_gzip(tmp_path, pictures, write_idx):
    path = write_idx(tmp_path / "a-idx3-ubyte.gz", pictures(30, 5, 5))
    data = bytearray(path.read_bytes())
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(DataError, match="cannot be read"):
        open_images(path)
    path.write_bytes(b"not gzip at all")
    with pytest.raises(DataError, match="cannot be read"):
        open_images(path)
    data[40] ^= 255
    path.write_bytes(data)
    with pytest.raises(DataError):
        open_images(path)


def test_a_bomb(tmp_path):
    path = tmp_path / "bomb-idx3-ubyte.gz"
    head = b"\0\0\x08\3" + struct.pack(">III", 2**20, 2**5, 2**5)
    path.write_bytes(gzip.compress(head + bytes(2**20)))
    with pytest.raises(DataError, match="no compression of images"):
        open_images(path)


def test_debian_and_mnist(shared):
    for place in (shared("data", "mnist"),):
        found = open_images(place, "test")
        assert (len(found), found.images.shape) == (10_000, (1, 28, 28))
        assert np.bincount(found.labels).tolist()[:3] == [980, 1135, 1032]
