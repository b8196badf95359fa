"""A stack of linear maps: the critic of codes."""

from collections.abc import Sequence

from torch import Tensor, nn

from ..validation import OneOf, check
from .layers import initialise

__all__ = ["MLP"]


class MLP(nn.Module):
    """Linear maps with leaky ReLUs between.

    A critic of codes does without batch norm: with it, codes of one batch give each other away.

    Args:
        inputs: length of a row.
        widths: of the hidden layers.
        head: numbers that come out, (n, head); None for one logit, (n,).
        slope: of the leaky ReLU; 0 is ReLU.
        spread: deviation of the first weights: so small that a wide critic has no strong opinion
            of first codes. None takes variances that rectifiers preserve (He et al. 2015).
        norm: "none", or "batch" after each hidden layer, without which deep ones do not begin.

    Examples:
        >>> import torch
        >>> MLP(64, (750, 750))(torch.zeros(3, 64)).shape
        torch.Size([3])
    """

    def __init__(
        self,
        inputs: int,
        widths: Sequence[int],
        *,
        head: int | None = None,
        slope: float = 0.2,
        spread: float | None = 0.02,
        norm: str = "none",
    ) -> None:
        super().__init__()
        check({"norm": OneOf("none", "batch")}, {"norm": norm})
        layers: list[nn.Module] = []
        for width in widths:
            layers.append(nn.Linear(inputs, width))
            if norm == "batch":
                layers.append(nn.BatchNorm1d(width))
            layers.append(nn.LeakyReLU(slope) if slope else nn.ReLU())
            inputs = width
        layers.append(nn.Linear(inputs, 1 if head is None else head))
        if head is None:
            layers.append(nn.Flatten(0))
        self.layers = nn.Sequential(*layers)
        initialise(self, "none", slope)
        for layer in layers:
            if spread is not None and isinstance(layer, nn.Linear):
                nn.init.normal_(layer.weight, std=spread)

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)
