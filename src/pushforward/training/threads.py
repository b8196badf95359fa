"""Threads that suit the work: one where its steps are too small to be shared."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from threadpoolctl import threadpool_limits
from torch import nn
from torch.nn.utils.parametrize import ParametrizationList

__all__ = ["numbers_of", "threads_for"]

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


def numbers_of(networks: Iterable[nn.Module], batch: int) -> int:
    """About how many numbers the largest tensors have that networks make of a batch.

    Args:
        networks: of linear maps. Any other map with weights makes more of a row than it has
            weights for, and counts as one that is worth all threads.
        batch: rows.

    Examples:
        >>> numbers_of([nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 1))], 100)
        3200
    """
    widest = 1
    for module in (module for network in networks for module in network.modules()):
        if isinstance(module, nn.Linear):
            widest = max(widest, module.in_features, module.out_features)
        elif not isinstance(module, (nn.BatchNorm1d, nn.LayerNorm, ParametrizationList)) and any(
            True for _ in module.parameters(recurse=False)
        ):
            return _SHARED
    return batch * widest
