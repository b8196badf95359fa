"""3x3 convolutions of maps (n, h, w, c), with Glow's edge channel.

Kingma & Dhariwal (2018) pad with zeros and tell the network where the padding is, by a further
input channel that is 1 on the padding and 0 inside. What this channel and the bias add to the
output is the same for every image: one map, ``border_table(h, w) @ weights``.
"""

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["TAPS", "border_table", "convolve", "convolve_backward"]

TAPS = 9


def border_table(height: int, width: int, like: Tensor) -> Tensor:
    """Which of the nine neighbours of a pixel lie outside, then a one: (h, w, 10).

    Args:
        height, width: of the map.
        like: a tensor whose device and type the table gets.

    Example:
        >>> import torch
        >>> border_table(2, 3, torch.zeros(())).sum(-1) - 1  # neighbours outside
        tensor([[5., 3., 5.],
                [5., 3., 5.]])
    """
    outside = like.new_ones(height + 2, width + 2)
    outside[1:-1, 1:-1] = 0
    taps = outside.unfold(0, 3, 1).unfold(1, 3, 1).reshape(height, width, TAPS)
    return torch.cat([taps, like.new_ones(height, width, 1)], -1)


def _as_filter(weight: Tensor) -> Tensor:
    """(out, 9, in) as the (out, in, 3, 3) of torch, in the layout its kernels like best."""
    return weight.unflatten(1, (3, 3)).permute(0, 3, 1, 2)


def convolve(x: Tensor, weight: Tensor, border: Tensor) -> Tensor:
    """Convolve (n, h, w, in) with ``weight`` (out, 9, in), taps in reading order.

    Args:
        x: maps, padded with zeros.
        weight: the filters.
        border: (h, w, out), added to every image.

    Returns:
        (n, h, w, out); differentiable.
    """
    out = functional.conv2d(x.permute(0, 3, 1, 2), _as_filter(weight), padding=1)
    return out.permute(0, 2, 3, 1).add_(border)


def convolve_backward(grad: Tensor, x: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Gradients of :func:`convolve` in ``x`` and ``weight``, from that of its output."""
    grad_x, grad_weight, _ = torch.ops.aten.convolution_backward(
        *(grad.permute(0, 3, 1, 2), x.permute(0, 3, 1, 2), _as_filter(weight)),
        *(None, [1, 1], [1, 1], [1, 1], False, [0, 0], 1, [True, True, False]),
    )
    return grad_x.permute(0, 2, 3, 1), grad_weight.permute(0, 2, 3, 1).flatten(1, 2)
