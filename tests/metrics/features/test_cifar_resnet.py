"""The CIFAR ResNets are as right on CIFAR-10 as published."""

import numpy as np
import pytest
import safetensors.torch
from PIL import Image

from pushforward.errors import ModelFileError
from pushforward.metrics.features import find_features


@pytest.fixture(scope="module")
def cifar10(shared):
    """The first 1,000 test images, from a grid of 100 x 100 tiles."""
    grid = np.asarray(Image.open(shared("data", "cifar10", "test_batch.webp")).convert("RGB"))
    images = grid[:320].reshape(10, 32, 100, 32, 3).transpose(0, 2, 4, 1, 3)
    labels = np.load(shared("data", "cifar10", "labels.npz"))["test"][:1000]
    return np.ascontiguousarray(images).reshape(1000, 3, 32, 32), labels


@pytest.mark.parametrize(("name", "published"), [("20", 0.917), ("56", 0.934)])
def test_accuracy_is_the_published_one(shared, cifar10, name, published):
    images, labels = cifar10
    network = find_features(f"cifar_resnet{name}", weights=shared("data", "cifar_resnet"))
    batches = [network.probabilities(images[i : i + 100]) for i in range(0, 1000, 100)]
    probabilities = np.concatenate(batches)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    accuracy = (probabilities.argmax(axis=1) == labels).mean()
    assert abs(accuracy - published) < 2.5 * (published * (1 - published) / 1000) ** 0.5
    assert network(images[:3]).shape == (3, network.dimension)


def test_grey_images_of_other_sizes_have_features(shared, rng):
    network = find_features("cifar_resnet20", weights=shared("data", "cifar_resnet"))
    assert network(rng.integers(0, 256, (2, 1, 28, 28), dtype=np.uint8)).shape == (2, 64)


def test_the_weights_of_the_other_depth_are_refused(shared):
    path = shared("data", "cifar_resnet", "resnet56_cifar10.safetensors")
    with pytest.raises(ModelFileError, match=r"ResNet-20.*too many"):
        find_features("cifar_resnet20", weights=path)


def test_a_missing_tensor_is_named(shared, tmp_path):
    path = shared("data", "cifar_resnet", "resnet20_cifar10.safetensors")
    weights = safetensors.torch.load_file(path)
    del weights["layer2.0.bn1.running_mean"]
    safetensors.torch.save_file(weights, tmp_path / "cut.safetensors")
    with pytest.raises(ModelFileError, match=r"layer2\.0\.bn1\.running_mean"):
        find_features("cifar_resnet20", weights=tmp_path / "cut.safetensors")
