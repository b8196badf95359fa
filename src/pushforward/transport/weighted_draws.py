"""Weighted draws of the open coordinates of rows, and nodes of what is enumerated instead."""

import math
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from .row_noise import RowNoise

__all__ = ["WeightedDraws"]

_POWERS = 8  # steps of the power iteration for the direction of draws


@dataclass(frozen=True)
class WeightedDraws:
    """Rows with some coordinates given and draws of the others, with weights.

    Attributes:
        points: (n, R, D), for each of n rows R points that have its given coordinates.
        log_ratio: (n, R) logarithms of what the points count, not normalised: density over that of
            the proposal, or density times what a node stands for; -inf for what is not allowed.
        log_joint: (n, R) log densities of the points.
        summed: whether the points are values or nodes that are summed over, without chance.
        along: where they are nodes, the coordinate that these lie along.
        pieces: (n, R, 2) the beginning and end of what each node stands for, where they are.
    """

    points: Tensor
    log_ratio: Tensor
    log_joint: Tensor
    summed: bool = False
    along: int = -1
    pieces: Tensor | None = None

    @property
    def log_weight(self) -> Tensor:
        """Logarithms of the weights, which sum to one over the draws of a row: (n, R)."""
        return self.log_ratio.log_softmax(1)

    @property
    def log_given(self) -> Tensor:
        """Log density of what is given, (n,); estimated by a mean where draws are not summed."""
        count = 1 if self.summed else self.log_ratio.shape[1]
        return self.log_ratio.logsumexp(1) - math.log(count)

    @property
    def effective_size(self) -> Tensor:
        """How many equally weighted draws these are worth, (n,); infinite for sums."""
        if self.summed:
            return torch.full_like(self.log_ratio[:, 0], math.inf)
        size = (-(2 * self.log_weight).logsumexp(1)).exp()
        return torch.where(self.log_ratio.amax(1) > -math.inf, size, 0.0)

    def of_rows(self, rows: np.ndarray) -> "WeightedDraws":
        """Those of some rows, by a mask (n,)."""
        chosen = torch.from_numpy(rows)
        return replace(
            self,
            points=self.points[chosen],
            log_ratio=self.log_ratio[chosen],
            log_joint=self.log_joint[chosen],
            pieces=None if self.pieces is None else self.pieces[chosen],
        )

    @classmethod
    def joined(cls, parts: "list[WeightedDraws]") -> "WeightedDraws":
        """The draws of all rows of some parts, which have as many each and no nodes."""
        if len(parts) == 1:
            return parts[0]
        return cls(
            torch.cat([part.points for part in parts]),
            torch.cat([part.log_ratio for part in parts]),
            torch.cat([part.log_joint for part in parts]),
        )

    def with_more(self, other: "WeightedDraws") -> "WeightedDraws":
        """These draws and more of the same rows."""
        return WeightedDraws(
            torch.cat([self.points, other.points], 1),
            torch.cat([self.log_ratio, other.log_ratio], 1),
            torch.cat([self.log_joint, other.log_joint], 1),
        )

    def ends(self) -> tuple[Tensor, Tensor]:
        """Points (n, R, D) at the two ends of the pieces; the points themselves without any."""
        if self.pieces is None:
            return self.points, self.points
        low, high = self.points.clone(), self.points.clone()
        low[..., self.along], high[..., self.along] = self.pieces.unbind(2)
        return low, high

    def spread(self, count: int) -> "WeightedDraws":
        """``count`` points at even places of each piece instead of its node, (n, R count, D)."""
        if self.pieces is None:
            return self
        low, high = self.pieces.unbind(2)
        share = (torch.arange(count, dtype=low.dtype) + 0.5) / count
        points = self.points.repeat_interleave(count, 1)
        points[..., self.along] = (low[..., None] + (high - low)[..., None] * share).flatten(1)
        return WeightedDraws(
            points,
            self.log_ratio.repeat_interleave(count, 1) - math.log(count),
            self.log_joint.repeat_interleave(count, 1),
            summed=True,
        )

    def ordered(self) -> "WeightedDraws":
        """The draws of each row along the direction in which they vary most.

        Systematic draws of them (:meth:`take`) are then spread evenly along it, and a mean over a
        few of these is nearer to that of all.
        """
        weight = self.log_weight.exp()[..., None]
        off = self.points - (weight * self.points).sum(1, keepdim=True)
        off = off / (weight * off * off).sum(1, keepdim=True).sqrt().clamp_min(1e-12)
        direction = torch.ones_like(off[:, :1]).mT
        for _ in range(_POWERS):
            direction = (weight * off).mT @ (off @ direction)
            direction = direction / direction.norm(dim=1, keepdim=True).clamp_min(1e-12)
        order = (off @ direction)[..., 0].argsort(1)
        every = order[..., None]
        return replace(
            self,
            points=self.points.gather(1, every.expand_as(self.points)),
            log_ratio=self.log_ratio.gather(1, order),
            log_joint=self.log_joint.gather(1, order),
            pieces=None
            if self.pieces is None
            else self.pieces.gather(1, every.expand_as(self.pieces)),
        )

    def take(self, count: int, noise: RowNoise) -> tuple[Tensor, Tensor, Tensor]:
        """Draw ``count`` of the points of each row by their weights.

        The draws are systematic, so that none is repeated while its weight is below 1 / ``count``,
        and come in random order. A node is drawn as a place in its piece.

        Args:
            count: of draws.
            noise: of the n rows.

        Returns:
            Points (n, count, D), their log densities (n, count), for nodes those of the nodes, and
            which of the points are there already, bool of shape (n, count).
        """
        total = self.log_weight.exp().cumsum(1)
        start = noise.uniform()[:, None]
        place = (torch.arange(count, dtype=total.dtype) + start) / count * total[:, -1:]
        index = torch.searchsorted(total, place).clamp_max(total.shape[1] - 1)
        again = torch.zeros_like(index, dtype=torch.bool)
        again[:, 1:] = index[:, 1:] == index[:, :-1]
        order = noise.spread(count).uniform().view(-1, count).argsort(1)
        index, again = index.gather(1, order), again.gather(1, order)
        points = self.points.gather(1, index[..., None].expand(-1, -1, self.points.shape[2]))
        if self.pieces is not None:
            low, high = self.pieces.gather(1, index[..., None].expand(-1, -1, 2)).unbind(2)
            u = noise.spread(count).uniform().view(low.shape)
            points[..., self.along] = low + (high - low) * u
        return points, self.log_joint.gather(1, index), again
