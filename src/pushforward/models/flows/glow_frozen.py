"""Glow for inference: everything that depends on the parameters alone is computed once."""

from collections.abc import Sequence

import torch
from torch import Tensor

from ...errors import ParameterError
from .gaussian_start import LatentGaussian, PixelMargins
from .glow_frozen_level import FrozenLevel
from .glow_level import FoldedLevel
from .glow_priors import FoldedSplitPrior, of_class
from .squeeze import squeeze, unsqueeze

__all__ = ["FrozenGlow"]


class FrozenGlow:
    """What :meth:`~pushforward.models.flows.glow_network.GlowNetwork.freeze` gives.

    ``encode`` and ``decode`` are those of the network at the time it was frozen.

    Attributes:
        levels: steps of each level.
        split_priors: of the halves that leave.
        top: mean and log-scale of the last latent, (classes, h, w, c) each.
        classes: number of classes, or None.
        margins: what comes before the first level, or None.
        latent: the Gaussian of all latents together, or None.
    """

    def __init__(
        self,
        levels: Sequence[FoldedLevel | FrozenLevel],
        split_priors: list[FoldedSplitPrior],
        top: tuple[Tensor, Tensor],
        classes: int | None,
        margins: PixelMargins | None = None,
        latent: LatentGaussian | None = None,
    ) -> None:
        self.levels = levels
        self.split_priors = split_priors
        self.top = top
        self.classes = classes
        self.margins = margins
        self.latent = latent

    def encode(self, x: Tensor, y: Tensor | None = None) -> list[Tensor]:
        """Latents (finest first) of images (n, C, H, W); ``y`` are classes (n,)."""
        mean, logs = self._top(y)
        z = self._pixels_first(x)
        eps = []
        for level, prior in zip(self.levels, [*self.split_priors, None], strict=True):
            z = level.encode(squeeze(z))
            if prior is not None:
                z, leaving = z.chunk(2, -1)
                eps.append(_standardise(leaving, *prior(z)))
        eps.append(_standardise(z, mean, logs))
        if self.latent is not None:
            eps = self.latent.encode(eps)
        return [part.permute(0, 3, 1, 2).contiguous() for part in eps]

    def decode(self, eps: list[Tensor], y: Tensor | None = None) -> Tensor:
        """Images (n, C, H, W) of latents."""
        mean, logs = self._top(y)
        parts = [part.permute(0, 2, 3, 1) for part in eps]
        *fine, last = parts if self.latent is None else self.latent.decode(parts)
        z = self.levels[-1].decode(last * logs.exp() + mean)
        rest = zip(self.levels[-2::-1], self.split_priors[::-1], fine[::-1], strict=True)
        for level, prior, part in rest:
            z = unsqueeze(z)
            mean, logs = prior(z)
            z = level.decode(torch.cat([z, part * logs.exp() + mean], -1))
        x = unsqueeze(z).permute(0, 3, 1, 2).contiguous()
        return x if self.margins is None else self.margins.inverse(x)

    def smallest_gate(self, x: Tensor) -> float:
        """Smallest scale that a coupling applies to these images."""
        z, smallest = self._pixels_first(x), 1.0
        for level in self.levels:
            gates: list[Tensor] = []
            z = level.encode(squeeze(z), gates)
            smallest = min([smallest, *(float(gate) for gate in gates)])
            z = z[..., : z.shape[-1] // 2]
        return smallest

    def _pixels_first(self, x: Tensor) -> Tensor:
        """Images as (n, H, W, C), made normal where there are margins."""
        return (x if self.margins is None else self.margins(x)[0]).permute(0, 2, 3, 1)

    def _top(self, y: Tensor | None) -> tuple[Tensor, Tensor]:
        if self.classes and y is None:
            raise ParameterError(
                "This network's latent depends on the class: give y, one class per image."
            )
        return of_class(self.top[0], y), of_class(self.top[1], y)


def _standardise(z: Tensor, mean: Tensor, logs: Tensor) -> Tensor:
    return (z - mean) * torch.exp(-logs)
