"""Flows made of slice layers, several of them evaluated as one batch.

A layer moves points only along K orthonormal directions ``A`` (Dai & Seljak 2021, eq. 9):
``y = x + A (psi(A^T x) - A^T x)``, so ``log|det| = sum_k log psi_k'(a_k^T x)``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from .spline import Splines

__all__ = ["SliceLayer", "SlicedFlow"]


@dataclass
class SliceLayer:
    """One layer of a batch of flows: directions (..., d, k) and splines of batch (..., k).

    Attributes:
        directions: (..., d, k), orthonormal columns.
        splines: of all slices; with ``moving`` of the slices that move, (R, M).
        moving: (R,) int64, rising numbers of these among all slices, counted one batch entry
            after the other; None for all of them. The others are where they were.
    """

    directions: Tensor
    splines: Splines
    moving: Tensor | None = None

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Data towards the latent: (..., d, n) -> points (..., d, n), log-det (..., n)."""
        moved, log_det = self.displacement(x)
        return moved.add_(x), log_det

    def displacement(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """How far :meth:`forward` moves points, and its log-det."""
        p = self.directions.mT @ x
        moved, derivative = self.splines.displacement(self._chosen(p))
        moved, derivative = self._among(p, moved, 0.0), self._among(p, derivative, 1.0)
        return self.directions @ moved, _log_product(derivative)

    def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """Latent towards the data; the log-det is that of the **forward** map."""
        p = self.directions.mT @ y
        chosen = self._chosen(p)
        q, log_derivative = self.splines.inverse(chosen)
        moved, log_derivative = (self._among(p, t, 0.0) for t in (q.sub_(chosen), log_derivative))
        return y + self.directions @ moved, log_derivative.sum(-2)

    def solve(self, y: Tensor) -> Tensor:
        """The points of :meth:`inverse` alone."""
        p = self.directions.mT @ y
        chosen = self._chosen(p)
        return y + self.directions @ self._among(p, self.splines.solve(chosen).sub_(chosen), 0.0)

    def _chosen(self, p: Tensor) -> Tensor:
        """Projections (..., k, n) of the slices that move."""
        return p if self.moving is None else p.flatten(0, -2).index_select(0, self.moving)

    def _among(self, p: Tensor, chosen: Tensor, rest: float) -> Tensor:
        """What is known of slices that move, with ``rest`` for the others, as projections p."""
        if self.moving is None:
            return chosen
        full = p.new_full((p.numel() // p.shape[-1], p.shape[-1]), rest)
        return full.index_copy_(0, self.moving, chosen).view(p.shape)

    def to(self, device: torch.device) -> "SliceLayer":
        """The layer on another device."""
        moving = None if self.moving is None else self.moving.to(device)
        return SliceLayer(self.directions.to(device), self.splines.to(device), moving)

    def take(self, index: Tensor | slice | int) -> "SliceLayer":
        """The layers at ``index`` of the first batch dimension; all their slices move."""
        assert self.moving is None
        return SliceLayer(self.directions[index], self.splines.take(index))


def _log_product(derivative: Tensor) -> Tensor:
    """Sum over slices of log derivatives: (..., k, n) -> (..., n) float64.

    A logarithm costs as much as ten products. Eight factors of any float32 are a float64.
    """
    log_det = None
    for part in derivative.split(8, dim=-2):
        change = part.prod(-2, dtype=torch.float64).log()
        log_det = change if log_det is None else log_det + change
    assert log_det is not None
    return log_det


class SlicedFlow(nn.Module):
    """``C`` sliced flows in the same space, of individual depths, evaluated as one batch.

    Flows are kept in order of falling depth, so the flows that have a layer ``l`` are always
    the first few, and a layer is one batched call over a leading block.

    Args:
        depths: (C,) number of layers of each flow, not increasing.
        directions: (T, d, K) of all layers, layer by layer, ``T = sum(depths)``.
        x, y, slope: (T, K, M) knots, values and derivatives of the splines.
        uniform: () bool, whether the knots are equally spaced.
    """

    depths: Tensor
    directions: Tensor
    x: Tensor
    y: Tensor
    slope: Tensor
    uniform: Tensor

    def __init__(
        self,
        depths: Tensor,
        directions: Tensor,
        x: Tensor,
        y: Tensor,
        slope: Tensor,
        uniform: Tensor,
    ) -> None:
        super().__init__()
        self.register_buffer("depths", depths)
        self.register_buffer("directions", directions)
        self.register_buffer("x", x)
        self.register_buffer("y", y)
        self.register_buffer("slope", slope)
        self.register_buffer("uniform", uniform)
        self._layers: list[SliceLayer] | None = None

    def _apply(self, *args: Any, **options: Any) -> Any:
        self._layers = None  # parts of tensors that are about to be others
        return super()._apply(*args, **options)

    @classmethod
    def stack(cls, flows: Sequence[Sequence[SliceLayer]]) -> "SlicedFlow":
        """Join single flows (lists of layers without batch dimension) of falling depth."""
        depths = torch.tensor([len(f) for f in flows])
        order = [f[i] for i in range(int(depths.max())) for f in flows if i < len(f)]
        return cls(
            depths,
            torch.stack([layer.directions for layer in order]),
            torch.stack([layer.splines.x for layer in order]),
            torch.stack([layer.splines.y for layer in order]),
            torch.stack([layer.splines.slope for layer in order]),
            torch.tensor(all(layer.splines.uniform for layer in order)),
        )

    @property
    def layers(self) -> list[SliceLayer]:
        """Batched layers; layer ``l`` holds the flows deeper than ``l``."""
        if self._layers is None:
            depths = self.depths.cpu()
            widths = [int((depths > i).sum()) for i in range(int(depths.max()))]
            parts = (t.split(widths) for t in (self.directions, self.x, self.y, self.slope))
            uniform = bool(self.uniform)
            self._layers = [
                SliceLayer(a, Splines(x, y, slope, uniform))
                for a, x, y, slope in zip(*parts, strict=True)
            ]
        return self._layers

    def single(self, flow: int) -> list[SliceLayer]:
        """The layers of one flow, without the batch dimension."""
        return [layer.take(flow) for layer in self.layers[: int(self.depths[flow])]]

    def forward(self, x: Tensor, which: Tensor | slice | None = None) -> tuple[Tensor, Tensor]:
        """Data to latent: (B, d, n) -> latents (B, d, n), log-det (B, n).

        Args:
            x: a block of points for each flow, or for each entry of ``which``.
            which: (B,) flow of each block, in rising order, or a run of flows; None is every
                flow once.
        """
        x, log_det = x.clone(), _zeros(x)
        for layer in self.layers:
            active, layer = self._active(layer, which)
            if active == 0:
                break
            moved, change = layer.displacement(x[:active])
            x[:active] += moved
            log_det[:active] += change
        return x, log_det

    def solve(self, z: Tensor, which: Tensor | None = None) -> Tensor:
        """Latent to data: (B, d, n) -> points (B, d, n)."""
        x = z.clone()
        for layer in reversed(self.layers):
            active, layer = self._active(layer, which)
            if active:
                x[:active] = layer.solve(x[:active])
        return x

    def _active(self, layer: SliceLayer, which: Tensor | slice | None) -> tuple[int, SliceLayer]:
        """How many of the blocks are flows that have this layer, and the layer for them."""
        deep = layer.directions.shape[0]
        if which is None:
            return deep, layer
        if isinstance(which, slice):
            active = max(0, min(deep, which.stop) - which.start)
            if active == deep:
                return deep, layer
            return active, layer.take(slice(which.start, which.start + active))
        active = int((which < deep).sum())
        if active == deep == 1:  # itself, which keeps the coefficients that it has worked out
            return 1, layer
        return active, layer.take(which[:active])


def _zeros(x: Tensor) -> Tensor:
    return torch.zeros(x.shape[0], x.shape[2], dtype=torch.float64, device=x.device)
