"""Names of classes: in the order of people, the same numbers in every part of a set."""

import numpy as np
import pytest

from pushforward.data import open_images
from pushforward.data.images.labels import as_labels, in_natural_order
from pushforward.errors import DataError


def test_numbers_in_names_count_as_numbers(tmp_path, write_picture, pictures):
    """Folders 0 to 11 are classes 0 to 11, not 0, 1, 10, 11, 2."""
    images = pictures(12, 4, 4)
    for k, image in enumerate(images):
        write_picture(tmp_path / str(k) / "a.png", image)
    found = open_images(tmp_path)
    assert found.class_names == tuple(map(str, range(12)))
    np.testing.assert_array_equal(found.labels, np.arange(12))
    np.testing.assert_array_equal(found.images[:][:, 0], images)


def test_order_is_total():
    names = ["b", "B", "a2", "a02", "a10", "a", "", "2a", "²", "10"]
    ordered = in_natural_order(names)
    assert ordered == in_natural_order(names[::-1])
    assert ordered.index("a2") < ordered.index("a10")
    assert sorted(ordered) == sorted(names)


def test_a_class_that_a_part_lacks_shifts_no_other(tmp_path, write_picture, pictures):
    for home in ("train/cat", "train/dog", "train/owl", "test/dog", "test/owl", "test/yak"):
        write_picture(tmp_path / home / "a.png", pictures(4, 4))
    train, test = (open_images(tmp_path, split) for split in ("train", "test"))
    assert train.class_names == test.class_names == ("cat", "dog", "owl", "yak")
    assert (train.labels.tolist(), test.labels.tolist()) == ([0, 1, 2], [1, 2, 3])


def test_what_are_no_labels():
    assert as_labels(np.array([[1], [2]]), "y").tolist() == [1, 2]
    with pytest.raises(DataError, match=r"argmax\(1\)"):
        as_labels(np.eye(3, dtype=int), "y")
    with pytest.raises(DataError, match="float64"):
        as_labels(np.array([0.5, 1]), "y")
