"""Which values of an image condition and which move, and the order in which they leave.

Dinh, Sohl-Dickstein & Bengio, *Density estimation using Real NVP* (2017), sections 3.4 and 3.6,
with the order of the authors' released code.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["checkerboard", "largest_scales", "ordered_squeeze", "ordered_unsqueeze"]

# positions (0,0), (1,1), (0,1), (1,0) of a 2x2 cell as numbered row by row
_DIAGONAL_FIRST = (0, 3, 1, 2)
_ROW_BY_ROW = (0, 2, 3, 1)


def checkerboard(height: int, width: int, *, corner: bool) -> Tensor:
    """Every second position of an image (Dinh et al. 2017, fig. 3, left).

    Args:
        height, width: size of the image in pixels.
        corner: whether the position (0, 0) is among the chosen.

    Returns:
        Booleans of shape (1, 1, height, width), True at the chosen positions.

    >>> checkerboard(2, 3, corner=True).int()[0, 0]
    tensor([[1, 0, 1],
            [0, 1, 0]], dtype=torch.int32)
    """
    rows, columns = torch.arange(height)[:, None], torch.arange(width)
    return ((rows + columns) % 2 == (0 if corner else 1))[None, None]


def ordered_squeeze(x: Tensor) -> Tensor:
    """Space to channels so that the first half of the channels is the diagonal of each cell.

    Of every 2x2 cell the values come in the order (0,0), (1,1), (0,1), (1,0), each time for all
    channels; so the half that is kept for the next scale lies as evenly in the image as the half
    that leaves.

    Args:
        x: (n, C, H, W), with even H and W.

    Returns:
        (n, 4C, H/2, W/2).

    >>> ordered_squeeze(torch.arange(4.0).reshape(1, 1, 2, 2)).flatten()
    tensor([0., 3., 1., 2.])
    """
    n, channels, height, width = x.shape
    cells = F.pixel_unshuffle(x, 2).view(n, channels, 4, height // 2, width // 2)
    return cells[:, :, _DIAGONAL_FIRST].transpose(1, 2).reshape(n, -1, height // 2, width // 2)


def ordered_unsqueeze(x: Tensor) -> Tensor:
    """The inverse of :func:`ordered_squeeze`: (n, 4C, H, W) -> (n, C, 2H, 2W)."""
    n, channels, height, width = x.shape
    cells = x.view(n, 4, channels // 4, height, width).transpose(1, 2)
    return F.pixel_shuffle(cells[:, :, _ROW_BY_ROW].reshape(n, -1, height, width), 2)


def largest_scales(height: int, width: int) -> int:
    """How often an image can be halved, plus one, with two positions left for a checkerboard.

    >>> largest_scales(28, 28), largest_scales(32, 32), largest_scales(7, 8), largest_scales(1, 1)
    (3, 5, 1, 0)
    """
    if height * width < 2:
        return 0
    halves = height % 2 == 0 and width % 2 == 0 and height * width > 4
    return 1 + largest_scales(height // 2, width // 2) if halves else 1
