"""Functions of the user are refused where they fail, are random, or mix the rows of a batch."""

import torch
from torch import Tensor

from ..errors import DataError
from .logit_gradients import Score

__all__ = ["CHECKED", "check_rows_alone"]

CHECKED = 8  # rows that a function of the user is checked on, together and alone


def check_rows_alone(name: str, function: Score, points: Tensor) -> None:
    """Refuse a function that fails, is random, or whose rows depend on their neighbours.

    Args:
        name: of the function, for people.
        function: of points (n, ...) to (n, ...).
        points: of which the first eight are given to it, together and alone.

    Raises:
        DataError: naming it.
    """
    points = points[:CHECKED]
    form = f"{len(points)} {points.dtype} points of shape {tuple(points.shape[1:])}"
    try:
        together, alone, again = function(points), function(points[:1]), function(points[:1])
    except (
        ArithmeticError,
        AttributeError,
        LookupError,
        RuntimeError,
        TypeError,
        ValueError,
    ) as e:
        raise DataError(
            f"{name} failed on {form}: {e}. Expected a function in PyTorch of such points: see "
            "the prior, the width of rows, and networks of other precision."
        ) from e
    if not isinstance(together, Tensor) or together.ndim == 0 or len(together) != len(points):
        got = tuple(together.shape) if isinstance(together, Tensor) else type(together).__name__
        raise DataError(f"{name} gives {got} for {form}. Expected a tensor with a row for each.")
    if not together.isfinite().all():
        raise DataError(
            f"What {name} gives for {form} is not finite. Expected finite numbers: mend it first."
        )
    if not torch.equal(alone, again):
        raise DataError(
            f"What {name} gives for a point changes from call to call. Expected no chance in it: "
            "draw the noise as further latents, and put dropout into evaluation mode (.eval())."
        )
    if alone.shape != together[:1].shape or not torch.allclose(
        together[:1], alone, rtol=1e-2, atol=1e-3
    ):
        raise DataError(
            f"What {name} gives for a row changes when {len(points) - 1} others stand beside it. "
            "Expected no change: put its networks in evaluation mode (.eval()), batch norm above "
            "all."
        )
