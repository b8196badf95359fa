"""Resizing with antialiasing, and the two older ways that published scores were made with.

A separable resize is two matrices, one for rows and one for columns: each output pixel is a
weighted mean of input pixels. A method is only the rule that fills the matrix.
"""

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from ...validation import OneOf, check

__all__ = ["RESIZERS", "resize", "resize_matrix"]

RESIZERS = {
    "antialiased": "bicubic, antialiased, in floating point, clipped to 0..255",
    "bilinear": "bilinear, not antialiased, pixel centres at half",
    "tf1": "bilinear, not antialiased, pixel centres at zero (TensorFlow 1)",
}
"""The methods and the words a score says them with.

``antialiased`` is what Parmar, Zhang and Zhu, *On Aliased Resizing and Surprising Subtleties in
GAN Evaluation* (2022), recommend; ``bilinear`` is pytorch-fid's; ``tf1`` the first FID program's.
"""


def _cubic(x: np.ndarray, a: float = -0.5) -> np.ndarray:
    """Keys, *Cubic Convolution Interpolation for Digital Image Processing* (1981), eq. 15."""
    x = np.abs(x)
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = ((x - 5) * x + 8) * x * a - 4 * a
    return np.where(x < 1, near, np.where(x < 2, far, 0.0))


@lru_cache(maxsize=32)
def resize_matrix(inputs: int, outputs: int, method: str = "antialiased") -> Tensor:
    """The float64 matrix (outputs, inputs) that resizes a line of pixels; rows sum to 1.

    Args:
        inputs: pixels there are.
        outputs: pixels wanted.
        method: one of :data:`RESIZERS`.

    Raises:
        ParameterError: The method is not known.

    Example:
        >>> resize_matrix(4, 2, "tf1")
        tensor([[1., 0., 0., 0.],
                [0., 0., 1., 0.]], dtype=torch.float64)
    """
    check({"resize": OneOf(*RESIZERS)}, {"resize": method})
    scale = inputs / outputs
    pixel, place = np.arange(inputs), np.arange(outputs)[:, None]
    if method == "antialiased":  # the filter widens with the step, so that no pixel is skipped
        weight = _cubic((pixel + 0.5 - (place + 0.5) * scale) / max(scale, 1.0))
    else:
        centre = place * scale if method == "tf1" else (place + 0.5) * scale - 0.5
        weight = np.maximum(1 - np.abs(pixel - centre.clip(0, inputs - 1)), 0)
    return torch.from_numpy(weight / weight.sum(axis=1, keepdims=True))


def resize(images: Tensor, size: int | tuple[int, int], method: str = "antialiased") -> Tensor:
    """Resize images of values in 0..255.

    Args:
        images: (n, C, H, W), floating point.
        size: height and width wanted; one number for a square.
        method: one of :data:`RESIZERS`. ``antialiased`` gives what Pillow's bicubic filter gives
            on floating-point images, clipped, as the filter can overshoot.

    Returns:
        (n, C, *size), of the dtype that came.

    Raises:
        ParameterError: The method is not known.

    Example:
        >>> resize(torch.full((1, 3, 8, 6), 7.0), 4).shape
        torch.Size([1, 3, 4, 4])
    """
    height, width = (size, size) if isinstance(size, int) else size
    if images.shape[-2:] == (height, width):
        return images
    rows, columns = (
        resize_matrix(before, after, method).to(images)
        for before, after in zip(images.shape[-2:], (height, width), strict=True)
    )
    resized = rows @ (images @ columns.T)
    return resized.clamp(0, 255) if method == "antialiased" else resized
