"""Rows of few numbers and wide rows, which refinement treats differently."""

from collections.abc import Iterable
from math import prod

__all__ = ["NARROW", "is_narrow"]

#: The most numbers of a row that is narrow. Up to here nearest neighbours distinguish samples
#: from data, and samples are moved by themselves. Of wider rows a two-sample test has so many
#: principal components, Fréchet distances count as well, and latents are moved: points that rise
#: on a logit of many numbers leave the data sooner than what a decoder makes of its latents.
NARROW = 16


def is_narrow(shape: Iterable[int]) -> bool:
    """Whether rows of such a shape have few numbers.

    >>> is_narrow((16,)), is_narrow((1, 5, 5))
    (True, False)
    """
    return prod(shape) <= NARROW
