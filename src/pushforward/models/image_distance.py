"""How far samples are from images, without a trained network: what the best weights are chosen by.

Karras, Aila, Laine and Lehtinen, *Progressive Growing of GANs* (2018), section 5: sliced
Wasserstein distances between patches, at every scale of a Laplacian pyramid. Here the pyramid's
coarser pictures are means of 2x2 pixels, and samples are measured in the data's deviations.
"""

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate

__all__ = ["diversity", "patch_distance"]

_SIDE = 7  # pixels of a patch
_DIRECTIONS = 128


def patch_distance(images: Tensor, samples: Tensor, *, patches: int = 8, seed: int = 0) -> float:
    """Mean over scales of the sliced 1-Wasserstein distance between patches.

    Args:
        images, samples: (n, C, H, W), of one shape.
        patches: of each image and scale; the coarsest scale is seen whole where it is small.
        seed: of places and directions.

    Returns:
        0 or more; lower is nearer. In standard deviations of the patches of the images.

    Examples:
        >>> g = torch.Generator().manual_seed(0)
        >>> a, b = torch.rand(2, 64, 1, 16, 16, generator=g)
        >>> patch_distance(a, a) == 0.0 < patch_distance(a, b) < patch_distance(a, 2 * b)
        True
    """
    generator = torch.Generator().manual_seed(seed)
    levels = []
    for image, sample in zip(_pyramid(images), _pyramid(samples), strict=True):
        height, width = image.shape[2:]
        places = [
            (int(h), int(w))
            for h, w in zip(
                torch.randint(max(1, height - _SIDE + 1), (patches,), generator=generator),
                torch.randint(max(1, width - _SIDE + 1), (patches,), generator=generator),
                strict=True,
            )
        ]
        a, b = _patches(image, places), _patches(sample, places)
        mean, deviation = a.mean(0), a.std(0).mean().clamp_min(1e-6)
        directions = torch.randn(a.shape[1], _DIRECTIONS, generator=generator)
        directions = (directions / directions.norm(dim=0)).to(a)
        a, b = (((x - mean) / deviation @ directions).sort(0).values for x in (a, b))
        levels.append((a - b).abs().mean())
    return float(torch.stack(levels).mean())


def diversity(images: Tensor, samples: Tensor) -> float:
    """Mean distance between two samples, as a share of that between two images.

    Args:
        images, samples: (n, C, H, W).

    Returns:
        0 where all samples are one; about 1 where they differ as the images do.
    """
    apart = [(x - x.roll(1, 0)).flatten(1).norm(dim=1).mean() for x in (samples, images)]
    return float(apart[0] / apart[1].clamp_min(1e-12))


def _pyramid(x: Tensor) -> list[Tensor]:
    """What each halving takes away, finest first, and what is left."""
    levels = []
    while min(x.shape[2:]) >= 2 * _SIDE and x.shape[2] % 2 == 0 and x.shape[3] % 2 == 0:
        coarse = avg_pool2d(x, 2)
        levels.append(x - interpolate(coarse, scale_factor=2))
        x = coarse
    return [*levels, x]


def _patches(x: Tensor, places: list[tuple[int, int]]) -> Tensor:
    """The patches at those places of all images, as rows."""
    return torch.cat([x[:, :, h : h + _SIDE, w : w + _SIDE].flatten(1) for h, w in places])
