"""Batch normalisation in a flow: moments that are those of the batch, or those kept.

Ioffe & Szegedy, *Batch Normalization* (2015), as a bijection with its Jacobian: Dinh,
Sohl-Dickstein & Bengio, *Density estimation using Real NVP* (2017), section 3.7.
"""

import math
from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.autograd import Function

__all__ = ["EPSILON", "BatchNorm", "FlowNorm", "Moments", "MomentsFrom"]

EPSILON = 1e-4
"""Added to every variance, as in the released code."""

MomentsFrom = Literal["kept", "batch", "first batch"]
"""Which moments a pass uses. ``"kept"``: the running ones, so that a row's result does not depend
on its batch. ``"batch"``: the batch's, with gradients through them; the running ones move a tenth
of the way. ``"first batch"``: the batch's, and the running ones become them."""


class Moments(nn.Module):
    """Mean and variance of each channel over rows and positions.

    Args:
        channels: number of channels, dimension 1 of what comes.
        decay: share of the way the running moments go towards each batch's.

    Attributes:
        reduce: gives the sum of a tensor over the processes that share a batch; it may write to
            the tensor and need not be differentiable. None for one process.
    """

    mean: Tensor
    variance: Tensor

    def __init__(self, channels: int, decay: float = 0.1) -> None:
        super().__init__()
        self.decay = decay
        self.reduce: Callable[[Tensor], Tensor] | None = None
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("variance", torch.ones(channels))

    def forward(
        self, x: Tensor, moments: MomentsFrom, where: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Mean and (biased) variance, of shape (1, C, 1, ...) as ``x`` (n, C, ...) has it.

        Args:
            x: values, zero outside ``where``.
            moments: which moments are meant.
            where: (1, 1, ...) ones at the positions that count, else zeros; None for all.
        """
        shape = (1, -1, *(1,) * (x.ndim - 2))
        if moments == "kept":
            return self.mean.view(shape), self.variance.view(shape)
        dims = [d for d in range(x.ndim) if d != 1]
        positions = math.prod(x.shape[2:]) if where is None else where.sum()
        count = self._sum(x.new_ones(()) * (len(x) * positions))
        mean = self._sum(x.sum(dims, keepdim=True)) / count
        deviation = x - mean if where is None else (x - mean) * where
        variance = self._sum(deviation.square().sum(dims, keepdim=True)) / count
        self.follow(mean, variance, 1.0 if moments == "first batch" else self.decay)
        return mean, variance

    @torch.no_grad()
    def follow(self, mean: Tensor, variance: Tensor, step: float | None = None) -> None:
        """Move the running moments towards those of a batch by a share of the way."""
        step = self.decay if step is None else step
        self.mean.lerp_(mean.flatten(), step)
        self.variance.lerp_(variance.flatten(), step)

    def _sum(self, value: Tensor) -> Tensor:
        return value if self.reduce is None else _SumOverProcesses.apply(value, self.reduce)


class _SumOverProcesses(Function):
    """Every process's result depends on every process's value, so gradients are summed too."""

    @staticmethod
    def forward(ctx: Any, value: Tensor, reduce: Callable[[Tensor], Tensor]) -> Tensor:
        ctx.reduce = reduce
        return reduce(value.clone())

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        return ctx.reduce(grads[0].clone()), None


class BatchNorm(nn.Module):
    """Normalisation inside a network, with a learned offset and no learned scale."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.moments = Moments(channels)
        self.offset = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor, moments: MomentsFrom) -> Tensor:
        """Normalise ``x`` (n, C, ...)."""
        if moments == "batch" and self.moments.reduce is None and x.numel() > 0:
            return self._by_its_moments(x)
        mean, variance = self.moments(x, moments)
        rate = (variance + EPSILON).rsqrt()
        return x * rate + (self.offset.view_as(mean) - mean * rate)

    def _by_its_moments(self, x: Tensor) -> Tensor:
        """The same by the moments of the batch of one process, in a kernel instead of forty."""
        y, mean, rate = torch.native_batch_norm(
            x, None, self.offset, None, None, True, 0.0, EPSILON
        )
        self.moments.follow(mean, rate.detach() ** -2 - EPSILON)
        return y


class FlowNorm(nn.Module):
    """Normalisation as a layer of a flow: ``y = (x - mean) / sqrt(variance + 1e-4)``.

    The log-determinant takes the moments as given, as the paper does: exact for each row when
    they are the kept ones.

    Args:
        channels: number of channels.
        where: (1, 1, ...) ones at the positions the layer moves, else zeros; None for all.
            Moments are of these positions only. (The released code averages over all, the
            zeros among them, which leaves a mean and the wrong scale behind.)

    >>> norm = FlowNorm(1)
    >>> y, log_det = norm(torch.tensor([[1.0], [3.0]]), "first batch")
    >>> y.flatten()
    tensor([-0.9999,  0.9999])
    >>> f"{log_det:.6f}"
    '-0.000050'
    """

    where: Tensor | None

    def __init__(self, channels: int, where: Tensor | None = None) -> None:
        super().__init__()
        self.moments = Moments(channels)
        self.register_buffer("where", where, persistent=False)

    def forward(self, x: Tensor, moments: MomentsFrom) -> tuple[Tensor, Tensor]:
        """Normalise ``x`` (n, C, ...), zero outside ``where``; the log-determinant of one row."""
        mean, variance = self.moments(x, moments, self.where)
        log_rate = -0.5 * (variance + EPSILON).log()
        y = (x - mean) * log_rate.exp()
        positions = math.prod(x.shape[2:]) if self.where is None else self.where.sum()
        return y if self.where is None else y * self.where, log_rate.sum() * positions

    def inverse(self, y: Tensor) -> Tensor:
        """The rows whose normalised form, by the kept moments, is ``y``."""
        mean, variance = self.moments(y, "kept")
        x = y * (variance + EPSILON).sqrt() + mean
        return x if self.where is None else x * self.where
