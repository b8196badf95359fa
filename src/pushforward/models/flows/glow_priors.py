"""The Gaussians at the ends of Glow: of the channels that leave a level, and of the last ones."""

import math

import torch
from torch import Tensor, nn

from .edge_convolution import TAPS, border_table, convolve
from .glow_step import LOG_SCALE_RATE

__all__ = ["FoldedSplitPrior", "SplitPrior", "TopPrior", "normal_log_prob", "of_class"]

_LARGEST_LOGS = 6.0


def normal_log_prob(z: Tensor, mean: Tensor, logs: Tensor, first: int = 1) -> Tensor:
    """Log density of every item, summed from axis ``first`` on."""
    terms = ((z - mean) * torch.exp(-logs)).square().add(math.log(2 * math.pi)).mul(-0.5) - logs
    return terms.flatten(first).sum(-1)


def of_class(table: Tensor, y: Tensor | None) -> Tensor:
    """The rows of a table (classes, ...) that belong to ``y``; the only row, if there is one."""
    return table if len(table) == 1 or y is None else table[y]


class FoldedSplitPrior:
    """A split prior with its scales multiplied in."""

    def __init__(self, weight: Tensor, border: Tensor) -> None:
        self.weight = weight
        self.border = border

    def __call__(self, z1: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-scale of ``z2``, (n, h, w, half) each."""
        out = convolve(z1, self.weight, self.border)
        return out[..., 0::2], _LARGEST_LOGS * torch.tanh(out[..., 1::2] / _LARGEST_LOGS)


class SplitPrior(nn.Module):
    """The half ``z2`` that leaves, given the half ``z1`` that stays: mean and scale of each value.

    A 3x3 convolution of ``z1`` that begins at zero gives mean and log-scale, interleaved. In the
    code of Kingma & Dhariwal (2018); their paper does not mention it. The log-scale is bent to
    stay within 6 of zero: without a bound it turns an unlikely ``z1`` into infinite samples.

    Args:
        half: channels of each half.
    """

    def __init__(self, half: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(2 * half, TAPS, half))
        self.border = nn.Parameter(torch.zeros(TAPS + 1, 2 * half))
        self.logs = nn.Parameter(torch.zeros(2 * half))

    def folded(self, height: int, width: int) -> FoldedSplitPrior:
        """The prior for maps of one size; differentiable in the parameters."""
        scale = torch.exp(LOG_SCALE_RATE * self.logs)
        border = border_table(height, width, like=scale) @ (self.border * scale)
        return FoldedSplitPrior(self.weight * scale[:, None, None], border)

    def forward(self, z1: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-scale of ``z2``, (n, h, w, half) each."""
        return self.folded(*z1.shape[1:3])(z1)


class TopPrior(nn.Module):
    """The last latent: one mean and scale per value or, unlearned, a standard normal.

    Learned means and scales are a convolution of a map of zeros, on which only the edge channel
    and the bias act: corners, edges and the inside each have their own. Known classes add theirs.

    Args:
        channels: of the last latent.
        learned: whether mean and scale are learned.
        classes: number of classes the prior depends on, or None.
    """

    def __init__(self, channels: int, learned: bool, classes: int | None) -> None:
        super().__init__()
        self.channels = channels
        self.learned = learned
        self.classes = classes
        if learned:
            self.border = nn.Parameter(torch.zeros(TAPS + 1, 2 * channels))
            self.logs = nn.Parameter(torch.zeros(2 * channels))
        if classes:
            self.embedding = nn.Parameter(torch.zeros(classes, 2 * channels))
            self.embedding_logs = nn.Parameter(torch.zeros(2 * channels))

    def forward(self, height: int, width: int, like: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-scale for every class (one, where there are none): (classes, h, w, c)."""
        out = like.new_zeros(1, height, width, 2 * self.channels)
        if self.learned:
            weight = self.border * torch.exp(LOG_SCALE_RATE * self.logs)
            out = out + border_table(height, width, like) @ weight
        if self.classes:
            of_class = self.embedding * torch.exp(LOG_SCALE_RATE * self.embedding_logs)
            out = out + of_class[:, None, None]
        mean, logs = out.chunk(2, -1)
        return mean, logs
