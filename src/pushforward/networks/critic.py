"""One builder of critics and encoders: a picture halves until it is small, then a linear map."""

from collections.abc import Sequence

from torch import Tensor, nn

from ..validation import OneOf, check
from .layers import NORMS, initialise, norm_layer, normed
from .resnet import CriticBlock

__all__ = ["Critic"]


_RULES = {"block": OneOf("conv", "residual"), "norm": OneOf(*NORMS)}


class Critic(nn.Module):
    """Images to numbers: one logit an image, or a vector, as an encoder has it.

    Args:
        shape: of the images, (C, H, W).
        widths: channels after each step.
        strides: 1 or 2 for each step; None halves at every one.
        block: "conv", 4x4 convolutions with stride 2 and 3x3 ones with stride 1, or "residual",
            after whose last block all pixels of a channel are summed.
        norm: "none", "batch" or "layer" (on all but the first step), or "spectral" (all weights).
        slope: of the leaky ReLU of "conv"; 0 is ReLU.
        head: numbers that come out, (n, head); None for one logit, (n,).

    Examples:
        >>> import torch
        >>> judge = Critic((1, 28, 28), widths=(32, 64), norm="spectral")
        >>> judge(torch.zeros(2, 1, 28, 28)).shape
        torch.Size([2])
        >>> encode = Critic((1, 28, 28), widths=(32, 64), norm="batch", slope=0.0, head=10)
        >>> encode(torch.zeros(2, 1, 28, 28)).shape
        torch.Size([2, 10])
    """

    def __init__(
        self,
        shape: tuple[int, int, int],
        widths: Sequence[int],
        *,
        strides: Sequence[int] | None = None,
        block: str = "conv",
        norm: str = "none",
        slope: float = 0.2,
        head: int | None = None,
    ) -> None:
        super().__init__()
        check(_RULES, {"block": block, "norm": norm})
        channels, height, width = shape
        strides = [2] * len(widths) if strides is None else list(strides)
        layers: list[nn.Module] = []
        for step, (outputs, stride) in enumerate(zip(widths, strides, strict=True)):
            if block == "residual":
                layers.append(CriticBlock(channels, outputs, stride, norm, step == 0))
            else:
                convolution = nn.Conv2d(channels, outputs, stride + 2, stride, 1)
                layers.append(normed(initialise(convolution, norm, slope), norm))
                if step:
                    layers.append(initialise(norm_layer(norm, outputs), norm, slope))
                layers.append(nn.LeakyReLU(slope) if slope else nn.ReLU())
            channels, height, width = outputs, height // stride, width // stride
        if block == "residual":
            layers += [nn.ReLU(), _SumPixels()]
        else:
            layers.append(nn.Flatten())
            channels *= height * width
        last = initialise(nn.Linear(channels, 1 if head is None else head), norm, slope)
        if block == "residual":
            nn.init.xavier_uniform_(last.weight)
        layers.append(normed(last, norm))
        if head is None:
            layers.append(nn.Flatten(0))
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


class _SumPixels(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.sum((2, 3))
