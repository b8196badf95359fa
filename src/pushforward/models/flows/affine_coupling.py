"""RealNVP's couplings: a part of the values is shifted and scaled by a network of the rest.

Dinh, Sohl-Dickstein & Bengio, *Density estimation using Real NVP* (2017), eqs. 7-8 and section
3.7; shift before scale, ``log s = a tanh(r)`` with one learned ``a``, and the batch-normalised
output follow the authors' released code.
"""

from abc import abstractmethod
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from .flow_norm import BatchNorm, FlowNorm, MomentsFrom
from .residual_network import ResidualNetwork

__all__ = ["AffineCoupling", "Chain", "CheckerboardCoupling", "Invertible", "SplitCoupling"]


def _row_sums(x: Tensor) -> Tensor:
    return x.flatten(1).sum(1)


def _signed(x: Tensor) -> Tensor:
    """What is positive and what is negative, as two sets of channels."""
    return torch.cat([x, -x], 1).relu()


class Invertible(nn.Module):
    """A map of rows, with its log-determinants; by the kept moments it has an inverse."""

    @abstractmethod
    def forward(self, x: Tensor, moments: MomentsFrom) -> tuple[Tensor, Tensor]:
        """Map ``x`` (n, C, ...); with the log-determinants (n,)."""

    @abstractmethod
    def inverse(self, y: Tensor) -> Tensor:
        """The rows whose map, by the kept moments, is ``y``."""


class Chain(nn.ModuleList, Invertible):
    """Invertible maps one after the other; the identity if there are none."""

    def __iter__(self) -> Iterator[Invertible]:
        return super().__iter__()  # pyright: ignore[reportReturnType]

    def forward(self, x: Tensor, moments: MomentsFrom) -> tuple[Tensor, Tensor]:
        log_det = x.new_zeros(len(x))
        for layer in self:
            x, term = layer(x, moments)
            log_det = log_det + term
        return x, log_det

    def inverse(self, y: Tensor) -> Tensor:
        for layer in reversed(list(self)):
            y = layer.inverse(y)
        return y


class AffineCoupling(Invertible):
    """A coupling with its network and the one learned scalar ``rescaling`` of its log-scales."""

    rescaling: nn.Parameter
    network: ResidualNetwork

    def _bounded(self, h: Tensor) -> tuple[Tensor, Tensor]:
        """Shift and log-scale from the network's output."""
        shift, r = h.chunk(2, 1)
        return shift, self.rescaling * r.tanh()


class CheckerboardCoupling(AffineCoupling):
    """The positions of one colour move, conditioned on those of the other.

    Args:
        channels: number of channels of the images.
        keep: (1, 1, H, W) booleans, True at the positions that condition.
        width, blocks: of the network.
        generator: draws the weights.
    """

    keep: Tensor
    move: Tensor

    def __init__(
        self, channels: int, keep: Tensor, width: int, blocks: int, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.register_buffer("keep", keep.float(), persistent=False)
        self.register_buffer("move", (~keep).float(), persistent=False)
        self.norm_in = BatchNorm(channels)
        self.network = ResidualNetwork(2 * channels + 1, 2 * channels, width, blocks, 3, generator)
        self.rescaling = nn.Parameter(torch.zeros(()))
        self.norm = FlowNorm(channels, self.move)

    def _shift_and_log_scale(self, x: Tensor, moments: MomentsFrom) -> tuple[Tensor, Tensor]:
        given = 2 * self.norm_in(x * self.keep, moments)
        mask = self.keep.expand(len(x), -1, -1, -1)
        h = self.network(torch.cat([_signed(given), mask], 1), moments)
        return self._bounded(h * self.move)

    def forward(self, x: Tensor, moments: MomentsFrom) -> tuple[Tensor, Tensor]:
        shift, log_scale = self._shift_and_log_scale(x, moments)
        moved, log_det = self.norm((x + shift) * log_scale.exp() * self.move, moments)
        return x * self.keep + moved, _row_sums(log_scale) + log_det

    def inverse(self, y: Tensor) -> Tensor:
        shift, log_scale = self._shift_and_log_scale(y, "kept")
        moved = self.norm.inverse(y * self.move) * (-log_scale).exp() - shift
        return y * self.keep + moved


class SplitCoupling(AffineCoupling):
    """One half of the channels, or of the entries of vectors, moves given the other half.

    Args:
        channels: number of channels; of an odd number the second half is the larger.
        keep_first: whether the first half conditions and the second moves, or the reverse.
        width, blocks: of the network.
        kernel: side of the network's windows for images; None for vectors.
        generator: draws the weights.
    """

    def __init__(
        self,
        channels: int,
        keep_first: bool,
        width: int,
        blocks: int,
        kernel: int | None,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.keep_first = keep_first
        self.first = channels // 2
        keep, move = self.first, channels - self.first
        if not keep_first:
            keep, move = move, keep
        self.norm_in = BatchNorm(keep)
        self.network = ResidualNetwork(2 * keep, 2 * move, width, blocks, kernel, generator)
        self.rescaling = nn.Parameter(torch.ones(()))
        self.norm = FlowNorm(move)

    def _split(self, x: Tensor) -> tuple[Tensor, Tensor]:
        first, second = x.tensor_split([self.first], 1)
        return (first, second) if self.keep_first else (second, first)

    def _join(self, keep: Tensor, move: Tensor) -> Tensor:
        return torch.cat([keep, move] if self.keep_first else [move, keep], 1)

    def _shift_and_log_scale(self, keep: Tensor, moments: MomentsFrom) -> tuple[Tensor, Tensor]:
        return self._bounded(self.network(_signed(self.norm_in(keep, moments)), moments))

    def forward(self, x: Tensor, moments: MomentsFrom) -> tuple[Tensor, Tensor]:
        keep, move = self._split(x)
        shift, log_scale = self._shift_and_log_scale(keep, moments)
        moved, log_det = self.norm((move + shift) * log_scale.exp(), moments)
        return self._join(keep, moved), _row_sums(log_scale) + log_det

    def inverse(self, y: Tensor) -> Tensor:
        keep, moved = self._split(y)
        shift, log_scale = self._shift_and_log_scale(keep, "kept")
        return self._join(keep, self.norm.inverse(moved) * (-log_scale).exp() - shift)
