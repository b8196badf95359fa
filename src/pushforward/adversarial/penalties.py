"""The gradient penalty, of each sample on its own."""

from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["NO_BATCH_NORM", "gradient_penalty"]

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
