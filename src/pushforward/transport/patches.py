"""Slice layers on the patches of images, all patches of all images as one batch.

A patch layer tiles the image, shifted round its edges, with patches; every patch has directions
and splines of its own (Dai & Seljak, *Sliced Iterative Normalizing Flows*, 2021, section 3.4).
Patches do not overlap, so the layer is a slice layer whose directions are zero outside a patch,
and its log-determinant is the sum over the patches. No such direction is ever written out.

Images are (D, n) here, coordinates first: column i is image i, flattened from (C, H, W).
"""

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn

from ..devices import sizes_of
from .numerics import LOG_2PI, normal_log_prob
from .sliced_flow import SliceLayer
from .spline import Splines
from .spline_kernels import WORTH

__all__ = ["PatchFlow", "PatchGrid", "PatchLayer", "PatchMap", "rows_of"]

# Directions a patch above which their float64 form is kept: to make it takes as long as to carry
# as many images as there are directions. Of most models one layer, the first grown, has so many.
_WIDE = 128
_MOST_MOVING = 0.9  # share of slices that move up to which it pays to pick them out
_ROUNDED = 1e-5  # what a slope of 1 may be off by


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

    @property
    def whole(self) -> bool:
        """Whether the only patch is the image, its coordinates in their order."""
        return self.dimension == math.prod(self.shape) and self.shift == (0, 0)

    def patches(self, x: Tensor) -> Tensor:
        """What images (D, n) have in every patch, (P, d, n): the same memory where it is all."""
        return x[None] if self.whole else rows_of(x, self.index(x.device))

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


def rows_of(x: Tensor, index: Tensor) -> Tensor:
    """``x[index]`` of a matrix (D, n), whose rows are copied whole: (P, d) -> (P, d, n)."""
    return x.index_select(0, index.reshape(-1)).view(*index.shape, x.shape[1])


