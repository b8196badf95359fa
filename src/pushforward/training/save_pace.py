"""How often an unfinished run is kept."""

import time
from collections.abc import Callable

__all__ = ["SAVE_SECONDS", "SavePace"]

SAVE_SECONDS = 60.0  # between two checkpoints at least
_SHARE = 0.05  # of the time, at most, that is spent on them


class SavePace:
    """When a run is to be kept again: after a minute, and later where that takes seconds.

    The checkpoint of a large network has gigabytes. What is lost where a run is killed is then
    the work of some minutes, and what it costs to lose no more stays a twentieth of the run.
    """

    def __init__(self) -> None:
        self._last, self._pause = time.monotonic(), SAVE_SECONDS

    @property
    def due(self) -> bool:
        """Whether it is time."""
        return time.monotonic() - self._last > self._pause

    def save(self, work: Callable[[], object]) -> None:
        """Keep the run by calling ``work``."""
        began = time.monotonic()
        work()
        self._last = time.monotonic()
        self._pause = max(SAVE_SECONDS, (self._last - began) / _SHARE)
