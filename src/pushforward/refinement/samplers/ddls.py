"""Discriminator-driven latent sampling: Langevin dynamics of prior times ratio."""

import torch
from torch import Tensor

from ...validation import COUNT, POSITIVE, check
from ..logit_gradients import BATCH, Score, value_and_gradient

__all__ = ["langevin"]


def langevin(
    start: Tensor,
    log_density: Score,
    *,
    step: float,
    steps: int,
    metropolis: bool = False,
    generator: torch.Generator | None = None,
    batch_size: int = BATCH,
) -> tuple[Tensor, Tensor]:
    """Run one Langevin chain from every point: ``z <- z + eps/2 grad log p(z) + sqrt(eps) n``.

    With ``log_density = log prior + logit of the decoded point``, what the chains come to is
    decoded to the data if the logit is exact. The plain chain is off by a term of the order of
    the step; the Metropolis correction takes it away.

    Source: Che, Zhang, Sohl-Dickstein, Larochelle, Paull, Cao and Bengio, "Your GAN is secretly
    an energy-based model and you should use discriminator driven latent sampling", 2020;
    the correction: Roberts and Tweedie, "Exponential convergence of Langevin
    distributions and their discrete approximations", 1996.

    Args:
        start: (n, ...).
        log_density: (n,) of points, up to a constant.
        step: eps.
        steps: of each chain.
        metropolis: accept or reject each step.
        generator: of all noise, on the CPU.
        batch_size: points whose activations are held in memory at once.

    Returns:
        The last states (n, ...), and the share of steps each chain accepted (n,).

    Raises:
        ParameterError: if the step or their number is not positive.
        DataError: if the density or its gradient is not finite.

    Examples:
        >>> draw = torch.Generator().manual_seed(0)
        >>> start = torch.zeros(2000, 1)
        >>> z, share = langevin(start, lambda z: -0.5 * (z[:, 0] - 3) ** 2, step=0.5, steps=50,
        ...                     metropolis=True, generator=draw)
        >>> abs(float(z.mean()) - 3) < 0.1, abs(float(z.std()) - 1) < 0.05
        (True, True)
    """
    check({"step": POSITIVE, "steps": COUNT}, {"step": step, "steps": steps})
    points = start.detach()
    value, slope = value_and_gradient(log_density, points, batch_size)
    accepted = torch.zeros_like(value)
    axes = tuple(range(1, points.ndim))

    def distance(to: Tensor, mean: Tensor) -> Tensor:
        return (to - mean).square().sum(dim=axes) / (2 * step)

    for _ in range(steps):
        noise = torch.randn(points.shape, generator=generator, dtype=points.dtype)
        mean = points + step / 2 * slope
        proposal = mean + step**0.5 * noise.to(points)
        there, rise = value_and_gradient(log_density, proposal, batch_size)
        if metropolis:
            back = proposal + step / 2 * rise
            gain = there - value - distance(points, back) + distance(proposal, mean)
            uniform = torch.rand(len(points), generator=generator, dtype=points.dtype)
            taken = uniform.to(points).log() < gain
        else:
            taken = torch.ones_like(value, dtype=torch.bool)
        mask = taken.reshape(-1, *[1] * len(axes))
        points = torch.where(mask, proposal, points)
        slope = torch.where(mask, rise, slope)
        value = torch.where(taken, there, value)
        accepted += taken
    return points, accepted / steps
