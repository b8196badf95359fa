"""Folders of pictures: classes and splits from subfolders."""

import numpy as np
import pytest

from pushforward.data import open_images
from pushforward.errors import DataError


def test_no_subfolders(tmp_path, write_picture, pictures):
    images = pictures(3, 4, 4)
    for name, image in zip(("b.png", "a.png", "c.webp"), images, strict=True):
        write_picture(tmp_path / name, image)
    (tmp_path / "notes.txt").write_text("not an image")
    (tmp_path / ".hidden.png").write_bytes(b"no")
    (tmp_path / "__MACOSX").mkdir()
    (tmp_path / "__MACOSX" / "a.png").write_bytes(b"no")
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
    assert open_images(tmp_path).labels is None


@pytest.mark.parametrize("valid", ["val", "valid", "validation"])
def test_splits(tmp_path, write_picture, pictures, valid):
    for home in ("train/a", "train/b", f"{valid}/a", "test"):
        write_picture(tmp_path / home / "0.png", pictures(4, 4))
    assert len(open_images(tmp_path)) == 2
    assert open_images(tmp_path, "valid").class_names == ("a",)
    assert open_images(tmp_path, "test").class_names is None
    with pytest.raises(DataError, match=r"'all'.*train, valid, test"):
        open_images(tmp_path, "all")


def test_nothing_there(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"no images in a known format.*CelebA.*folder of"):
        open_images(tmp_path)
