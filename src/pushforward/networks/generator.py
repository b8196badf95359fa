"""One builder of generators: a code becomes a small picture, which doubles until it is whole."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from ..errors import ParameterError
from ..validation import OneOf, check
from .layers import initialise, norm_layer
from .resnet import GeneratorBlock, convolution

__all__ = ["Generator"]


_RULES = {
    "block": OneOf("conv", "residual"),
    "norm": OneOf("batch", "layer", "none"),
    "last": OneOf("up", "same"),
}


class Generator(nn.Module):
    """Codes to images in (-1, 1).

    A linear map gives ``widths[0]`` channels at the coarsest size; each further width doubles
    the size; with ``last="up"`` the layer that makes the pixels doubles it once more.

    Args:
        shape: of the images, (C, H, W).
        latent: length of a code.
        widths: channels, coarsest first.
        block: "conv", transposed 4x4 convolutions (DCGAN), or "residual" (SN-ResNet).
        norm: "batch", "layer" or "none", on all but the last layer.
        last: "up", a transposed 4x4 convolution, or "same", a 3x3 convolution.

    Raises:
        ParameterError: for sides that do not halve so often, and unknown words.

    Examples:
        >>> import torch
        >>> make = Generator((1, 28, 28), latent=64, widths=(64, 32))
        >>> make(torch.zeros(2, 64)).shape
        torch.Size([2, 1, 28, 28])
    """

    def __init__(
        self,
        shape: tuple[int, int, int],
        latent: int,
        widths: Sequence[int],
        *,
        block: str = "conv",
        norm: str = "batch",
        last: str = "up",
    ) -> None:
        super().__init__()
        check(_RULES, {"block": block, "norm": norm, "last": last})
        channels, height, width = shape
        doublings = len(widths) - (last == "same")
        if height % 2**doublings or width % 2**doublings:
            raise ParameterError(
                f"Images of {height} x {width} pixels do not halve {doublings} times. Expected "
                f"multiples of {2**doublings}, or other widths than {tuple(widths)}."
            )
        self.coarse = (widths[0], height >> doublings, width >> doublings)
        self.first = nn.Linear(latent, widths[0] * self.coarse[1] * self.coarse[2])
        pairs = list(pairwise(widths))
        layers: list[nn.Module] = []
        if block == "residual":
            layers += [GeneratorBlock(a, b, norm) for a, b in pairs]
        else:
            for a, b in pairs:
                layers += [norm_layer(norm, a), nn.ReLU(), nn.ConvTranspose2d(a, b, 4, 2, 1)]
        layers += [norm_layer(norm, widths[-1]), nn.ReLU()]
        if last == "up":
            layers.append(nn.ConvTranspose2d(widths[-1], channels, 4, 2, 1))
        else:
            layers.append(convolution(widths[-1], channels, 3))
        self.layers = nn.Sequential(*layers)
        if block == "conv":
            initialise(self, norm, 0.0)
        else:
            nn.init.xavier_uniform_(self.first.weight)
            nn.init.zeros_(self.first.bias)

    def forward(self, z: Tensor) -> Tensor:
        return torch.tanh(self.layers(self.first(z).unflatten(1, self.coarse)))
