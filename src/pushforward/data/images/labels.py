"""Labels and the names of classes: numbers for the model, names that hold across sets."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from ...errors import DataError

__all__ = ["as_labels", "in_natural_order", "numbered"]


def in_natural_order(names: Iterable[str]) -> list[str]:
    """Names in the order of people: runs of digits count as numbers.

    >>> in_natural_order(["10", "2", "b1", "1", "a12", "a3"])
    ['1', '2', '10', 'a3', 'a12', 'b1']
    """

    def key(name: str) -> tuple[list[tuple[int, int, str]], str]:
        parts = [part for part in re.split(r"([0-9]+)", name) if part]
        number = [(0, int(p), "") if p.isdecimal() else (1, 0, p.casefold()) for p in parts]
        return number, name

    return sorted(names, key=key)


def numbered(names: Sequence[str], known: Iterable[str] = ()) -> tuple[np.ndarray, list[str]]:
    """Class numbers (n,) int64 of names, and the names of all classes, in natural order.

    Args:
        names: the class of each image.
        known: names of classes that may have no image here, so that the numbers of the parts of
            a set agree.

    >>> numbers, classes = numbered(["dog", "cat", "dog"], ["ant"])
    >>> numbers.tolist(), classes
    ([2, 1, 2], ['ant', 'cat', 'dog'])
    """
    classes = in_natural_order({*names, *known})
    place = {name: number for number, name in enumerate(classes)}
    return np.array([place[name] for name in names], dtype=np.int64), classes


def as_labels(values: np.ndarray, where: Path | str) -> np.ndarray:
    """Return labels as int64 of shape (n,).

    Raises:
        DataError: if they are not whole numbers, one for each image.
    """
    flat = np.squeeze(values, axis=1) if values.ndim == 2 and values.shape[1] == 1 else values
    if flat.ndim != 1 or flat.dtype.kind not in "iub":
        more = " Of one-hot labels, give y.argmax(1)." if flat.ndim == 2 else ""
        raise DataError(
            f"The labels of {where} have dtype {values.dtype} and shape {values.shape}. Expected "
            f"whole numbers of shape (N,).{more}"
        )
    return flat.astype(np.int64)
