"""Gradient penalties, of each sample on its own."""

from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["NO_BATCH_NORM", "gradient_penalty", "squared_gradient_norm"]

NO_BATCH_NORM = "the penalty is of each sample's own slope, which batch norm leaves none"


def gradient_penalty(
    critic: Callable[[Tensor], Tensor], a: Tensor, b: Tensor, share: Tensor
) -> Tensor:
    """Mean squared distance of the critic's slope from 1, between two batches.

    Gulrajani, Ahmed, Arjovsky, Dumoulin and Courville, *Improved Training of Wasserstein GANs*
    (2017), eq. 3: the norm of each sample's gradient, at a point of its own on the segment.

    Args:
        critic: (n, ...) to (n,).
        a, b: (n, ...), of one shape.
        share: (n,), where on its segment each point lies: 0 at ``a``, 1 at ``b``.

    Returns:
        A scalar that can be differentiated.

    Examples:
        >>> x = torch.zeros(4, 2)
        >>> share = torch.rand(4, generator=torch.Generator().manual_seed(0))
        >>> gradient_penalty(lambda x: x @ torch.tensor([0.0, 3.0]), x, x + 1, share)
        tensor(4.)
    """
    share = share.reshape(-1, *[1] * (a.ndim - 1)).to(a)
    between = torch.lerp(a.detach(), b.detach(), share).requires_grad_()
    (slope,) = torch.autograd.grad(critic(between).sum(), between, create_graph=True)
    square = slope.flatten(1).square().sum(dim=1)
    return ((square + 1e-12).sqrt() - 1).square().mean()


def squared_gradient_norm(logits: Tensor, x: Tensor) -> Tensor:
    """Mean squared norm of the critic's slope at each row: the zero-centred penalty.

    Mescheder, Geiger and Nowozin, *Which Training Methods for GANs do actually Converge?* (2018):
    half of it, times a weight, is their R1 where the rows are data and R2 where they are samples.

    Args:
        logits: (n,), of ``x``.
        x: (n, ...), rows that required a gradient when the critic saw them.

    Returns:
        A scalar that can be differentiated.

    Examples:
        >>> x = torch.zeros(4, 2, requires_grad=True)
        >>> squared_gradient_norm(x @ torch.tensor([4.0, 3.0]), x)
        tensor(25.)
    """
    (slope,) = torch.autograd.grad(logits.sum(), x, create_graph=True)
    return slope.flatten(1).square().sum(dim=1).mean()