class PatchLayer(nn.Module):
    """One layer: K directions and K splines for each of the P patches of a grid.

    Of a layer by class, classes share the directions and have splines of their own.

    Args:
        grid: where the patches are.
        directions: (P, d, K), orthonormal columns.
        splines: of batch shape (P, K), or (classes, P, K).
    """

    directions: Tensor
    x: Tensor
    y: Tensor
    slope: Tensor
    _double: Tensor | None

    def __init__(self, grid: PatchGrid, directions: Tensor, splines: Splines) -> None:
        super().__init__()
        self.grid, self.uniform = grid, splines.uniform
        self.register_buffer("directions", directions)
        self.register_buffer("_double", None, persistent=False)
        self.register_buffer("x", splines.x)
        self.register_buffer("y", splines.y)
        self.register_buffer("slope", splines.slope)

    @classmethod
    def empty(
        cls, grid: PatchGrid, slices: int, knots: int, uniform: bool, classes: int | None = None
    ) -> "PatchLayer":
        """A layer whose tensors are still to be read, in float32."""
        bank = () if classes is None else (classes,)
        knot = torch.zeros(*bank, grid.count, slices, knots)
        directions = torch.zeros(grid.count, grid.dimension, slices)
        return cls(grid, directions, Splines(knot, knot.clone(), knot.clone(), uniform))

    @property
    def slices(self) -> int:
        """Number K of directions a patch."""
        return self.directions.shape[2]

    @property
    def knots(self) -> int:
        """Number M of knots a spline."""
        return self.x.shape[-1]

    @property
    def classes(self) -> int | None:
        """Number of classes, or None for a layer that knows none."""
        return len(self.x) if self.x.ndim == 4 else None

    def forward(self, x: Tensor, label: int | None = None) -> tuple[Tensor, Tensor]:
        """Data towards the latent: (D, n) -> images (D, n), log-det of each patch (P, n).

        Args:
            x: images, all of one class.
            label: the class, of a layer by class.
        """
        return self.map(x.dtype, label).forward(x)

    def inverse(self, y: Tensor, label: int | None = None) -> tuple[Tensor, Tensor]:
        """Latent towards the data; the log-dets are those of the **forward** map."""
        return self.map(y.dtype, label).inverse(y)

    def with_scaled_tails(self) -> "PatchLayer":
        """The layer with tails as steep as the lines between the outer knots of its splines."""
        slope = self.slope.clone()
        chord = (self.y[..., -1] - self.y[..., 0]) / (self.x[..., -1] - self.x[..., 0])
        slope[..., 0] = slope[..., -1] = chord
        splines = Splines(self.x, self.y, slope, self.uniform)
        scaled = PatchLayer(self.grid, self.directions, splines)
        self._directions(torch.float64)  # once for both, where it is kept
        scaled._double = self._double
        return scaled

    def map(
        self, dtype: torch.dtype, label: int | None = None, images: int = 1, layers: int = 1
    ) -> "PatchMap":
        """The layer made ready for images of a type; many times its memory.

        Args:
            dtype: of the images.
            label: their class, of a layer by class.
            images: how many there are.
            layers: how many such layers they go through.
        """
        x, y, slope = (t if label is None else t[label] for t in (self.x, self.y, self.slope))
        # knots that were evenly spaced in float32 are not quite in float64
        uniform = self.uniform and dtype == self.x.dtype
        moving = _moving(x, y, slope)
        if moving is not None:
            x, y, slope = (t.flatten(0, 1).index_select(0, moving) for t in (x, y, slope))
        compiled = images * layers * math.prod(self.grid.shape) >= WORTH
        splines = Splines(x, y, slope, uniform).to(dtype).for_many(images, compiled=compiled)
        a = self._directions(dtype)
        index = self.grid.index(a.device)
        home = torch.arange(math.prod(self.grid.shape), device=a.device) + index.numel()
        home[index.view(-1)] = torch.arange(index.numel(), device=a.device)
        return PatchMap(index, home, SliceLayer(a, splines, moving), self.grid.whole)

    def _directions(self, dtype: torch.dtype) -> Tensor:
        """The directions in a type, orthonormal to its last digit."""
        if dtype == self.directions.dtype:
            return self.directions
        if self._double is not None and self._double.dtype == dtype:
            return self._double
        a = self.directions.to(dtype)
        a = 1.5 * a - 0.5 * a @ (a.mT @ a)  # a step of Newton and Schulz
        if self.slices > _WIDE:
            self._double = a
        return a

    def _load_from_state_dict(self, *args: Any, **options: Any) -> None:
        self._double = None  # it is of the directions before
        super()._load_from_state_dict(*args, **options)


