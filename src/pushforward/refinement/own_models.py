"""The codec of a model of one's own, found from what it samples and from the data."""

from typing import Any

import numpy as np
from torch import Tensor

from ..data import Alphabet, Codec, Columns, Pixels, as_lines
from ..errors import DataError

__all__ = ["check_order", "codec_of_samples", "in_order"]


def codec_of_samples(samples: Any, data: Any, name: str) -> Codec | None:
    """The codec between refinement and samples that are frames, lines of text or images in bytes.

    Args:
        samples: a few, as the model gives them.
        data: the user's, of the same kind.
        name: of the model, for the texts of errors.

    Returns:
        None for samples that are numbers, and as they are.

    Raises:
        DataError: for data of other columns.

    Examples:
        >>> codec_of_samples(["ab", "c"], ["abc", "d"], "Own").kind
        'text'
        >>> codec_of_samples(np.zeros((3, 2)), np.ones((9, 2)), "Own") is None
        True
    """
    names, expected = (_names(X) for X in (samples, data))
    if names is not None and expected is not None:
        if set(names) != set(expected):
            raise DataError(
                f"The samples of {name} have the columns {names}, and the data {expected}. "
                "Expected the same columns in both, in any order."
            )
        return Columns.learn(data, estimator=name).columns
    if _are_lines(samples):
        lines = [*as_lines(samples), *as_lines(data)]
        length = max(map(len, lines), default=1)
        return Alphabet.learn(lines, max(1, length), len(set("".join(lines))))
    if isinstance(samples, (np.ndarray, Tensor)) and samples.ndim in (3, 4):
        return _pixels(samples)
    return None


def in_order(samples: Any, codec: Codec) -> Any:
    """Samples with the columns of the codec in its order; others as they are."""
    if not isinstance(codec, Columns) or _names(samples) is None:
        return samples
    import narwhals as nw

    frame: Any = nw.from_native(samples, eager_only=True)
    return frame.select(list(codec.labels)).to_native()


def check_order(samples: Any, codec: Codec) -> None:
    """Refuse samples whose columns stand in another order than the data's.

    Raises:
        DataError: naming both orders.
    """
    names = _names(samples)
    if names is not None and isinstance(codec, Columns) and names != list(codec.labels):
        raise DataError(
            f"The samples have the columns {names}, the data {list(codec.labels)}. Expected one "
            "order: a logit of your own sees rows of numbers, without names."
        )


def _names(X: Any) -> list[str] | None:
    """Names of the columns of a frame; None for what is none."""
    import narwhals as nw

    frame = nw.from_native(X, pass_through=True)
    return list(frame.columns) if isinstance(frame, nw.DataFrame) else None


def _are_lines(samples: Any) -> bool:
    if isinstance(samples, np.ndarray):
        return samples.ndim == 1 and samples.dtype.kind in "UO" and isinstance(samples[0], str)
    return isinstance(samples, (list, tuple)) and all(isinstance(one, str) for one in samples)


def _pixels(images: Any) -> Pixels | None:
    """The codec of images in bytes, in the layout that their shape says; None for others."""
    from ..data.images import as_images

    if str(images.dtype).removeprefix("torch.") != "uint8":
        return None
    source, layout = as_images(images)
    return Pixels(source.shape, layout)
