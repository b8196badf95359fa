"""How sliced flows of images grow, towards the data or towards the normal distribution."""

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from ..transport.matching import gaussianising_layer, matching_layer, matching_value
from ..transport.numerics import normal_log_prob
from ..transport.patches import PatchGrid, PatchLayer, blocks

__all__ = ["Growth", "LikelihoodGrowth", "Making", "PictureGrowth"]


# Share of the way that a layer goes, by whether its patches are coarse. The first stages have to
# bring noise to the small volume that images have; in the later ones, full steps along the many
# slices of small patches sum up to flows that cannot be inverted.
_STEP = {True: 1.0, False: 0.5}
_COARSE_SIDE = 8


@dataclass(frozen=True)
class Making:
    """How a layer is made: knots a spline, and length and subsample of a search."""

    knots: int
    search_rows: int
    search_steps: int


class Growth(Protocol):
    """What grows by one layer at a time.

    Attributes:
        finished: whether more layers would not help.
        needs_all_stages: whether each stage of the schedule gets a layer, be there time or not.
    """

    finished: bool
    needs_all_stages: bool

    def make(self, grid: PatchGrid, slices: int, generator: torch.Generator) -> PatchLayer:
        """Fit the next layer."""
        ...

    def add(self, layer: PatchLayer) -> bool:
        """Carry the points through it, unless they would not stay finite: then False."""
        ...

    def measures(self) -> dict[str, float]:
        """Measures of the layers so far on held-out images, the first of which counts."""
        ...


class PictureGrowth:
    """SIG: samples are moved towards the data, layer by layer.

    Args:
        data: (D, n) images.
        samples: (D, m) latents that become samples.
        held_out: (D, k) images to measure by, or None.
        making: how a layer is made.
    """

    finished = False
    needs_all_stages = True

    def __init__(
        self, data: Tensor, samples: Tensor, held_out: Tensor | None, making: Making
    ) -> None:
        self.data, self.samples, self.held_out, self.making = data, samples, held_out, making
        self._axes: Tensor | None = None if held_out is None else _principal_axes(data)

    def make(self, grid: PatchGrid, slices: int, generator: torch.Generator) -> PatchLayer:
        m = self.making
        coarse = grid.count == 1 or max(grid.patch) > _COARSE_SIDE
        return matching_layer(
            *(grid, self.data, self.samples, generator),
            slices=slices,
            knots=m.knots,
            rows=m.search_rows,
            steps=m.search_steps,
            step=_STEP[coarse],
        )

    def add(self, layer: PatchLayer) -> bool:
        moved, _ = _through(layer, self.samples, back=True)
        if not bool(moved.isfinite().all()):
            return False
        self.samples = moved
        return True

    def measures(self) -> dict[str, float]:
        """Root mean squared 2-Wasserstein distance along principal axes and random directions."""
        if self.held_out is None or self._axes is None:
            return {}
        few = min(self.held_out.shape[1], self.samples.shape[1])
        d = len(self.held_out)
        generator = torch.Generator().manual_seed(0)
        random = torch.randn(d, min(d, 128), generator=generator, dtype=torch.float64)
        random = torch.linalg.qr(random).Q.to(self._axes)
        pair = self.held_out[None, :, :few], self.samples[None, :, :few]
        along = {"pca_sliced_distance": self._axes, "sliced_distance": random}
        return {name: float(matching_value(a[None], *pair)) for name, a in along.items()}


class LikelihoodGrowth:
    """GIS: images are moved towards the normal distribution, until held-out ones gain no more.

    Args:
        data: (D, n) images.
        held_out: (D, k) images to measure and stop by, or None.
        log_det: (k,) of their dequantisation.
        making: how a layer is made.
        step: share of the way to the normal distribution that a layer goes.
        patience: layers without a gain before growth is finished.
    """

    finished = False
    needs_all_stages = False

    def __init__(
        self,
        data: Tensor,
        held_out: Tensor | None,
        log_det: Tensor | None,
        making: Making,
        step: float,
        patience: int,
    ) -> None:
        self.data, self.held_out, self.log_det = data, held_out, log_det
        self.making, self.step, self.patience = making, step, patience
        self._least, self._since = math.inf, 0

    def make(self, grid: PatchGrid, slices: int, generator: torch.Generator) -> PatchLayer:
        m = self.making
        return gaussianising_layer(
            *(grid, self.data, generator),
            slices=slices,
            knots=m.knots,
            rows=m.search_rows,
            steps=m.search_steps,
            step=self.step,
        )

    def add(self, layer: PatchLayer) -> bool:
        moved, _ = _through(layer, self.data)
        if not bool(moved.isfinite().all()):
            return False
        self.data = moved
        if self.held_out is not None and self.log_det is not None:
            self.held_out, change = _through(layer, self.held_out)
            self.log_det = self.log_det + change
            value = self.measures()["bits_per_dim"]
            self._since += 1
            if value < self._least - 1e-4:
                self._least, self._since = value, 0
            self.finished = self._since >= self.patience
        return True

    def measures(self) -> dict[str, float]:
        """Mean bits per dimension."""
        if self.held_out is None or self.log_det is None:
            return {}
        nats = normal_log_prob(self.held_out, 0) + self.log_det
        return {"bits_per_dim": float(-nats.mean() / (len(self.held_out) * math.log(2)))}


def _through(layer: PatchLayer, x: Tensor, *, back: bool = False) -> tuple[Tensor, Tensor]:
    """Images (D, n) through a layer, some at a time, and its log-det (n,) float64."""
    moved = torch.empty_like(x)
    log_det = torch.empty(x.shape[1], dtype=torch.float64, device=x.device)
    width = max(layer.grid.count * layer.x.shape[1], len(x))
    for some in blocks(width, x.shape[1]):
        part = x[:, some].contiguous()
        moved[:, some], change = layer.inverse(part) if back else layer(part)
        log_det[some] = change.sum(0, dtype=torch.float64)
    return moved, log_det


def _principal_axes(x: Tensor, most: int = 50) -> Tensor:
    """The first principal axes of up to 1,000 images: (D, k), orthonormal."""
    few = x[:, :1000].to(torch.float64)
    few = few - few.mean(1, keepdim=True)
    count = max(1, min(most, np.min(few.shape) - 1))
    axes = torch.linalg.svd(few, full_matrices=False).U[:, :count]
    return axes.to(x.dtype)
