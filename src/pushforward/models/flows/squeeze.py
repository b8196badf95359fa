"""Space traded for channels, as in Dinh et al., *Density Estimation Using Real NVP* (2017)."""

from torch import Tensor

__all__ = ["squeeze", "unsqueeze"]


def squeeze(x: Tensor) -> Tensor:
    """Make every 2x2 block of pixels one pixel: (n, h, w, c) -> (n, h/2, w/2, 4c).

    The new channels are ordered (c, dy, dx), as in the code of Kingma & Dhariwal (2018).

    Example:
        >>> import torch
        >>> squeeze(torch.tensor([[1, 2], [3, 4]]).view(1, 2, 2, 1)).flatten().tolist()
        [1, 2, 3, 4]
    """
    n, h, w, c = x.shape
    blocks = x.reshape(n, h // 2, 2, w // 2, 2, c)
    return blocks.permute(0, 1, 3, 5, 2, 4).reshape(n, h // 2, w // 2, 4 * c)


def unsqueeze(x: Tensor) -> Tensor:
    """Undo :func:`squeeze`: (n, h, w, 4c) -> (n, 2h, 2w, c)."""
    n, h, w, c = x.shape
    blocks = x.reshape(n, h, w, c // 4, 2, 2)
    return blocks.permute(0, 1, 4, 2, 5, 3).reshape(n, 2 * h, 2 * w, c // 4)
