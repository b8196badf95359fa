"""The base class of feature extractors that are networks."""

import hashlib
from collections.abc import Mapping
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor, nn

from ...devices import exact, find_device
from ...errors import DataError, UnsupportedError

__all__ = ["NetworkFeatures", "as_batch", "folded", "in_colour", "tensors_digest"]


def as_batch(images: np.ndarray) -> Tensor:
    """Check a batch of images and wrap it: uint8 (n, C, H, W), 1 or 3 channels.

    Raises:
        DataError: It is not such an array.

    Example:
        >>> as_batch(np.zeros((2, 1, 8, 8), dtype=np.uint8)).shape
        torch.Size([2, 1, 8, 8])
    """
    images = np.asarray(images)
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[1] not in (1, 3):
        raise DataError(
            f"images are {images.dtype} of shape {images.shape}; expected uint8 of shape "
            "(n, 1 or 3 channels, height, width). pushforward.data.as_images brings other "
            "layouts into this form."
        )
    return torch.from_numpy(np.ascontiguousarray(images))


def in_colour(images: Tensor) -> Tensor:
    """Repeat grey images (n, 1, H, W) in three channels; colour images come back as they are."""
    return images.expand(-1, 3, -1, -1)


def folded(
    weights: Mapping[str, Tensor], convolution: str, norm: str, epsilon: float
) -> dict[str, Tensor]:
    """A convolution and the batch normalisation after it as one convolution with a bias.

    Args:
        weights: tensors by name; a normalisation without ``weight`` has gain 1.
        convolution, norm: their names' beginnings.
        epsilon: what the normalisation adds to the variance.
    """
    deviation = (weights[f"{norm}.running_var"] + epsilon).sqrt()
    gain = weights.get(f"{norm}.weight", torch.ones_like(deviation)) / deviation
    weight = weights[f"{convolution}.weight"] * gain[:, None, None, None]
    return {
        # channels last: a quarter less time on a CPU
        "weight": weight.contiguous(memory_format=torch.channels_last),
        "bias": weights[f"{norm}.bias"] - weights[f"{norm}.running_mean"] * gain,
    }


def tensors_digest(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 of tensors with their names, types and shapes, in the order of the names."""
    digest = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()


@runtime_checkable
class ClassifyingNetwork(Protocol):
    """A network with a classifier head on top of its features."""

    def logits(self, features: Tensor) -> Tensor:
        """Logits of the classes (n, k) of features (n, d)."""
        ...


class NetworkFeatures:
    """Features of a module whose ``forward`` gives them and whose ``logits`` gives classes.

    Attributes:
        name, preprocessing, precision, dimension, digest: see
            :class:`~pushforward.metrics.features.FeatureExtractor`.
        network: in evaluation mode, on ``device``.
    """

    precision = "float32"

    def __init__(
        self,
        network: nn.Module,
        *,
        name: str,
        preprocessing: str,
        dimension: int,
        digest: str,
        device: str | torch.device | None = None,
    ) -> None:
        self.device = find_device(device)
        self.network = network.eval().requires_grad_(False).to(self.device)
        self.name = name
        self.preprocessing = preprocessing
        self.dimension = dimension
        self.digest = digest

    def prepare(self, images: Tensor) -> Tensor:
        """Preprocess uint8 images (n, C, H, W) for the network, on its device."""
        raise NotImplementedError

    def _features(self, images: np.ndarray) -> Tensor:
        return self.network(self.prepare(as_batch(images).to(self.device)))

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Features (n, d), float32, of uint8 images (n, C, H, W)."""
        with torch.inference_mode(), exact():
            return self._features(images).float().cpu().numpy()

    def probabilities(self, images: np.ndarray) -> np.ndarray:
        """Class probabilities (n, k), float32, of uint8 images (n, C, H, W).

        Raises:
            UnsupportedError: The network has no classifier head.
        """
        if not isinstance(self.network, ClassifyingNetwork):
            raise UnsupportedError(f"{self.name} features have no classes.")
        with torch.inference_mode(), exact():
            return self.network.logits(self._features(images)).softmax(dim=1).float().cpu().numpy()
