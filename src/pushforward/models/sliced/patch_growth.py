"""How sliced flows of images grow, towards the data or towards the normal distribution."""

import math
from dataclasses import replace
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from ...training.processes import Processes
from ...transport.numerics import normal_log_prob
from ...transport.optimal_transport import matching_value
from ...transport.patches import PatchGrid, PatchLayer
from .patch_layers import LayerSettings, gaussianising_layer, matching_layer, principal_layer
from .sample_store import Points

__all__ = ["Growth", "LikelihoodGrowth", "PictureGrowth"]


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
        """Carry the points through it; False if one is not finite then."""
        ...

    def measures(self) -> dict[str, float]:
        """Measures of the layers so far on held-out images, the first of which counts."""
        ...


class PictureGrowth:
    """SIG: samples are moved towards the data, layer by layer.

    Args:
        data: images.
        samples: latents that become samples.
        held_out: (D, k) images to measure by, or None.
        making: how a layer is made.
        processes: that make it together.
        looked_at: share of the images that a layer looks at, others for each.

    Attributes:
        moved: whether samples were moved yet; the first layer goes along all principal axes.
    """

    finished = False
    needs_all_stages = True

    def __init__(
        self,
        data: Points,
        samples: Points,
        held_out: Tensor | None,
        making: LayerSettings,
        processes: Processes,
        looked_at: float = 1.0,
    ) -> None:
        self.data, self.samples, self.held_out, self.making = data, samples, held_out, making
        self.processes, self.looked_at = processes, looked_at
        self.moved = False
        self._axes: Tensor | None = None if held_out is None else _principal_axes(data)

    def make(self, grid: PatchGrid, slices: int, generator: torch.Generator) -> PatchLayer:
        data = self.data if self.looked_at == 1 else self.data.some(self.looked_at, generator)
        given = (grid, data, self.samples)
        made = generator, self.processes
        if grid.count == 1 and not self.moved:
            return principal_layer(*given, self.making, *made)
        making = replace(self.making, search_steps=self._search_steps(slices / grid.dimension))
        return matching_layer(*given, making, *made, slices=slices)

    def add(self, layer: PatchLayer) -> bool:
        self.moved = True
        return self.samples.move(layer, back=True) is not None

    def _search_steps(self, share: float) -> int:
        """Steps of a search for slices that span this share of the coordinates of a patch.

        The more they span, the less it matters which they are. Longer searches find more, but in
        the same time more layers make better images.
        """
        most = self.making.search_steps
        return max(-(-most // 5), round(most * (1 - share) ** 2))

    def measures(self) -> dict[str, float]:
        """Root mean squared 2-Wasserstein distance along principal axes and random directions."""
        if self.held_out is None or self._axes is None:
            return {}
        few = min(self.held_out.shape[1], len(self.samples))
        d = len(self.held_out)
        generator = torch.Generator().manual_seed(0)
        random = torch.randn(d, min(d, 128), generator=generator, dtype=torch.float64)
        random = torch.linalg.qr(random).Q.to(self._axes)
        made = self.samples.columns(_spread(len(self.samples), few))
        pair = self.held_out[None, :, :few], made[None]
        along = {"pca_sliced_distance": self._axes, "sliced_distance": random}
        return {name: float(matching_value(a[None], *pair)) for name, a in along.items()}


class LikelihoodGrowth:
    """GIS: images are moved towards the normal distribution, until held-out ones gain no more.

    Args:
        data: images.
        held_out: images to measure and stop by, all of them in every process, or None.
        log_det: (k,) of their dequantisation.
        making: how a layer is made.
        processes: that make it together.
        step: share of the way to the normal distribution that a layer goes.
        patience: layers without a gain before growth is finished.
    """

    finished = False
    needs_all_stages = False

    def __init__(
        self,
        data: Points,
        held_out: Points | None,
        log_det: Tensor | None,
        making: LayerSettings,
        processes: Processes,
        step: float,
        patience: int,
    ) -> None:
        self.data, self.held_out, self.log_det = data, held_out, log_det
        self.making, self.processes = making, processes
        self.step, self.patience = step, patience
        self._least, self._since = math.inf, 0

    def make(self, grid: PatchGrid, slices: int, generator: torch.Generator) -> PatchLayer:
        return gaussianising_layer(
            *(grid, self.data, self.making, generator, self.processes),
            slices=slices,
            step=self.step,
        )

    def add(self, layer: PatchLayer) -> bool:
        if self.data.move(layer) is None:
            return False
        if self.held_out is not None and self.log_det is not None:
            change = self.held_out.move(layer)
            if change is None:
                return False
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
        z = self.held_out.columns(torch.arange(len(self.held_out)))
        nats = normal_log_prob(z, 0) + self.log_det
        return {"bits_per_dim": float(-nats.mean() / (len(z) * math.log(2)))}


def _spread(n: int, few: int) -> Tensor:
    """Numbers of ``few`` columns among n that stand class by class, of each its share."""
    return torch.linspace(0, n - 1, few, dtype=torch.float64).round().long()


def _principal_axes(points: Points, most: int = 50) -> Tensor:
    """The first principal axes of up to 1,000 images: (D, k), orthonormal."""
    x = points.columns(_spread(len(points), min(1000, len(points))))
    few = x.to(torch.float64)
    few = few - few.mean(1, keepdim=True)
    count = max(1, min(most, np.min(few.shape) - 1))
    axes = torch.linalg.svd(few, full_matrices=False).U[:, :count]
    return axes.to(x.dtype)
