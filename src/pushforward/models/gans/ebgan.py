"""EBGAN: an energy that is low at the data, and at least a margin at samples."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize, relu

from ...deprecation import renamed
from ...errors import ParameterError
from ...training import Batch, Phase
from ...validation import COUNT, POSITIVE, Number, OneOf, Rule
from ..image_generator import FAST
from ..mixins import WithEnergy

__all__ = ["EBGAN", "pulling_away"]


@renamed(rate="learning_rate")
@dataclass(kw_only=True, eq=False, repr=False)
class EBGAN(WithEnergy):
    """A generator that lowers the energy of its samples, which a critic raises to a margin.

    Zhao, Mathieu and LeCun, *Energy-based Generative Adversarial Networks* (2017), sections
    2.1 to 2.4.
    The energy D(x) = |x - Dec(Enc(x))| is the norm of what an autoencoder misses, over the root
    of the number of pixels and channels. With s = G(z), z ~ N(0, I), critic and generator
    minimise in turn

        D   D(x) + [margin - D(s)]+
        G   D(s) + weight PT(Enc(s))

    where the pulling-away term PT is the mean squared cosine between the codes of a batch.

    Args:
        preset: "fast", made for minutes on a processor; "paper", its rate and batch, with the
            margin of 20 that it has for faces of 3 x 64 x 64 pixels.
        margin: energy up to which the critic raises samples. The paper's are not divided by the
            root: at 28 x 28 pixels its 10 is 0.36 here.
        weight: of the pulling-away term; 0 is EBGAN without it.
        code: length of the critic's codes.
        norm: of the critic, "batch", "layer" or "none".
        margin, weight, code, norm: None takes the preset's.
        networks: modules of your own, "generator", and "critic", an autoencoder with modules
            ``encoder`` and ``decoder`` (:class:`~pushforward.networks.Autoencoder` makes it).
        architecture, width, latent, flip, batch_size, learning_rate, ema, steps, minutes,
            validation_fraction, device, random_state, verbose: as of
            :class:`~pushforward.DCGAN`.

    Examples:
        >>> import numpy as np, pushforward
        >>> X = np.random.default_rng(0).integers(0, 256, (64, 16, 16), dtype=np.uint8)
        >>> model = pushforward.EBGAN(width=4, steps=2, batch_size=8, random_state=0).fit(X)
        >>> bool((model.critic(X[:3]) < 0).all())
        True
    """

    margin: float | None = None
    weight: float | None = None
    code: int | None = None
    norm: str | None = None

    _rules: ClassVar[Mapping[str, Rule]] = {
        "margin": POSITIVE | None,
        "weight": Number(0, ends="[") | None,
        "code": COUNT | None,
        "norm": OneOf("batch", "layer", "none") | None,
    }
    _cites: ClassVar[tuple[str, ...]] = ("zhao2017energy",)
    _parts: ClassVar[tuple[str, ...]] = ("generator", "critic")
    _presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "fast": {**FAST, "margin": 0.36, "weight": 0.1, "code": 64, "norm": "batch"},
        "paper": {
            **FAST,
            **{"width": 64, "latent": 100, "batch_size": 128, "learning_rate": 1e-3},
            **{"betas": [0.5, 0.999], "ema": None, "steps": 100_000, "minutes": None},
            **{"margin": 0.18, "weight": 0.1, "code": 256, "norm": "batch"},
        },
    }

    def _network(self, name: str, shape: tuple[int, int, int]) -> nn.Module:
        s, nets = self.settings_, self._architecture(shape)
        if name == "generator":
            return nets.generator(s["latent"])
        return nets.autoencoder(s["code"], s["norm"])

    def _phases(self) -> list[Phase]:
        adam = self._optimiser()
        return [
            Phase("critic", ("critic",), self._critic_loss, adam),
            Phase("generator", ("generator",), self._generator_loss, adam),
        ]

    def _energy(self, x: Tensor) -> Tensor:
        return self._energy_and_code(x)[0]

    def _energy_and_code(self, x: Tensor) -> tuple[Tensor, Tensor]:
        critic = self.networks_["critic"]
        parts = dict(critic.named_children())
        if "encoder" not in parts or "decoder" not in parts:
            raise ParameterError(
                f"The network 'critic' is a {type(critic).__name__}. Expected an autoencoder with "
                "modules encoder and decoder, as pushforward.networks.Autoencoder makes of two."
            )
        code = parts["encoder"](x)
        missed = self._missed(x, parts["decoder"](code))
        return (missed.square().flatten(1).mean(1) + 1e-12).sqrt(), code.flatten(1)

    def _critic_loss(self, batch: Batch) -> dict[str, Tensor]:
        with torch.no_grad():
            sample = self._generate(self._prior(batch))
        short = relu(self.settings_["margin"] - self._energy(sample))
        return {"real": self._energy(batch.x).mean(), "fake": short.mean()}

    def _generator_loss(self, batch: Batch) -> dict[str, Tensor]:
        energy, code = self._energy_and_code(self._generate(self._prior(batch)))
        apart = self.settings_["weight"] * pulling_away(code)
        return {"player": energy.mean(), "pulling_away": apart}


def pulling_away(codes: Tensor) -> Tensor:
    """Mean squared cosine between two codes of a batch: 0 if all are orthogonal, 1 if parallel.

    Zhao, Mathieu and LeCun (2017), section 2.4.

    Args:
        codes: (n, d), two rows or more.

    Examples:
        >>> pulling_away(torch.tensor([[1.0, 0.0], [0.0, 2.0], [0.0, 3.0]])).item()
        0.3333333432674408
    """
    n = len(codes)
    directions = normalize(codes)
    return ((directions @ directions.T).square().sum() - n) / (n * (n - 1))
