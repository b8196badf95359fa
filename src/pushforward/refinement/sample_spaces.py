"""Where points are drawn and what they decode to: latents of a generator, or its samples."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ..errors import DataError
from ..estimators.prior import Draw
from ..training import Processes, generator_of
from .logit_gradients import BATCH, Score, in_batches
from .samplers.mh import metropolis_hastings
from .samplers.resampling import resample

__all__ = ["Decoded", "Mover", "Space", "chained", "moved", "resampled", "thinned"]

Mover = Callable[[Tensor, torch.Generator], Tensor]

_PATIENCE = 1000  # draws a kept sample may cost before thinning gives up
_BLOCK = 1 << 16  # proposals of chains, or rows of a pool, held at once
_TOGETHER = 1024  # samples of one stream of random numbers: what processes share out


@dataclass(frozen=True)
class Space:
    """Points that can be drawn and decoded, and what one sample costs.

    Attributes:
        draw: points (n, ...) from a generator of random numbers on the CPU.
        decode: points to rows of the data.
        log_prior: of points, or None where it is not known.
        draws: samples of the generator that one sample takes.
        evaluations: of a logit that one sample takes; one with its gradient counts as one.
        batch_size: points whose activations are held at once.
        quantise: rows as the user gets them.
    """

    draw: Draw
    decode: Callable[[Tensor], Tensor]
    log_prior: Score | None = None
    draws: float = 1.0
    evaluations: float = 0.0
    batch_size: int = BATCH
    quantise: Callable[[Tensor], Tensor] = lambda rows: rows

    def points(self, n: int, *key: int) -> Tensor:
        """Draw points (n, ...), which depend on the key alone.

        They come in blocks, each with random numbers of its own. Where several processes run,
        they share the blocks out and all get all of them, the same bits as one process makes.
        """
        processes = Processes()
        starts = range(0, n, _TOGETHER)
        with processes.together():
            mine = {
                start: self.draw(min(_TOGETHER, n - start), generator_of(*key, start))
                for start in starts[processes.rank :: processes.count]
            }
        if processes.count == 1:
            return torch.cat([*mine.values()])
        like = next(iter(mine.values())) if mine else self.draw(1, generator_of(*key))
        drawn = like.new_zeros(n, *like.shape[1:])
        for start, points in mine.items():
            drawn[start : start + len(points)] = points
        return processes.sum(drawn)

    def rows(self, n: int, *key: int) -> Tensor:
        """Rows of the data (n, ...), likewise."""
        return self.decoded(self.points(n, *key))

    def quantised(self, n: int, *key: int) -> Tensor:
        """Rows as the user gets them, likewise."""
        return self.quantise(self.rows(n, *key))

    def decoded(self, points: Tensor) -> Tensor:
        """Rows of points, a batch at a time and without gradients."""
        return in_batches(self.decode, points, self.batch_size)

    def score(self, logit: Score) -> Score:
        """The logit of rows as a differentiable function of points."""
        return Decoded(logit, self.decode)

    def logits(self, logit: Score, points: Tensor) -> Tensor:
        """Logits of the rows of points, likewise."""
        return in_batches(self.score(logit), points, self.batch_size)


@dataclass(frozen=True)
class Decoded:
    """A logit of rows, as a logit of the points that are decoded to them."""

    logit: Score
    decode: Callable[[Tensor], Tensor]

    def __call__(self, points: Tensor) -> Tensor:
        """Logits (n,) of points (n, ...)."""
        return self.logit(self.decode(points))


def moved(space: Space, mover: Mover, evaluations: int) -> Space:
    """The space whose points are moved after they are drawn.

    Args:
        space: to draw from.
        mover: of points, with a generator of random numbers.
        evaluations: logits that moving one point takes.
    """
    return replace(
        space,
        draw=_Moved(space, mover),
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
    return _chosen(space, _Thinned(space, logit, acceptance, rate), 1 / rate)


def chained(space: Space, logit: Score, starts: Tensor, length: int) -> Space:
    """The space of the last states of Metropolis-Hastings chains over its points.

    Args:
        space: of the proposals.
        logit: of rows, calibrated.
        starts: (m,) logits of held-out real rows.
        length: proposals a chain.
    """
    return _chosen(space, _Chained(space, logit, length, starts), length)


def resampled(space: Space, logit: Score, pool: int) -> Space:
    """The space of points resampled by weight from pools, ``pool`` draws for each kept."""
    return _chosen(space, _Resampled(space, logit, pool), pool)


def _chosen(space: Space, draw: Draw, each: float) -> Space:
    """The space of points that are chosen among so many draws each, by a logit of every one."""
    evaluations = (space.evaluations + 1) * each
    return replace(
        space, draw=draw, log_prior=None, draws=space.draws * each, evaluations=evaluations
    )


@dataclass(frozen=True)
class _Moved:
    """Draws points and moves them."""

    space: Space
    mover: Mover

    def __call__(self, n: int, generator: torch.Generator) -> Tensor:
        return self.mover(self.space.draw(n, generator), generator)


@dataclass(frozen=True)
class _Thinned:
    """Draws points until enough are accepted."""

    space: Space
    logit: Score
    acceptance: Callable[[Tensor], Tensor]
    rate: float

    def __call__(self, n: int, generator: torch.Generator) -> Tensor:
        most = _PATIENCE * (n + 10)
        kept, missing, left = [], n, most
        while missing > 0:
            size = min(_BLOCK, math.ceil(1.1 * missing / self.rate) + 8)
            points = self.space.draw(size, generator)
            share = self.acceptance(self.space.logits(self.logit, points))
            uniform = torch.rand(size, generator=generator, dtype=share.dtype)
            kept.append(points[(uniform.to(share.device) < share).to(points.device)])
            missing, left = missing - len(kept[-1]), left - size
            if left < 0:
                raise DataError(
                    f"Rejection kept {n - missing} of {most - left} samples. "
                    "Expected at least one in a thousand: the logit finds almost none real. "
                    "Raise the budget, or move samples before thinning them."
                )
        return torch.cat(kept)[:n]


@dataclass(frozen=True)
class _Blocks:
    """Draws points a block at a time, each of which needs ``each`` points of the space before."""

    space: Space
    logit: Score
    each: int

    def __call__(self, n: int, generator: torch.Generator) -> Tensor:
        size = max(1, _BLOCK // self.each)
        return torch.cat(
            [self.block(min(size, n - done), generator) for done in range(0, n, size)]
        )

    def block(self, n: int, generator: torch.Generator) -> Tensor:
        raise NotImplementedError


@dataclass(frozen=True)
class _Chained(_Blocks):
    """Draws the last states of chains."""

    starts: Tensor

    def block(self, n: int, generator: torch.Generator) -> Tensor:
        points = self.space.draw(n * self.each, generator)
        logits = self.space.logits(self.logit, points).reshape(n, self.each)
        pick = torch.randint(len(self.starts), (n,), generator=generator)
        at, _ = metropolis_hastings(self.starts[pick].to(logits), logits, generator)
        return points[torch.arange(n, device=at.device) * self.each + at]


class _Resampled(_Blocks):
    """Draws from pools by weight."""

    def block(self, n: int, generator: torch.Generator) -> Tensor:
        points = self.space.draw(n * self.each, generator)
        return points[resample(self.space.logits(self.logit, points), n, generator)]
