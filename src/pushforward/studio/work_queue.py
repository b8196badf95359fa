"""One thread that does what pages wish, the newest wish of each first, and drops outdated ones."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Generator
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from typing import Any

from .fields import RequestError

__all__ = ["Outdated", "WorkQueue"]

_MOST = 256  # wishes that wait
_PATIENCE = 2.0  # seconds after which long work has its turn although short work waits


Work = Callable[[], Any]


class Outdated(Exception):
    """The page has wished for something newer in the same place."""


class WorkQueue:
    """Wishes of pages, done one at a time, since models and processors are shared.

    A wish has a key: the window it comes from and the place of its answer. A newer one of the
    same key takes its place in the queue, and the older one, waiting or under way, is answered
    with :class:`Outdated`. Work is a function; where it returns a generator, that is long work,
    done step by step while no short work waits. It yields the share that is done, or None, and its
    result is what it returns.

    Examples:
        >>> queue = WorkQueue()
        >>> queue.wish("window 1, slider", lambda: 6 * 7).result()
        42
        >>> queue.close()
    """

    def __init__(self) -> None:
        self._short: OrderedDict[str, tuple[Work, Future[Any]]] = OrderedDict()
        self._long: OrderedDict[str, tuple[Generator[Any, None, Any], Future[Any]]] = OrderedDict()
        self._progress: dict[str, float] = {}
        self._changed = threading.Condition()
        self._closed = self._started = False
        self._last_step = time.monotonic()
        # no daemon: one that is killed in the midst of mathematics aborts the process
        self._thread = threading.Thread(target=self._run, name="studio-work", daemon=False)

    def wish(self, key: str, work: Work) -> "Future[Any]":
        """Ask for work to be done.

        Args:
            key: the window and the place of the answer.
            work: a function of nothing; one that returns a generator is long work.

        Raises:
            RequestError: where too many wishes wait.
        """
        future: Future[Any] = Future()
        with self._changed:
            if (waiting := self._short.get(key)) is not None:
                _fail(waiting[1], Outdated())
                self._short[key] = (work, future)  # in its place, so that nobody starves
            elif len(self._short) + len(self._long) >= _MOST:
                raise RequestError("Too many requests are waiting. Try again in a moment.", 429)
            else:
                self._short[key] = (work, future)
            self._drop_long(key)
            self._changed.notify()
            if not self._started:
                self._started = True
                self._thread.start()
        return future

    def forget(self, key: str, future: "Future[Any]") -> None:
        """Drop a wish whose page is gone."""
        with self._changed:
            if (waiting := self._short.get(key)) is not None and waiting[1] is future:
                del self._short[key]
            if (under_way := self._long.get(key)) is not None and under_way[1] is future:
                self._drop_long(key)

    def progress(self, key: str) -> float:
        """The share of long work that is done, as far as it says; 0 for what is not under way."""
        return self._progress.get(key, 0.0)

    def close(self) -> None:
        """End the thread after what it does now."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        if self._started:
            self._thread.join()

    def _drop_long(self, key: str) -> None:
        self._progress.pop(key, None)
        if (under_way := self._long.pop(key, None)) is not None:
            _fail(under_way[1], Outdated())

    def _run(self) -> None:
        while True:
            with self._changed:
                while not (self._closed or self._short or self._long):
                    self._changed.wait()
                if self._closed:
                    return
                late = time.monotonic() - self._last_step > _PATIENCE
                step_now = bool(self._long) and (late or not self._short)
                queue: Any = self._long if step_now else self._short
                key, (work, future) = queue.popitem(last=False)
                if step_now:
                    queue[key] = (work, future)  # at the end: long works take turns
            if step_now:
                self._step(key, work, future)
            else:
                self._do(key, work, future)

    def _do(self, key: str, work: Work, future: "Future[Any]") -> None:
        try:
            result = work()
        except BaseException as error:  # whatever it is belongs to who asked
            _fail(future, error)
            return
        if not isinstance(result, Generator):
            _answer(future, result)
            return
        with self._changed:
            if key in self._short:
                _fail(future, Outdated())
            else:
                self._long[key] = (result, future)

    def _step(self, key: str, work: Generator[Any, None, Any], future: "Future[Any]") -> None:
        error: BaseException | None = None
        result, done = None, False
        try:
            share = next(work)
            if isinstance(share, float):
                self._progress[key] = share
        except StopIteration as stop:
            result, done = stop.value, True
        except BaseException as problem:  # as above
            error = problem
        self._last_step = time.monotonic()
        if not done and error is None:
            return
        with self._changed:
            under_way = self._long.get(key)
            if under_way is None or under_way[1] is not future:
                return  # dropped meanwhile, and answered
            del self._long[key]
            self._progress.pop(key, None)
        if error is not None:
            _fail(future, error)
        else:
            _answer(future, result)


def _answer(future: "Future[Any]", result: Any) -> None:
    """Answer a wish, unless who wished has left."""
    with suppress(InvalidStateError):
        future.set_result(result)


def _fail(future: "Future[Any]", error: BaseException) -> None:
    """Answer a wish with an error, unless who wished has left."""
    with suppress(InvalidStateError):
        future.set_exception(error)
