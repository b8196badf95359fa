"""Interrupts that wait for the end of a step."""

import signal
import threading
from types import FrameType
from typing import Any

from ..errors import Terminated

__all__ = ["Interrupt"]


class Interrupt:
    """Inside, Ctrl-C and the termination of a job are noted instead of raised at once.

    A second Ctrl-C is raised. Outside the main thread nothing changes.

    Attributes:
        requested: whether an interrupt came.
        error: what to raise then.
    """

    def __init__(self) -> None:
        self.requested = False
        self.error: type[KeyboardInterrupt] = KeyboardInterrupt
        self._before: dict[int, Any] = {}

    def __enter__(self) -> "Interrupt":
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.requested and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.requested = True
        self.error = Terminated if number == signal.SIGTERM else KeyboardInterrupt
