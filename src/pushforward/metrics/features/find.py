"""Finds a feature extractor by name, or wraps a module or function of the user."""

import os
from typing import Any

import torch
from torch import nn

from ...deprecation import renamed
from ...errors import ParameterError
from ...validation import as_seed
from .provenance import FeatureExtractor

__all__ = ["FEATURES", "find_features"]

FEATURES = {
    "inception": "Inception-v3 of 2015-12-05, 2048 numbers, antialiased resizing (clean-fid's)",
    "inception-bilinear": "the same with pytorch-fid's resizing",
    "inception-tf1": "the same with the first FID program's resizing",
    "cifar_resnet20": "ResNet-20 trained on CIFAR-10, 64 numbers, ten classes",
    "cifar_resnet56": "ResNet-56 trained on CIFAR-10, 64 numbers, ten classes",
    "classifier": "a small network trained on the given training images and labels, 128 numbers",
    "pca": "principal components of the given training data, 64 numbers",
    "pixels": "the pixels, or the columns of a table of numbers",
}


@renamed(seed="random_state", labels="y")
def find_features(
    spec: Any,
    *,
    train: Any = None,
    y: Any = None,
    weights: str | os.PathLike | None = None,
    random_state: Any = 0,
    cache: str | os.PathLike | bool | None = None,
    device: str | torch.device | None = None,
    minutes: float | None = None,
) -> FeatureExtractor:
    """Make a feature extractor from its name, a torch module or a function.

    Args:
        spec: a name of :data:`FEATURES`; a module or function of images (n, C, H, W) that gives
            (n, d), see :class:`UserFeatures`; or an extractor, which comes back as it is.
        train: real training data, for ``classifier`` and ``pca``.
        y: their classes (n,), for ``classifier``.
        weights: file of weights for the published networks, or a folder that has it. None looks
            in the folder that the environment variable ``PUSHFORWARD_DATA`` names.
        random_state: of what is learned here.
        cache: folder where a learned classifier is kept; None for the user's cache folder; False
            for none.
        device: where networks run; a GPU where there is one. A module of yours stays where it is.
        minutes: time for learning a classifier; None takes what it needs.

    Raises:
        ParameterError: The name is not known, or what it needs was not given or not found.
        ModelFileError: The weights are damaged or others.

    Example:
        >>> find_features("pixels").name
        'pixels'
        >>> find_features("resnet")
        Traceback (most recent call last):
        pushforward.errors.ParameterError: features is 'resnet'; expected one of inception, ...
    """
    seed = as_seed(random_state)
    if isinstance(spec, str):
        return _named(spec, train, y, weights, seed, cache, device, minutes)
    if isinstance(spec, FeatureExtractor) and not isinstance(spec, nn.Module | type):
        return spec
    from .users import UserFeatures

    return UserFeatures(spec)


def _named(
    name: str,
    train: Any,
    labels: Any,
    weights: str | os.PathLike | None,
    seed: int,
    cache: str | os.PathLike | bool | None,
    device: str | torch.device | None,
    minutes: float | None,
) -> FeatureExtractor:
    if name == "pixels":
        from .pixels import PixelFeatures

        return PixelFeatures()
    if name == "pca":
        from .pca import PCAFeatures

        if train is None:
            raise ParameterError("The features 'pca' are learned: give real data as `train`.")
        return PCAFeatures(train, random_state=seed)
    if name == "classifier":
        from .classifier import ClassifierFeatures

        return ClassifierFeatures(
            train, labels, random_state=seed, cache=cache, device=device, minutes=minutes
        )
    if name.startswith("inception") and name in FEATURES:
        from .inception import InceptionFeatures

        resizer = name.partition("-")[2] or "antialiased"
        return InceptionFeatures(weights, resizer=resizer, device=device)
    if name.startswith("cifar_resnet") and name in FEATURES:
        from .cifar_resnet import CifarResNetFeatures

        return CifarResNetFeatures(int(name[-2:]), weights, device=device)
    raise ParameterError(
        f"features is {name!r}; expected one of {', '.join(FEATURES)}, a torch module or a "
        "function of images that gives (n, d)."
    )
