"""Values that are no bytes: which range they lie in, and how they become bytes."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from ...errors import DataError, ParameterError
from ...wording import setting

__all__ = ["checked_range", "refuse_scale", "refuse_values_beyond", "to_bytes"]

Range = tuple[float, float]

_BLOCK = 1 << 22  # values that are looked at together
_DARK = 0.8  # of white: images that reach no further may have another white
_SLACK = 1e-6  # of the range: what rounding may put beyond its ends


def checked_range(pixel_range: Any) -> Range | None:
    """The range as two floats (black, white), or None where none was given.

    Raises:
        ParameterError: for anything but two finite numbers, the lower first.

    >>> checked_range((-1, 1))
    (-1.0, 1.0)
    """
    if pixel_range is None:
        return None
    try:
        low, high = (float(end) for end in pixel_range)
    except (TypeError, ValueError):
        low, high = math.nan, math.nan
    if isinstance(pixel_range, str) or not (-math.inf < low < high < math.inf):
        raise ParameterError(
            f"pixel_range is {pixel_range!r}. Expected the values of black and white, "
            "(low, high) with low < high, such as (-1, 1)."
        )
    return low, high


def to_bytes(values: np.ndarray, pixel_range: Range) -> np.ndarray:
    """The nearest bytes of values, black of ``low`` and white of ``high``, in a new array.

    >>> to_bytes(np.array([-1.0, 0.0, 1.0]), (-1, 1)).tolist()
    [0, 128, 255]
    """
    low, high = pixel_range
    share = (values.astype(np.float64) - low) * (255 / (high - low))
    return np.floor(share + 0.5).clip(0, 255).astype(np.uint8)


def refuse_values_beyond(array: np.ndarray, pixel_range: Range) -> None:
    """Refuse an array with a value that is beyond the range, or no finite number.

    Raises:
        DataError: naming the range that the values have.
    """
    _refuse_other_kinds(array)
    low, high = _extent(array)
    slack = _SLACK * (pixel_range[1] - pixel_range[0])
    if low < pixel_range[0] - slack or high > pixel_range[1] + slack:
        raise DataError(
            f"The images have values from {low:g} to {high:g}, beyond "
            f"{setting('pixel_range')} {pixel_range}. Expected the range that holds them all, or "
            f"clip them: np.clip(X, {pixel_range[0]:g}, {pixel_range[1]:g})."
        )


def refuse_scale(array: np.ndarray) -> DataError:
    """The error of an array that is not uint8, with advice that fits its values."""
    _refuse_other_kinds(array)
    start = f"The images have dtype {array.dtype}"
    if not array.size:
        return DataError(f"{start}. Expected uint8, from 0 to 255.")
    low, high = _extent(array)
    return DataError(
        f"{start} and values from {low:g} to {high:g}. Expected uint8 from 0 to 255, or the "
        f"values of black and white: {_advice(array, low, high)}."
    )


def _advice(array: np.ndarray, low: float, high: float) -> str:
    whole = array.dtype.kind in "iub"
    if low < 0:
        if low >= -0.5 and high <= 0.5:
            return "pixel_range=(-0.5, 0.5), or (-1, 1) where that is their scale"
        if low >= -1 and high <= 1:
            return "pixel_range=(-1, 1)"
        return f"pixel_range=(low, high), such as ({math.floor(low)}, {math.ceil(high)})"
    if high <= 1:
        return "pixel_range=(0, 1)"
    most = math.ceil(high)
    if high <= _DARK * 255:
        return f"pixel_range=(0, {most}) where {most} is white, (0, 255) where 255 is"
    if high <= 255:
        return "pixel_range=(0, 255)" + (", or X.astype('uint8')" if whole else "")
    if high <= _DARK * 65535:
        return f"pixel_range=(0, {most}) where {most} is white, (0, 65535) where 65535 is"
    return f"pixel_range=(0, {max(most, 65535)})"


def _refuse_other_kinds(array: np.ndarray) -> None:
    if array.dtype.kind not in "fiub":
        raise DataError(f"The images have dtype {array.dtype}. Expected numbers, uint8 by choice.")


def _extent(array: np.ndarray) -> Range:
    """The smallest and the largest value.

    Raises:
        DataError: if any is no finite number.
    """
    low, high = math.inf, -math.inf
    for part in _parts(array):
        if part.dtype.kind == "f" and (bad := int((~np.isfinite(part)).sum())):
            raise DataError(
                f"The images have {bad} values or more that are NaN or infinite. Expected finite "
                "numbers."
            )
        low, high = min(low, float(part.min())), max(high, float(part.max()))
    return low, high


def _parts(array: np.ndarray) -> Iterator[np.ndarray]:
    rows = max(1, _BLOCK // max(1, math.prod(array.shape[1:])))
    for start in range(0, len(array), rows):
        yield array[start : start + rows]
