"""Discriminator gradient flow: samples that flow to where a discriminator finds them real."""

import math
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import torch
from torch import Tensor

from ...validation import COUNT, POSITIVE, Number, OneOf, check
from ..logit_gradients import BATCH, Score, value_and_gradient

__all__ = ["DIVERGENCES", "PUBLISHED", "dgflow", "dgflow_path"]

#: s(d) of each f-divergence: the drift is s(d) times the gradient of the logit d.
DIVERGENCES: dict[str, Callable[[Tensor], Tensor]] = {
    "kl": torch.ones_like,
    "js": torch.sigmoid,
    "log_d": lambda d: torch.sigmoid(-d),
    # e^-d of a hopeless point would throw it out of any space; past 20 nats it is hopeless enough
    "pearson": lambda d: 2 * torch.exp(-d.clamp(min=-20.0)),
}

#: Settings of the authors' released configurations. They are tuned to 32-pixel images and latents
#: of 32 or 128 dimensions, and harm others: ``docs/refinement.md`` has figures.
PUBLISHED: dict[str, dict[str, Any]] = {
    "cifar10": {"divergence": "kl", "step": 0.1, "noise": 0.01, "steps": 25},
    "cifar10_glow": {"divergence": "kl", "step": 0.05, "noise": 0.01, "steps": 25},
    "stl10": {"divergence": "kl", "step": 0.1, "noise": 0.01, "steps": 25},
    "stl10_corrected": {"divergence": "kl", "step": 0.05, "noise": 0.01, "steps": 15},
}


def dgflow(start: Tensor, score: Score, *, steps: int, **settings: Any) -> Tensor:
    """Move points by ``u <- u + eta s(d(u)) grad d(u) + sqrt(2 gamma eta) xi``.

    Euler-Maruyama of the gradient flow of an entropy-regularised f-divergence, with the ratio of
    densities held at that of the start. It therefore has no right place to come to rest: run on,
    and points pile up on the peaks of the logit. Few steps, noise, and a test that is not the
    logit itself say when to stop, as :func:`pushforward.refine` does.

    Source: Ansari, Ang and Soh, "Refining deep generative models via discriminator gradient
    flow", 2021, algorithm 1; Pearson: Heng, Ansari and Soh, "Generative modeling with flow-guided
    density ratio learning", 2024.

    Args:
        start: (n, ...) latents or rows.
        score: their logits, log of real over generated density.
        steps: how many.
        settings: as of :func:`dgflow_path`.

    Returns:
        Points (n, ...).

    Raises:
        ParameterError: for another divergence, or settings that are not positive.
        DataError: if the logit is not finite.

    Examples:
        The exact logit of N(1, 1) over N(0, 1) is x - 1/2; one step of KL moves all by eta.

        >>> dgflow(torch.zeros(1, 1), lambda x: x[:, 0] - 0.5, step=0.25, steps=4)
        tensor([[1.]])
    """
    check({"steps": COUNT}, {"steps": steps})
    path = dgflow_path(start, score, **settings)
    return next(islice(path, steps - 1, None))


def dgflow_path(
    start: Tensor,
    score: Score,
    *,
    step: float,
    divergence: str = "kl",
    noise: float = 0.0,
    longest: float | None = None,
    generator: torch.Generator | None = None,
    batch_size: int = BATCH,
) -> Iterator[Tensor]:
    """The points (n, ...) after each step of :func:`dgflow`, without end.

    Args:
        start: (n, ...) latents or rows.
        score: their logits, log of real over generated density.
        step: eta.
        divergence: "kl", "js", "log_d" or "pearson".
        noise: gamma.
        longest: Euclidean length no point's drift exceeds in one step; None for no bound.
        generator: of the noise, on the CPU; drawn for all points at once, so that the result
            does not depend on ``batch_size``.
        batch_size: points whose activations are held in memory at once.

    Raises:
        ParameterError: for another divergence, or settings that are not positive.
        DataError: if the logit is not finite.

    Examples:
        >>> path = dgflow_path(torch.zeros(1, 1), lambda x: x[:, 0], step=0.25)
        >>> [next(path).item() for _ in range(3)]
        [0.25, 0.5, 0.75]
    """
    check(
        {"divergence": OneOf(*DIVERGENCES), "step": POSITIVE, "noise": Number(0, ends="[")},
        {"divergence": divergence, "step": step, "noise": noise},
    )
    points = start.detach()
    while True:
        logit, slope = value_and_gradient(score, points, batch_size)
        drift = step * _like(DIVERGENCES[divergence](logit).to(slope), slope) * slope
        if longest is not None:
            length = drift.flatten(1).norm(dim=1)
            drift = drift * _like(longest / length.clamp(min=longest), drift)
        points = points + drift
        if noise > 0:
            xi = torch.randn(points.shape, generator=generator, dtype=points.dtype)
            points = points + math.sqrt(2 * noise * step) * xi.to(points.device)
        yield points


def _like(values: Tensor, points: Tensor) -> Tensor:
    """(n,) as (n, 1, ...), to multiply points with."""
    return values.reshape(-1, *[1] * (points.ndim - 1))
