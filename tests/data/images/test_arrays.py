"""Arrays in npy and npz files, whole and damaged."""

import io
import zipfile

import numpy as np
import pytest

from pushforward.data import open_images
from pushforward.data.array_files import Archive
from pushforward.errors import DataError


@pytest.mark.parametrize("shape", [(5, 8, 8), (5, 8, 6, 3), (5, 3, 8, 6), (5, 2, 8, 8)])
def test_npy(tmp_path, pictures, shape):
    array = pictures(*shape)
    np.save(tmp_path / "a.npy", array)
    found = open_images(tmp_path / "a.npy")
    inside = array[:, None] if len(shape) == 3 else array
    inside = inside.transpose(0, 3, 1, 2) if shape[-1] == 3 else inside
    np.testing.assert_array_equal(found.images[:], inside)
    assert (found.name, found.split, found.labels) == ("a", "all", None)
    assert isinstance(found.images.array, np.memmap)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("name", ["images", "X", "data", "arr_0"])
@pytest.mark.parametrize("label", ["labels", "y", "arr_1", None])
def test_npz(tmp_path, pictures, save, name, label):
    images, labels = pictures(5, 8, 6, 3), np.array([[4], [3], [2], [1], [0]], np.int16)
    save(tmp_path / "b.npz", **{name: images} | ({} if label is None else {label: labels}))
    found = open_images(tmp_path / "b.npz")
    np.testing.assert_array_equal(found.images[1:4], images[1:4].transpose(0, 3, 1, 2))
    if label is None:
        assert found.labels is None
    else:
        assert found.labels.tolist() == [4, 3, 2, 1, 0]


@pytest.mark.parametrize("dtype", ["U", "column"])
def test_labels_that_are_text_name_the_classes(tmp_path, pictures, dtype):
    text = np.array(["dog", "cat", "dog", "b10", "b2"])
    labels = text[:, None] if dtype == "column" else text
    np.savez(tmp_path / "d.npz", images=pictures(5, 8, 8), labels=labels)
    found = open_images(tmp_path / "d.npz")
    assert found.class_names == ("b2", "b10", "cat", "dog")  # in the order of people
    assert found.labels.tolist() == [3, 2, 3, 1, 0]


def test_a_class_has_one_number_in_all_splits(tmp_path, pictures):
    np.savez(
        tmp_path / "m.npz",
        x_train=pictures(3, 8, 8), y_train=["cat", "owl", "owl"],
        x_test=pictures(2, 8, 8), y_test=["owl", "ant"],
    )  # fmt: skip
    train, test = (open_images(tmp_path / "m.npz", split) for split in ("train", "test"))
    assert train.class_names == test.class_names == ("ant", "cat", "owl")
    assert (train.labels.tolist(), test.labels.tolist()) == ([1, 2, 2], [2, 0])


@pytest.mark.parametrize("labels", [np.array([0.5, 1.5]), np.array([[0, 1], [1, 0]]) / 2])
def test_labels_that_are_neither_numbers_nor_text(tmp_path, pictures, labels):
    np.savez(tmp_path / "a.npz", images=pictures(2, 8, 8), labels=labels)
    with pytest.raises(DataError, match="whole numbers, or text"):
        open_images(tmp_path / "a.npz")


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_one_picture_is_not_taken_for_many(tmp_path, pictures, channels):
    picture = pictures(64, 48, channels)
    np.save(tmp_path / "a.npy", picture)
    for given in (picture, tmp_path / "a.npy"):
        with pytest.raises(DataError, match=r"one picture \(H, W, C\) or 64 grey images of 48 x"):
            open_images(given)
    assert open_images(picture[None]).images.shape == (channels, 64, 48)
    assert open_images(picture, layout="nhw").images.shape == (1, 48, channels)
    assert open_images(list(picture)).images.shape == (1, 48, channels)  # a list of pictures
    assert open_images(picture[:, :4]).images.shape == (1, 4, channels)


def test_npz_with_halves(tmp_path, pictures):
    train, test = pictures(5, 8, 8), pictures(2, 8, 8)
    np.savez(tmp_path / "m.npz", x_train=train, y_train=np.arange(5), x_test=test, y_test=[1, 0])
    assert open_images(tmp_path / "m.npz").split == "train"
    found = open_images(tmp_path / "m.npz", "test")
    np.testing.assert_array_equal(found.images[:][:, 0], test)
    assert found.labels.tolist() == [1, 0]


@pytest.mark.parametrize("name", ["x", "samples", "anything, if it is the only one"])
def test_other_names(tmp_path, pictures, name):
    images = pictures(5, 8, 8)
    np.savez(tmp_path / "a.npz", **{name: images})
    np.testing.assert_array_equal(open_images(tmp_path / "a.npz").images[:][:, 0], images)


