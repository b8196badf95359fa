"""Gradients for whatever trains, wherever it is called from."""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

import torch

__all__ = ["with_gradients"]

F = TypeVar("F", bound=Callable)


def with_gradients(function: F) -> F:
    """Run a function with gradients on, also inside ``no_grad`` and ``inference_mode``.

    For every ``fit``, and all else that trains: networks that are made in inference mode can
    never be trained, and a loss that is taken without gradients has none.

    Examples:
        >>> @with_gradients
        ... def slope(x: torch.Tensor) -> torch.Tensor:
        ...     x = x.clone().requires_grad_()
        ...     return torch.autograd.grad(x.square(), x)[0]
        >>> with torch.inference_mode():
        ...     slope(torch.tensor(3.0))
        tensor(6.)
    """

    @wraps(function)
    def wrapped(*args: Any, **options: Any) -> Any:
        with torch.inference_mode(False), torch.enable_grad():
            return function(*args, **options)

    return cast(F, wrapped)
