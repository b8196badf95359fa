"""The scale of numbers: data and samples that cannot be on one are refused, with what mends it."""

import torch
from torch import Tensor

from ..errors import DataError
from .row_width import is_narrow

__all__ = ["check_scale", "pixels_like", "spread_note"]

_APART = 50.0  # times that all numbers of one side spread as much as those of the other
_SIGNED, _UNIT, _BYTES = "-1 to 1", "0 to 1", "0 to 255"
_SUGGESTIONS = {
    (_BYTES, _SIGNED): "data / 127.5 - 1",
    (_BYTES, _UNIT): "data / 255",
    (_UNIT, _SIGNED): "2 * data - 1",
    (_UNIT, _BYTES): "255 * data",
    (_SIGNED, _UNIT): "(data + 1) / 2",
    (_SIGNED, _BYTES): "127.5 * (data + 1)",
}


def check_scale(real: Tensor, generated: Tensor) -> None:
    """Refuse rows and samples that cannot be on one scale.

    Those are bytes beside numbers of at most 1, pixels from 0 to 1 beside pixels from -1 to 1, and
    rows of which every number of the samples spreads fifty times as far as that of the data, or
    a fiftieth as far and outside of the data. Samples that have collapsed among the data may be
    on their scale.

    Args:
        real, generated: rows (n, ...) and (m, ...).

    Raises:
        DataError: with both ranges, and the likely mend.

    Examples:
        >>> pixels = torch.rand(100, 28, 28)
        >>> check_scale(pixels, torch.rand(100, 28, 28))
        >>> check_scale(pixels, (8 * torch.rand(100, 28, 28) - 4).tanh())
        Traceback (most recent call last):
        pushforward.errors.DataError: ... Expected both on one scale: give 2 * data - 1 as data.
    """
    if real.shape[1:] != generated.shape[1:] or not generated.isfinite().all():
        return  # which is refused elsewhere
    suggestion = _suggestion(real, generated)
    if suggestion is None:
        return
    ends = [f"{float(x.min()):.3g} to {float(x.max()):.3g}" for x in (real, generated)]
    raise DataError(
        f"The data are from {ends[0]} and the samples from {ends[1]}. Expected both on one scale: "
        f"{suggestion}."
    )


def spread_note(real: Tensor, generated: Tensor) -> str:
    """A note where every number of the samples hardly varies beside the data; "" for none.

    Samples that have collapsed look the same as samples on another scale.

    Args:
        real, generated: rows (n, ...) and (m, ...).
    """
    if real.shape[1:] != generated.shape[1:]:
        return ""
    spread = [x.flatten(1).double().std(dim=0) for x in (real, generated)]
    ratio = (spread[1] / spread[0])[spread[0] > 0]
    if not len(ratio) or not bool((ratio < 1 / _APART).all()):
        return ""
    return (
        f"the samples spread {float(ratio.median()):.2g} times as far as the data: they have "
        "collapsed, or one side was multiplied by something"
    )


def _suggestion(real: Tensor, generated: Tensor) -> str | None:
    """What brings both to one scale; None where they may be on one."""
    here, there = (_scale(x) for x in (real, generated))
    # linear layers may end a little below 0, and those of tanh reach far
    far = min(float(real.min()), float(generated.min())) < -0.5 and not is_narrow(real.shape[1:])
    if here and there and here != there and (far or _BYTES in (here, there)):
        return f"give {_SUGGESTIONS[here, there]} as data"
    a, b = (x.flatten(1).double() for x in (real, generated))
    spread = torch.stack([a.std(dim=0), b.std(dim=0)])
    varies = spread.amin(dim=0) > 0
    if not varies.any():
        return None
    ratio = (spread[1] / spread[0])[varies]
    outside = ((b.mean(dim=0) < a.amin(dim=0)) | (b.mean(dim=0) > a.amax(dim=0)))[varies]
    if bool((ratio > _APART).all()) or bool(((ratio < 1 / _APART) & outside).all()):
        return (
            f"the samples spread {float(ratio.median()):.3g} times as far as the data. Look for "
            "what one side was multiplied by"
        )
    return None


def _scale(x: Tensor) -> str | None:
    """The scale of pixels that such numbers fill; None for others."""
    low, high = float(x.min()), float(x.max())
    if low >= 0 and 16 < high <= 255:
        return _BYTES
    if low >= 0 and high <= 1:
        return _UNIT
    return _SIGNED if low >= -1 and high <= 1 else None


def pixels_like(images: Tensor, generated: Tensor) -> Tensor:
    """Bytes as numbers on the scale, and in the shape, of samples.

    Args:
        images: uint8 (n, C, H, W).
        generated: samples (m, ...): (C, H, W), (H, W, C), (H, W) or all in a row.

    Returns:
        float32 (n, ...), from -1 to 1 where there are samples below 0, from 0 to 255 where there
        are some above 2, and else from 0 to 1.

    Raises:
        DataError: for samples of another shape.
    """
    x, (c, h, w), wanted = images.float(), images.shape[1:], tuple(generated.shape[1:])
    if wanted == (h, w, c):
        x = x.permute(0, 2, 3, 1)
    elif wanted not in ((c, h, w), (c * h * w,)) and (c, *wanted) != (1, h, w):
        raise DataError(
            f"The images have shape {(c, h, w)} (channels, height, width) and the samples "
            f"{wanted}. Expected the same, channels last, or {c * h * w} numbers."
        )
    x = x.reshape(len(x), *wanted)
    if float(generated.max()) > 2:
        return x
    return x / 127.5 - 1 if float(generated.min()) < 0 else x / 255
