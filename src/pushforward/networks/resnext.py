"""The residual networks of R3GAN, which need no normalisation, sized for a processor.

Huang, Gokaslan, Kuleshov and Tompkin, *The GAN is dead; long live the GAN! A Modern Baseline GAN*
(2024): blocks of ResNeXt (Xie et al. 2017) begun as by Zhang, Dauphin and Ma, *Fixup
Initialization* (2019). Two things differ from the paper: no block works at the size of the pixels,
where most of its time would go, and images come out of a hyperbolic tangent.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["ResNeXtBlock", "ResNeXtCritic", "ResNeXtGenerator"]

Layer = TypeVar("Layer", nn.Linear, nn.Conv2d)

_GROUP = 16  # channels of a group
_SLOPE = 0.2  # of the leaky ReLU


class ResNeXtBlock(nn.Module):
    """1x1, leaky ReLU, grouped 3x3, leaky ReLU, 1x1 that begins at 0, beside the identity.

    Args:
        width: channels, (n, width, H, W) in and out.
        depth: blocks of the network: the more there are, the smaller weights begin, so that the
            first steps of all of them together change what comes out by as much as those of one.

    Examples:
        >>> x = torch.randn(2, 32, 7, 7)
        >>> bool((ResNeXtBlock(32, depth=4)(x) == x).all())
        True
    """

    def __init__(self, width: int, depth: int) -> None:
        super().__init__()
        groups = max(1, width // _GROUP) if width % _GROUP == 0 else 1
        self.conv1 = nn.Conv2d(width, width, 1)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, groups=groups)
        self.conv3 = nn.Conv2d(width, width, 1, bias=False)
        for layer in (self.conv1, self.conv2):
            _initialise(layer, depth**-0.25)  # depth^(-1 / (2 m - 2)) of m = 3 layers
        nn.init.zeros_(self.conv3.weight)

    def forward(self, x: Tensor) -> Tensor:
        h = F.leaky_relu(self.conv1(x), _SLOPE)
        return x + self.conv3(F.leaky_relu(self.conv2(h), _SLOPE))


class ResNeXtGenerator(nn.Module):
    """Codes to images in (-1, 1): a learned coarse picture, each channel times a map of the code.

    Args:
        shape: of the images, (C, H, W), whose sides halve ``len(widths)`` times.
        latent: length of a code.
        widths: channels, coarsest first.
        blocks: at each size.

    Examples:
        >>> make = ResNeXtGenerator((1, 28, 28), latent=64, widths=(64, 32))
        >>> make(torch.zeros(2, 64)).shape
        torch.Size([2, 1, 28, 28])
    """

    def __init__(
        self, shape: tuple[int, int, int], latent: int, widths: Sequence[int], blocks: int = 1
    ) -> None:
        super().__init__()
        channels, height, width = shape
        coarse = (widths[0], height >> len(widths), width >> len(widths))
        self.first = _initialise(nn.Linear(latent, widths[0]), 0.5**0.5, slope=0.0)
        self.basis = nn.Parameter(torch.randn(coarse))
        layers: list[nn.Module] = []
        for a, b in pairwise((widths[0], *widths)):
            if layers:  # at the smaller size the 1x1 convolution is cheaper, and the same
                layers.append(_initialise(nn.Conv2d(a, b, 1, bias=False), 0.5**0.5, slope=0.0))
                layers.append(nn.Upsample(scale_factor=2, mode="bilinear"))
            layers += [ResNeXtBlock(b, blocks * len(widths)) for _ in range(blocks)]
        last = nn.ConvTranspose2d(widths[-1], channels, 4, 2, 1)
        # four pixels meet in each; a quarter, so that no first picture is near black and white
        nn.init.normal_(last.weight, std=(4 * widths[-1]) ** -0.5 / 4)
        nn.init.zeros_(last.bias)  # type: ignore
        self.layers = nn.Sequential(*layers, last)

    def forward(self, z: Tensor) -> Tensor:
        return torch.tanh(self.layers(self.first(z)[:, :, None, None] * self.basis))


class ResNeXtCritic(nn.Module):
    """Images to numbers: one logit an image, or a vector, as an encoder has it.

    Args:
        shape: of the images, (C, H, W), whose sides halve ``len(widths)`` times.
        widths: channels, finest first.
        blocks: at each size.
        head: numbers that come out, (n, head); None for one logit, (n,).

    Examples:
        >>> judge = ResNeXtCritic((1, 28, 28), widths=(32, 64))
        >>> judge(torch.zeros(2, 1, 28, 28)).shape
        torch.Size([2])
    """

    def __init__(
        self,
        shape: tuple[int, int, int],
        widths: Sequence[int],
        blocks: int = 1,
        head: int | None = None,
    ) -> None:
        super().__init__()
        channels, height, width = shape
        layers: list[nn.Module] = [_initialise(nn.Conv2d(channels, widths[0], 4, 2, 1))]
        layers.append(nn.LeakyReLU(_SLOPE))
        for step, (a, b) in enumerate(pairwise((widths[0], *widths))):
            if step:  # at the smaller size the 1x1 convolution is cheaper, and the same
                layers.append(nn.AvgPool2d(2))  # halving by bilinear interpolation
                layers.append(_initialise(nn.Conv2d(a, b, 1, bias=False), 0.5**0.5, slope=0.0))
            layers += [ResNeXtBlock(b, blocks * len(widths)) for _ in range(blocks)]
        self.layers = nn.Sequential(*layers)
        coarse = (widths[-1], height >> len(widths), width >> len(widths))
        self.basis = nn.Parameter(torch.randn(coarse) / (coarse[1] * coarse[2]) ** 0.5)
        self.last = _initialise(nn.Linear(widths[-1], head or 1), 0.5**0.5, slope=0.0)
        self.flat = head is None

    def forward(self, x: Tensor) -> Tensor:
        found = self.last((self.layers(x) * self.basis).sum((2, 3)))
        return found.flatten() if self.flat else found


def _initialise(layer: Layer, gain: float = 1.0, slope: float = _SLOPE) -> Layer:
    """The layer, its weights as He et al. (2015) begin them, times a gain."""
    nn.init.kaiming_normal_(layer.weight, a=slope)
    with torch.no_grad():
        layer.weight.mul_(gain)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer
