"""Networks of lines of characters: residual blocks of convolutions along the line.

Gulrajani, Ahmed, Arjovsky, Dumoulin and Courville, *Improved Training of Wasserstein GANs* (2017),
section 5.3 and the code they released with it. A character is a point of the simplex: the corner
of its symbol in the data, a softmax in samples.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import relu

__all__ = ["CharacterCritic", "CharacterGenerator"]

_STEP = 0.3  # of a residual block


class CharacterGenerator(nn.Module):
    """Codes to lines of probabilities (n, length, symbols).

    Args:
        latent: length of a code.
        length: characters of a line.
        symbols: how many different ones.
        width: channels.
        blocks: residual blocks.

    Examples:
        >>> make = CharacterGenerator(latent=8, length=32, symbols=50, width=16, blocks=2)
        >>> lines = make(torch.zeros(3, 8))
        >>> lines.shape, bool(torch.allclose(lines.sum(2), torch.ones(3, 32)))
        (torch.Size([3, 32, 50]), True)
    """

    def __init__(self, latent: int, length: int, symbols: int, width: int, blocks: int) -> None:
        super().__init__()
        self.coarse = (width, length)
        self.first = nn.Linear(latent, width * length)
        self.blocks = nn.Sequential(*(_Block(width) for _ in range(blocks)))
        self.last = nn.Conv1d(width, symbols, 1)

    def forward(self, z: Tensor) -> Tensor:
        h = self.blocks(self.first(z).unflatten(1, self.coarse))
        return torch.softmax(self.last(h).transpose(1, 2), dim=2)


class CharacterCritic(nn.Module):
    """Lines of probabilities (n, length, symbols) to one number each, (n,).

    Args:
        length, symbols, width, blocks: as of :class:`CharacterGenerator`.

    Examples:
        >>> judge = CharacterCritic(length=32, symbols=50, width=16, blocks=2)
        >>> judge(torch.zeros(3, 32, 50)).shape
        torch.Size([3])
    """

    def __init__(self, length: int, symbols: int, width: int, blocks: int) -> None:
        super().__init__()
        self.first = nn.Conv1d(symbols, width, 1)
        self.blocks = nn.Sequential(*(_Block(width) for _ in range(blocks)))
        self.last = nn.Linear(width * length, 1)

    def forward(self, x: Tensor) -> Tensor:
        h = self.blocks(self.first(x.transpose(1, 2)))
        return self.last(h.flatten(1)).flatten()


class _Block(nn.Module):
    """ReLU, convolution of five, twice; a third of it is added."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv1d(width, width, 5, padding=2)
        self.conv2 = nn.Conv1d(width, width, 5, padding=2)

    def forward(self, x: Tensor) -> Tensor:
        return x + _STEP * self.conv2(relu(self.conv1(relu(x))))
