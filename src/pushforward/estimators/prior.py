"""The distribution that a generator's latents come from."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ..validation import Integers, check

__all__ = ["Draw", "Prior", "Score"]

Score = Callable[[Tensor], Tensor]
Draw = Callable[[int, torch.Generator], Tensor]


@dataclass(frozen=True)
class Prior:
    """The distribution a generator's latents come from.

    Attributes:
        sample: of (n, generator), latents (n, ...).
        log_prob: of latents, (n,) up to a constant; needed by Langevin dynamics only.

    Examples:
        >>> Prior.normal(8).sample(3, torch.Generator()).shape
        torch.Size([3, 8])
    """

    sample: Draw
    log_prob: Score | None = None

    @classmethod
    def normal(cls, *shape: int) -> "Prior":
        """Standard normal latents of this shape."""
        check({"shape": Integers()}, {"shape": shape})
        return cls(
            lambda n, generator: torch.randn(n, *shape, generator=generator),
            lambda z: -0.5 * z.flatten(1).square().sum(dim=1),
        )

    @classmethod
    def uniform(cls, *shape: int, low: float = -1.0, high: float = 1.0) -> "Prior":
        """Latents uniform on a box. Langevin dynamics needs a smooth density, which it lacks."""
        return cls(
            lambda n, generator: low + (high - low) * torch.rand(n, *shape, generator=generator)
        )

    @classmethod
    def sphere(cls, k: int) -> "Prior":
        """Latents of k numbers, uniform on the sphere of radius sqrt(k), as AGE has them.

        What moves latents leaves the sphere; a generator that projects does not mind. Langevin
        dynamics needs a density, which a surface lacks.
        """
        normal = cls.normal(k).sample

        def draw(n: int, generator: torch.Generator) -> Tensor:
            z = normal(n, generator)
            return z * (math.sqrt(k) / z.norm(dim=1, keepdim=True))

        return cls(draw)
