"""Tensors by name as bytes, for another process: the format of model folders, without a folder."""

from collections.abc import Mapping

import safetensors.torch
from torch import Tensor

__all__ = ["from_bytes", "to_bytes"]


def to_bytes(tensors: Mapping[str, Tensor]) -> bytes:
    """Tensors as bytes; those that share memory are written apart.

    Examples:
        >>> import torch
        >>> from_bytes(to_bytes({"x": torch.ones(2)}))
        {'x': tensor([1., 1.])}
    """
    copies = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    return safetensors.torch.save(copies)


def from_bytes(data: bytes) -> dict[str, Tensor]:
    """The tensors, in memory of torch's own alignment: linear algebra rounds as it did before."""
    return {name: tensor.clone() for name, tensor in safetensors.torch.load(data).items()}
