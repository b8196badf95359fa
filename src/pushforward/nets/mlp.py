"""A stack of linear maps: the critic of codes."""

from collections.abc import Sequence

from torch import Tensor, nn

__all__ = ["MLP"]


class MLP(nn.Module):
    """Linear maps with leaky ReLUs between, no normalisation.

    A critic of codes does without batch norm: with it, codes of one batch give each other away.
    Weights begin as N(0, 0.02^2), so that a wide critic has no strong opinion of first codes.

    Args:
        inputs: length of a row.
        widths: of the hidden layers.
        head: numbers that come out, (n, head); None for one logit, (n,).
        slope: of the leaky ReLU.

    Examples:
        >>> import torch
        >>> MLP(64, (750, 750))(torch.zeros(3, 64)).shape
        torch.Size([3])
    """

    def __init__(
        self, inputs: int, widths: Sequence[int], *, head: int | None = None, slope: float = 0.2
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for width in widths:
            layers += [nn.Linear(inputs, width), nn.LeakyReLU(slope)]
            inputs = width
        layers.append(nn.Linear(inputs, 1 if head is None else head))
        if head is None:
            layers.append(nn.Flatten(0))
        self.layers = nn.Sequential(*layers)
        for layer in layers:
            if isinstance(layer, nn.Linear):
                nn.init.normal_(layer.weight, std=0.02)
                nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)
