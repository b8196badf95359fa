"""Numerical helpers shared by the maps: log-space normal quantiles, sorting, weights."""

import math
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

__all__ = [
    "LOG_2PI",
    "alike",
    "argsort",
    "effective_size",
    "effective_sizes",
    "gaussian_scores",
    "log_ndtri",
    "normal_log_prob",
    "retracted",
    "sort",
    "unique_rows",
    "weighted_mean",
    "with_prefix",
]

LOG_2PI = math.log(2 * math.pi)
_MOST_PLACES = 1 << 28  # indices that round away when a float64 becomes a float32
_BITS = 30  # of marks that are compared at once, beside the numbers of rows


def normal_log_prob(z: Tensor, dim: int = -1) -> Tensor:
    """Log density of N(0, I) in nats, summed over ``dim``; computed in float64.

    Squares of far outliers overflow float32 long before float64, so the result is float64
    whatever the dtype of ``z``.
    """
    z = z.to(torch.float64)
    return -0.5 * (z * z).sum(dim) - 0.5 * LOG_2PI * z.shape[dim]


def log_ndtri(log_p: Tensor) -> Tensor:
    """Lower-tail normal quantile of a probability given by its logarithm.

    Solves ``log Phi(z) = log_p`` for ``log_p <= log(1/2)``; finite for probabilities far
    below the smallest float (``log_p = -1e30`` gives about ``-1.4e15``). The start is the
    leading term of the tail's expansion, the rest Newton's method on ``log Phi``, which is
    concave, so it converges from there for every argument.

    Args:
        log_p: float64 tensor of log probabilities, any shape.

    Returns:
        Tensor of the same shape.

    Examples:
        >>> import torch
        >>> log_ndtri(torch.tensor([0.5, 0.025], dtype=torch.float64).log())
        tensor([ 0.0000, -1.9600], dtype=torch.float64)
    """
    tail = -2 * log_p - LOG_2PI
    start = -torch.sqrt((tail - torch.log(tail.clamp_min(1.0))).clamp_min(0.0))
    z = torch.where(log_p > -30, torch.special.ndtri(log_p.clamp_min(-30.0).exp()), start)
    for _ in range(3):
        value = torch.special.log_ndtr(z)
        # phi/Phi from its own logarithm: both underflow long before their ratio does;
        # far out the ratio is -z to the last digit, and the logarithms have lost theirs
        ratio = torch.where(
            z < -1e6, -z, torch.exp((-0.5 * z * z - 0.5 * LOG_2PI - value).clamp(-50.0, 50.0))
        )
        z = z - (value - log_p) / ratio
    return z


def argsort(values: Tensor) -> Tensor:
    """Indices that sort the last dimension; those of equal numbers are in any order.

    On the CPU through NumPy, whose vectorised sorts are several times faster than torch's, and
    faster of numbers than of indices: float32 numbers take their indices along.
    """
    if values.device.type != "cpu":
        return torch.argsort(values, dim=-1)
    keys = _keys_with_places(values)
    if keys is None:
        return torch.from_numpy(values.detach().numpy().argsort(axis=-1))
    places = keys.view(np.int64)
    places &= _MOST_PLACES - 1
    return torch.from_numpy(places)


def sort(values: Tensor) -> tuple[Tensor, Tensor]:
    """The numbers sorted along the last dimension, and the indices of :func:`argsort`."""
    keys = _keys_with_places(values) if values.device.type == "cpu" else None
    if keys is None:
        order = argsort(values)
        return values.gather(-1, order), order
    rising = torch.from_numpy(keys.astype(np.float32))  # rounded, they are the numbers again
    places = keys.view(np.int64)
    places &= _MOST_PLACES - 1
    return rising, torch.from_numpy(places)


