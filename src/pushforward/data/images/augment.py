"""Random flips and shifts of uint8 images."""

import numpy as np
import torch

__all__ = ["flip_and_shift"]


def flip_and_shift(
    images: np.ndarray, down: int, across: int, flip: bool, generator: torch.Generator
) -> np.ndarray:
    """Mirror half of the images and shift each by whole pixels, filling with the edge.

    Args:
        images: uint8 of shape (n, C, H, W); stays as it is.
        down: largest shift up or down; every whole number from -down to down is as likely.
        across: largest shift left or right, likewise.
        flip: whether each image is mirrored, left to right, with probability 1/2.
        generator: source of randomness.

    Returns:
        A new array of the same shape.
    """
    n, height, width = len(images), *images.shape[2:]
    if flip:
        coins = _draw(0, 2, n, generator).astype(bool)
        images = np.where(coins[:, None, None, None], images[..., ::-1], images)
    if not down and not across:
        return images
    margins = ((0, 0), (0, 0), (down, down), (across, across))
    padded = np.pad(images, margins, mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (height, width), axis=(2, 3))
    y, x = _draw(0, 2 * down + 1, n, generator), _draw(0, 2 * across + 1, n, generator)
    return windows[np.arange(n), :, y, x]


def _draw(low: int, high: int, n: int, generator: torch.Generator) -> np.ndarray:
    return (
        torch.randint(low, high, (n,), generator=generator, device=generator.device).cpu().numpy()
    )
