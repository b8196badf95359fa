"""NICE for images and for vectors, as a network.

Dinh, Krueger & Bengio, *NICE: Non-linear Independent Components Estimation* (2015), with the
details of the authors' released code.
"""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...validation import OneOf, check
from .coupling_flow import CouplingFlow, at_least_one, normal_log_prob
from .flow_norm import MomentsFrom
from .logistic import logistic_log_prob, logistic_to_normal, normal_to_logistic

__all__ = ["NICENetwork"]

_SMALLEST_DEVIATION = 1e-4  # a tenth of the noise within one of 256 grey levels


class _Linear(nn.Module):
    """A linear map with weights uniform in (-0.01, 0.01) and offsets zero, as released."""

    def __init__(self, inputs: int, outputs: int, generator: torch.Generator) -> None:
        super().__init__()
        weight = torch.rand(outputs, inputs, generator=generator) * 2 - 1
        self.weight = nn.Parameter(0.01 * weight)
        self.bias = nn.Parameter(torch.zeros(outputs))

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight, self.bias)


def _mlp(sizes: Sequence[int], generator: torch.Generator) -> nn.Sequential:
    """Linear maps with rectifiers between."""
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(sizes):
        layers += [_Linear(inputs, outputs, generator), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


class NICENetwork(CouplingFlow):
    """Additive couplings of two halves of a flat row, then a scale for each entry.

    In each coupling the first half conditions and the second moves; then the whole row is
    reversed, which swaps the roles. The last layer is ``z = h exp(d)``. Where the released code
    starts from ``d = 0``, :meth:`initialise` gives each entry of ``z`` the standard deviation of
    the prior, which saves thousands of steps.

    Args:
        shape: shape of one row, an image's (C, H, W) or (d,); rows are flattened.
        couplings: for each coupling its number of hidden layers.
        width: width of the hidden layers.
        prior: of ``z``, "logistic" or "normal". :meth:`encode` and :meth:`decode` speak of
            standard-normal latents in both cases: a logistic ``z`` goes through the two
            distribution functions.
        tile: whether the flat row is first reordered, its even entries before its odd ones, so
            that a half is every second pixel; as published for MNIST and TFD.
        seed: of the weights.

    Raises:
        ParameterError: no couplings, a number below 1, or an unknown prior.

    >>> import torch
    >>> x = torch.rand(16, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    >>> network = NICENetwork((1, 4, 4), couplings=(1, 1), width=8)
    >>> network.initialise(x)
    >>> network.log_prob(x).shape
    torch.Size([16])
    >>> bool((network.decode(network.encode(x)) - x).abs().max() < 1e-5)
    True
    """

    order: Tensor

    def __init__(
        self,
        shape: Sequence[int],
        couplings: Sequence[int] = (5, 5, 5, 5),
        width: int = 1000,
        prior: Literal["logistic", "normal"] = "logistic",
        *,
        tile: bool = False,
        seed: int = 0,
    ) -> None:
        super().__init__(shape)
        d = math.prod(self.shape)
        at_least_one(width=width, entries=d, **{"the number of couplings": len(couplings)})
        at_least_one(**{f"couplings[{k}]": hidden for k, hidden in enumerate(couplings)})
        check({"prior": OneOf("logistic", "normal")}, {"prior": prior})
        self.prior = prior
        entries = torch.arange(d)
        order = torch.cat([entries[::2], entries[1::2]]) if tile else entries
        self.register_buffer("order", order, persistent=False)
        # an odd row's halves take turns at being the larger; a single entry always moves
        self.splits = [(d + (k % 2 if d > 1 else 0)) // 2 for k in range(len(couplings))]
        generator = torch.Generator().manual_seed(seed)
        self.couplings = nn.ModuleList(
            _mlp([split, *[width] * hidden, d - split], generator)
            for split, hidden in zip(self.splits, couplings, strict=True)
        )
        self.log_scale = nn.Parameter(torch.zeros(d))

    def encode(self, x: Tensor, y: Tensor | None = None) -> list[Tensor]:
        """The latent of rows, standard normal under the model: one tensor (n, *shape)."""
        (z,) = super().encode(x, y)
        return [logistic_to_normal(z) if self.prior == "logistic" else z]

    def _to_latent(self, x: Tensor, moments: MomentsFrom) -> tuple[Tensor, Tensor]:
        z = self._couple(x) * self.log_scale.exp()
        log_prob = normal_log_prob(z) if self.prior == "normal" else logistic_log_prob(z)
        return z.view_as(x), (log_prob + self.log_scale.sum())[:, None]

    def _couple(self, x: Tensor) -> Tensor:
        h = x.flatten(1)[:, self.order]
        for split, network in zip(self.splits, self.couplings, strict=True):
            first, second = h.tensor_split([split], 1)
            h = torch.cat([first, second + network(first)], 1).flip(1)
        return h

    def _initialise(self, x: Tensor) -> None:
        spread = 1.0 if self.prior == "normal" else math.pi / math.sqrt(3)
        deviation = self._couple(x).std(0, correction=0)
        self.log_scale.copy_((spread / deviation.clamp_min(_SMALLEST_DEVIATION)).log())

    def _from_latent(self, z: Tensor) -> Tensor:
        h = z.flatten(1)
        if self.prior == "logistic":
            h = normal_to_logistic(h)
        h = h * (-self.log_scale).exp()
        for split, network in zip(reversed(self.splits), reversed(self.couplings), strict=True):
            first, second = h.flip(1).tensor_split([split], 1)
            h = torch.cat([first, second - network(first)], 1)
        return h[:, self.order.argsort()].view_as(z)
