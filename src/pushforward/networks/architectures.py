"""Architectures by name: how wide the networks are for images of a size."""

from dataclasses import dataclass

from torch import nn

from ..errors import ParameterError
from ..validation import OneOf, check
from .autoencoder import Autoencoder
from .critic import Critic
from .generator import Generator
from .layers import normed
from .mlp import MLP
from .resnext import ResNeXtCritic, ResNeXtGenerator

__all__ = ["ARCHITECTURES", "Architecture", "find_architecture", "halvings"]

ARCHITECTURES = ("conv", "residual", "r3gan", "sn-dcgan", "sn-resnet")

_WIDEST = 8  # times the first width: 512 for DCGAN's 64

#: SN-ResNet by side: the generator's widths, the critic's, and how many of its blocks halve.
#: 32 and 48 are Miyato et al. (2018), tables 4 and 5; 64 is the form of it that Lee and Town,
#: "Mimicry" (2020), publish.
_SN_RESNET = {
    32: ((256, 256, 256, 256), (128, 128, 128, 128), 2),
    48: ((512, 256, 128, 64), (64, 128, 256, 512, 1024), 4),
    64: ((1024, 512, 256, 128, 64), (64, 128, 256, 512, 1024), 5),
}


@dataclass(frozen=True)
class Architecture:
    """Widths and blocks of a generator and of the critics and encoders that go with it.

    Attributes:
        shape: of the images, (C, H, W).
        block: "conv", "residual" or "resnext", which has no norm and halves at every step.
        up: the generator's widths, coarsest first.
        last: the generator's last layer, "up" or "same".
        down: widths of critics and encoders.
        strides: 1 or 2 for each of them.
        slope: of the critic's leaky ReLU.
    """

    shape: tuple[int, int, int]
    block: str
    up: tuple[int, ...]
    last: str
    down: tuple[int, ...]
    strides: tuple[int, ...]
    slope: float = 0.2

    def generator(self, latent: int, norm: str | None = None) -> Generator | ResNeXtGenerator:
        """Codes (n, latent) to images in (-1, 1); by default with batch norm, where it has any."""
        norm = self._norm(norm)
        if self.block == "resnext":
            return ResNeXtGenerator(self.shape, latent, self.up)
        return Generator(self.shape, latent, self.up, block=self.block, norm=norm, last=self.last)

    def critic(self, norm: str, head: int | None = None) -> Critic | ResNeXtCritic:
        """Images to one logit each, or to ``head`` numbers."""
        norm = self._norm(norm)
        if self.block == "resnext":
            return ResNeXtCritic(self.shape, self.down, head=head)
        return Critic(
            self.shape,
            self.down,
            strides=self.strides,
            block=self.block,
            norm=norm,
            slope=self.slope,
            head=head,
        )

    def deep_critic(self, norm: str, features: int) -> nn.Sequential:
        """Images to one logit each, through a hidden layer of ``features`` numbers."""
        last = MLP(features, ())
        normed(last.layers[0], norm)
        return nn.Sequential(self.critic(norm, features), nn.LeakyReLU(0.2), last)

    def encoder(self, head: int, norm: str | None = None) -> Critic | ResNeXtCritic:
        """Images to ``head`` numbers: the critic's body, with ReLU unless it is "resnext"."""
        norm = self._norm(norm)
        if self.block == "resnext":
            return ResNeXtCritic(self.shape, self.down, head=head)
        return Critic(
            self.shape,
            self.down,
            strides=self.strides,
            block=self.block,
            norm=norm,
            slope=0.0,
            head=head,
        )

    def autoencoder(self, code: int, norm: str | None = None) -> Autoencoder:
        """Images to codes of ``code`` numbers and back: the encoder, and a generator."""
        return Autoencoder(self.encoder(code, norm), self.generator(code, norm))

    def _norm(self, norm: str | None) -> str:
        """The norm asked for, or the architecture's own.

        Raises:
            ParameterError: for one that the architecture has no place for.
        """
        if self.block != "resnext":
            return "batch" if norm is None else norm
        if norm not in (None, "none"):
            raise ParameterError(
                f"norm is {norm!r}. Expected 'none' with the architecture 'r3gan', whose blocks "
                "have no place for one, or another architecture."
            )
        return "none"


def halvings(height: int, width: int) -> int:
    """How often the sides halve until the shorter is 4 to 7 pixels.

    Raises:
        ParameterError: where that does not come out even.

    Examples:
        >>> [halvings(side, side) for side in (28, 32, 48, 64, 128)]
        [2, 3, 3, 4, 5]
    """
    count = 0
    while min(height, width) >= 8 and height % 2 == 0 and width % 2 == 0:
        height, width, count = height // 2, width // 2, count + 1
    if count == 0 or min(height, width) > 8:
        raise ParameterError(
            f"The sides halve {count} times, down to {height} x {width} pixels. Expected sides "
            "that halve to between 4 and 8, such as 28, 32, 48, 64, 96 or 128: resize the images, "
            "or give networks of your own."
        )
    return count


def find_architecture(name: str, shape: tuple[int, int, int], width: int = 64) -> Architecture:
    """An architecture for images of a shape.

    Args:
        name: "conv" (DCGAN: Radford, Metz and Chintala 2016, with 4x4 kernels) or "residual",
            both doubling from ``width`` channels at the finest to eight times that; "sn-dcgan"
            (Miyato et al. 2018, table 3) or "sn-resnet" (tables 4 and 5), as published; "r3gan"
            (Huang et al. 2024), for a processor: widths as of "conv", a block at each size.
        shape: (C, H, W).
        width: channels of the finest layer; the published ones have their own.

    Raises:
        ParameterError: for an unknown name, and sizes the architecture is not for.

    Examples:
        >>> net = find_architecture("sn-resnet", (3, 32, 32)).generator(latent=128)
        >>> sum(p.numel() for p in net.parameters())
        4276739
    """
    check({"architecture": OneOf(*ARCHITECTURES)}, {"architecture": name})
    _, height, wide = shape
    if name == "sn-dcgan":
        if height % 8 or wide % 8:
            raise ParameterError(
                f"sn-dcgan halves three times; {height} x {wide} pixels do not. Expected "
                "multiples of 8, such as 32, 48 or 64, or the architecture 'conv'."
            )
        down, strides = (64, 64, 128, 128, 256, 256, 512), (1, 2, 1, 2, 1, 2, 1)
        return Architecture(shape, "conv", (512, 256, 128, 64), "same", down, strides, 0.1)
    if name == "sn-resnet":
        if height != wide or height not in _SN_RESNET:
            raise ParameterError(
                f"sn-resnet is published for 32, 48 and 64 pixels, not for {height} x {wide}. "
                "Use 'residual', or resize the images."
            )
        up, down, halved = _SN_RESNET[height]
        strides = (2,) * halved + (1,) * (len(down) - halved)
        return Architecture(shape, "residual", up, "same", down, strides)
    down = tuple(width * min(2**k, _WIDEST) for k in range(halvings(height, wide)))
    strides = (2,) * len(down)
    if name == "r3gan":
        return Architecture(shape, "resnext", down[::-1], "up", down, strides, 0.2)
    if name == "conv":
        return Architecture(shape, "conv", down[::-1], "up", down, strides)
    return Architecture(shape, "residual", (down[-1], *down[::-1]), "same", down, strides)
