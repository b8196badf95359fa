"""Threads that suit the work: one where its steps are too small to be shared."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from threadpoolctl import threadpool_limits

__all__ = ["threads_for"]

_SHARED = 1 << 17  # numbers that a step works on, from which a second thread is worth its waiting


@contextmanager
def threads_for(numbers: int) -> Iterator[None]:
    """Run a block on one thread where its steps work on few numbers, on the usual ones else.

    Threads wait for one another after every operation. Where these take microseconds and the
    processor has other work too, the waiting takes ten times as long as the work. This holds for
    torch, linear algebra and scikit-learn; the numbers of threads are the caller's again when the
    block ends.

    Args:
        numbers: of the tensors that most operations of the block work on.

    Examples:
        >>> before = torch.get_num_threads()
        >>> with threads_for(1000):
        ...     torch.get_num_threads()
        1
        >>> torch.get_num_threads() == before
        True
    """
    before = torch.get_num_threads()
    if numbers >= _SHARED:
        yield
        return
    torch.set_num_threads(1)
    try:
        with threadpool_limits(1):
            yield
    finally:
        torch.set_num_threads(before)
