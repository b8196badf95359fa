"""Residual blocks of SN-ResNet (Miyato et al. 2018, figures 8 and 9)."""

import math

import torch.nn.functional as F
from torch import Tensor, nn

from .layers import norm_layer, normed

__all__ = ["CriticBlock", "GeneratorBlock", "convolution"]


def convolution(
    inputs: int, outputs: int, kernel: int, norm: str = "none", gain: float = 1.0
) -> nn.Module:
    """A convolution that keeps the size, begun as Glorot and Bengio (2010) do, times a gain."""
    layer = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2)
    nn.init.xavier_uniform_(layer.weight, gain)
    assert layer.bias is not None
    nn.init.zeros_(layer.bias)
    return normed(layer, norm)


class GeneratorBlock(nn.Module):
    """Twice the size: norm, ReLU, up, 3x3, norm, ReLU, 3x3, beside up, 1x1."""

    def __init__(self, inputs: int, outputs: int, norm: str) -> None:
        super().__init__()
        self.norm1, self.norm2 = norm_layer(norm, inputs), norm_layer(norm, outputs)
        self.conv1 = convolution(inputs, outputs, 3, gain=math.sqrt(2))
        self.conv2 = convolution(outputs, outputs, 3, gain=math.sqrt(2))
        self.shortcut = convolution(inputs, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        h = self.conv1(F.interpolate(F.relu(self.norm1(x)), scale_factor=2))
        h = self.conv2(F.relu(self.norm2(h)))
        # a 1x1 convolution and copying pixels commute: fewer pixels are convolved this way
        return h + F.interpolate(self.shortcut(x), scale_factor=2)


class CriticBlock(nn.Module):
    """ReLU, 3x3, ReLU, 3x3, mean of 2x2 pixels for a stride of 2, beside 1x1.

    The first block of a critic sees pixels: it begins without ReLU. Only "layer" and "batch" have
    layers of their own, before each ReLU.
    """

    def __init__(self, inputs: int, outputs: int, stride: int, norm: str, first: bool) -> None:
        super().__init__()
        inner = outputs if first else inputs
        self.first, self.stride = first, stride
        self.norm1 = nn.Identity() if first else norm_layer(norm, inputs)
        self.norm2 = norm_layer(norm, inner)
        self.conv1 = convolution(inputs, inner, 3, norm, math.sqrt(2))
        self.conv2 = convolution(inner, outputs, 3, norm, math.sqrt(2))
        same = inputs == outputs and stride == 1
        self.shortcut = nn.Identity() if same else convolution(inputs, outputs, 1, norm)

    def forward(self, x: Tensor) -> Tensor:
        h = x if self.first else F.relu(self.norm1(x))
        h = self.conv2(F.relu(self.norm2(self.conv1(h))))
        if self.stride == 2:  # the mean of pixels and a 1x1 convolution commute
            h, x = F.avg_pool2d(h, 2), F.avg_pool2d(x, 2)
        return h + self.shortcut(x)
