"""Multi-scale structural similarity of images, and how varied a set is by it."""

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ..deprecation import renamed
from ..errors import DataError
from ..validation import OneOf, as_seed, check
from ..wording import setting
from .measure import Measure
from .uncertainty import jackknife_moments, normal_interval

__all__ = ["SCALE_WEIGHTS", "ms_ssim", "ms_ssim_diversity"]

#: Exponents of the five scales, finest first (Wang et al. 2003, section 3.2).
SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)

_WINDOW, _SIGMA = 11, 1.5
_SMALLEST = _WINDOW * 2 ** (len(SCALE_WEIGHTS) - 1)
_C1, _C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
_BATCH = 1 << 22  # numbers of one batch of images


def ms_ssim(a: Any, b: Any, *, convention: str = "standard") -> np.ndarray:
    """Multi-scale structural similarity of pairs of 8-bit images.

    Two conventions that must not be mixed:

    * **standard**: windows of 11 x 11 at all five scales, so both sides need at least 176 pixels
      (as in the authors' program; others pad the coarsest scale instead, and begin at 161);
    * **small**: at each scale the window shrinks to the image, ``min(11, H, W)``, its sigma
      likewise, and odd sides repeat their last pixel before they are halved. It is what the
      TensorFlow program used for GANs of 2017 does with small images.

    Source: Wang, Simoncelli and Bovik, "Multi-scale structural similarity for image quality
    assessment", 2003, eq. 7. Negative contrast terms count as 0.

    Args:
        a, b: uint8 (n, C, H, W).
        convention: "standard" or "small".

    Returns:
        (n,) float64: 1 for equal images, 0 for images without common structure.

    Raises:
        DataError: for other shapes or dtypes, and for images too small for the convention.
        ParameterError: for another convention.

    Examples:
        >>> a = np.random.default_rng(0).integers(0, 256, (2, 1, 28, 28), dtype=np.uint8)
        >>> ms_ssim(a, a, convention="small").tolist()
        [1.0, 1.0]
    """
    a, b = _images(a, "a"), _images(b, "b")
    if a.shape != b.shape:
        raise DataError(f"a has shape {a.shape} and b {b.shape}. Expected pairs of equal shape.")
    _check_convention(convention, a.shape)
    step = max(1, _BATCH // max(1, a[0].size))
    with torch.no_grad():
        found = [
            _similarity(
                torch.from_numpy(a[i : i + step]).double(),
                torch.from_numpy(b[i : i + step]).double(),
                convention == "small",
            )
            for i in range(0, len(a), step)
        ]
    return torch.cat(found).numpy()


@renamed(seed="random_state")
def ms_ssim_diversity(
    images: Any, *, pairs: int = 1000, convention: str = "standard", random_state: Any = 0,
    details: dict[str, Any] | None = None,
) -> Measure:  # fmt: skip
    """1 - mean MS-SSIM over random pairs of one set: 0 when all images are alike.

    Meant for sets of one class (faces): a value under that of real images is a sign of
    collapse, one above it is not a virtue. The measure's name tells the convention.

    Source: Odena, Olah and Shlens, "Conditional image synthesis with auxiliary classifier GANs",
    2017, section 4.2; as a diversity: Rosca et al., "Variational approaches for auto-encoding
    generative adversarial networks", 2017.

    Args:
        images: uint8 (n, C, H, W), n of at least 4.
        pairs: how many random pairs of different images.
        convention: as of :func:`ms_ssim`.
        random_state: of the pairs.
        details: what is known of the set, to go into the measure's details.

    Raises:
        DataError, ParameterError: as :func:`ms_ssim`.
    """
    seed = as_seed(random_state)
    images = _images(images, "images")
    n = len(images)
    if n < 4 or pairs < 2:
        raise DataError(f"{n} images and {pairs} pairs. Expected at least 4 images and 2 pairs.")
    _check_convention(convention, images.shape)
    rng = np.random.default_rng(seed)
    first = rng.integers(n, size=pairs)
    second = (first + rng.integers(1, n, size=pairs)) % n
    similar = ms_ssim(images[first], images[second], convention=convention)
    value = 1 - float(similar.mean())
    details = {
        "n_generated": n,
        "pairs": pairs,
        "convention": convention,
        "interval": "images left out in groups, normal",
        "seed": seed,
        "precision": "float64",
        **(details or {}),
    }
    name = "ms_ssim_diversity" if convention == "standard" else "ms_ssim_diversity_small"
    groups = rng.permutation(n) % 10 if n >= 20 else np.arange(n)
    left = [
        1 - float(similar[kept].mean())
        for g in np.unique(groups)
        if (kept := (groups[first] != g) & (groups[second] != g)).any()
    ]
    error, _ = jackknife_moments(np.array(left), value) if len(left) > 1 else (1.0, 0.0)
    return Measure(name, value, normal_interval(value, error, 0.0, 1.0), None, details)


def _images(images: Any, name: str) -> np.ndarray:
    array = np.asarray(images)
    if array.ndim != 4 or array.dtype != np.uint8 or array.size == 0:
        raise DataError(
            f"{name} is {array.dtype} of shape {array.shape}. Expected uint8 of shape "
            "(n, C, H, W)."
        )
    return array


def _check_convention(convention: str, shape: tuple[int, ...]) -> None:
    check({"convention": OneOf("standard", "small")}, {"convention": convention})
    if convention == "standard" and min(shape[2:]) < _SMALLEST:
        raise DataError(
            f"Images of {shape[2]} x {shape[3]} pixels. After four halvings a window of {_WINDOW} "
            f"pixels needs sides of at least {_SMALLEST}: use {setting('convention', 'small')}, "
            "whose values compare only with each other."
        )


def _similarity(a: Tensor, b: Tensor, small: bool) -> Tensor:
    product = a.new_ones(len(a))
    for scale, weight in enumerate(SCALE_WEIGHTS):
        luminance, contrast = _terms(a, b)
        last = scale == len(SCALE_WEIGHTS) - 1
        term = luminance * contrast if last else contrast
        product = product * term.mean(dim=(1, 2, 3)).clamp_min(0) ** weight
        if not last:
            a, b = (_halve(x, small) for x in (a, b))
    return product


def _terms(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Luminance and contrast-structure maps under a Gaussian window: SSIM is their product."""
    size = min(_WINDOW, *a.shape[2:])
    offset = torch.arange(size, dtype=a.dtype) - (size - 1) / 2
    window = torch.exp(-(offset**2) / (2 * (size * _SIGMA / _WINDOW) ** 2))
    window = window / window.sum()

    def blur(x: Tensor) -> Tensor:
        flat = x.reshape(-1, 1, *x.shape[2:])
        flat = functional.conv2d(flat, window.view(1, 1, 1, -1))
        flat = functional.conv2d(flat, window.view(1, 1, -1, 1))
        return flat.reshape(*x.shape[:2], *flat.shape[2:])

    mean_a, mean_b = blur(a), blur(b)
    var_a, var_b = blur(a * a) - mean_a**2, blur(b * b) - mean_b**2
    covariance = blur(a * b) - mean_a * mean_b
    luminance = (2 * mean_a * mean_b + _C1) / (mean_a**2 + mean_b**2 + _C1)
    return luminance, (2 * covariance + _C2) / (var_a + var_b + _C2)


def _halve(x: Tensor, small: bool) -> Tensor:
    if small:  # an odd side repeats its last pixel; the standard way drops it
        x = functional.pad(x, (0, x.shape[3] % 2, 0, x.shape[2] % 2), mode="replicate")
    return functional.avg_pool2d(x, 2)
