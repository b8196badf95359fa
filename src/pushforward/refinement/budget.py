"""What a refinement may take: time, logits and draws."""

import time
from dataclasses import dataclass, field

from ..errors import ParameterError
from .sample_spaces import Space

__all__ = ["Budget"]

_SHORTEST = 0.02  # minutes that are always left, so that what has started can end


@dataclass(frozen=True)
class Budget:
    """Limits of a refinement, and when it began.

    Attributes:
        minutes: of the whole run; None for no limit.
        evaluations: logits that one refined sample may take; None for no limit.
        draws: samples of the generator that one refined sample may take; None for no limit.
        started: seconds on the monotonic clock.
        reserve: seconds that are kept for the report, which comes when all else is done.
    """

    minutes: float | None = None
    evaluations: float | None = None
    draws: float | None = None
    started: float = field(default_factory=lambda: time.monotonic())
    reserve: float = 0.0

    @property
    def seconds(self) -> float:
        """Seconds that are spent so far."""
        return time.monotonic() - self.started

    @property
    def minutes_left(self) -> float | None:
        """Minutes that are left, a second at the least; None for no limit."""
        if self.minutes is None:
            return None
        return max(_SHORTEST, self.minutes - (self.seconds + self.reserve) / 60)

    def out_of_time(self, ahead: float = 0.0) -> bool:
        """Whether time is up, or will be after so many seconds more."""
        needed = self.seconds + ahead + self.reserve
        return self.minutes is not None and needed > 60 * self.minutes

    def check(self, space: Space, method: str) -> None:
        """Refuse a space whose samples cost more than they may.

        Raises:
            ParameterError: naming the budget.
        """
        limits = {
            "evaluations": (self.evaluations, space.evaluations),
            "draws": (self.draws, space.draws),
        }
        for name, (limit, cost) in limits.items():
            if limit is not None and cost > 1.001 * limit:
                raise ParameterError(
                    f"A sample of {method} takes {cost:.3g} {name}. The budget is {limit:g}: "
                    "raise it, or lower the settings of the method."
                )

    def most_steps(self, space: Space, usual: int) -> int:
        """The usual number of steps that move a point, or as many as the logits allow."""
        if self.evaluations is None:
            return usual
        return max(1, min(usual, int((self.evaluations - space.evaluations) / space.draws)))

    def most_draws(self, space: Space, usual: int) -> int:
        """The usual number of proposals for a sample, or as many as the budget allows."""
        most = [float(usual)]
        if self.evaluations is not None:
            most.append(self.evaluations / (space.evaluations + 1))
        if self.draws is not None:
            most.append(self.draws / space.draws)
        return max(1, int(min(most)))
