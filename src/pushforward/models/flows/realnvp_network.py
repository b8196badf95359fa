"""RealNVP for images and for vectors, as a network.

Dinh, Sohl-Dickstein & Bengio, *Density estimation using Real NVP* (2017), with the details of the
authors' released code.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from ...errors import ParameterError
from ...storage.weights import CheckedModule
from ...wording import setting
from .affine_coupling import AffineCoupling, Chain, CheckerboardCoupling, Invertible, SplitCoupling
from .coupling_flow import CouplingFlow, at_least_one, normal_log_prob
from .flow_norm import MomentsFrom
from .masks import checkerboard, largest_scales, ordered_squeeze, ordered_unsqueeze
from .residual_network import WeightNormLayer

__all__ = ["RealNVPNetwork", "RealNVPVectorNetwork"]

_L2 = 5e-5


class _Penalised(CouplingFlow):
    def penalty(self) -> Tensor:
        """``5e-5`` times the squared magnitudes of weight-norm layers and rescaling scalars."""
        scales = [
            module.rescaling for module in self.modules() if isinstance(module, AffineCoupling)
        ]
        layers = [module for module in self.modules() if isinstance(module, WeightNormLayer)]
        scales += [layer.magnitude for layer in layers if layer.magnitude is not None]
        return _L2 * torch.cat([scale.flatten() for scale in scales]).square().sum()


class _Scale(Invertible):
    """The couplings at one resolution: checkerboard ones, then, but at the last, channel ones."""

    def __init__(
        self,
        shape: tuple[int, int, int],
        width: int,
        blocks: int,
        last: bool,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        channels, height, side = shape
        self.checkerboards = Chain(
            CheckerboardCoupling(
                channels, checkerboard(height, side, corner=k % 2 == 0), width, blocks, generator
            )
            for k in range(4 if last else 3)
        )
        self.splits = Chain(
            SplitCoupling(4 * channels, keep_first, 2 * width, blocks, 3, generator)
            for keep_first in (() if last else (True, False, True))
        )

    def forward(self, x: Tensor, moments: MomentsFrom) -> tuple[Tensor, Tensor]:
        x, log_det = self.checkerboards(x, moments)
        if self.splits:
            x, term = self.splits(F.pixel_unshuffle(x, 2), moments)
            x, log_det = F.pixel_shuffle(x, 2), log_det + term
        return x, log_det

    def inverse(self, y: Tensor) -> Tensor:
        if self.splits:
            y = F.pixel_shuffle(self.splits.inverse(F.pixel_unshuffle(y, 2)), 2)
        return self.checkerboards.inverse(y)


class RealNVPNetwork(_Penalised):
    """Checkerboard and channel couplings at several scales; half leaves after each.

    At every scale but the last: three checkerboard couplings, three channel couplings of the
    squeezed image (twice as wide), and half of the values leave as latents, the other half going
    on at half the resolution with twice the channels. The last scale has four checkerboard
    couplings. Latents that left are put back where they stood, so that the latent is one image.

    Training maximises :meth:`training_log_prob` less :meth:`penalty`; every other call uses the
    running moments of the batch normalisation, so that a row's result does not depend on others.

    Args:
        shape: (C, H, W) of the images.
        scales: number of scales; H and W must be divisible by ``2 ** (scales - 1)`` with at least
            two positions left. The paper has 4 for 32x32 images and 5 for 64x64.
        width: channels of the networks at the first scale; doubles with each.
        blocks: residual blocks of each network.
        seed: of the weights.

    Raises:
        ParameterError: a number below 1, or more scales than the size allows.

    >>> import torch
    >>> x = torch.randn(16, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    >>> network = RealNVPNetwork((1, 8, 8), scales=2, width=4, blocks=1)
    >>> network.initialise(x)
    >>> network.log_prob(x).shape, network.log_prob(x, per_level=True).shape
    (torch.Size([16]), torch.Size([16, 2]))
    >>> bool((network.decode(network.encode(x)) - x).abs().max() < 1e-4)
    True
    """

    def __init__(
        self,
        shape: tuple[int, int, int],
        scales: int = 4,
        width: int = 32,
        blocks: int = 4,
        seed: int = 0,
    ) -> None:
        super().__init__(shape)
        channels, height, side = shape
        at_least_one(scales=scales, width=width, blocks=blocks, channels=channels)
        largest = largest_scales(height, side)
        if scales > largest:
            raise ParameterError(
                f"scales is {scales}, and images of {height}x{side} pixels allow at most "
                f"{largest}: each further scale halves both sides and leaves at least two pixels; "
                + (
                    f"use {setting('scales', largest)}, or pad the images"
                    if largest
                    else "use a larger image"
                )
            )
        generator = torch.Generator().manual_seed(seed)
        self.scales = Chain(
            _Scale(
                (channels << k, height >> k, side >> k),
                width << k,
                blocks,
                k == scales - 1,
                generator,
            )
            for k in range(scales)
        )

    def _to_latent(self, x: Tensor, moments: MomentsFrom) -> tuple[Tensor, Tensor]:
        left, terms = [], []
        for k, scale in enumerate(self.scales, 1):
            x, log_det = scale(x, moments)
            if k < len(self.scales):
                x, leaving = ordered_squeeze(x).chunk(2, 1)
                left.append(leaving)
                log_det = log_det + normal_log_prob(leaving)
            terms.append(log_det)
        terms[-1] = terms[-1] + normal_log_prob(x)
        for leaving in reversed(left):
            x = ordered_unsqueeze(torch.cat([x, leaving], 1))
        return x, torch.stack(terms, 1)

    def _from_latent(self, z: Tensor) -> Tensor:
        *outer, last = self.scales
        left = []
        for _ in outer:
            z, leaving = ordered_squeeze(z).chunk(2, 1)
            left.append(leaving)
        z = last.inverse(z)
        for scale, leaving in zip(reversed(outer), reversed(left), strict=True):
            z = scale.inverse(ordered_unsqueeze(torch.cat([z, leaving], 1)))
        return z


class _Shuffle(Invertible, CheckedModule):
    order: Tensor

    def __init__(self, order: Tensor) -> None:
        super().__init__()
        self.register_buffer("order", order)

    def check_weights(self) -> None:
        places = torch.arange(len(self.order), device=self.order.device)
        if not torch.equal(self.order.sort().values, places):
            raise ValueError("the order of entries is no permutation")

    def forward(self, x: Tensor, moments: MomentsFrom) -> tuple[Tensor, Tensor]:
        return x[:, self.order], x.new_zeros(len(x))

    def inverse(self, y: Tensor) -> Tensor:
        return y[:, self.order.argsort()]


class RealNVPVectorNetwork(_Penalised):
    """RealNVP for rows of a table: affine couplings between halves of the entries.

    Before every second coupling the entries are shuffled, by an order drawn once, so that each
    pair of couplings moves every entry once, given another half.

    Args:
        shape: (d,), the number of entries.
        couplings: number of couplings.
        width: width of the networks.
        blocks: residual blocks of each network.
        seed: of the weights and orders.

    Raises:
        ParameterError: a number below 1.

    >>> import torch
    >>> x = torch.randn(100, 3, generator=torch.Generator().manual_seed(0))
    >>> network = RealNVPVectorNetwork((3,), couplings=4, width=8, blocks=1)
    >>> network.initialise(x)
    >>> network.log_prob(x).shape
    torch.Size([100])
    """

    def __init__(
        self,
        shape: Sequence[int],
        couplings: int = 8,
        width: int = 64,
        blocks: int = 2,
        seed: int = 0,
    ) -> None:
        super().__init__(shape)
        (d,) = self.shape
        at_least_one(couplings=couplings, width=width, blocks=blocks, entries=d)
        generator = torch.Generator().manual_seed(seed)
        self.layers = Chain()
        for k in range(couplings):
            if k % 2 == 0:
                self.layers.append(_Shuffle(torch.randperm(d, generator=generator)))
            # the one entry of a row of one conditions nothing and always moves
            keep_first = k % 2 == 0 or d == 1
            self.layers.append(SplitCoupling(d, keep_first, width, blocks, None, generator))

    def _to_latent(self, x: Tensor, moments: MomentsFrom) -> tuple[Tensor, Tensor]:
        z, log_det = self.layers(x, moments)
        return z, (log_det + normal_log_prob(z))[:, None]

    def _from_latent(self, z: Tensor) -> Tensor:
        return self.layers.inverse(z)
