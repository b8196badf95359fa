"""Folders of pictures: classes and splits from subfolders."""

import numpy as np
import pytest
from PIL import Image

from pushforward.data import open_images
from pushforward.data.images.image_files import SUFFIXES
from pushforward.errors import DataError


def test_no_subfolders(tmp_path, write_picture, pictures):
    images = pictures(3, 4, 4)
    for name, image in zip(("b.png", "a.png", "c.webp"), images, strict=True):
        write_picture(tmp_path / name, image)
    (tmp_path / "notes.txt").write_text("not an image")
    (tmp_path / ".hidden.png").write_bytes(b"no")
    (tmp_path / "__MACOSX").mkdir()
    (tmp_path / "__MACOSX" / "a.png").write_bytes(b"no")
    with pytest.warns(UserWarning, match=r"not read: 1 \.txt \(notes\.txt\)"):
        found = open_images(tmp_path)
    np.testing.assert_array_equal(found.images[:][:, 0], images[[1, 0, 2]])
    assert (found.labels, found.class_names, found.split) == (None, None, "all")


def test_a_class_for_each_subfolder(tmp_path, write_picture, pictures):
    images = pictures(5, 4, 4)
    homes = ("dog", "cat", "dog", "bird/blue", "cat")
    for number, (home, image) in enumerate(zip(homes, images, strict=True)):
        write_picture(tmp_path / home / f"{number}.png", image)
    found = open_images(tmp_path)
    assert found.class_names == ("bird/blue", "cat", "dog")
    np.testing.assert_array_equal(found.labels, [0, 1, 1, 2, 2])
    np.testing.assert_array_equal(found.images[:][:, 0], images[[3, 1, 4, 0, 2]])
    write_picture(tmp_path / "stray.png", images[0])
    with pytest.warns(UserWarning, match="1 picture lies beside its subfolders"):
        assert open_images(tmp_path).labels is None


@pytest.mark.parametrize("valid", ["val", "valid", "validation"])
def test_splits(tmp_path, write_picture, pictures, valid):
    for home in ("train/a", "train/b", f"{valid}/a", "test"):
        write_picture(tmp_path / home / "0.png", pictures(4, 4))
    assert len(open_images(tmp_path)) == 2
    found = open_images(tmp_path, "valid")
    assert (found.class_names, found.labels.tolist()) == (("a", "b"), [0])
    assert open_images(tmp_path, "val").split == open_images(tmp_path, "validation").split
    assert open_images(tmp_path, "test").class_names is None
    with pytest.raises(DataError, match=r"'all'.*train, valid, test"):
        open_images(tmp_path, "all")


def test_nothing_there(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"no images in a known format.*CelebA.*folder of"):
        open_images(tmp_path)


def test_classes_that_are_named_as_splits(tmp_path, write_picture, pictures):
    """A study's folders control and test are two classes."""
    for home in ("control", "test"):
        for k in range(3):
            write_picture(tmp_path / home / f"{k}.png", pictures(4, 4))
    found = open_images(tmp_path)
    assert (found.split, found.class_names) == ("all", ("control", "test"))
    assert found.labels.tolist() == [0, 0, 0, 1, 1, 1]


def test_pictures_beside_a_folder_test_are_not_lost(tmp_path, write_picture, pictures):
    images = pictures(4, 4, 4)
    for name, image in zip(("a.png", "b.png", "test/c.png", "test/d.png"), images, strict=True):
        write_picture(tmp_path / name, image)
    with pytest.warns(UserWarning, match="2 pictures lie beside its subfolders"):
        found = open_images(tmp_path)
    np.testing.assert_array_equal(found.images[:][:, 0], images)
    assert found.labels is None


def test_what_lies_beside_splits_is_named(tmp_path, write_picture, pictures):
    for name in ("train/0.png", "test/0.png", "extra/0.png", "extra/1.png", "0.png"):
        write_picture(tmp_path / name, pictures(4, 4))
    with pytest.warns(
        UserWarning, match=r"beside the splits train, test: 3 \.png \(0\.png, extra"
    ):
        found = open_images(tmp_path)
    assert (len(found), found.split) == (1, "train")


def test_linked_classes(tmp_path, write_picture, pictures):
    images = pictures(2, 4, 4)
    write_picture(tmp_path / "elsewhere" / "0.png", images[0])
    write_picture(tmp_path / "set" / "near" / "0.png", images[1])
    (tmp_path / "set" / "far").symlink_to(tmp_path / "elsewhere")
    found = open_images(tmp_path / "set")
    assert (found.class_names, found.labels.tolist()) == (("far", "near"), [0, 1])
    np.testing.assert_array_equal(found.images[:][:, 0], images)
    (tmp_path / "elsewhere" / "up").symlink_to(tmp_path / "set")  # a circle ends
    (tmp_path / "set" / "gone.png").symlink_to(tmp_path / "nothing.png")
    with pytest.warns(UserWarning, match=r"gone\.png"):
        assert len(open_images(tmp_path / "set")) == 2


@pytest.mark.parametrize("ending", [".tif", ".TIFF", ".avif"])
def test_other_formats_are_read(tmp_path, write_picture, pictures, ending):
    grey = np.full((16, 16), 90, np.uint8)
    write_picture(tmp_path / "a.png", grey)
    Image.fromarray(grey).save(tmp_path / f"b{ending}")
    found = open_images(tmp_path)
    assert len(found) == 2
    assert np.abs(found.images[:].astype(int) - 90).max() <= 2


def test_heic(tmp_path, write_picture):
    pillow_heif = pytest.importorskip("pillow_heif")
    grey = np.full((16, 16, 3), 90, np.uint8)
    write_picture(tmp_path / "a.png", grey)
    pillow_heif.from_pillow(Image.fromarray(grey)).save(tmp_path / "b.heic")
    found = open_images(tmp_path)
    assert len(found) == 2
    assert np.abs(found.images[:].astype(int) - 90).max() <= 2


def test_without_pillow_heif(tmp_path, write_picture, pictures, monkeypatch):
    monkeypatch.setattr("pushforward.data.images.folders.readable", lambda: SUFFIXES)
    (tmp_path / "b.heic").write_bytes(b"not looked at")
    with pytest.raises(DataError, match=r"1 \.heic.*pushforward\[heic\]"):
        open_images(tmp_path)
    write_picture(tmp_path / "a.png", pictures(4, 4))
    with pytest.warns(UserWarning, match=r"1 \.heic \(b\.heic\).*pushforward\[heic\]"):
        assert len(open_images(tmp_path)) == 1


def test_frames_that_are_not_read_are_counted(tmp_path, pictures):
    frames = [Image.fromarray(image) for image in pictures(4, 6, 6)]
    frames[0].save(tmp_path / "a.tif", save_all=True, append_images=frames[1:])
    with pytest.warns(UserWarning, match=r"a\.tif\) the first is read, and 3 others"):
        found = open_images(tmp_path)
    np.testing.assert_array_equal(found.images[:][0, 0], np.asarray(frames[0]))