def _keys_with_places(values: Tensor) -> np.ndarray | None:
    """Sorted float64 keys: float32 numbers with their indices in the bits that are free there.

    None of other numbers, of those that are not finite, and of too many.
    """
    n = values.shape[-1]
    if values.dtype != torch.float32 or not 0 < n <= _MOST_PLACES:
        return None
    # zero becomes a normal number, all of whose bits count whatever is done with subnormal ones;
    # what is added is below the last bit of any other float32
    keys = np.add(values.detach().numpy(), 2.0**-300, dtype=np.float64, order="C")
    whole = keys.view(np.int64)
    whole |= np.arange(n)
    keys.sort(axis=-1)
    return keys if np.isfinite(keys[..., -1]).all() else None


def gaussian_scores(n: int, dtype: torch.dtype = torch.float64) -> Tensor:
    """The ``n`` expected quantiles of N(0, 1) at the mid-ranks ``(i + 1/2) / n``."""
    levels = (torch.arange(n, dtype=torch.float64) + 0.5) / n
    return torch.special.ndtri(levels).to(dtype)


def retracted(m: Tensor) -> Tensor:
    """Orthonormal columns that span what those of ``m`` (..., d, K) do: Q of its QR, by Cholesky.

    A retraction to the Stiefel manifold (Absil, Mahony and Sepulchre, "Optimization Algorithms on
    Matrix Manifolds", 2008, section 4.1.1): to first order it is the nearest point, as polar
    factors are, and it needs no eigenvalues. A step along the tangent space makes no column
    shorter, so that the Gram matrix is as well-conditioned as the step is short.
    """
    gram = (m.mT @ m).to(torch.float64)
    factor = torch.linalg.cholesky_ex(gram).L  # without a look at the outcome, which would wait
    eye = torch.eye(gram.shape[-1], dtype=gram.dtype, device=gram.device)
    inverse = torch.linalg.solve_triangular(factor, eye.expand_as(gram), upper=False)
    return m @ inverse.mT.to(m.dtype)


def effective_size(n: int, weight: Tensor | None) -> float:
    """Kish's effective number of rows, ``(sum w)^2 / sum w^2``; ``n`` without weights."""
    if weight is None:
        return float(n)
    return float(weight.sum() ** 2 / (weight * weight).sum())


def effective_sizes(weight: Tensor) -> Tensor:
    """Kish's effective numbers of rows under each of k weightings (k, n): (k,)."""
    return weight.sum(1).square() / weight.square().sum(1)


def weighted_mean(values: Tensor, weight: Tensor | None) -> float:
    """Mean of one value a row, (n,), with (n,) row weights or none; in float64."""
    values = values.to(torch.float64)
    if weight is None:
        return float(values.mean())
    return float((values * weight).sum() / weight.sum())


def with_prefix(state: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors of a state whose names begin with a prefix, by the rest of their names."""
    return {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}


def unique_rows(mask: Tensor) -> tuple[Tensor, Tensor]:
    """The different rows of marks, (n, d) bool with any d, and the number of each among them.

    >>> unique_rows(torch.zeros(3, 0, dtype=torch.bool))[1].tolist()
    [0, 0, 0]
    """
    group = torch.zeros(len(mask), dtype=torch.long)
    for part in mask.split(_BITS, dim=1):  # as whole numbers: sorting rows takes ten times as long
        power = 2 ** torch.arange(part.shape[1] - 1, -1, -1)
        code = (group << part.shape[1]) + (part * power).sum(1)
        group = code.unique(return_inverse=True)[1]
    first = torch.full((int(group.max()) + 1 if len(group) else 0,), len(mask))
    first.scatter_reduce_(0, group, torch.arange(len(mask)), "amin")
    return mask[first], group


def alike(mask: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Numbers of the rows that have the same marks, and these: (n, d) bool to (m,) and (d,).

    >>> [(r.tolist(), m.tolist()) for r, m in alike(torch.tensor([[True], [False], [True]]))]
    [([1], [False]), ([0, 2], [True])]
    """
    patterns, group = unique_rows(mask)
    order = group.argsort(stable=True)
    count = torch.bincount(group, minlength=len(patterns)).tolist()
    yield from zip(order.split(count), patterns, strict=True)
