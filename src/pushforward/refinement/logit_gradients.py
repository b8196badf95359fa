"""Values and slopes of a logit, from networks that stay exactly as they are.

Every method here asks one thing of the user's networks: the logit of some points, and where it
rises. A *score* is any function of points ``(n, ...)`` to logits ``(n,)``: the logit itself moves
points of the data, the logit after the decoder moves latents.
"""

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import DataError
from ..estimators.prior import Score

__all__ = ["Score", "frozen", "in_batches", "modules_of", "one_per_row", "value_and_gradient"]

BATCH = 1024  # rows whose activations are held at once
_DEPTH = 5  # references that networks are looked for behind


def in_batches(function: Score, points: Tensor, batch_size: int = BATCH) -> Tensor:
    """What ``function`` gives for the points, without gradients, a batch at a time."""
    with torch.no_grad():
        return torch.cat([function(part) for part in points.split(batch_size)])


def value_and_gradient(
    score: Score, points: Tensor, batch_size: int = BATCH
) -> tuple[Tensor, Tensor]:
    """Logits (n,) of points (n, ...) and their gradients (n, ...).

    Works inside ``torch.no_grad`` and ``torch.inference_mode``, and leaves no gradient on any
    parameter.

    Raises:
        DataError: if logits are not finite, not one a point, or do not depend on the points.

    Examples:
        >>> value_and_gradient(lambda x: x.square().sum(dim=1), torch.tensor([[1.0, 2.0]]))
        (tensor([5.]), tensor([[2., 4.]]))
    """
    values, slopes = [], []
    for part in points.split(batch_size):
        with torch.inference_mode(False), torch.enable_grad():
            part = part.detach().clone().requires_grad_()
            value = one_per_row(score(part), len(part))
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


def one_per_row(value: Tensor, n: int) -> Tensor:
    """Logits as (n,).

    Raises:
        DataError: where there is not one for each of n points.
    """
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
    and spectral norm in training mode changes at every look. Found are modules, and those that
    functions, their arguments, methods, objects and containers refer to.

    >>> network = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2)).train()
    >>> with frozen(lambda z: network(z)):
    ...     network[1].training
    False
    >>> network[1].training
    True
    """
    parts = modules_of(*functions)
    modes = {part: part.training for module in parts for part in module.modules()}
    for part in modes:
        part.training = False
    try:
        yield
    finally:
        for part, mode in modes.items():
            part.training = mode


def modules_of(*functions: Any) -> set[nn.Module]:
    """The modules behind functions, as far as they can be found."""
    found: set[nn.Module] = set()
    known: dict[int, Any] = {}  # kept, so that no number is given twice
    here: list[Any] = list(functions)
    for _ in range(_DEPTH):
        following = []
        for value in here:
            if isinstance(value, nn.Module):
                found.add(value)
            elif id(value) not in known:
                known[id(value)] = value
                following += _referred(value)
        here = following
    return found


def _referred(value: Any) -> list[Any]:
    """What a function, an object or a container refers to."""
    if isinstance(value, dict):
        return [*value.values()]
    if isinstance(value, list | tuple | set):
        return [*value]
    if isinstance(value, partial):
        return [value.func, *value.args, *value.keywords.values()]
    if inspect.ismethod(value):
        return [value.__self__, value.__func__]
    if inspect.isfunction(value):
        variables = inspect.getclosurevars(value)
        return [
            *variables.nonlocals.values(),
            *variables.globals.values(),
            *(value.__defaults__ or ()),
        ]
    if isinstance(value, type | ModuleType | Tensor):
        return []
    return [*getattr(value, "__dict__", {}).values()]  # numbers, texts and the like have none
