"""Autoencoders: what energy-based models have for a critic."""

from torch import Tensor, nn

__all__ = ["Autoencoder"]


class Autoencoder(nn.Module):
    """Images through a code and back.

    Args:
        encoder: images (n, C, H, W) to codes (n, d).
        decoder: codes to images.

    Examples:
        >>> import torch
        >>> from pushforward.networks import find_architecture
        >>> judge = find_architecture("conv", (1, 28, 28), width=8).autoencoder(16)
        >>> x = torch.zeros(2, 1, 28, 28)
        >>> judge.encoder(x).shape, judge(x).shape
        (torch.Size([2, 16]), torch.Size([2, 1, 28, 28]))
    """

    def __init__(self, encoder: nn.Module, decoder: nn.Module) -> None:
        super().__init__()
        self.encoder, self.decoder = encoder, decoder

    def forward(self, x: Tensor) -> Tensor:
        return self.decoder(self.encoder(x))
