"""The time of a whole fit: what is left of it, and how much of it is reported as done."""

import math
import time
from dataclasses import dataclass

from ...estimators.trained_model import Report

__all__ = ["Budget", "FitProgress"]


@dataclass
class Budget:
    """The wall time of a whole fit, and what of it the end will need.

    Attributes:
        started: when the fit started, on the clock of ``time.monotonic``.
        minutes: that it may take, or None.
        closing: seconds that what follows the last layer will take, as measured so far.
        exceeded: whether there was no time for a layer more.
    """

    started: float
    minutes: float | None
    closing: float = 0.0
    exceeded: bool = False

    @property
    def seconds(self) -> float:
        """Seconds that the fit has taken."""
        return time.monotonic() - self.started

    @property
    def share(self) -> float:
        """Share of the time that is gone; 0 where there is no limit."""
        return 0.0 if self.minutes is None else self.seconds / (60 * self.minutes)

    @property
    def left(self) -> float:
        """Seconds that are left for layers."""
        if self.minutes is None:
            return math.inf
        return 60 * self.minutes - self.seconds - self.closing


class FitProgress:
    """Progress as lines of text with the share of the fit that is done, which never falls."""

    def __init__(self, report: Report | None, budget: Budget) -> None:
        self._report, self._budget = report, budget
        self._share = 0.0

    def __call__(self, text: str, done: float) -> None:
        """Report a line; ``done`` is the share of the work."""
        self._share = min(0.99, max(self._share, done, self._budget.share))
        if self._report is not None:
            self._report(text, self._share)

    def more(self, text: str) -> None:
        """Report a line of work whose share is unknown."""
        self(text, 0.0)

    def end(self, text: str) -> None:
        """Report the last line."""
        if self._report is not None:
            self._report(text, 1.0)
