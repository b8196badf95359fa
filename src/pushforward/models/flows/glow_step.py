"""One step of Glow on folded weights: actnorm and 1x1 convolution as one product, then coupling.

Maps are (n, h, w, c) here. Kingma & Dhariwal, *Glow: Generative Flow with Invertible 1x1
Convolutions* (2018), section 3, with the details of their published code.
"""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from .edge_convolution import convolve

__all__ = [
    "LOG_SCALE_RATE",
    "Activations",
    "Coupling",
    "StepWeights",
    "affine_pixels",
    "coupling_network",
    "forward_step",
    "inverse_step",
    "undo_mixing",
]

LOG_SCALE_RATE = 3.0  # the published code learns every log-scale through this factor


class StepWeights(NamedTuple):
    """What one step computes with, scales folded in.

    Attributes:
        matrix, offset: (c, c) and (c,): ``z = x @ matrix + offset`` at every pixel.
        inverse: (c, c), the inverse of ``matrix``.
        first, first_border: (width, 9, c/2) and (h, w, width), the convolution of ``z1``; what
            the edge channel and the bias add to it.
        second, second_bias: (width, width) and (width,).
        last, last_border: (out, 9, width) and (h, w, out).
    """

    matrix: Tensor
    offset: Tensor
    inverse: Tensor
    first: Tensor
    first_border: Tensor
    second: Tensor
    second_bias: Tensor
    last: Tensor
    last_border: Tensor


class Activations(NamedTuple):
    """What the two hidden layers of the coupling network gave: (n, h, w, width) each."""

    first: Tensor
    second: Tensor


class Coupling(NamedTuple):
    """How the second half of the channels is moved: ``z2 <- (z2 + shift) * gate``.

    The gate is ``s = floor + (1 - floor) sigmoid(r + 2)``, between ``floor`` and 1. The published
    code has no floor; its inverse ``1/s`` is then unbounded, and off the data the layers one after
    the other amplify until samples overflow (Behrmann et al., *Understanding and Mitigating
    Exploding Inverses in Invertible Neural Networks*, 2021).

    Attributes:
        affine: False leaves the gate away (additive coupling).
        floor: smallest value of the gate.
    """

    affine: bool
    floor: float

    def outputs(self, half: int) -> int:
        """Channels the network has to give for ``half`` channels that move."""
        return 2 * half if self.affine else half

    def log_gate(self, rate: Tensor) -> Tensor:
        """``log s``."""
        if self.floor == 0:
            return functional.logsigmoid(rate + 2)
        return self.gate(rate).log()

    def gate(self, rate: Tensor) -> Tensor:
        """``s``."""
        return torch.sigmoid(rate + 2) * (1 - self.floor) + self.floor

    def log_gate_slope(self, rate: Tensor) -> Tensor:
        """``d log s / d r``."""
        rest = torch.sigmoid(-2 - rate)
        return rest if self.floor == 0 else (1 - self.floor / self.gate(rate)) * rest

    def forward(self, z2: Tensor, out: Tensor) -> tuple[Tensor, Tensor | None]:
        """Move ``z2`` (n, h, w, half) by the network's ``out``; with the log gate or None."""
        if not self.affine:
            return z2 + out, None
        shift, rate = out[..., 0::2], out[..., 1::2]
        return (z2 + shift) * self.gate(rate), self.log_gate(rate)

    def inverse(self, z2: Tensor, out: Tensor) -> Tensor:
        """Move ``z2`` back."""
        if not self.affine:
            return z2 - out
        return z2 / self.gate(out[..., 1::2]) - out[..., 0::2]


def affine_pixels(x: Tensor, matrix: Tensor, offset: Tensor) -> Tensor:
    """``x @ matrix + offset`` at every pixel of (n, h, w, c)."""
    return torch.addmm(offset, x.reshape(-1, x.shape[-1]), matrix).view(*x.shape[:-1], -1)


def coupling_network(z1: Tensor, weights: StepWeights) -> tuple[Tensor, Activations]:
    """Evaluate the network of a coupling in the type of its weights.

    Args:
        z1: (n, h, w, c/2), the half that conditions.
        weights: of the step.

    Returns:
        The output (n, h, w, out) in the type of ``z1``, and the activations.
    """
    first = convolve(z1.to(weights.first.dtype), weights.first, weights.first_border).relu_()
    second = affine_pixels(first, weights.second, weights.second_bias).relu_()
    out = convolve(second, weights.last, weights.last_border)
    return out.to(z1.dtype), Activations(first, second)


def forward_step(
    x: Tensor, weights: StepWeights, coupling: Coupling
) -> tuple[Tensor, Tensor | None, Tensor, Activations]:
    """Apply a step.

    Returns:
        ``y`` (n, h, w, c), the log gate (n, h, w, c/2) or None, the network's output and its
        activations.
    """
    z = affine_pixels(x, weights.matrix, weights.offset)
    z1, z2 = z.chunk(2, -1)
    out, activations = coupling_network(z1, weights)
    moved, log_gate = coupling.forward(z2, out)
    return torch.cat([z1, moved], -1), log_gate, out, activations


def inverse_step(y: Tensor, weights: StepWeights, coupling: Coupling) -> Tensor:
    """Undo :func:`forward_step`."""
    z1, z2 = y.chunk(2, -1)
    out, _ = coupling_network(z1, weights)
    return undo_mixing(torch.cat([z1, coupling.inverse(z2, out)], -1), weights)


def undo_mixing(z: Tensor, weights: StepWeights) -> Tensor:
    """Undo the actnorm and the 1x1 convolution of a step."""
    return ((z - weights.offset).flatten(0, 2) @ weights.inverse).view(z.shape)
