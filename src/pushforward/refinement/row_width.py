"""Rows of few numbers and wide rows, which refinement treats differently."""

from collections.abc import Iterable
from math import prod

__all__ = ["NARROW", "is_narrow"]

#: The most numbers of a row that is narrow. Up to here nearest neighbours still tell samples from
#: data, a network sees single numbers rather than texture, and samples can be moved by themselves;
#: of wider rows a two-sample test sees so many principal components, Fréchet distances are looked
#: at too, and latents are moved instead, because a logit is easier to fool than a decoder.
NARROW = 16


def is_narrow(shape: Iterable[int]) -> bool:
    """Whether rows of such a shape have few numbers.

    >>> is_narrow((16,)), is_narrow((1, 5, 5))
    (True, False)
    """
    return prod(shape) <= NARROW
