"""The networks inside RealNVP's couplings: residual, weight-normalised, with skip sums.

Dinh, Sohl-Dickstein & Bengio, *Density estimation using Real NVP* (2017), section 3.7 and the
authors' released code; weight normalisation: Salimans & Kingma, *Weight Normalization* (2016).
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .flow_norm import BatchNorm, MomentsFrom

__all__ = ["ResidualNetwork", "WeightNormLayer"]


class WeightNormLayer(nn.Module):
    """A linear map of vectors, or a convolution, whose weights have unit length per output.

    Args:
        channels_in, channels_out: numbers of channels.
        kernel: side of the convolution's window; None for rows without positions.
        magnitude: whether each output has a learned length (else it is one).
        bias: whether each output has a learned offset.
        generator: draws the directions.
    """

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        kernel: int | None,
        generator: torch.Generator,
        *,
        magnitude: bool = True,
        bias: bool = True,
    ) -> None:
        super().__init__()
        window = () if kernel is None else (kernel, kernel)
        weight = torch.rand(channels_out, channels_in, *window, generator=generator) * 2 - 1
        self.direction = nn.Parameter(weight)
        # the released code's start: sqrt(2 / c_in) sqrt(c_in k^2 / 12)
        length = ((kernel or 1) ** 2 / 6) ** 0.5
        self.magnitude = nn.Parameter(torch.full((channels_out,), length)) if magnitude else None
        self.bias = nn.Parameter(torch.zeros(channels_out)) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, channels_in, ...) to (n, channels_out, ...), the size of images kept."""
        weight = F.normalize(self.direction.flatten(1), dim=1).view_as(self.direction)
        if self.magnitude is not None:
            weight = weight * self.magnitude.view(-1, *(1,) * (weight.ndim - 1))
        if weight.ndim == 2:
            return F.linear(x, weight, self.bias)
        return F.conv2d(x, weight, self.bias, padding=weight.shape[-1] // 2)


class _Block(nn.Module):
    def __init__(self, width: int, kernel: int | None, generator: torch.Generator) -> None:
        super().__init__()
        self.norm_in = BatchNorm(width)
        self.inner = WeightNormLayer(width, width, kernel, generator, magnitude=False, bias=False)
        self.norm = BatchNorm(width)
        self.outer = WeightNormLayer(width, width, kernel, generator)

    def forward(self, x: Tensor, moments: MomentsFrom) -> Tensor:
        h = self.inner(F.relu(self.norm_in(x, moments)))
        return x + self.outer(F.relu(self.norm(h, moments)))


class ResidualNetwork(nn.Module):
    """Residual blocks whose every state is summed, by its own 1x1 map, into the output.

    Args:
        channels_in, channels_out: numbers of channels.
        width: channels inside.
        blocks: number of residual blocks, of two layers each.
        kernel: side of the windows for images (3 in the paper); None for vectors.
        generator: draws the weights.

    >>> network = ResidualNetwork(5, 4, 8, 2, 3, torch.Generator().manual_seed(0))
    >>> network(torch.zeros(2, 5, 6, 6), "kept").shape
    torch.Size([2, 4, 6, 6])
    """

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        width: int,
        blocks: int,
        kernel: int | None,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        point = None if kernel is None else 1
        self.first = WeightNormLayer(channels_in, width, kernel, generator, magnitude=False)
        self.blocks = nn.ModuleList(_Block(width, kernel, generator) for _ in range(blocks))
        self.skips = nn.ModuleList(
            WeightNormLayer(width, width, point, generator) for _ in range(blocks + 1)
        )
        self.norm = BatchNorm(width)
        self.last = WeightNormLayer(width, channels_out, point, generator)

    def forward(self, x: Tensor, moments: MomentsFrom) -> Tensor:
        """Map (n, channels_in, ...) to (n, channels_out, ...)."""
        h = self.first(x)
        out = self.skips[0](h)
        for block, skip in zip(self.blocks, self.skips[1:], strict=True):
            h = block(h, moments)
            out = out + skip(h)
        return self.last(F.relu(self.norm(out, moments)))
