"""Adversarial and variational models of images, as phases on the one loop."""

from .alpha_gan import AlphaGAN
from .dcgan import DCGAN
from .losses import LOSSES, LossPair, find_loss
from .penalties import gradient_penalty
from .vae import VAE
from .wgan_gp import WGANGP

__all__ = [
    "DCGAN",
    "LOSSES",
    "VAE",
    "WGANGP",
    "AlphaGAN",
    "LossPair",
    "find_loss",
    "gradient_penalty",
]
