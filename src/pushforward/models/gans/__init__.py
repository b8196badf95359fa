"""Adversarial models of images, tables and text, as phases on the one loop."""

from typing import TYPE_CHECKING

from ..._lazy import lazily

if TYPE_CHECKING:
    from .age import AGE
    from .alpha_gan import AlphaGAN
    from .began import BEGAN
    from .character_gan import CharacterGAN
    from .dcgan import DCGAN
    from .dfm import DFM
    from .ebgan import EBGAN
    from .losses import LOSSES, LossPair, find_loss
    from .mmd_gan import MMDGAN
    from .penalties import gradient_penalty
    from .ppgn import PPGN
    from .table_gan import TableGAN
    from .vae_gan import VAEGAN
    from .wgan import WGAN
    from .wgan_gp import WGANGP

__all__ = [
    "AGE",
    "BEGAN",
    "DCGAN",
    "DFM",
    "EBGAN",
    "LOSSES",
    "MMDGAN",
    "PPGN",
    "VAEGAN",
    "WGAN",
    "WGANGP",
    "AlphaGAN",
    "CharacterGAN",
    "LossPair",
    "TableGAN",
    "find_loss",
    "gradient_penalty",
]

__getattr__ = lazily(
    __name__,
    {
        "age": ("AGE",),
        "alpha_gan": ("AlphaGAN",),
        "began": ("BEGAN",),
        "character_gan": ("CharacterGAN",),
        "dcgan": ("DCGAN",),
        "dfm": ("DFM",),
        "ebgan": ("EBGAN",),
        "losses": ("LOSSES", "LossPair", "find_loss"),
        "mmd_gan": ("MMDGAN",),
        "penalties": ("gradient_penalty",),
        "ppgn": ("PPGN",),
        "table_gan": ("TableGAN",),
        "vae_gan": ("VAEGAN",),
        "wgan": ("WGAN",),
        "wgan_gp": ("WGANGP",),
    },
)


def __dir__() -> list[str]:
    return sorted(__all__)
