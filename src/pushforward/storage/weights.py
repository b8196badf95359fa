"""Weights from a folder into the network they are of."""

from collections.abc import Mapping

from torch import Tensor, nn

from ..errors import ModelFileError

__all__ = ["load_weights"]


def load_weights(network: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Copy tensors into a network, all of them by its own names.

    Raises:
        ModelFileError: for names and shapes other than the network's.

    Examples:
        >>> import torch
        >>> network = nn.Linear(2, 1)
        >>> load_weights(network, {"weight": torch.ones(1, 2), "bias": torch.zeros(1)})
        >>> network(torch.ones(2))
        tensor([2.], grad_fn=<ViewBackward0>)
    """
    try:
        network.load_state_dict(dict(tensors))
    except RuntimeError as error:  # what torch raises for both, and for nothing else here
        raise ModelFileError(f"The weights do not fit the network: {error}") from error
