"""What users have in memory: lists, pairs, Pillow's pictures, data sets of torch and others."""

import warnings

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset, IterableDataset, Subset, TensorDataset

from pushforward.data import as_images, open_images
from pushforward.data.images import as_image_set
from pushforward.errors import DataError, ParameterError


def test_pillow_pictures_of_every_mode(pictures):
    grey, colour = pictures(4, 5), pictures(4, 5, 3)
    palette = Image.fromarray(colour).quantize(256)
    as_rgb = np.asarray(palette.convert("RGB"))
    (only,) = as_images([palette])[0][:]
    np.testing.assert_array_equal(only, as_rgb.transpose(2, 0, 1))  # colours, not places
    both, layout = as_images([palette, Image.fromarray(grey)])
    assert (both.shape, layout) == ((3, 4, 5), "nhwc")
    np.testing.assert_array_equal(both[1:][0], [grey] * 3)
    greys = [
        Image.fromarray(grey),
        Image.fromarray(grey > 99),
        Image.fromarray(grey).convert("LA"),
    ]
    source, layout = as_images(greys)
    assert (source.shape, layout) == ((1, 4, 5), "nhw")
    np.testing.assert_array_equal(source[1:2][0, 0], 255 * (grey > 99))
    with pytest.raises(DataError, match="more than 8 bits"):
        as_images([Image.fromarray(grey.astype(np.float32))])


def test_lists(tmp_path, write_picture, pictures):
    images = pictures(3, 4, 5)
    tensors = [torch.tensor(image) for image in images]
    paths = [write_picture(tmp_path / f"{k}.png", image) for k, image in enumerate(images)]
    for given in (list(images), tensors, paths, [str(path) for path in paths]):
        np.testing.assert_array_equal(open_images(given).images[:][:, 0], images)
    with pytest.raises(DataError, match=r"'away\.png' is no file"):
        open_images([paths[0], "away.png"])
    with pytest.raises(DataError, match=r"\(4, 5\), \(5, 4\).*size=SIDE"):
        open_images([images[0], images[0].T])
    for kind in (Image.fromarray, np.asarray):
        found = open_images([kind(images[0]), kind(images[0].T)], size=4)
        assert found.images.shape == (1, 4, 4)
        assert len(found) == 2
    celeba = [Image.fromarray(pictures(218, 178, 3))] * 2
    for given in (celeba, np.stack(celeba), open_images(celeba)):
        found = open_images(given, crop="resizecrop").images  # once, and not twice
        np.testing.assert_array_equal(found[:], open_images(celeba, crop="resizecrop").images[:])
        assert found.shape == (3, 64, 64)


def test_arrays(pictures):
    images = pictures(3, 8, 8, 3)
    for given in (images, torch.tensor(images)):
        np.testing.assert_array_equal(open_images(given).images[:], images.transpose(0, 3, 1, 2))
    assert open_images(images, size=4).images.shape == (3, 4, 4)
    cube = pictures(2, 3, 3, 3)
    with pytest.raises(DataError, match="layout='nhwc'"):
        open_images(cube)
    np.testing.assert_array_equal(open_images(cube, layout="NCHW").images[:], cube)
    with pytest.raises(ParameterError, match="no splits"):
        open_images(images, "train")


def test_pairs(pictures):
    images = pictures(3, 4, 5)
    found = open_images((images, [2, 0, 2]))
    assert (found.labels.tolist(), found.class_names) == ([2, 0, 2], None)
    found = open_images((images, np.array(["c10", "c2", "c10"])))
    assert (found.labels.tolist(), found.class_names) == ([1, 0, 1], ("c2", "c10"))
    found, layout = as_image_set((list(images), torch.tensor([[1], [1], [0]])))
    assert (found.labels.tolist(), layout) == ([1, 1, 0], "nhw")
    with pytest.raises(DataError, match="labels"):
        open_images((images, [1, 2]))
    with pytest.raises(DataError, match=r"argmax\(1\)"):
        open_images((images, np.eye(3, dtype=int)))
    two = (images[0], images[1])  # a tuple of two pictures is no pair
    assert len(open_images(two)) == 2


class Pictures(Dataset):
    """As torchvision's are: pairs of a picture and a number, and names of the classes."""

    classes = ("ant", "bee", "cat")

    def __init__(self, images, made):
        self.images, self.made = images, made

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        return self.made(self.images[index]), index % 3


def to_floats(image):
    return torch.tensor(image, dtype=torch.float32)[None] / 255


def test_torch(pictures):
    images = pictures(7, 5, 6)
    found = open_images(Pictures(images, Image.fromarray))
    np.testing.assert_array_equal(found.images[:][:, 0], images)
    assert found.labels.tolist() == [0, 1, 2, 0, 1, 2, 0]
    assert found.class_names == ("ant", "bee", "cat")
    floats = Pictures(images, to_floats)
    with pytest.raises(DataError, match=r"pixel_range=\(0, 1\)"):
        open_images(floats)
    for given in (floats, DataLoader(floats, batch_size=3)):
        found = open_images(given, pixel_range=(0, 1))
        np.testing.assert_array_equal(found.images[:][:, 0], images)
        assert found.labels.tolist() == [0, 1, 2, 0, 1, 2, 0]
    some = open_images(Subset(Pictures(images, Image.fromarray), [5, 1]))
    np.testing.assert_array_equal(some.images[:][:, 0], images[[5, 1]])
    assert some.class_names == ("ant", "bee", "cat")
    plain = open_images(TensorDataset(torch.tensor(images)))
    assert plain.labels is None
    np.testing.assert_array_equal(plain.images[:][:, 0], images)


def test_a_loader_that_drops_images_says_so(pictures):
    images = torch.tensor(pictures(7, 5, 6))
    loader = DataLoader(TensorDataset(images), batch_size=3, drop_last=True)
    with pytest.warns(UserWarning, match="left out 1 of 7 images"):
        assert len(open_images(loader)) == 6
    with pytest.warns(UserWarning, match="left out 1 of 7 images"):
        as_images(loader)  # as fit does
    found = open_images(images)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        as_images(found)


def test_a_stream(pictures):
    images = pictures(4, 5, 4)

    class Stream(IterableDataset):
        def __iter__(self):
            return iter([(image, 1) for image in images])

    found = open_images(Stream())
    np.testing.assert_array_equal(found.images[:][:, 0], images)
    assert found.labels.tolist() == [1] * 4


class HuggingFace:
    """The part of ``datasets.Dataset`` that is looked at."""

    class Names:
        names = ("nine", "ten")

    column_names = ("image", "label")
    features = {"image": object(), "label": Names()}  # noqa: RUF012

    def __init__(self, images):
        self.images = images

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        return {"image": Image.fromarray(self.images[index]), "label": index % 2}

    def __iter__(self):
        return (self[k] for k in range(len(self)))


def test_hugging_face(pictures):
    images = pictures(4, 5, 4)
    found = open_images(HuggingFace(images))
    np.testing.assert_array_equal(found.images[:][:, 0], images)
    assert (found.labels.tolist(), found.class_names) == ([0, 1, 0, 1], ("nine", "ten"))
    small = open_images(HuggingFace(images), size=2)
    assert small.images.shape == (1, 2, 2)
    with pytest.raises(DataError, match=r"X\['train'\]"):
        open_images({"train": HuggingFace(images)})
