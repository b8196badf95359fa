"""How far samples are from rows of a table: what the best weights are chosen by."""

import torch
from torch import Tensor

__all__ = ["neighbour_divergence"]

_NEAREST = 1e-6  # distances below it count as it: rows that are equal


def neighbour_divergence(rows: Tensor, samples: Tensor, *, k: int = 5) -> float:
    """Jeffreys' divergence between rows and samples, estimated by nearest neighbours, in nats.

    Wang, Kulkarni and Verdú, *Divergence Estimation for Multidimensional Densities via k-Nearest-
    Neighbor Distances* (2009), eq. 14, for both directions, added: KL(rows || samples) grows
    where modes are missing, KL(samples || rows) where samples lie where no row does.

    Args:
        rows: (n, d), n > k.
        samples: (m, d), m > k.
        k: neighbours whose distance counts.

    Returns:
        About 0 for rows of one distribution; it may be a little below.

    Examples:
        >>> g = torch.Generator().manual_seed(0)
        >>> a, b = torch.randn(2, 1000, 1, generator=g)
        >>> abs(neighbour_divergence(a, b)) < 0.1  # N(0, 1) and N(2, 1) are 4 nats apart
        True
        >>> 3 < neighbour_divergence(a, b + 2) < 5
        True
    """
    rows, samples = rows.double(), samples.double()
    return _divergence(rows, samples, k) + _divergence(samples, rows, k)


def _divergence(a: Tensor, b: Tensor, k: int) -> float:
    """KL(a || b)."""
    own = torch.cdist(a, a).topk(k + 1, largest=False).values[:, -1]  # the nearest is the row
    other = torch.cdist(a, b).topk(k, largest=False).values[:, -1]
    ratio = (other.clamp_min(_NEAREST) / own.clamp_min(_NEAREST)).log().mean()
    return float(a.shape[1] * ratio + torch.tensor(len(b) / (len(a) - 1)).log())
