"""Layers of the networks: normalisation by name, and initial weights."""

from typing import TypeVar

from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

__all__ = ["NORMS", "initialise", "norm_layer", "normed"]

Net = TypeVar("Net", bound=nn.Module)

NORMS = ("none", "batch", "layer", "spectral")


def norm_layer(norm: str, channels: int) -> nn.Module:
    """The layer after a convolution: of "batch", "layer" (of all channels and pixels), or none."""
    if norm == "batch":
        return nn.BatchNorm2d(channels)
    return nn.GroupNorm(1, channels) if norm == "layer" else nn.Identity()


def normed(layer: nn.Module, norm: str) -> nn.Module:
    """A linear map, divided by its largest singular value where the norm is "spectral".

    Miyato, Kataoka, Koyama and Yoshida, *Spectral Normalization for Generative Adversarial
    Networks* (2018), algorithm 1: one power iteration a forward pass in training.
    """
    return spectral_norm(layer) if norm == "spectral" else layer


def initialise(network: Net, norm: str, slope: float) -> Net:
    """Initialise the weights of a network or layer; draws from torch's random state.

    With batch norm N(0, 0.02^2) (Radford et al. 2016), without it variances that rectifiers
    preserve (He et al. 2015): there the scale of the weights is the scale of what comes out.
    """
    for module in network.modules():
        if isinstance(module, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
            if norm == "batch":
                nn.init.normal_(module.weight, std=0.02)
            else:
                nn.init.kaiming_normal_(module.weight, a=slope)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, mean=1.0, std=0.02)
    return network
