"""The Inception network gives the published features, from either file, or says why not."""

import numpy as np
import pytest
import safetensors.torch
import torch

from pushforward.errors import DataError, ModelFileError, ParameterError, UnsupportedError
from pushforward.metrics.features import InceptionFeatures, extract, find_features, provenance
from pushforward.metrics.features.inception import INCEPTION_FILES, Inception


@pytest.fixture(scope="module")
def weights(shared):
    return shared("data", "inception_fid")


@pytest.fixture(scope="module")
def inception(weights):
    return InceptionFeatures(weights, resizer="bilinear")


def random_weights(classes=0):
    """Tensors with the published names and random values, small enough for finite features."""
    weights = {}
    with torch.device("meta"):
        shapes = {name: tensor.shape for name, tensor in Inception().state_dict().items()}
    for name, shape in shapes.items():
        layer, part = name.rsplit(".", 1)
        if part == "weight":
            weights[f"{layer}.conv.weight"] = torch.randn(shape) / shape[1:].numel() ** 0.5
        else:
            for one, value in {
                "weight": 1,
                "bias": 0,
                "running_mean": 0,
                "running_var": 1,
            }.items():
                weights[f"{layer}.bn.{one}"] = torch.full(shape, float(value))
    if classes:
        weights["fc.weight"], weights["fc.bias"] = torch.randn(classes, 2048), torch.ones(classes)
    return weights


def test_features_are_the_published_ones(inception, weights):
    known = np.load(weights / "reference_features_cifar10_test64.npz")
    images = known["images"].transpose(0, 3, 1, 2)[::4]
    features = extract(inception, images, batch_size=16)
    assert features.dtype == np.float32
    assert np.abs(features - known["features_pytorch_fid"][::4]).max() < 1e-3


def test_grey_images_of_any_size_are_seen_as_grey_colour(inception, rng):
    grey = rng.integers(0, 256, (1, 1, 37, 20), dtype=np.uint8)
    np.testing.assert_allclose(
        inception(grey), inception(np.repeat(grey, 3, axis=1)), rtol=0, atol=1e-5
    )


def test_the_inception_score_is_refused_with_the_reason(inception):
    images = np.zeros((1, 3, 32, 32), dtype=np.uint8)
    with pytest.raises(UnsupportedError, match=r"no final layer.*6726825d.pth"):
        inception.probabilities(images)


def test_what_a_score_says(inception):
    told = provenance(inception, n_real=64)
    assert told["features"] == "inception-v3-2015-12-05"
    assert "bilinear, not antialiased" in told["preprocessing"]
    assert told["features_digest"] == INCEPTION_FILES[1].sha256[:12]
    assert (told["precision"], told["dimension"], told["n_real"]) == ("float32", 2048, 64)


def test_a_pth_file_with_the_final_layer_gives_probabilities(tmp_path):
    path = tmp_path / "own.pth"
    torch.save(random_weights(classes=1008), path, _use_new_zipfile_serialization=False)
    own = find_features("inception", weights=path, device="cpu")
    probabilities = own.probabilities(np.full((2, 3, 8, 8), 9, dtype=np.uint8))
    assert probabilities.shape == (2, 1008)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    assert own.name.startswith("inception-v3 (")  # not the published name: other weights


def test_folding_is_batch_normalisation():
    weights = random_weights()
    bn = {name: f"Conv2d_1a_3x3.bn.{name}" for name in ("bias", "running_mean", "running_var")}
    for name in bn.values():
        weights[name] = torch.rand(32) + 0.5
    network = Inception.from_weights(weights)
    x = torch.randn(1, 3, 20, 20)
    y = torch.nn.functional.conv2d(x, weights["Conv2d_1a_3x3.conv.weight"], stride=2)
    expected = torch.nn.functional.batch_norm(
        y,
        weights[bn["running_mean"]],
        weights[bn["running_var"]],
        bias=weights[bn["bias"]],
        eps=0.001,
    )
    torch.testing.assert_close(network.Conv2d_1a_3x3(x), expected)


def test_missing_weights_are_named_with_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("PUSHFORWARD_DATA", str(tmp_path))
    with pytest.raises(ParameterError, match=r"3a9de063.*Nothing is downloaded.*PUSHFORWARD_DATA"):
        find_features("inception")
    with pytest.raises(ParameterError, match="no such file"):
        find_features("inception", weights=tmp_path / "nowhere.safetensors")


def test_a_file_that_is_not_the_published_one_is_refused_where_it_was_found(tmp_path, monkeypatch):
    monkeypatch.setenv("PUSHFORWARD_DATA", str(tmp_path))
    path = tmp_path / INCEPTION_FILES[1].name
    path.write_bytes(safetensors.torch.save({"w": torch.zeros(1)}))
    with pytest.raises(ModelFileError, match="not the published file"):
        find_features("inception")
    with pytest.raises(ModelFileError, match="not the weights of the Inception of 2015"):
        find_features("inception", weights=path)
    path.write_bytes(b"no such thing")
    with pytest.raises(ModelFileError, match="not a usable safetensors file"):
        find_features("inception", weights=path)


def test_weights_of_another_shape_are_refused():
    weights = random_weights()
    weights["Mixed_7c.branch_pool.conv.weight"] = torch.zeros(192, 2047, 1, 1)
    with pytest.raises(ModelFileError, match=r"Mixed_7c.branch_pool"):
        Inception.from_weights(weights)


def test_images_in_floats_are_refused(inception):
    with pytest.raises(DataError, match="float64"):
        inception(np.zeros((2, 3, 8, 8)))
