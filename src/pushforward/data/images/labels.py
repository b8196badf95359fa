"""Labels and the names of classes: numbers for the model, names that hold across sets."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import DataError
from .image_sources import ImageSet

__all__ = [
    "as_labels",
    "in_natural_order",
    "is_text",
    "labels_by_name",
    "numbered",
    "numbers_and_names",
    "places_of",
    "refuse_gaps",
]


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


def is_text(values: np.ndarray) -> bool:
    """Whether labels are names, not numbers.

    >>> is_text(np.array(["cat", "dog"])), is_text(np.array([0, 1]))
    (True, False)
    """
    of_objects = values.dtype.kind == "O" and all(isinstance(one, str) for one in values.flat)
    return values.dtype.kind == "U" or of_objects


def refuse_gaps(values: np.ndarray, where: Path | str) -> None:
    """Refuse labels some of which are missing: None, NaN.

    Args:
        values: labels of any shape.
        where: what they are the labels of, for errors.

    Raises:
        DataError: naming how many are missing, and the first.
    """
    import pandas as pd

    missing = np.asarray(pd.isna(values)).reshape(len(values), -1).any(axis=1)
    if missing.any():
        raise DataError(
            f"{int(missing.sum())} of {len(values)} labels of {where} are missing, the first that "
            f"of image {int(missing.argmax())}. Expected a label for each image: leave out those "
            "without one, or all labels."
        )


def numbers_and_names(
    values: np.ndarray, where: Path | str, known: Iterable[str] = ()
) -> tuple[np.ndarray, tuple[str, ...] | None]:
    """Labels as int64 of shape (n,), and the names of classes where the labels are text.

    Args:
        values: (n,) or (n, 1) whole numbers or text.
        where: what they are the labels of, for errors.
        known: as of :func:`numbered`.

    Raises:
        DataError: if they are neither, or not one for each image.

    >>> numbers_and_names(np.array([["dog"], ["cat"]]), "X")
    (array([1, 0]), ('cat', 'dog'))
    """
    if values.ndim and values.dtype.kind in "Of":
        refuse_gaps(values, where)
    if not is_text(values) or _flat(values).ndim != 1:
        return as_labels(values, where), None
    numbers, names = numbered([str(one) for one in _flat(values)], known)
    return numbers, tuple(names)


def as_labels(values: np.ndarray, where: Path | str) -> np.ndarray:
    """Return labels as int64 of shape (n,).

    Raises:
        DataError: if they are not whole numbers, one for each image.
    """
    flat = _flat(values)
    if flat.ndim != 1 or flat.dtype.kind not in "iub":
        more = " Of one-hot labels, give y.argmax(1)." if flat.ndim == 2 else ""
        raise DataError(
            f"The labels of {where} have dtype {values.dtype} and shape {values.shape}. Expected "
            f"whole numbers, or text, of shape (N,).{more}"
        )
    return flat.astype(np.int64)


def _flat(values: np.ndarray) -> np.ndarray:
    return np.squeeze(values, axis=1) if values.ndim == 2 and values.shape[1] == 1 else values


def places_of(y: Any, classes: np.ndarray, names: Sequence[str] | None) -> np.ndarray:
    """Places (n,) int64 of labels among the classes of a model.

    Args:
        y: labels (n,), or one; as numbers or, where the classes have names, as these. The text
            of a number is that number unless a name looks like one.
        classes: (k,) numbers of the classes, rising.
        names: the name of each, or None.

    Raises:
        DataError: for a label that is none of them.

    >>> places_of(["owl", "cat"], np.array([3, 5]), ("cat", "owl")).tolist()
    [1, 0]
    """
    y = np.atleast_1d(np.asarray(y))
    if y.dtype.kind in "UO":
        place = {str(number): k for k, number in enumerate(classes.tolist())}
        if names is not None:
            numeric = any(name.isdecimal() for name in names)
            place = ({} if numeric else place) | {name: k for k, name in enumerate(names)}
        if unknown := [str(label) for label in y.flat if str(label) not in place]:
            raise DataError(_unknown(unknown[0], classes, names))
        return np.array([place[str(label)] for label in y.flat], np.int64).reshape(y.shape)
    found = np.searchsorted(classes, y).clip(0, len(classes) - 1)
    if not (classes[found] == y).all():
        raise DataError(_unknown(y[classes[found] != y][0], classes, names))
    return found.astype(np.int64)


def labels_by_name(
    found: ImageSet, classes: np.ndarray, names: Sequence[str] | None
) -> np.ndarray:
    """Labels (n,) of a set as those of a model: matched by name where both have names.

    Args:
        found: images with labels.
        classes, names: of the model, as of :func:`places_of`.

    Raises:
        DataError: for a set without labels, and one with a class that the model does not have.
    """
    if found.labels is None:
        raise DataError(f"The images of {found.name} have no labels of their own.")
    if names is None or found.class_names is None:  # then numbers are all there is
        return classes[places_of(found.labels, classes, names)]
    theirs = np.unique(found.labels)
    if theirs[0] < 0 or theirs[-1] >= len(found.class_names):
        raise DataError(
            f"The labels of {found.name} go beyond its {len(found.class_names)} names."
        )
    place = {name: k for k, name in enumerate(names)}
    present = [found.class_names[k] for k in theirs]
    if unknown := [name for name in present if name not in place]:
        raise DataError(
            f"{found.name} has images of {', '.join(map(repr, unknown))}, and the model knows the "
            f"classes {', '.join(map(repr, names))}. Expected classes of the same names: leave "
            "those images out, or rename their class."
        )
    places = np.array([place[name] for name in present])
    return classes[places[np.searchsorted(theirs, found.labels)]]


def _unknown(label: Any, classes: np.ndarray, names: Sequence[str] | None) -> str:
    known = ", ".join(map(str, classes.tolist() if names is None else names))
    return f"The label {label!s} is one that fit has not seen. Known: {known}."
