"""Features that are a module or a function of the user."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ...devices import exact
from ...errors import DataError, ParameterError
from .networks import as_batch, in_colour

__all__ = ["UserFeatures"]


class UserFeatures:
    """Wrap a module or function so that its features can be measured.

    A module gets images as a float32 tensor (n, C, H, W) in [0, 1] on its own device, in
    evaluation mode; what it gives is flattened to (n, d). Where its first convolution takes three
    channels, grey images are repeated in three. A function gets the batch as it is
    (uint8 images (n, C, H, W), or rows of a table) as a NumPy array.

    Args:
        function: the module or function.
        name: printed beside every score; None takes the name of the class or function.
        preprocessing: printed too: what your function does to images first.
        digest: a string that changes whenever the features could. Only with it are features
            cached on disk, as nobody else can know what a function depends on.

    Raises:
        ParameterError: ``function`` cannot be called.

    Example:
        >>> def brightness(images):
        ...     return images.mean(axis=(2, 3))
        >>> features = UserFeatures(brightness)
        >>> features.name, features(np.zeros((4, 3, 8, 8), dtype=np.uint8)).shape
        ('brightness', (4, 3))
    """

    precision = "as the function computes, kept in float32"

    def __init__(
        self,
        function: Callable[[Any], Any],
        *,
        name: str | None = None,
        preprocessing: str | None = None,
        digest: str | None = None,
    ) -> None:
        if not callable(function):
            raise ParameterError(
                f"features is a {type(function).__name__}; expected a torch module or a function "
                "of images (n, C, H, W) that gives (n, d)."
            )
        # partial functions and objects that can be called have no name of their own
        own = getattr(function, "__name__", type(function).__name__)
        self.function = function
        self.name = name or ("function" if own == "<lambda>" else own)
        is_module = isinstance(function, nn.Module)
        self._channels = _channels_of(function) if is_module else None
        usual = "pixels / 255" + (", grey in three channels" if self._channels == 3 else "")
        self.preprocessing = preprocessing or (usual if is_module else "the function's")
        self.digest = digest
        self.dimension = 0

    def __call__(self, batch: np.ndarray) -> np.ndarray:
        """Features (n, d), float32.

        Raises:
            DataError: What the function gave is not one row of numbers for each image.
        """
        function = self.function
        if isinstance(function, nn.Module):
            given = _run(function, batch, self.name, self._channels)
        else:
            given = function(batch)
        if isinstance(given, Tensor):
            given = given.detach().cpu().float().numpy()
        features = np.asarray(given)
        if features.dtype.kind not in "fiub" or features.shape[:1] != (len(batch),):
            raise DataError(
                f"{self.name} gave {features.dtype} of shape {features.shape} for {len(batch)} "
                f"images; expected numbers of shape ({len(batch)}, d)."
            )
        features = features.reshape(len(batch), -1).astype(np.float32)
        self.dimension = features.shape[1]
        return features


def _channels_of(module: nn.Module) -> int | None:
    """Channels of the images that a module takes, where its first layer is a convolution."""
    layers = (part for part in module.modules() if not list(part.children()))
    weighed = next((part for part in layers if list(part.parameters(recurse=False))), None)
    return weighed.in_channels if isinstance(weighed, nn.Conv2d) else None


def _run(module: nn.Module, batch: np.ndarray, name: str, channels: int | None) -> Any:
    images = as_batch(batch)
    if channels == 3:
        images = in_colour(images)
    elif channels is not None and images.shape[1] != channels:
        raise DataError(
            f"{name} takes images of {channels} channel(s), and these have {images.shape[1]}. "
            "Expected the like: open_images(..., channels=1) makes colours grey."
        )
    first = next(module.parameters(), None)
    device = torch.device("cpu") if first is None else first.device
    modes = {part: part.training for part in module.modules()}
    module.eval()
    try:
        with torch.inference_mode(), exact():
            return module(images.to(device).float() / 255)
    finally:
        for part, training in modes.items():
            part.training = training
