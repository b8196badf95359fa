"""Kernels of feature vectors, and the distance between samples that they give."""

from torch import Tensor

__all__ = ["mmd2", "rational_quadratic", "witness"]

#: Of the mixture; Binkowski et al. (2018), section 5.
ALPHAS = (0.2, 0.5, 1.0, 2.0, 5.0)


def rational_quadratic(a: Tensor, b: Tensor) -> Tensor:
    """The sum of rational quadratic kernels and the dot product, of all pairs.

    k(a, b) = <a, b> + sum_alpha (1 + |a - b|^2 / 2 alpha)^-alpha, for alpha in 0.2, 0.5, 1, 2, 5:
    "rq*" of Binkowski, Sutherland, Arbel and Gretton, *Demystifying MMD GANs* (2018), eq. 8.
    Distances are from differences, so that slopes of slopes exist, where ``torch.cdist`` has
    none, and rows that are alike are at 0.

    Args:
        a, b: (n, d) and (m, d).

    Returns:
        (n, m).

    Examples:
        >>> import torch
        >>> a = torch.tensor([[0.0], [2.0]])
        >>> rational_quadratic(a, a)[0, 0]
        tensor(5.)
    """
    square = (a[:, None] - b[None]).square().sum(-1)
    return a @ b.T + sum((1 + square / (2 * alpha)).pow(-alpha) for alpha in ALPHAS)


def mmd2(a: Tensor, b: Tensor) -> Tensor:
    """The squared maximum mean discrepancy, unbiased: 0 in mean where both have one law.

    Gretton et al., *A Kernel Two-Sample Test* (2012), eq. 3: means over pairs of different rows.

    Args:
        a, b: (n, d) and (m, d), two rows or more of each.

    Returns:
        A scalar, which may be below 0.

    Examples:
        >>> import torch
        >>> a = torch.randn(500, 2, generator=torch.Generator().manual_seed(0))
        >>> abs(mmd2(a[:250], a[250:])) < 0.1 < mmd2(a[:250], a[250:] + 1)
        tensor(True)
    """
    within = sum(_mean_of_pairs(rational_quadratic(x, x)) for x in (a, b))
    return within - 2 * rational_quadratic(a, b).mean()


def witness(at: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """Where ``a`` lies more densely than ``b``: mean kernel to the one less that to the other.

    Args:
        at: (k, d), where to look.
        a, b: (n, d) and (m, d).

    Returns:
        (k,).
    """
    return rational_quadratic(at, a).mean(1) - rational_quadratic(at, b).mean(1)


def _mean_of_pairs(kernel: Tensor) -> Tensor:
    n = len(kernel)
    return (kernel.sum() - kernel.diagonal().sum()) / (n * (n - 1))