def test_medmnist(tmp_path, pictures):
    parts = {split: pictures(n, 28, 28, 3) for split, n in (("train", 5), ("val", 2), ("test", 3))}
    labels = {f"{split}_labels": np.arange(len(x))[:, None] for split, x in parts.items()}
    np.savez(tmp_path / "m.npz", **{f"{k}_images": x for k, x in parts.items()}, **labels)
    assert open_images(tmp_path / "m.npz").split == "train"
    for split, images in parts.items():
        found = open_images(tmp_path / "m.npz", split)
        np.testing.assert_array_equal(found.images[:], images.transpose(0, 3, 1, 2))
        assert found.labels.tolist() == list(range(len(images)))
    np.savez(
        tmp_path / "c.npz", train_images=parts["train"], train_labels=np.eye(5, 14, dtype=int)
    )
    with pytest.warns(UserWarning, match="train_labels.*14 values for each image"):
        assert open_images(tmp_path / "c.npz").labels is None


def test_arrays_that_are_not_read_are_named(tmp_path, pictures):
    np.savez(tmp_path / "a.npz", X=pictures(3, 4, 4), y=np.arange(3), masks=pictures(3, 4, 4))
    with pytest.warns(UserWarning, match="the arrays masks of"):
        assert open_images(tmp_path / "a.npz").labels.tolist() == [0, 1, 2]


def test_an_array_by_columns(tmp_path, pictures):
    images = np.asfortranarray(pictures(5, 8, 6))
    for save, name in ((np.savez, "a.npz"), (np.savez_compressed, "b.npz")):
        save(tmp_path / name, X=images)
        np.testing.assert_array_equal(open_images(tmp_path / name).images[:][:, 0], images)


def test_uncompressed_arrays_are_mapped(tmp_path, pictures):
    images = pictures(9, 4, 4)
    np.savez(tmp_path / "a.npz", filler=np.arange(1000), images=images)
    archive = Archive(tmp_path / "a.npz")
    assert archive.names == ("filler", "images")
    assert isinstance(archive.read("images"), np.memmap)
    np.testing.assert_array_equal(archive.read("images"), images)
    np.testing.assert_array_equal(archive.read("filler"), np.arange(1000))


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"a": np.zeros((2, 4, 4), np.uint8), "b": [1]}, r"\['a', 'b'\].*images, X, x, data"),
        ({"X": np.zeros((2, 4, 4))}, "float64"),
        ({"X": np.zeros((2, 16), np.uint8)}, "shape"),
        ({"X": np.zeros((2, 4, 4), np.uint8), "y": [0.5, 1.5]}, "whole numbers"),
        ({"X": np.zeros((2, 4, 4), np.uint8), "y": [1, 2, 3]}, "labels"),
        ({"X": np.array([{}, []], object)}, "objects"),
    ],
)
def test_other_arrays(tmp_path, arrays, words):
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(DataError, match=words):
        open_images(tmp_path / "a.npz")


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_damaged(tmp_path, pictures, save):
    path = tmp_path / "a.npz"
    save(path, X=pictures(30, 8, 8))
    whole = path.read_bytes()
    for cut in (0, 10, 60, len(whole) // 2, len(whole) - 10):
        path.write_bytes(whole[:cut])
        with pytest.raises(DataError, match=r"a\.npz"):
            open_images(path)
    np.save(tmp_path / "a.npy", pictures(30, 8, 8))
    whole = (tmp_path / "a.npy").read_bytes()
    for cut in (0, 10, 100, len(whole) - 10):
        (tmp_path / "a.npy").write_bytes(whole[:cut])
        with pytest.raises(DataError, match=r"a\.npy"):
            open_images(tmp_path / "a.npy")


def test_objects_in_npy(tmp_path):
    np.save(tmp_path / "a.npy", np.array([{}], object), allow_pickle=True)
    with pytest.raises(DataError, match="cannot be read"):
        open_images(tmp_path / "a.npy")


def test_a_bomb(tmp_path):
    path = tmp_path / "bomb.npz"
    head = io.BytesIO()
    description = {"descr": "|u1", "fortran_order": False, "shape": (2**20, 32, 32)}
    np.lib.format.write_array_header_1_0(head, description)
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("images.npy", "w", force_zip64=True) as member,
    ):
        member.write(head.getvalue())
        for _ in range(17):
            member.write(bytes(2**24))
    with pytest.raises(DataError, match="no compression of images"):
        open_images(path)


def test_a_head_that_claims_more_than_is_there(tmp_path, pictures):
    head = io.BytesIO()
    description = {"descr": "|u1", "fortran_order": False, "shape": (2**40, 32, 32)}
    np.lib.format.write_array_header_1_0(head, description)
    for kind in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        with zipfile.ZipFile(tmp_path / "a.npz", "w", kind) as archive:
            archive.writestr("X.npy", head.getvalue() + bytes(100))
        with pytest.raises(DataError, match=r"a\.npz"):
            open_images(tmp_path / "a.npz")
