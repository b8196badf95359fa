"""Invertible 1x1 convolutions, many at once, and the fixed permutations they replaced."""

import torch
from torch import Tensor, nn

from ...storage.weights import CheckedModule

__all__ = ["PERMUTATIONS", "InvertibleConvolutions"]

PERMUTATIONS = ("lu", "direct", "reverse", "shuffle")


class InvertibleConvolutions(CheckedModule):
    """The matrices ``W`` of ``y = W x`` at every pixel, stacked over the steps of a level.

    Kingma & Dhariwal, *Glow* (2018), section 3.2. ``"lu"`` learns ``W = P L U`` with a fixed
    permutation ``P`` and fixed signs of the diagonal of ``U`` (their eq. 10), so that
    ``log |det W|`` is a sum; ``"direct"`` learns ``W`` itself; ``"reverse"`` and ``"shuffle"``
    are the fixed permutations of their comparison. Learned matrices begin as random rotations.

    Args:
        steps: number of matrices K.
        channels: their size c.
        kind: one of ``PERMUTATIONS``.
        generator: source of the initial values.

    Example:
        >>> mix = InvertibleConvolutions(2, 4, "lu", torch.Generator().manual_seed(0))
        >>> matrices, log_det = mix()
        >>> matrices.shape, bool(log_det.abs().max() < 1e-5)
        (torch.Size([2, 4, 4]), True)
    """

    order: Tensor
    sign: Tensor

    def __init__(self, steps: int, channels: int, kind: str, generator: torch.Generator) -> None:
        super().__init__()
        self.kind = kind
        if kind == "reverse":
            self.register_buffer("order", torch.arange(channels).flip(0).repeat(steps, 1))
        elif kind == "shuffle":
            orders = [torch.randperm(channels, generator=generator) for _ in range(steps)]
            self.register_buffer("order", torch.stack(orders))
        else:
            shape = (steps, channels, channels)
            gaussian = torch.randn(shape, generator=generator, dtype=torch.float64)
            rotations = torch.linalg.qr(gaussian)[0]
            if kind == "direct":
                self.weight = nn.Parameter(rotations.float())
            else:
                self._factorise(rotations)

    def _factorise(self, matrices: Tensor) -> None:
        permutation, lower, upper = torch.linalg.lu(matrices)
        diagonal = upper.diagonal(dim1=1, dim2=2)
        self.register_buffer("order", permutation.argmax(-1))
        self.register_buffer("sign", diagonal.sign().float())
        self.lower = nn.Parameter(lower.tril(-1).float())
        self.upper = nn.Parameter(upper.triu(1).float())
        self.log_diagonal = nn.Parameter(diagonal.abs().log().float())

    def check_weights(self) -> None:
        """Refuse orders that are no permutations, and signs that are none.

        Raises:
            ValueError: with what is wrong.
        """
        if self.kind == "direct":
            return
        places = torch.arange(self.order.shape[1], device=self.order.device)
        if not bool((self.order.sort(1).values == places).all()):
            raise ValueError("the order of channels is no permutation")
        if self.kind == "lu" and not bool((self.sign.abs() == 1).all()):
            raise ValueError("a sign is neither 1 nor -1")

    def forward(self) -> tuple[Tensor, Tensor]:
        """The matrices (K, c, c) and ``log |det W|`` (K,), in float64; differentiable."""
        if self.kind == "direct":
            weight = self.weight.double()
            return weight, torch.linalg.slogdet(weight)[1]
        order = self.order
        one = torch.eye(order.shape[1], dtype=torch.float64, device=order.device)
        if self.kind != "lu":
            return one[order], one.new_zeros(len(order))
        log_diagonal = self.log_diagonal.double()
        lower = self.lower.double().tril(-1) + one
        upper = self.upper.double().triu(1) + torch.diag_embed(log_diagonal.exp() * self.sign)
        rows = order[:, :, None].expand_as(lower)
        return (lower @ upper).gather(1, rows), log_diagonal.sum(1)
