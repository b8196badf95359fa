"""MNIST in colour, in the two constructions that are both called so."""

from typing import Any

import numpy as np

from ...deprecation import renamed
from ...errors import DataError
from ...validation import OneOf, as_seed, check
from .image_sources import ArrayImages, ImageSet
from .in_memory import as_images

__all__ = ["color_mnist"]

CHUNK = 4096


@renamed(seed="random_state", labels="y")
def color_mnist(
    kind: str = "metz", images: Any = None, y: Any = None, random_state: Any = 0
) -> ImageSet:
    """Make coloured digits of grey ones.

    * ``metz``: one digit in one colour, which is what models collapse to few colours on. With
      intensity I in [0, 1], a colour C ~ N(0, 0.5^2)^3 an image and noise N(0, 0.2^2) a value,
      x = clip(I C + (I - 1) + noise, -1, 1) (Metz, Poole, Pfau and Sohl-Dickstein, "Unrolled
      generative adversarial networks", 2017, section 3.4). Labels are those of the digits.
    * ``stacked``: three digits drawn at random, one in each channel: 1000 modes, whose number is
      the label 100 a + 10 b + c (the same paper, section 3.3.1).

    The figure of the alpha-GAN paper (Rosca et al., 2017) shows single digits in one colour each,
    which is ``metz``; the text does not say.

    Args:
        kind: "metz" or "stacked".
        images: grey images, uint8 of shape (N, H, W), or an :class:`ImageSet`, as of MNIST or
            Fashion-MNIST.
        y: labels of shape (N,), whole numbers from 0 to 9 for stacked; None takes those of the
            set.
        random_state: random seed.

    Returns:
        N images of shape (3, H, W), in memory.

    Raises:
        DataError: for images in colour, or stacked ones without labels from 0 to 9.

    >>> color_mnist("stacked", np.zeros((4, 8, 8), np.uint8), np.arange(4)).images.shape
    (3, 8, 8)
    """
    seed = as_seed(random_state)
    check({"kind": OneOf("metz", "stacked")}, {"kind": kind})
    if isinstance(images, ImageSet) and y is None:
        y = images.labels
    grey = as_images(images)[0]
    if grey.shape[0] != 1:
        raise DataError(f"The images have {grey.shape[0]} channels. Expected grey ones.")
    known = None if y is None else np.asarray(y).astype(np.int64)
    if known is not None and known.shape != (len(grey),):
        raise DataError(f"y has shape {known.shape}. Expected ({len(grey)},).")
    rng = np.random.default_rng(seed)
    out = np.empty((len(grey), 3, *grey.shape[1:]), np.uint8)
    split = images.split if isinstance(images, ImageSet) else "all"
    if kind == "metz":
        for start in range(0, len(grey), CHUNK):
            _colour(grey[start : start + CHUNK], rng, out[start : start + CHUNK])
        names = images.class_names if isinstance(images, ImageSet) else None
        return ImageSet(ArrayImages(out), known, names, name="color_mnist", split=split)
    if known is None or known.min() < 0 or known.max() > 9:
        raise DataError("Stacked digits need labels from 0 to 9, one for each image.")
    chosen = rng.integers(len(grey), size=(3, len(grey)))
    for channel, which in enumerate(chosen):
        out[:, channel] = grey[which][:, 0]
    modes = known[chosen[0]] * 100 + known[chosen[1]] * 10 + known[chosen[2]]
    names = tuple(f"{mode:03d}" for mode in range(1000))
    return ImageSet(ArrayImages(out), modes, names, name="stacked_mnist", split=split)


def _colour(grey: np.ndarray, rng: np.random.Generator, out: np.ndarray) -> None:
    """Fill (n, 3, H, W) from grey images (n, 1, H, W)."""
    intensity = grey.astype(np.float32) / 255
    colour = rng.standard_normal((len(grey), 3, 1, 1), dtype=np.float32) * 0.5
    x = rng.standard_normal(out.shape, dtype=np.float32)
    x *= 0.2
    x += intensity * colour
    x += intensity - 1
    x += 1
    x *= 128  # [-1, 1] in 256 cells
    out[:] = np.clip(x, 0, 255, out=x)
