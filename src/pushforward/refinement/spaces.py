"""Where points are drawn and what they decode to: latents of a generator, or its samples."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ..errors import DataError, ParameterError
from .mh import metropolis_hastings
from .resampling import resample
from .slopes import BATCH, Score, in_batches

__all__ = ["Prior", "Space", "chained", "moved", "resampled", "thinned"]

Draw = Callable[[int, torch.Generator], Tensor]
Mover = Callable[[Tensor, torch.Generator], Tensor]

_PATIENCE = 1000  # draws a kept sample may cost before thinning gives up
_BLOCK = 1 << 16  # proposals of chains, or rows of a pool, held at once


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
        if not shape or min(shape) < 1:
            raise ParameterError(f"A prior of shape {shape}. Expected positive dimensions.")
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


@dataclass(frozen=True)
class Space:
    """Points that can be drawn and decoded, and what one sample costs.

    Attributes:
        draw: points (n, ...) from a generator of random numbers on the CPU.
        decode: points to rows of the data.
        log_prior: of points, or None where it is not known.
        draws: samples of the generator that one sample takes.
        evaluations: of a logit that one sample takes; one with its gradient counts as one.
    """

    draw: Draw
    decode: Callable[[Tensor], Tensor]
    log_prior: Score | None = None
    draws: float = 1.0
    evaluations: float = 0.0
    batch_size: int = BATCH

    def rows(self, n: int, generator: torch.Generator) -> Tensor:
        """Rows of the data (n, ...)."""
        return self.decoded(self.draw(n, generator))

    def decoded(self, points: Tensor) -> Tensor:
        """Rows of points, a batch at a time and without gradients."""
        return in_batches(self.decode, points, self.batch_size)

    def logits(self, logit: Score, points: Tensor) -> Tensor:
        """Logits of the rows of points, likewise."""
        return in_batches(lambda part: logit(self.decode(part)), points, self.batch_size)


def moved(space: Space, mover: Mover, evaluations: int) -> Space:
    """The space whose points are moved after they are drawn."""
    return replace(
        space,
        draw=lambda n, generator: mover(space.draw(n, generator), generator),
        log_prior=None,
        evaluations=space.evaluations + space.draws * evaluations,
    )


def thinned(
    space: Space, logit: Score, acceptance: Callable[[Tensor], Tensor], rate: float
) -> Space:
    """The space whose points are kept with a probability that depends on their logit.

    Args:
        space: to draw from.
        logit: of rows.
        acceptance: of logits, probabilities.
        rate: share expected to be kept.
    """

    def draw(n: int, generator: torch.Generator) -> Tensor:
        kept, missing, left = [], n, _PATIENCE * (n + 10)
        while missing > 0:
            size = min(_BLOCK, math.ceil(1.1 * missing / rate) + 8)
            points = space.draw(size, generator)
            share = acceptance(space.logits(logit, points))
            uniform = torch.rand(size, generator=generator, dtype=share.dtype)
            kept.append(points[uniform.to(share.device) < share])
            missing, left = missing - len(kept[-1]), left - size
            if left < 0:
                raise DataError(
                    f"Rejection kept {n - missing} of {_PATIENCE * (n + 10) - left} samples. "
                    "Expected at least one in a thousand: the logit finds almost none real. "
                    "Raise the budget, or move samples before thinning them."
                )
        return torch.cat(kept)[:n]

    cost = (space.evaluations + 1) / rate
    return replace(space, draw=draw, log_prior=None, draws=space.draws / rate, evaluations=cost)


def chained(space: Space, logit: Score, starts: Tensor, length: int) -> Space:
    """The space of the last states of Metropolis-Hastings chains over its points.

    Args:
        space: of the proposals.
        logit: of rows, calibrated.
        starts: (m,) logits of held-out real rows.
        length: proposals a chain.
    """

    def block(n: int, generator: torch.Generator) -> Tensor:
        points = space.draw(n * length, generator)
        logits = space.logits(logit, points).reshape(n, length)
        pick = torch.randint(len(starts), (n,), generator=generator)
        at, _ = metropolis_hastings(starts[pick.to(starts.device)], logits, generator)
        return points[torch.arange(n, device=at.device) * length + at]

    return _per_block(space, block, length)


def resampled(space: Space, logit: Score, pool: int) -> Space:
    """The space of points resampled by weight from pools, ``pool`` draws for each kept."""

    def block(n: int, generator: torch.Generator) -> Tensor:
        points = space.draw(n * pool, generator)
        return points[resample(space.logits(logit, points), n, generator)]

    return _per_block(space, block, pool)


def _per_block(space: Space, block: Draw, each: int) -> Space:
    size = max(1, _BLOCK // each)

    def draw(n: int, generator: torch.Generator) -> Tensor:
        parts = [block(min(size, n - done), generator) for done in range(0, n, size)]
        return torch.cat(parts) if parts else space.draw(0, generator)

    cost = (space.evaluations + 1) * each
    return replace(space, draw=draw, log_prior=None, draws=space.draws * each, evaluations=cost)
