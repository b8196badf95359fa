"""Which patches a sliced flow of images is made of, and in which order."""

import math
from dataclasses import dataclass

import torch

from ...transport.patches import PatchGrid

__all__ = ["Stage", "likelihood_schedule", "picture_schedule"]


@dataclass(frozen=True)
class Stage:
    """A run of layers on patches of one size.

    Attributes:
        shape: (C, H, W) of the images.
        patch: (h, w) of the patches.
        apart: whether channels are patches of their own.
        slices: directions a patch, K.
        layers: how many; None for as many as time allows.
    """

    shape: tuple[int, int, int]
    patch: tuple[int, int]
    apart: bool
    slices: int
    layers: int | None

    def __str__(self) -> str:
        channels = 1 if self.apart else self.shape[0]
        return f"{self.patch[0]}x{self.patch[1]}" + (f"x{channels}" if self.shape[0] > 1 else "")

    def grid(self, generator: torch.Generator) -> PatchGrid:
        """The patches of one layer, shifted at random; a shift of the whole image is none."""
        _, height, width = self.shape
        shift = [
            int(torch.randint(side, (), generator=generator)) if patch < side else 0
            for side, patch in zip((height, width), self.patch, strict=True)
        ]
        return PatchGrid(self.shape, self.patch, (shift[0], shift[1]), self.apart)

    @property
    def cost(self) -> float:
        """Time that the stage takes, in the units of other stages of the schedule.

        A layer takes time for each of its slices, and about that of 700 besides.
        """
        patches = PatchGrid(self.shape, self.patch, (0, 0), self.apart).count
        return (self.layers or 1) * (700 + patches * self.slices)


def picture_schedule(shape: tuple[int, int, int], layers: int | None) -> list[Stage]:
    """The hierarchy of SIG: the whole image, then patches of falling size.

    Sides are halved down to 8 and then fall one by one to 2, with ``h + w`` directions for a
    patch of h x w; images of several channels also have stages on single channels from 8 on,
    half as long and with half as many directions. For 28 x 28 and for 32 x 32 in colour these are
    the schedules of Dai & Seljak (2021), where ``layers`` is 100 and 200.

    Args:
        shape: (C, H, W) of the images.
        layers: of a stage on all channels; None for as many as time allows.

    Examples:
        >>> [str(stage) for stage in picture_schedule((1, 28, 28), 100)]
        ['28x28', '14x14', '7x7', '6x6', '5x5', '4x4', '3x3', '2x2']
        >>> [str(stage) for stage in picture_schedule((3, 1, 5), 100)][:4]
        ['1x5x3', '1x5x1', '1x4x3', '1x4x1']
    """
    channels, height, width = shape
    sides = [max(height, width)]
    while sides[-1] > 2:
        sides.append(sides[-1] // 2 if sides[-1] > 8 else sides[-1] - 1)
    stages: list[Stage] = []
    for side in sides:
        patch = min(side, height), min(side, width)
        for apart in (False, True) if channels > 1 and side <= 8 else (False,):
            most = math.prod(patch) * (1 if apart else channels)
            slices = min(most, max(1, sum(patch) // (2 if apart else 1)))
            count = None if layers is None else max(1, layers // (2 if apart else 1))
            stages.append(Stage(shape, patch, apart, slices, count))
    return stages


def likelihood_schedule(shape: tuple[int, int, int], layers: int) -> list[Stage]:
    """Patches of 4 and 2 in turn, 8 directions each or as many as there are.

    Those of GIS for images (Dai & Seljak 2021, section 4.1).

    Args:
        shape: (C, H, W) of the images.
        layers: most layers altogether.

    Examples:
        >>> [(str(stage), stage.slices) for stage in likelihood_schedule((1, 28, 28), 3)]
        [('4x4', 8), ('2x2', 4), ('4x4', 8)]
    """
    channels, height, width = shape
    patches = [(min(side, height), min(side, width)) for side in (4, 2)]
    turns = [Stage(shape, p, False, min(8, channels * math.prod(p)), 1) for p in patches]
    return [turns[i % 2] for i in range(layers)]
