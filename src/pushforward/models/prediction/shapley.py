"""How much each column of a row moves its prediction: Shapley values, by sampled orders."""

from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["shapley_values"]

_ORDERS = 64  # of the columns, each of them forwards and backwards
_BLOCK = 1 << 15  # rows that are predicted at once


def shapley_values(
    predict: Callable[[Tensor], Tensor], x: Tensor, background: Tensor, seed: int
) -> tuple[Tensor, float]:
    """Shapley values of the columns of rows.

    Columns of a row of the background are replaced by those of the row, one after the other in a
    random order; what each of these changes the prediction by, on average, is its value. They sum
    to the prediction less its mean, exactly over the orders and rows that were drawn
    (Štrumbelj & Kononenko, *An efficient explanation of individual classifications using game
    theory*, 2010; orders backwards besides as Mitchell et al., *Sampling permutations for Shapley
    value estimation*, 2022).

    Args:
        predict: numbers of rows (N, D) to predictions (N,).
        x: (n, D) rows to explain.
        background: (m, D) usual rows.
        seed: of orders and rows of the background.

    Returns:
        Values (n, D), and the mean prediction of the background.
    """
    n, d = x.shape
    generator = torch.Generator().manual_seed(seed)
    half = [torch.randperm(d, generator=generator) for _ in range(_ORDERS // 2)]
    orders = [order for one in half for order in (one, one.flip(0))]
    # rows of the background evenly, so that their mean is the mean
    drawn = torch.randperm(len(background), generator=generator)
    drawn = drawn.repeat(-(-len(orders) // len(drawn)))[: len(orders)]
    total = x.new_zeros(n, d)
    size = max(1, _BLOCK // (n * (d + 1)))
    base = 0.0
    for start in range(0, len(orders), size):
        part = orders[start : start + size]
        rows = torch.stack([background[i] for i in drawn[start : start + size]])
        steps = rows[:, None, None].repeat(1, n, d + 1, 1)
        for o, order in enumerate(part):
            for k, j in enumerate(order.tolist()):
                steps[o, :, k + 1 :, j] = x[:, j, None]
        found = predict(steps.reshape(-1, d)).view(len(part), n, d + 1)
        base += float(found[:, 0, 0].sum())
        change = found.diff(dim=2)
        for o, order in enumerate(part):
            total[:, order] += change[o]
    return total / len(orders), base / len(orders)
