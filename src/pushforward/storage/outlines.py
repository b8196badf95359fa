"""Networks as outlines: built on the meta device, where tensors have shapes and no memory.

There torch computes some shapes in Python and loads its compiler for that, which takes longer than
loading a model. What the constructors of networks do with values that are not there is left out
here, or its shape is said at once.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from threading import get_ident
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules import module as registration
from torch.overrides import TorchFunctionMode

from ..errors import ModelFileError

__all__ = ["without_memory"]


@contextmanager
def without_memory(parts: int) -> Iterator[None]:
    """Tensors that are made take no memory, and networks have at most so many parts.

    Parts are weights, buffers and modules, of this thread. A layer without memory still costs
    time, and a folder of a few weights may ask for millions.

    Raises:
        ModelFileError: for networks of more parts.
    """
    thread, left = get_ident(), parts

    def count(*made: Any) -> None:
        nonlocal left
        left -= get_ident() == thread
        if left < 0:
            raise ModelFileError(
                f"The settings describe a network of more than {parts:,} parts, which the weights "
                "cannot fill. The model folder was altered: fetch a fresh copy."
            )

    hooks = [
        registration.register_module_parameter_registration_hook(count),
        registration.register_module_buffer_registration_hook(count),
        registration.register_module_module_registration_hook(count),
    ]
    try:
        with torch.device("meta"), _ShapesAlone():
            yield
    finally:
        for hook in hooks:
            hook.remove()


class _ShapesAlone(TorchFunctionMode):
    """Answers functions of torch whose results have known shapes, without their values."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        known = dict(kwargs or {})
        if func in _FILLS:
            return args[0] if args else known["tensor"]
        answer = _SHAPES.get(func)
        if answer is None or not _on_meta(args, known):
            return func(*args, **known)
        return answer(*args, **known)


def _on_meta(args: tuple, known: Mapping[str, Any]) -> bool:
    """Whether the result of a function would have no memory."""
    if known.get("device") is not None:
        return False
    flat = [x for arg in args for x in (arg if isinstance(arg, list | tuple) else [arg])]
    return all(x.is_meta for x in flat if isinstance(x, Tensor))


def _sized(*size: Any, dtype: torch.dtype | None = None, **options: Any) -> Tensor:
    return torch.empty(*size, dtype=dtype, device="meta")


def _counted(*ends: Any, dtype: torch.dtype | None = None, **options: Any) -> Tensor:
    start, stop, step = (0, *ends, 1) if len(ends) == 1 else (*ends, 1)[:3]
    return torch.empty(max(0, math.ceil((stop - start) / step)), dtype=dtype or torch.int64,
                       device="meta")  # fmt: skip


def _permuted(n: int, **options: Any) -> Tensor:
    return torch.empty(n, dtype=torch.int64, device="meta")


def _joined(tensors: Any, dim: int = 0, **options: Any) -> Tensor:
    shape = list(tensors[0].shape)
    shape[dim] = sum(tensor.shape[dim] for tensor in tensors)
    return tensors[0].new_empty(shape)


def _broadcast(x: Any, y: Any, **options: Any) -> Tensor:
    shapes = [part.shape if isinstance(part, Tensor) else () for part in (x, y)]
    of = x if isinstance(x, Tensor) else y
    return of.new_empty(np.broadcast_shapes(*shapes))


def _compared(x: Any, y: Any) -> Tensor:
    return _broadcast(x, y).to(torch.bool)


_FILLS = (Tensor.normal_, Tensor.uniform_, nn.init.normal_, nn.init.uniform_)
_UNARY = (
    *(Tensor.abs, Tensor.exp, Tensor.log, Tensor.sign, Tensor.tril, Tensor.triu),
    *(Tensor.bitwise_not, Tensor.__invert__),
)
_BINARY: tuple[Any, ...] = (
    *(Tensor.add, Tensor.__add__, Tensor.__radd__, Tensor.sub, Tensor.__sub__),
    *(Tensor.mul, Tensor.__mul__, Tensor.__rmul__, Tensor.div, Tensor.__truediv__),
    *(Tensor.remainder, Tensor.__mod__),
)
_SHAPES: Mapping[Any, Callable[..., Any]] = {
    **dict.fromkeys((torch.randn, torch.rand), _sized),
    torch.eye: lambda n, **options: _sized(n, n, **options),
    torch.randperm: _permuted,
    torch.arange: _counted,
    torch.cat: _joined,
    **dict.fromkeys(_UNARY, lambda x, *args: x),
    **dict.fromkeys(_BINARY, _broadcast),
    **dict.fromkeys((Tensor.eq, Tensor.__eq__), _compared),
    Tensor.argmax: lambda x, dim: torch.empty(x.shape[:dim], dtype=torch.int64, device="meta"),
    torch.mv: lambda x, y, **options: x.new_empty(x.shape[0]),
    torch.vdot: lambda x, y: x.new_empty(()),
    functional.normalize: lambda x, **options: x,
    torch.linalg.qr: lambda x, **options: (x, x),  # of square matrices
    torch.linalg.lu: lambda x, **options: (x, x, x),
}
