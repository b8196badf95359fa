"""AGE: no critic; encoder and generator play over how far codes are from the prior."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from ...deprecation import renamed
from ...training import Batch, Phase
from ...validation import COUNT, POSITIVE, Rule
from ..image_generator import FAST, QUICK
from ..mixins import WithEncoder

__all__ = ["AGE", "divergence"]

_PLAYERS = {"image_weight": 5.0, "code_weight": 8.0, "player_steps": 2}


@renamed(rate="learning_rate")
@dataclass(kw_only=True, eq=False, repr=False)
class AGE(WithEncoder):
    """An encoder that sets codes of images and of samples apart, a generator that unites them.

    Ulyanov, Vedaldi and Lempitsky, *It Takes (Only) Two: Adversarial Generator-Encoder
    Networks* (2018), eqs. 6 and 7. Codes lie on the sphere of radius sqrt(latent), on which the
    prior is uniform: its coordinates have mean 0 and variance 1. With k the divergence of a
    normal with the moments of a batch of codes from N(0, 1), mean over coordinates, encoder E
    and generator G minimise in turn

        E   k(E(x)) - k(E(G(z))) + image_weight |x - G(E(x))|
        G   k(E(G(z))) + code_weight (1 - cos(z, E(G(z))))

    where |.| is the mean over pixels and channels.

    The released code has codes of length 1, whose variance cannot reach the target 1, and takes
    their variance for their deviation. Up to terms of 1/latent that is a constant and 2 k, so
    that its weight of images, 10, is 5 here; and its cosines are means over coordinates, so that
    its weight of codes, 1000, is 500 / latent.

    Args:
        preset: "fast", made for minutes on a processor; "paper", the Adam, weights and moves of
            the CIFAR-10 experiment.
        image_weight: of the mean absolute difference of images.
        code_weight: of the cosine distance of codes.
        player_steps: of the generator for each of the encoder.
        image_weight, code_weight, player_steps: None takes the preset's.
        networks: modules of your own, "encoder" and "generator"; codes are put on the sphere
            between them.
        architecture, width, latent, flip, batch_size, learning_rate, ema, steps, minutes,
            validation_fraction, device, random_state, verbose: as of
            :class:`~pushforward.DCGAN`.

    Examples:
        >>> import numpy as np, pushforward
        >>> X = np.random.default_rng(0).integers(0, 256, (64, 16, 16), dtype=np.uint8)
        >>> model = pushforward.AGE(width=4, steps=2, batch_size=8, random_state=0).fit(X)
        >>> np.square(model.encode(X[:2])).mean(1).round(4)
        array([1., 1.], dtype=float32)
    """

    image_weight: float | None = None
    code_weight: float | None = None
    player_steps: int | None = None

    _rules: ClassVar[Mapping[str, Rule]] = {
        "image_weight": POSITIVE | None,
        "code_weight": POSITIVE | None,
        "player_steps": COUNT | None,
    }
    _cites: ClassVar[tuple[str, ...]] = ("ulyanov2018takes",)
    _parts: ClassVar[tuple[str, ...]] = ("encoder", "generator")
    _presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "fast": {**FAST, **_PLAYERS, **QUICK},
        "paper": {
            **FAST,
            **_PLAYERS,
            **{"width": 64, "latent": 128, "learning_rate": 2e-4, "betas": [0.5, 0.999]},
            **{"code_weight": 500 / 128, "ema": None, "steps": 117_000, "minutes": None},
        },
    }

    def _network(self, name: str, shape: tuple[int, int, int]) -> nn.Module:
        nets, latent = self._architecture(shape), self.settings_["latent"]
        return nets.generator(latent) if name == "generator" else nets.encoder(latent)

    def _phases(self) -> list[Phase]:
        adam, again = self._optimiser(), self.settings_["player_steps"]
        return [
            Phase("encoder", ("encoder",), self._encoder_loss, adam),
            Phase("generator", ("generator",), self._generator_loss, adam, repeats=again),
        ]

    def prior_codes(self, noise: Tensor) -> Tensor:
        return _on_sphere(noise)

    def _generate(self, z: Tensor) -> Tensor:
        return super()._generate(_on_sphere(z))

    def _code(self, x: Tensor) -> Tensor:
        return _on_sphere(super()._code(x))

    def _encoder_loss(self, batch: Batch) -> dict[str, Tensor]:
        with torch.no_grad():
            sample = self._generate(self._prior(batch))
        code = self._code(batch.x)
        difference = (batch.x - self._generate(code)).abs().mean()
        return {
            "data": divergence(code),
            "sample": -divergence(self._code(sample)),
            "difference": self.settings_["image_weight"] * difference,
        }

    def _generator_loss(self, batch: Batch) -> dict[str, Tensor]:
        z = self._prior(batch)
        code = self._code(self._generate(z))
        apart = 1 - torch.cosine_similarity(z, code).mean()
        return {"sample": divergence(code), "codes": self.settings_["code_weight"] * apart}


def divergence(codes: Tensor) -> Tensor:
    """KL(N(m, s^2) || N(0, 1)) with the moments m, s of a batch, mean over coordinates, in nats.

    Args:
        codes: (n, d), two rows or more.

    Examples:
        >>> divergence(torch.tensor([[1.0, 3.0], [-1.0, 1.0]]))
        tensor(1.)
    """
    mean, variance = codes.mean(0), codes.var(0, correction=0)
    return 0.5 * (mean.square() + variance - 1 - (variance + 1e-8).log()).mean()


def _on_sphere(z: Tensor) -> Tensor:
    return normalize(z) * z.shape[1] ** 0.5
