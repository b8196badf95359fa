"""The K steps of one level of Glow: their parameters, stacked, and what is done with them."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from .channel_mixing import InvertibleConvolutions
from .edge_convolution import TAPS, border_table, convolve
from .glow_backward import LevelParameters, LevelSettings, each_step, fold, run_level
from .glow_frozen_level import FrozenLevel, frozen_step
from .glow_step import (
    LOG_SCALE_RATE,
    Coupling,
    StepWeights,
    affine_pixels,
    forward_step,
    inverse_step,
)

__all__ = ["FoldedLevel", "GlowLevel", "Reduce"]

Reduce = Callable[[Tensor], Tensor]
_SMALLEST_DEVIATION = 5e-4  # that is scaled up: less than half that of the noise of one byte


class FoldedLevel:
    """A level with its scales multiplied in, differentiable in weights and images."""

    def __init__(self, steps: list[StepWeights], coupling: Coupling) -> None:
        self.steps = steps
        self.coupling = coupling

    def encode(self, x: Tensor, gates: list[Tensor] | None = None) -> Tensor:
        """Map (n, h, w, c); ``gates`` collects the smallest gate of each affine coupling."""
        for weights in self.steps:
            x, log_gate, *_ = forward_step(x, weights, self.coupling)
            if gates is not None and log_gate is not None:
                gates.append(log_gate.min().exp())
        return x

    def decode(self, y: Tensor) -> Tensor:
        """Map back."""
        for weights in reversed(self.steps):
            y = inverse_step(y, weights, self.coupling)
        return y


class GlowLevel(nn.Module):
    """K steps of flow on (n, h, w, c): actnorm, 1x1 convolution, coupling.

    Every parameter is one tensor with the steps along its first axis; see
    :class:`~pushforward.models.flows.glow_backward.LevelParameters`. In the coupling network
    bias and log-scale of the first two layers *are* their actnorms. Weights begin normal with
    deviation 0.05, the last layer at zero.

    Args:
        channels: c, even.
        steps: K.
        width: of the coupling networks.
        coupling: how ``z2`` moves.
        permutation: of :class:`~pushforward.models.flows.channel_mixing.InvertibleConvolutions`.
        generator: source of the initial values.
    """

    def __init__(
        self,
        channels: int,
        steps: int,
        width: int,
        coupling: Coupling,
        permutation: str,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.coupling = coupling
        half = channels // 2
        out = coupling.outputs(half)

        def zeros(*shape: int) -> nn.Parameter:
            return nn.Parameter(torch.zeros(steps, *shape))

        def normal(*shape: int) -> nn.Parameter:
            return nn.Parameter(torch.randn(steps, *shape, generator=generator) * 0.05)

        self.actnorm_bias = zeros(channels)
        self.actnorm_logs = zeros(channels)
        self.mixing = InvertibleConvolutions(steps, channels, permutation, generator)
        self.first = normal(width, TAPS, half)
        self.first_border = normal(TAPS + 1, width)
        self.first_logs = zeros(width)
        self.second = normal(width + 1, width)
        self.second_logs = zeros(width)
        self.last = zeros(out, TAPS, width)
        self.last_border = zeros(TAPS + 1, out)
        self.last_logs = zeros(out)

    def parameters_by_step(self) -> tuple[LevelParameters, Tensor]:
        """The stacks a level computes with, and the log-determinant of its products at a pixel."""
        mixing, log_det = self.mixing()
        logs = LOG_SCALE_RATE * self.actnorm_logs.double()
        matrix = (mixing * logs.exp()[:, None]).mT
        offset = (self.actnorm_bias.double()[:, None] @ matrix)[:, 0]
        dtype = self.first.dtype
        matrix = matrix.to(dtype)
        stacks = LevelParameters(
            matrix,
            offset.to(dtype),
            # of the rounded matrix, so that rounding does not spoil the round trip
            torch.linalg.inv_ex(matrix.double())[0].to(dtype),
            *(self.first, self.first_border, self.first_logs),
            *(self.second, self.second_logs),
            *(self.last, self.last_border, self.last_logs),
        )
        return stacks, log_det.sum() + logs.sum()

    def forward(self, x: Tensor, memory: str, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        """Map (n, h, w, c), with the log-determinant (n,).

        Args:
            x: the map.
            memory: what is kept for the gradient, one of ``glow_backward.MEMORY``.
            dtype: type the coupling networks compute in.
        """
        stacks, log_det = self.parameters_by_step()
        border = border_table(*x.shape[1:3], like=x)
        kept = memory if torch.is_grad_enabled() else "reversible"
        settings = LevelSettings(self.coupling, kept, dtype)
        y, coupling_log_det = run_level(x, stacks, border, settings)
        return y, coupling_log_det + (log_det * (x.shape[1] * x.shape[2])).to(x.dtype)

    def folded(self, height: int, width: int) -> FoldedLevel:
        """The level as plain weights for maps of one size; differentiable in the parameters."""
        stacks, _ = self.parameters_by_step()
        border = border_table(height, width, like=stacks.matrix)
        steps = [fold(row, border, border.dtype) for row in each_step(stacks)]
        return FoldedLevel(steps, self.coupling)

    def frozen(self) -> FrozenLevel:
        """The level for inference on a processor, for maps of any size."""
        stacks, _ = self.parameters_by_step()
        return FrozenLevel(
            [frozen_step(row, self.coupling) for row in each_step(stacks)], self.coupling
        )

    @torch.no_grad()
    def initialise(self, x: Tensor, reduce: Reduce) -> Tensor:
        """Set every actnorm so that its outputs on ``x`` have mean 0 and deviation 1.

        Args:
            x: (n, h, w, c), a large batch.
            reduce: sums a tensor over processes.

        Returns:
            ``x`` mapped by the level.
        """
        border = border_table(*x.shape[1:3], like=x)
        for step in range(len(self.first)):
            self.actnorm_bias[step], self.actnorm_logs[step] = _standardise(x, reduce)
            for bias, logs in (
                (self.first_border, self.first_logs),
                (self.second, self.second_logs),
            ):
                bias[step, -1], logs[step] = 0, 0
            weights = self._fold(step, border)
            z1, _ = affine_pixels(x, weights.matrix, weights.offset).chunk(2, -1)
            values = convolve(z1, weights.first, weights.first_border)
            bias, logs = _standardise(values, reduce)
            self.first_border[step, -1], self.first_logs[step] = bias, logs
            values = values.add_(bias).mul_(torch.exp(LOG_SCALE_RATE * logs)).relu_()
            values = affine_pixels(values, weights.second, weights.second_bias)
            self.second[step, -1], self.second_logs[step] = _standardise(values, reduce)
            x, *_ = forward_step(x, self._fold(step, border), self.coupling)
        return x

    def _fold(self, step: int, border: Tensor) -> StepWeights:
        stacks, _ = self.parameters_by_step()
        return fold(each_step(stacks)[step], border, border.dtype)


def _standardise(x: Tensor, reduce: Reduce) -> tuple[Tensor, Tensor]:
    """Bias and log-scale of the actnorm that gives the channels of ``x`` mean 0 and deviation 1.

    A channel that does not vary is centred and not scaled.
    """
    rows = x.flatten(0, -2)
    count = rows.new_full((1,), len(rows), dtype=torch.float64)
    total = reduce(torch.cat([rows.sum(0, dtype=torch.float64), count]))
    mean, count = total[:-1] / total[-1], total[-1]
    centred = rows - mean.to(rows.dtype)
    deviation = (reduce(centred.square().sum(0, dtype=torch.float64)) / count).sqrt()
    deviation = torch.where(deviation > _SMALLEST_DEVIATION, deviation, 1.0)
    return -mean.to(x.dtype), (-deviation.log() / LOG_SCALE_RATE).to(x.dtype)
