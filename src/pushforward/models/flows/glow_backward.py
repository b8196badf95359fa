"""The steps of one level as one differentiable function, its gradient written by hand.

A coupling leaves ``z1`` as it was, so the backward pass can evaluate the network of a step once
and use it twice: to undo the step and to differentiate it. What has to be kept from the forward
pass is therefore a choice: everything, the input of each step, or nothing but the output.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from .edge_convolution import convolve_backward
from .glow_step import (
    LOG_SCALE_RATE,
    Activations,
    Coupling,
    StepWeights,
    coupling_network,
    forward_step,
    undo_mixing,
)

__all__ = ["MEMORY", "LevelParameters", "LevelSettings", "each_step", "fold", "run_level"]

MEMORY = ("reversible", "checkpoint", "store")


class LevelParameters(NamedTuple):
    """The parameters of K steps, stacked.

    ``*_border`` weigh the columns of the border table: the nine taps of the edge channel, and the
    bias. The bias of ``second`` is its last row. Log-scales count threefold.

    Attributes:
        matrix: (K, c, c), offset: (K, c), inverse: (K, c, c): actnorm and 1x1 convolution.
        first: (K, width, 9, c/2), first_border: (K, 10, width), first_logs: (K, width).
        second: (K, width + 1, width), second_logs: (K, width).
        last: (K, out, 9, width), last_border: (K, 10, out), last_logs: (K, out).
    """

    matrix: Tensor
    offset: Tensor
    inverse: Tensor
    first: Tensor
    first_border: Tensor
    first_logs: Tensor
    second: Tensor
    second_logs: Tensor
    last: Tensor
    last_border: Tensor
    last_logs: Tensor


class LevelSettings(NamedTuple):
    """How the level is computed: its coupling, what is kept, and the type of the networks."""

    coupling: Coupling
    memory: str
    dtype: torch.dtype


def each_step(stacks: LevelParameters) -> list[LevelParameters]:
    """Stacks as rows, one for each step."""
    return [LevelParameters(*row) for row in zip(*(s.unbind() for s in stacks), strict=True)]


def fold(p: LevelParameters, border: Tensor, dtype: torch.dtype) -> StepWeights:
    """The weights of one step, scales multiplied in; those of the network in ``dtype``."""
    first_scale = torch.exp(LOG_SCALE_RATE * p.first_logs)
    second = p.second * torch.exp(LOG_SCALE_RATE * p.second_logs)
    last_scale = torch.exp(LOG_SCALE_RATE * p.last_logs)
    networks = (
        *(p.first * first_scale[:, None, None], border @ (p.first_border * first_scale)),
        *(second[:-1], second[-1]),
        *(p.last * last_scale[:, None, None], border @ (p.last_border * last_scale)),
    )
    return StepWeights(p.matrix, p.offset, p.inverse, *(weight.to(dtype) for weight in networks))


def run_level(
    x: Tensor, parameters: LevelParameters, border: Tensor, settings: LevelSettings
) -> tuple[Tensor, Tensor]:
    """Apply the steps of a level.

    Args:
        x: (n, h, w, c).
        parameters: of its K steps.
        border: (h, w, 10) table of the padding.
        settings: coupling, memory and type.

    Returns:
        ``y`` (n, h, w, c) and the log-determinant of the couplings (n,). Both are differentiable
        once, in ``x`` and all parameters but ``inverse``, which is taken to belong to ``matrix``.
    """
    return _Level.apply(x, border, settings, *parameters)


class _Level(Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, border: Tensor, settings: LevelSettings, *stacks: Tensor
    ) -> tuple[Tensor, Tensor]:
        log_det = x.new_zeros(len(x))
        kept: list[Tensor] = []
        for parameters in each_step(LevelParameters(*stacks)):
            weights = fold(parameters, border, settings.dtype)
            y, log_gate, out, activations = forward_step(x, weights, settings.coupling)
            if log_gate is not None:
                log_det += log_gate.sum((1, 2, 3))
            if settings.memory == "checkpoint":
                kept.append(x)
            elif settings.memory == "store":
                kept += [x, out, *activations]
            x = y
        ctx.settings = settings
        ctx.save_for_backward(border, x, *stacks, *kept)
        return x, log_det

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        border, y, *tensors = ctx.saved_tensors
        parameters = LevelParameters(*tensors[: len(LevelParameters._fields)])
        kept = tensors[len(parameters) :]
        grads_of = LevelParameters(*map(torch.zeros_like, parameters))
        rows = list(zip(each_step(parameters), each_step(grads_of), strict=True))
        grad_y, grad_log_det = grads[0], grads[1].view(-1, 1, 1, 1)
        each = len(kept) // len(rows)
        for step in reversed(range(len(rows))):
            row, grad = rows[step]
            weights = fold(row, border, ctx.settings.dtype)
            state = kept[step * each : (step + 1) * each]
            y, grad_y = _backward_step(
                y, grad_y, grad_log_det, state, weights, border, ctx.settings, grad
            )
            _unfold_scales(grad, row)
        return grad_y, None, None, *grads_of._replace(inverse=None)


def _backward_step(
    y: Tensor,
    grad_y: Tensor,
    grad_log_det: Tensor,
    state: list[Tensor],
    weights: StepWeights,
    border: Tensor,
    settings: LevelSettings,
    grad: LevelParameters,
) -> tuple[Tensor, Tensor]:
    """Input of a step and the gradient there, from its output and the gradient there.

    The gradients of the folded weights are written to ``grad``.
    """
    z1, moved = y.chunk(2, -1)
    grad_z1, grad_moved = grad_y.chunk(2, -1)
    if settings.memory == "store":
        out, net = state[1], Activations(*state[2:])
    else:
        out, net = coupling_network(z1, weights)

    grad_out = torch.empty_like(out)
    if settings.coupling.affine:
        rate = out[..., 1::2]
        slope = settings.coupling.log_gate_slope(rate)
        grad_z2 = grad_moved * settings.coupling.gate(rate)
        grad_out[..., 0::2] = grad_z2
        torch.mul(grad_moved * moved + grad_log_det, slope, out=grad_out[..., 1::2])
    else:
        grad_z2 = grad_moved
        grad_out.copy_(grad_moved)

    grad_z1 = grad_z1 + _backward_network(grad_out, z1, net, weights, border, grad)
    grad_z = torch.cat([grad_z1, grad_z2], -1).flatten(0, 2)

    if settings.memory == "reversible":
        x = undo_mixing(torch.cat([z1, settings.coupling.inverse(moved, out)], -1), weights)
    else:
        x = state[0]
    grad.matrix.copy_(x.reshape(-1, x.shape[-1]).T @ grad_z)
    grad.offset.copy_(grad_z.sum(0))
    return x, (grad_z @ weights.matrix.T).view(y.shape)


def _backward_network(
    grad_out: Tensor,
    z1: Tensor,
    net: Activations,
    weights: StepWeights,
    border: Tensor,
    grad: LevelParameters,
) -> Tensor:
    """Gradient of ``z1`` through the network; those of the folded weights go to ``grad``."""
    dtype = weights.first.dtype
    grad.last_border.copy_(_of_border(grad_out, border))
    grad_second, grad_last = convolve_backward(grad_out.to(dtype), net.second, weights.last)
    grad.last.copy_(grad_last)
    grad_second = _masked(grad_second, net.second).flatten(0, 2)
    grad.second[:-1] = net.first.flatten(0, 2).T @ grad_second
    grad.second[-1] = grad_second.sum(0)
    grad_first = _masked((grad_second @ weights.second.T).view(net.first.shape), net.first)
    grad.first_border.copy_(_of_border(grad_first, border))
    grad_z1, grad_first_weight = convolve_backward(grad_first, z1.to(dtype), weights.first)
    grad.first.copy_(grad_first_weight)
    return grad_z1.to(z1.dtype)


def _of_border(grad: Tensor, border: Tensor) -> Tensor:
    per_pixel = grad.sum(0, dtype=border.dtype)
    return border.flatten(0, 1).T @ per_pixel.flatten(0, 1)


def _masked(grad: Tensor, activation: Tensor) -> Tensor:
    return torch.ops.aten.threshold_backward.grad_input(grad, activation, 0, grad_input=grad)


def _unfold_scales(grad: LevelParameters, parameters: LevelParameters) -> None:
    """Turn gradients of the folded weights of a step into those of its parameters."""
    gradient_of, value_of = grad._asdict(), parameters._asdict()
    for name in ("first", "first_border", "second", "last", "last_border"):
        logs = f"{name.removesuffix('_border')}_logs"
        scale = torch.exp(LOG_SCALE_RATE * value_of[logs])
        weight, grad_weight = value_of[name], gradient_of[name]
        filters = weight.ndim == 3
        grad_weight.mul_(scale[:, None, None] if filters else scale)
        product = (grad_weight * weight).flatten(1).sum(int(filters))
        gradient_of[logs].add_(product, alpha=LOG_SCALE_RATE)
