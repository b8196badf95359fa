"""WGAN-GP: a critic whose slope is held at 1 measures a Wasserstein distance."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import nn

from ...deprecation import renamed
from ...validation import OneOf, Rule
from ..image_generator import FAST, QUICK
from ..mixins import WithConvolutionalCritic
from .penalties import NO_BATCH_NORM
from .wasserstein_phases import WassersteinGame

__all__ = ["WGANGP"]


@renamed(rate="learning_rate")
@dataclass(kw_only=True, eq=False, repr=False)
class WGANGP(WithConvolutionalCritic, WassersteinGame):
    """A generator that lowers the Wasserstein distance a critic of slope 1 sees.

    Gulrajani, Ahmed, Arjovsky, Dumoulin and Courville, *Improved Training of Wasserstein GANs*
    (2017), algorithm 1.

    Args:
        preset: "fast"; "paper", its DCGAN networks (1e-4, five critic steps); "paper-resnet",
            its residual ones, for which the rate falls to 0.
        penalty: weight of the squared distance of the critic's slope from 1.
        norm: of the critic, "none", "layer" or "spectral". Batch norm ties samples together,
            so that no sample has a slope of its own.
        critic_steps: of the critic for each of the generator.
        hidden: numbers that a layer makes before the critic's last; 0 has none, as published.
        penalty, norm, critic_steps, hidden: None takes the preset's.
        architecture, width, latent, networks, flip, batch_size, learning_rate, ema, steps,
            minutes, validation_fraction, device, random_state, verbose: as of
            :class:`~pushforward.DCGAN`.

    Examples:
        >>> import numpy as np, pushforward
        >>> X = np.random.default_rng(0).integers(0, 256, (64, 16, 16), dtype=np.uint8)
        >>> model = pushforward.WGANGP(width=4, steps=2, batch_size=8, random_state=0).fit(X)
        >>> model.critic(X[:3]).shape
        (3,)
    """

    penalty: float | None = None
    critic_steps: int | None = None

    _rules: ClassVar[Mapping[str, Rule]] = {
        "norm": OneOf("none", "layer", "spectral", why=NO_BATCH_NORM) | None,
    }
    _cites: ClassVar[tuple[str, ...]] = ("gulrajani2017improved", "arjovsky2017wasserstein")
    _parts: ClassVar[tuple[str, ...]] = ("generator", "critic")
    _presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "fast": {
            **FAST,
            **QUICK,
            **{
                "betas": [0.0, 0.9],
                "penalty": 10.0,
                "norm": "none",
                "critic_steps": 2,
                "hidden": 128,
            },
        },
        "paper": {
            **FAST,
            **{"width": 64, "latent": 128, "learning_rate": 1e-4, "ema": None},
            **{"steps": 200_000, "minutes": None},
            **{"penalty": 10.0, "norm": "none", "critic_steps": 5, "hidden": 0},
        },
        "paper-resnet": {
            **FAST,
            **{"architecture": "residual", "width": 64, "latent": 128, "learning_rate": 2e-4},
            **{"betas": [0.0, 0.9], "decay": "linear", "ema": None},
            **{"steps": 100_000, "minutes": None},
            **{"penalty": 10.0, "norm": "layer", "critic_steps": 5, "hidden": 0},
        },
    }

    def _network(self, name: str, shape: tuple[int, int, int]) -> nn.Module:
        if name == "critic":
            return self._critic_network(shape)
        return self._architecture(shape).generator(self.settings_["latent"])
