"""Slice layers on the patches of images, all patches of all images as one batch.

A patch layer tiles the image, shifted round its edges, with patches; every patch has directions
and splines of its own (Dai & Seljak, *Sliced Iterative Normalizing Flows*, 2021, section 3.4).
Patches do not overlap, so the layer is a slice layer whose directions are zero outside a patch,
and its log-determinant is the sum over the patches. No such direction is ever written out.

Images are (D, n) here, coordinates first: column i is image i, flattened from (C, H, W).
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .numerics import LOG_2PI
from .sliced_flow import SliceLayer
from .spline import Splines

__all__ = ["PatchFlow", "PatchGrid", "PatchLayer", "blocks"]

_BLOCK = 1 << 22  # numbers in one batch of projections


@dataclass(frozen=True)
class PatchGrid:
    """Where the patches of one layer lie.

    Pixels that the last whole patch does not reach are in none, and do not move.

    Attributes:
        shape: (C, H, W) of the images.
        patch: (h, w) of the patches, at most (H, W).
        shift: (down, right), where the first patch begins; patches go on round the edges.
        apart: whether the channels of a place are patches of their own.

    Examples:
        >>> PatchGrid((1, 4, 4), (2, 2), (1, 0)).index()
        tensor([[ 4,  5,  8,  9],
                [ 6,  7, 10, 11],
                [12, 13,  0,  1],
                [14, 15,  2,  3]])
    """

    shape: tuple[int, int, int]
    patch: tuple[int, int]
    shift: tuple[int, int] = (0, 0)
    apart: bool = False

    @property
    def count(self) -> int:
        """Number P of patches."""
        (c, height, width), (h, w) = self.shape, self.patch
        return (height // h) * (width // w) * (c if self.apart else 1)

    @property
    def dimension(self) -> int:
        """Number d of coordinates of a patch."""
        return math.prod(self.patch) * (1 if self.apart else self.shape[0])

    def index(self, device: torch.device | None = None) -> Tensor:
        """Coordinates of every patch: (P, d) int64, no coordinate twice."""
        c, height, width = self.shape
        row, column = (
            ((torch.arange(side // p * p, device=device) + first) % side).view(-1, p)
            for side, p, first in zip((height, width), self.patch, self.shift, strict=True)
        )
        channel = torch.arange(c, device=device).view(-1, 1, 1, 1, 1) * (height * width)
        # (channel, patch down, patch right, row in the patch, column in the patch)
        place = channel + row[:, None, :, None] * width + column[:, None, :]
        if not self.apart:
            place = place.permute(1, 2, 0, 3, 4)
        return place.reshape(self.count, self.dimension)


class PatchLayer(nn.Module):
    """One layer: K directions and K splines for each of the P patches of a grid.

    Args:
        grid: where the patches are.
        directions: (P, d, K), orthonormal columns.
        splines: of batch shape (P, K).
    """

    directions: Tensor
    x: Tensor
    y: Tensor
    slope: Tensor

    def __init__(self, grid: PatchGrid, directions: Tensor, splines: Splines) -> None:
        super().__init__()
        self.grid, self.uniform = grid, splines.uniform
        self.register_buffer("directions", directions)
        self.register_buffer("x", splines.x)
        self.register_buffer("y", splines.y)
        self.register_buffer("slope", splines.slope)

    @classmethod
    def empty(cls, grid: PatchGrid, slices: int, knots: int, uniform: bool) -> "PatchLayer":
        """A layer whose tensors are still to be read, in float32."""
        knot = torch.zeros(grid.count, slices, knots)
        directions = torch.zeros(grid.count, grid.dimension, slices)
        return cls(grid, directions, Splines(knot, knot.clone(), knot.clone(), uniform))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Data towards the latent: (D, n) -> images (D, n), log-det of each patch (P, n)."""
        return self._moved(x, self._slices(x.dtype).forward)

    def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """Latent towards the data; the log-dets are those of the **forward** map."""
        return self._moved(y, self._slices(y.dtype).inverse)

    def _slices(self, dtype: torch.dtype) -> SliceLayer:
        # anew every time: what evaluation prepares takes three times the memory of the splines
        # knots that were evenly spaced in float32 are not quite in float64
        uniform = self.uniform and dtype == self.x.dtype
        splines = Splines(self.x, self.y, self.slope, uniform).to(dtype)
        a = self.directions.to(dtype)
        if dtype != self.directions.dtype:
            # orthonormal to the last digit of the new type, by a step of Newton and Schulz
            a = 1.5 * a - 0.5 * a @ (a.mT @ a)
        return SliceLayer(a, splines)

    def _moved(
        self, x: Tensor, move: Callable[[Tensor], tuple[Tensor, Tensor]]
    ) -> tuple[Tensor, Tensor]:
        index = self.grid.index(x.device)
        patches, log_det = move(x[index])
        return x.index_copy(0, index.view(-1), patches.reshape(-1, x.shape[1])), log_det


