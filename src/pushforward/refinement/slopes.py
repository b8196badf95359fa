"""Values and slopes of a logit, from networks that stay exactly as they are.

Every method here asks one thing of the user's networks: the logit of some points, and where it
rises. A *score* is any function of points ``(n, ...)`` to logits ``(n,)``: the logit itself moves
points of the data, the logit after the decoder moves latents.
"""

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import DataError

__all__ = ["Score", "frozen", "in_batches", "value_and_slope"]

Score = Callable[[Tensor], Tensor]

BATCH = 1024  # rows whose activations are held at once


def in_batches(function: Score, points: Tensor, batch_size: int = BATCH) -> Tensor:
    """What ``function`` gives for the points, without gradients, a batch at a time."""
    with torch.no_grad():
        return torch.cat([function(part) for part in points.split(batch_size)])


def value_and_slope(
    score: Score, points: Tensor, batch_size: int = BATCH
) -> tuple[Tensor, Tensor]:
    """Logits (n,) of points (n, ...) and their gradients (n, ...).

    Works inside ``torch.no_grad``, and leaves no gradient on any parameter.

    Raises:
        DataError: if logits are not finite, not one a point, or do not depend on the points.

    Examples:
        >>> value_and_slope(lambda x: x.square().sum(dim=1), torch.tensor([[1.0, 2.0]]))
        (tensor([5.]), tensor([[2., 4.]]))
    """
    values, slopes = [], []
    for part in points.split(batch_size):
        with torch.enable_grad():
            part = part.detach().requires_grad_()
            value = _one_each(score(part), len(part))
            if value.grad_fn is None:
                raise DataError(
                    "The logit does not depend on the points it is given. Expected a "
                    "differentiable function: look for detach, no_grad or NumPy on its way."
                )
            (slope,) = torch.autograd.grad(value.sum(), part)
        values.append(value.detach())
        slopes.append(slope)
    value, slope = torch.cat(values), torch.cat(slopes)
    if not (value.isfinite().all() and slope.isfinite().all()):
        raise DataError(
            f"The logit or its gradient is not finite at {int((~value.isfinite()).sum())} and "
            f"{int((~slope.flatten(1).isfinite().all(dim=1)).sum())} of {len(points)} points. "
            "Expected a logit, not a probability: log(p / (1 - p)) overflows where a sigmoid "
            "saturates."
        )
    return value, slope


def _one_each(value: Tensor, n: int) -> Tensor:
    if value.numel() != n:
        raise DataError(
            f"The logit of {n} points has shape {tuple(value.shape)}. Expected ({n},): one "
            "number a point, log of real over generated."
        )
    return value.reshape(n)


@contextmanager
def frozen(*functions: Any) -> Iterator[None]:
    """Inside, the networks behind the functions are in evaluation mode; then as they were.

    Batch norm that runs on the statistics of a batch makes a sample depend on its neighbours,
    and spectral norm in training mode changes at every look. Found are modules, methods of
    modules, and modules, or lists of them, that a plain function refers to.

    >>> network = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2)).train()
    >>> with frozen(lambda z: network(z)):
    ...     network[1].training
    False
    >>> network[1].training
    True
    """
    parts = {module for function in functions for module in _modules(function)}
    modes = {part: part.training for module in parts for part in module.modules()}
    for part in modes:
        part.training = False
    try:
        yield
    finally:
        for part, mode in modes.items():
            part.training = mode


def _modules(function: Any) -> list[nn.Module]:
    owner = getattr(function, "__self__", function)
    if isinstance(owner, nn.Module):
        return [owner]
    if not inspect.isfunction(function):
        return []
    seen = inspect.getclosurevars(function)
    found = []
    for value in (*seen.nonlocals.values(), *seen.globals.values()):
        held = value if isinstance(value, list | tuple) else [value]
        found += [part for part in held if isinstance(part, nn.Module)]
    return found
