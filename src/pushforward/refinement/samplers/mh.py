"""The Metropolis-Hastings GAN: chains whose proposals are samples of the generator."""

import torch
from torch import Tensor

from ...errors import DataError

__all__ = ["metropolis_hastings"]


def metropolis_hastings(
    start: Tensor, proposals: Tensor, generator: torch.Generator | None = None
) -> tuple[Tensor, Tensor]:
    """Which of its proposals each chain ends at, accepting with ``min(1, e^(d' - d))``.

    The independence sampler, in logits throughout, so that none is too certain. A chain that
    starts at a real row has nothing to forget; one that accepts no proposal at all would return
    that row, and is run again from its first proposal.

    Source: Turner, Hung, Frank, Saatci and Yosinski, "Metropolis-Hastings generative adversarial
    networks", 2019.

    Args:
        start: (n,) calibrated logits of a real row for each chain.
        proposals: (n, k) calibrated logits of independent samples.
        generator: of the decisions.

    Returns:
        The column of the last state of each chain (n,), and the share of proposals that each
        accepted (n,).

    Raises:
        DataError: for logits that are not finite or of other shapes.

    Examples:
        >>> metropolis_hastings(torch.zeros(1), torch.tensor([[-1e3, 9.0, -1e3]]))
        (tensor([1]), tensor([0.3333]))
    """
    n = len(start)
    if proposals.ndim != 2 or start.shape != (len(proposals),) or not proposals.shape[1]:
        raise DataError(
            f"start has shape {tuple(start.shape)} and proposals {tuple(proposals.shape)}. "
            "Expected (n,) and (n, k): k proposals for each chain."
        )
    if not (start.isfinite().all() and proposals.isfinite().all()):
        raise DataError("There are logits that are not finite. Calibrate them first.")
    uniform = torch.rand(2, *proposals.shape, generator=generator, dtype=start.dtype)
    log_uniform = uniform.to(start.device).log()
    first = torch.zeros(n, dtype=torch.long, device=start.device)
    at, accepted = _run(start, first - 1, proposals, log_uniform[0], 0)
    again, further = _run(proposals[:, 0], first, proposals, log_uniform[1], 1)
    stuck = at < 0
    return torch.where(stuck, again, at), torch.where(stuck, further, accepted)


def _run(
    logit: Tensor, at: Tensor, proposals: Tensor, log_uniform: Tensor, begin: int
) -> tuple[Tensor, Tensor]:
    accepted = torch.zeros_like(logit)
    for k in range(begin, proposals.shape[1]):
        taken = log_uniform[:, k] < proposals[:, k] - logit
        logit = torch.where(taken, proposals[:, k], logit)
        at = torch.where(taken, k, at)
        accepted += taken
    return at, accepted / proposals.shape[1]