class PatchFlow(nn.Module):
    """Patch layers one after the other, between images and a standard normal latent.

    A network as flows of images have it, see ``training/image_flow.py``; images are (n, C, H, W).
    Images are encoded and scored in float64, so that the errors of hundreds of layers do not add
    up to a grey level; latents are decoded in the precision they have.

    Args:
        shape: (C, H, W) of the images.
        layers: from the data to the latent.

    Examples:
        >>> flow = PatchFlow((1, 2, 2), [])
        >>> flow.log_prob(torch.zeros(3, 1, 2, 2))
        tensor([-3.6758, -3.6758, -3.6758], dtype=torch.float64)
    """

    def __init__(self, shape: tuple[int, int, int], layers: list[PatchLayer]) -> None:
        super().__init__()
        self.shape = shape
        self.layers = nn.ModuleList(layers)

    @property
    def latent_shapes(self) -> list[tuple[int, ...]]:
        """One latent, of the shape of the image."""
        return [self.shape]

    def encode(self, x: Tensor, y: Tensor | None = None) -> list[Tensor]:
        """Images (n, C, H, W) -> their latent, float64, in a list of one."""
        z = x.flatten(1).T.to(torch.float64)
        for layer in self.layers:
            z, _ = layer(z)
        return [z.T.reshape(x.shape)]

    def decode(self, eps: list[Tensor], y: Tensor | None = None) -> Tensor:
        """The latent -> images (n, C, H, W)."""
        (z,) = eps
        x = z.flatten(1).T.contiguous()
        for layer in reversed(self.layers):
            assert isinstance(layer, PatchLayer)
            x, _ = layer.inverse(x)
        return x.T.reshape(z.shape)

    def log_prob(self, x: Tensor, y: Tensor | None = None, *, per_level: bool = False) -> Tensor:
        """Log-density in nats: (n, C, H, W) -> (n,) float64; (n, 1) with ``per_level``."""
        total = self.density_map(x).flatten(1).sum(1)
        return total[:, None] if per_level else total

    def density_map(self, x: Tensor) -> Tensor:
        """Log-density by pixel, (n, C, H, W) float64: sums to :meth:`log_prob`.

        A coordinate has its latent's log-density and equal shares of the log-determinants of the
        patches it was in. Which coordinate of a patch a determinant belongs to is a matter of
        convention; which patch is not.
        """
        z = x.flatten(1).T.to(torch.float64)
        share = torch.zeros(z.shape, dtype=torch.float64, device=z.device)
        for layer in self.layers:
            assert isinstance(layer, PatchLayer)
            z, log_det = layer(z)
            index = layer.grid.index(z.device)
            each = log_det / index.shape[1]
            share = share.index_add(0, index.view(-1), each.repeat_interleave(index.shape[1], 0))
        return (share - 0.5 * z.square() - 0.5 * LOG_2PI).T.reshape(x.shape)

    def sample_latent(
        self, n: int, temperature: float, generator: torch.Generator | None = None
    ) -> list[Tensor]:
        """n latents, from a normal distribution of standard deviation ``temperature``."""
        return [temperature * torch.randn(n, *self.shape, generator=generator)]


def blocks(layer_width: int, n: int) -> Iterator[slice]:
    """Runs of n images whose projections on ``layer_width`` slices fit into memory together."""
    size = max(16, _BLOCK // layer_width)
    for start in range(0, n, size):
        yield slice(start, min(start + size, n))
