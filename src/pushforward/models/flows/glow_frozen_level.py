"""A level of Glow for inference on a processor: matrix products into memory that is kept.

A single image is so little work that finding memory, copies and convolutions made for larger
batches take longer than the arithmetic. Here a map is (channels, n * h * w), and every layer of a
coupling network one product: the first convolution, of few channels, multiplies the windows of its
input; the last, to few channels, multiplies first and then adds up nine products, shifted.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from .edge_convolution import TAPS, border_table
from .glow_backward import LevelParameters
from .glow_step import LOG_SCALE_RATE, Coupling

__all__ = ["FrozenLevel", "FrozenStep", "frozen_step"]

_BLOCK = 2**18  # values of a hidden layer computed at a time, for each thread: caches hold them


class FrozenStep(NamedTuple):
    """What one step computes with: weights that act from the left, scales and biases folded in.

    Attributes:
        mix, mix_offset: (c, c) and (c, 1): ``z = mix @ x + mix_offset``.
        unmix, unmix_offset: of its inverse.
        first: (width, 9 * half + 10), of the windows of ``z1`` and of the border table.
        second, second_bias: (width, width) and (width, 1).
        last: (9 * out, width), tap after tap; of each the shifts, then the rates of the gate.
        last_border: (out, 10), of the border table.
    """

    mix: Tensor
    mix_offset: Tensor
    unmix: Tensor
    unmix_offset: Tensor
    first: Tensor
    second: Tensor
    second_bias: Tensor
    last: Tensor
    last_border: Tensor


def frozen_step(p: LevelParameters, coupling: Coupling) -> FrozenStep:
    """The weights of one step in the order in which :class:`FrozenLevel` uses them."""
    first_scale = torch.exp(LOG_SCALE_RATE * p.first_logs)[:, None]
    second = (p.second * torch.exp(LOG_SCALE_RATE * p.second_logs)).T
    last_scale = torch.exp(LOG_SCALE_RATE * p.last_logs)
    last = (p.last * last_scale[:, None, None]).transpose(0, 1)
    last_border = (p.last_border * last_scale).T
    if coupling.affine:
        order = torch.arange(len(last_border)).view(-1, 2).T.flatten()
        last, last_border = last[:, order], last_border[order]
        last_border[len(order) // 2 :, -1] += 2  # the gate is that of r + 2
    unmix_offset = -(p.offset.double() @ p.inverse.double())
    return FrozenStep(
        *(p.matrix.T.contiguous(), p.offset[:, None].clone()),
        *(p.inverse.T.contiguous(), unmix_offset[:, None].to(p.offset.dtype)),
        torch.cat([p.first.flatten(1), p.first_border.T], 1) * first_scale,
        *(second[:, :-1].contiguous(), second[:, -1:].clone()),
        *(last.flatten(0, 1), last_border.contiguous()),
    )


class FrozenLevel:
    """A level with everything that depends on the parameters alone computed beforehand.

    It may be used by several threads at once. Its results have no gradient.

    Args:
        steps: of the level.
        coupling: how ``z2`` moves.
    """

    def __init__(self, steps: list[FrozenStep], coupling: Coupling) -> None:
        self.steps = steps
        self.coupling = coupling
        self._idle: list[_Maps] = []

    @torch.no_grad()
    def encode(self, x: Tensor, gates: list[Tensor] | None = None) -> Tensor:
        """Map (n, h, w, c); ``gates`` collects the smallest gate of each affine coupling."""

        def forward(maps: _Maps) -> None:
            for step in self.steps:
                maps.mix(step.mix, step.mix_offset)
                z2, (shift, gate) = maps.second_half, self._shift_and_gate(maps.network(step))
                z2.add_(shift)
                if gate is not None:
                    z2.mul_(gate)
                    if gates is not None:
                        gates.append(gate.min())

        return self._in_blocks(x, forward)

    @torch.no_grad()
    def decode(self, y: Tensor) -> Tensor:
        """Map back."""

        def inverse(maps: _Maps) -> None:
            for step in reversed(self.steps):
                z2, (shift, gate) = maps.second_half, self._shift_and_gate(maps.network(step))
                if gate is not None:
                    z2.div_(gate)
                z2.sub_(shift)
                maps.mix(step.unmix, step.unmix_offset)

        return self._in_blocks(y, inverse)

    def _shift_and_gate(self, out: Tensor) -> tuple[Tensor, Tensor | None]:
        if not self.coupling.affine:
            return out, None
        shift, rate = out.chunk(2)
        gate, floor = rate.sigmoid_(), self.coupling.floor
        return shift, gate.mul_(1 - floor).add_(floor) if floor else gate

    def _in_blocks(self, x: Tensor, work: Callable[["_Maps"], None]) -> Tensor:
        """Apply ``work`` to blocks of the images (n, h, w, c)."""
        n, h, w, _ = x.shape
        values = len(self.steps[0].second) * h * w
        most = max(1, _BLOCK * torch.get_num_threads() // values)
        done = torch.empty_like(x, memory_format=torch.contiguous_format)
        for start in range(0, n, most):
            block = slice(start, start + most)
            maps = self._memory(x[block].shape)
            maps.images.copy_(x[block])
            work(maps)
            done[block] = maps.images
            self._idle.append(maps)
        return done

    def _memory(self, shape: tuple[int, ...]) -> "_Maps":
        """Memory for images of this shape that no other thread is using."""
        try:
            maps = self._idle.pop()
        except IndexError:
            return _Maps(shape, self.steps[0])
        return maps if maps.images.shape == shape else _Maps(shape, self.steps[0])


class _Maps:
    """What a block of images (n, h, w, c) is computed in, from the first step to the last."""

    def __init__(self, shape: tuple[int, ...], like: FrozenStep) -> None:
        n, h, w, channels = shape
        empty, pixels = like.mix.new_empty, n * h * w
        half, width = channels // 2, len(like.second)
        self.grid = (n, h, w)
        self.z, self.spare = empty(channels, pixels), empty(channels, pixels)
        self.first, self.second = empty(width, pixels), empty(width, pixels)
        self.products = empty(len(like.last), pixels)
        self.out = empty(len(like.last_border), pixels)

        padded = like.mix.new_zeros(half, n, h + 2, w + 2)
        self.inside = padded[..., 1:-1, 1:-1]
        self.windows = padded.unfold(2, 3, 1).unfold(3, 3, 1).permute(4, 5, 0, 1, 2, 3)
        self.columns = empty(TAPS * half + TAPS + 1, pixels)
        columns, self.border = self.columns.split([TAPS * half, TAPS + 1])
        self.columns_of_windows = columns.view(self.windows.shape)
        self.border.view(-1, *self.grid).copy_(
            border_table(h, w, like=padded).permute(2, 0, 1)[:, None]
        )
        self._lay_out_sum()

    def _lay_out_sum(self) -> None:
        """Pairs of views: what the second shows is to be added to the first."""
        above, middle, below = self.products.view(3, 3, -1, *self.grid)
        left, centre, right = middle
        out = self.out.view(centre.shape)
        self.sums = [
            (middle[..., 1:, :], above[..., :-1, :]),
            (middle[..., :-1, :], below[..., 1:, :]),
            (out, centre),
            (out[..., 1:], left[..., :-1]),
            (out[..., :-1], right[..., 1:]),
        ]

    @property
    def images(self) -> Tensor:
        """The map as (n, h, w, c)."""
        return self.z.view(-1, *self.grid).permute(1, 2, 3, 0)

    @property
    def second_half(self) -> Tensor:
        """The channels that move, (c / 2, pixels)."""
        return self.z[len(self.z) // 2 :]

    def mix(self, matrix: Tensor, offset: Tensor) -> None:
        """Apply actnorm and 1x1 convolution, or their inverse."""
        torch.addmm(offset, matrix, self.z, out=self.spare)
        self.z, self.spare = self.spare, self.z

    def network(self, step: FrozenStep) -> Tensor:
        """The coupling network of the first half of the channels: (out, pixels)."""
        self.inside.copy_(self.z[: len(self.z) // 2].view(self.inside.shape))
        self.columns_of_windows.copy_(self.windows)
        torch.mm(step.first, self.columns, out=self.first).relu_()
        torch.addmm(step.second_bias, step.second, self.first, out=self.second).relu_()
        torch.mm(step.last, self.second, out=self.products)
        torch.mm(step.last_border, self.border, out=self.out)
        for total, term in self.sums:
            total.add_(term)
        return self.out