@dataclass(frozen=True)
class PatchMap:
    """A patch layer of one type and class.

    Attributes:
        index: (P, d), the coordinates of every patch.
        home: (D,), where each coordinate is among those of all patches, one patch after the
            other, and of the images behind them, if a coordinate is in no patch.
        layer: of all patches.
        whole: whether the only patch is the image, its coordinates in their order.
    """

    index: Tensor
    home: Tensor
    layer: SliceLayer
    whole: bool = False

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """As of :class:`PatchLayer`."""
        return self._moved(x, self.layer.forward)

    def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """As of :class:`PatchLayer`."""
        return self._moved(y, self.layer.inverse)

    def solve(self, y: Tensor) -> Tensor:
        """The images of :meth:`inverse` alone."""
        return self._joined(self.layer.solve(self._patches(y)), y)

    def shares(self, log_det: Tensor) -> Tensor:
        """Log-determinants of patches (P, n) in equal shares of their coordinates: (D, n)."""
        patches, size = self.index.shape
        each = log_det / size
        if len(self.home) > patches * size:  # a coordinate that is in none has nothing
            each = torch.cat([each, each.new_zeros(1, each.shape[1])])
        return each.index_select(0, (self.home // size).clamp_max(patches))

    def _patches(self, x: Tensor) -> Tensor:
        """What images (D, n) have in every patch: (P, d, n)."""
        if self.whole:
            return x[None]
        return rows_of(x, self.index)

    def _moved(
        self, x: Tensor, move: Callable[[Tensor], tuple[Tensor, Tensor]]
    ) -> tuple[Tensor, Tensor]:
        patches, log_det = move(self._patches(x))
        return self._joined(patches, x), log_det

    def _joined(self, patches: Tensor, x: Tensor) -> Tensor:
        """The images that patches (P, d, n) make, with what is in none from images (D, n)."""
        if self.whole:
            return patches[0]
        rows = patches.reshape(-1, x.shape[1])
        # rows are copied in order, in a third of the time of index_copy
        return (rows if len(rows) == len(x) else torch.cat([rows, x])).index_select(0, self.home)


class PatchFlow(nn.Module):
    """Patch layers one after the other, between images and a standard normal latent.

    A network as flows of images have it, see ``training/image_flow.py``; images are (n, C, H, W).
    Images are encoded and scored in float64, so that the errors of hundreds of layers do not add
    up to a grey level; latents are decoded in the precision they have.

    Args:
        shape: (C, H, W) of the images.
        layers: from the data to the latent.
        share: (classes,) how frequent each class is, for layers by class; else None.

    Examples:
        >>> flow = PatchFlow((1, 2, 2), [])
        >>> flow.log_prob(torch.zeros(3, 1, 2, 2))
        tensor([-3.6758, -3.6758, -3.6758], dtype=torch.float64)
    """

    share: Tensor | None

    def __init__(
        self, shape: tuple[int, int, int], layers: list[PatchLayer], share: Tensor | None = None
    ) -> None:
        super().__init__()
        self.shape = shape
        self.layers = nn.ModuleList(layers)
        self.register_buffer("share", share)

    @property
    def latent_shapes(self) -> list[tuple[int, ...]]:
        """One latent, of the shape of the image."""
        return [self.shape]

    def encode(self, x: Tensor, y: Tensor | None = None) -> list[Tensor]:
        """Images (n, C, H, W) -> their latent, float64, in a list of one.

        Args:
            x: the images.
            y: (n,) their classes, of layers by class.
        """

        def there(z: Tensor, label: int | None) -> Tensor:
            return _carried(z, self._ordered(), label)

        return [_of_images(there, x.to(torch.float64), y)]

    def decode(self, eps: list[Tensor], y: Tensor | None = None) -> Tensor:
        """The latent -> images (n, C, H, W)."""

        def back(x: Tensor, label: int | None) -> Tensor:
            return _carried(x, self._ordered()[::-1], label, back=True)

        return _of_images(back, eps[0], y)

    def log_prob(self, x: Tensor, y: Tensor | None = None, *, per_level: bool = False) -> Tensor:
        """Log-density in nats: (n, C, H, W) -> (n,) float64; (n, 1) with ``per_level``.

        Of layers by class and without classes ``y``, of a class that is as likely as its share.
        """
        if self.share is not None and y is None:
            total = self.class_log_prob(x).logsumexp(1)
        else:
            total = self._log_prob(x, y)
        return total[:, None] if per_level else total

    def class_log_prob(self, x: Tensor) -> Tensor:
        """Log-density of an image with each class, in nats: (n, C, H, W) -> (n, classes)."""
        assert self.share is not None
        each = [
            self._log_prob(x, torch.full((len(x),), label)) for label in range(len(self.share))
        ]
        return torch.stack(each, 1) + self.share.log()

    def _log_prob(self, x: Tensor, y: Tensor | None) -> Tensor:
        """Log-density in nats, (n,) float64, of images of known classes, where there are any."""

        def of_images(z: Tensor, label: int | None) -> Tensor:
            total = torch.zeros(1, z.shape[1], dtype=torch.float64, device=z.device)

            def count(place: slice, log_det: Tensor, layer: PatchMap) -> None:
                total[0, place] += log_det.sum(0)

            z = _carried(z, self._ordered(), label, count=count)
            return total + normal_log_prob(z, 0)

        return _by_class(of_images, x.to(torch.float64), y, 1)[0]

    def density_map(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """Log-density by pixel, (n, C, H, W) float64: sums to :meth:`log_prob`.

        A coordinate has its latent's log-density and equal shares of the log-determinants of the
        patches it was in. Which coordinate of a patch a determinant belongs to is a matter of
        convention; which patch is not.
        """

        def share(z: Tensor, label: int | None) -> Tensor:
            total = torch.zeros(z.shape, dtype=torch.float64, device=z.device)

            def count(place: slice, log_det: Tensor, layer: PatchMap) -> None:
                total[:, place] += layer.shares(log_det)

            z = _carried(z, self._ordered(), label, count=count)
            return total - 0.5 * z.square() - 0.5 * LOG_2PI

        return _of_images(share, x.to(torch.float64), y)

    def whole_latent(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """What the first layers grown, those of the whole image, alone make of images.

        Beyond its outer knots the very first, which changes units from pixels to those of the
        latent, here rises as it does between them, so that what lies outside stays as far out.

        Args:
            x: (n, C, H, W) images.
            y: (n,) their classes, of layers by class.

        Returns:
            (n, D) float64.
        """
        grown, size = reversed(self._ordered()), math.prod(self.shape)
        whole = list(itertools.takewhile(lambda layer: layer.grid.dimension == size, grown))[::-1]
        whole[-1] = whole[-1].with_scaled_tails()

        def there(z: Tensor, label: int | None) -> Tensor:
            return _carried(z, whole, label)

        return _of_images(there, x.to(torch.float64), y).flatten(1)

    def sample_latent(
        self, n: int, temperature: float, generator: torch.Generator | None = None
    ) -> list[Tensor]:
        """n latents, from a normal distribution of standard deviation ``temperature``."""
        return [temperature * torch.randn(n, *self.shape, generator=generator)]

    def _ordered(self) -> list[PatchLayer]:
        return cast("list[PatchLayer]", list(self.layers))


def _moving(x: Tensor, y: Tensor, slope: Tensor) -> Tensor | None:
    """Numbers of the splines (P, K, M) that are not the identity; None where nearly all are not.

    Where samples are like the data already, a layer leaves them as they are: in the last stages
    of a long growth that is so in most slices. On a processor these then cost nothing. A GPU would
    have to wait for the answer, and has less to gain.
    """
    if x.device.type != "cpu":
        return None
    moves = ((x != y) | ((slope - 1).abs() > _ROUNDED)).any(-1).flatten()
    some = torch.nonzero(moves)[:, 0]
    if len(some) > _MOST_MOVING * len(moves):
        return None
    return some if len(some) else torch.zeros(1, dtype=torch.long)


def _carried(
    x: Tensor,
    layers: Sequence[PatchLayer],
    label: int | None,
    *,
    back: bool = False,
    count: Callable[[slice, Tensor, PatchMap], None] | None = None,
) -> Tensor:
    """Images (D, n) of one class through layers in turn, each made ready once for all of them.

    They are carried in runs as large as the device likes them.

    Args:
        x: images.
        layers: in the order they are gone through.
        label: the class, of layers by class.
        back: whether through the inverses.
        count: called with the log-determinants of the patches (P, m) of a forward map, of the
            images at a place, and the layer; not with ``back``.
    """
    size = max(16, sizes_of(x.device).moved // len(x))
    parts = list(x.split(size, 1))
    for layer in layers:
        own = label if layer.classes else None
        ready = layer.map(x.dtype, own, x.shape[1], len(layers))
        if back:
            parts = [ready.solve(part) for part in parts]
            continue
        for number, part in enumerate(parts):
            parts[number], log_det = ready.forward(part)
            if count is not None:
                count(slice(size * number, size * (number + 1)), log_det, ready)
    return torch.cat(parts, 1)


def _of_images(
    work: Callable[[Tensor, int | None], Tensor], x: Tensor, y: Tensor | None
) -> Tensor:
    """What ``work`` makes of images, (D, n) of one class at a time, for (n, C, H, W) of many."""
    return _by_class(work, x, y, math.prod(x.shape[1:])).T.reshape(x.shape)


def _by_class(
    work: Callable[[Tensor, int | None], Tensor], x: Tensor, y: Tensor | None, rows: int
) -> Tensor:
    """What ``work`` makes of images, (D, n) to (rows, n), one class at a time."""
    columns = x.flatten(1).T
    if y is None:
        return work(columns.contiguous(), None)
    made = columns.new_empty(rows, len(x))
    for label in y.unique().tolist():
        ours = torch.nonzero(y == label)[:, 0]
        made[:, ours] = work(columns[:, ours], label)
    return made
