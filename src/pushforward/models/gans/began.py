"""BEGAN: a critic that is an autoencoder, held in balance with its player by control."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ...deprecation import renamed
from ...training import Batch, Phase
from ...training.processes import Processes
from ...validation import COUNT, POSITIVE, OneOf, Rule
from ..image_generator import FAST
from ..mixins import WithEnergy

__all__ = ["BEGAN"]


class Balance(nn.Module):
    """The state of the balance control: k, and the last energies of data and of samples."""

    k: Tensor
    real: Tensor
    fake: Tensor

    def __init__(self) -> None:
        super().__init__()
        for name in ("k", "real", "fake"):
            self.register_buffer(name, torch.zeros(()))


@renamed(rate="learning_rate")
@dataclass(kw_only=True, eq=False, repr=False)
class BEGAN(WithEnergy):
    """A generator against an autoencoder that redraws data well and samples badly.

    Berthelot, Schumm and Metz, *BEGAN: Boundary Equilibrium Generative Adversarial Networks*
    (2017), section 3.4. With the energy L(x) = |x - D(x)|, the mean over pixels and channels of
    what the autoencoder D misses, and s = G(z), z uniform on (-1, 1), critic and generator
    minimise in turn

        D   L(x) - k L(s)
        G   L(s)

    and k, from 0, is controlled so that L(s) becomes ``ratio`` times L(x):

        k <- k + gain (ratio L(x) - L(s)), kept in [0, 1]

    The history has k, and as "convergence" the measure M = L(x) + |ratio L(x) - L(s)|, which
    falls as samples become better. The networks are this library's; those of the paper have
    exponential linear units and repeat pixels to grow.

    Args:
        preset: "fast", made for minutes on a processor; "paper", its rate, batch and control.
        ratio: of the energies at equilibrium. The paper's are in (0, 1): the lower, the more
            alike the samples. Above 1, as in "fast", the critic works against samples even where
            it redraws them as well as data: they come to differ in far fewer steps.
        gain: of the control. The paper's is for 100,000 steps; with few, k has to rise before
            all samples are the one image that is redrawn best.
        code: length of the critic's codes.
        norm: of the critic, "batch", "layer" or "none".
        ratio, gain, code, norm: None takes the preset's.
        networks: modules of your own, "generator", and "critic", which makes images of images.
        architecture, width, latent, flip, batch_size, learning_rate, ema, steps, minutes,
            validation_fraction, device, random_state, verbose: as of
            :class:`~pushforward.DCGAN`.

    Examples:
        >>> import numpy as np, pushforward
        >>> X = np.random.default_rng(0).integers(0, 256, (64, 16, 16), dtype=np.uint8)
        >>> model = pushforward.BEGAN(width=4, steps=3, batch_size=8, random_state=0).fit(X)
        >>> model.history_[-1]["generator.k"] >= 0
        True
    """

    ratio: float | None = None
    gain: float | None = None
    code: int | None = None
    norm: str | None = None

    _rules: ClassVar[Mapping[str, Rule]] = {
        "ratio": POSITIVE | None,
        "gain": POSITIVE | None,
        "code": COUNT | None,
        "norm": OneOf("batch", "layer", "none") | None,
    }
    _cites: ClassVar[tuple[str, ...]] = ("berthelot2017began",)
    _parts: ClassVar[tuple[str, ...]] = ("generator", "critic")
    _presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "fast": {
            **FAST,
            **{"batch_size": 32, "ratio": 1.4, "gain": 0.5, "code": 64, "norm": "batch"},
        },
        "paper": {
            **FAST,
            **{"width": 64, "batch_size": 16, "learning_rate": 1e-4, "betas": [0.9, 0.999]},
            **{"decay": "linear", "ema": None, "steps": 200_000, "minutes": None},
            **{"ratio": 0.5, "gain": 1e-3, "code": 64, "norm": "none"},
        },
    }

    def _network(self, name: str, shape: tuple[int, int, int]) -> nn.Module:
        s, nets = self.settings_, self._architecture(shape)
        if name == "generator":
            return nets.generator(s["latent"])
        return nets.autoencoder(s["code"], s["norm"])

    def _build(
        self, shape: tuple[int, int, int], classes: int | None = None
    ) -> dict[str, nn.Module]:
        return {**super()._build(shape, classes), "balance": Balance()}

    def _phases(self) -> list[Phase]:
        adam, players = self._optimiser(), ("generator", "balance")
        return [
            Phase("critic", ("critic",), self._critic_loss, adam),
            Phase("generator", players, self._generator_loss, adam, after=self._control),
        ]

    def _share(self, processes: Processes) -> None:
        self._processes = processes

    def prior_codes(self, noise: Tensor) -> Tensor:
        return torch.erf(noise / math.sqrt(2))

    def _energy(self, x: Tensor) -> Tensor:
        return self._missed(x, self.networks_["critic"](x)).abs().flatten(1).mean(1)

    def _critic_loss(self, batch: Batch) -> dict[str, Tensor]:
        with torch.no_grad():
            sample = self._generate(self._prior(batch))
        real, fake = self._energy(batch.x).mean(), self._energy(sample).mean()
        balance = self._balance()
        balance.real.copy_(self._of_all(real, batch))
        return {"real": real, "fake": -balance.k * fake}

    def _generator_loss(self, batch: Batch) -> dict[str, Tensor]:
        player = self._energy(self._generate(self._prior(batch))).mean()
        balance = self._balance()
        balance.fake.copy_(self._of_all(player, batch))
        measure = balance.real + self._off_balance().abs()
        return {"player": player, "convergence": measure, "k": balance.k.clone()}

    def _control(self) -> None:
        k = self._balance().k
        k.add_(self.settings_["gain"] * self._off_balance()).clamp_(0, 1)

    def _off_balance(self) -> Tensor:
        balance = self._balance()
        return self.settings_["ratio"] * balance.real - balance.fake

    def _balance(self) -> Balance:
        balance = self.networks_["balance"]
        assert isinstance(balance, Balance)
        return balance

    def _of_all(self, mean: Tensor, batch: Batch) -> Tensor:
        """The mean over the joined batch of what is the mean of each process's rows."""
        return self._processes.sum(mean.detach() * (len(batch) / batch.total))
