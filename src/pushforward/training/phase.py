"""Phases: one player's move in the training of a model."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import ParameterError
from ..validation import POSITIVE, OneOf, check
from .batches import Batch

__all__ = ["Optimiser", "Phase"]

_KINDS: dict[str, Any] = {
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "adamax": torch.optim.Adamax,
    "rmsprop": torch.optim.RMSprop,
    "sgd": torch.optim.SGD,
}
_RULES = {
    "kind": OneOf(*_KINDS),
    "rate": POSITIVE,
    "decay": OneOf("constant", "linear"),
}


@dataclass(frozen=True)
class Optimiser:
    """How a phase moves its networks, as plain data.

    Attributes:
        kind: "adam", "adamw", "adamax", "rmsprop" or "sgd", those of ``torch.optim``.
        rate: learning rate.
        settings: further arguments of that optimiser, such as ``{"betas": (0.5, 0.9)}``.
        warm_up: steps over which the rate rises linearly from 0.
        hidden_warm_up: multiply the rate by sqrt(1 - beta2^t) as Glow's released Adamax does.
        decay: "constant", or "linear" to 0 over the budget of the run.
        shrink: factor of the rate after every step.
        least: share of the rate below which ``shrink`` does not go.
        clip: largest Euclidean norm of the gradient of all the phase's parameters.

    Examples:
        >>> adamax = Optimiser("adamax", 1e-3, warm_up=10)
        >>> [round(adamax.factor(step, 0.0), 2) for step in (0, 4, 9, 100)]
        [0.1, 0.5, 1.0, 1.0]
    """

    kind: str = "adam"
    rate: float = 1e-3
    settings: dict[str, Any] = field(default_factory=dict)
    warm_up: int = 0
    hidden_warm_up: bool = False
    decay: str = "constant"
    shrink: float = 1.0
    least: float = 0.0
    clip: float | None = None

    def __post_init__(self) -> None:
        check(_RULES, vars(self))

    def build(self, parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
        """The torch optimiser of the given parameters.

        Raises:
            ParameterError: for settings this optimiser does not have.
        """
        try:
            return _KINDS[self.kind](parameters, lr=self.rate, **self.settings)
        except (TypeError, ValueError) as error:
            raise ParameterError(f"{self.kind} with {self.settings}: {error}.") from error

    def factor(self, step: int, share: float) -> float:
        """What the rate is multiplied by.

        Args:
            step: steps of the phase taken before this one.
            share: of the run's budget used so far, in [0, 1].
        """
        value = min(1.0, (step + 1) / self.warm_up) if self.warm_up else 1.0
        if self.hidden_warm_up:
            beta2 = self.settings.get("betas", (0.9, 0.999))[1]
            value *= math.sqrt(1.0 - beta2 ** (step + 1))
        if self.decay == "linear":
            value *= max(0.0, 1.0 - share)
        return value * max(self.least, self.shrink**step)


@dataclass(frozen=True)
class Phase:
    """One player's move: a loss, and the networks it moves.

    Only the named networks have gradients while the loss is computed, so nothing can leak from
    one player into another, whatever the loss touches.

    Attributes:
        name: of the phase, for logs.
        networks: names of exactly the networks that are moved.
        loss: of a :class:`Batch`, returns named terms, scalars whose sum is minimised. Terms
            are means over the rows of the batch, so that several processes can average them.
        optimiser: how.
        repeats: times in a row, each on a fresh batch.
        after: called after each move, for what is no gradient step (clipping weights, BEGAN's
            k). State it keeps belongs in buffers of the networks, which checkpoints hold.
    """

    name: str
    networks: tuple[str, ...]
    loss: Callable[[Batch], dict[str, Tensor]]
    optimiser: Optimiser
    repeats: int = 1
    after: Callable[[], None] | None = None
