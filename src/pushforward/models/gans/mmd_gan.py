"""MMD-GAN: a critic learns features that maximise the kernel MMD of samples and data."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ...deprecation import renamed
from ...errors import ParameterError
from ...networks import layer_inputs
from ...training import Batch, Phase
from ...validation import COUNT, POSITIVE, Number, OneOf, Rule
from ..image_generator import FAST, AdversarialModel
from .kernels import mmd2, witness
from .penalties import NO_BATCH_NORM, gradient_penalty

__all__ = ["MMDGAN"]

_CRITIC = {"features": 16, "penalty": 1.0, "activity": 1.0, "norm": "none"}


@renamed(rate="learning_rate")
@dataclass(kw_only=True, eq=False, repr=False)
class MMDGAN(AdversarialModel):
    """A generator that lowers the kernel distance of features a critic learns.

    Binkowski, Sutherland, Arbel and Gretton, *Demystifying MMD GANs* (2018). With f(x) the
    critic's vector, s = G(z), and the unbiased squared discrepancy MMD^2 of a mixture of rational
    quadratic kernels and the dot product, the players minimise

        D   -MMD^2(f(x), f(s)) + penalty (|dw/du| - 1)^2 + activity a
        G   MMD^2(f(x), f(s))

    where w(u) = mean k(f(u), f(x)) - mean k(f(u), f(s)) is the witness, its slope taken between
    images and samples, and a the mean squares of what each layer of the critic makes. The critic
    has no logit: it says where a batch lies, not what one image is like.

    Args:
        preset: "fast", made for minutes on a processor; "paper", its Adam, weights and five
            critic steps.
        features: length of the critic's vector.
        penalty: weight of the squared distance of the witness's slope from 1.
        activity: weight of the mean squares of the critic's layers; 0 leaves them alone.
        norm: of the critic, "none", "layer" or "spectral". Batch norm ties samples together,
            so that no sample has a slope of its own.
        critic_steps: of the critic for each of the generator.
        features, penalty, activity, norm, critic_steps: None takes the preset's.
        networks: modules of your own, "generator", and "critic", which makes vectors
            (n, any length).
        architecture, width, latent, flip, batch_size, learning_rate, ema, steps, minutes,
            validation_fraction, device, random_state, verbose: as of
            :class:`~pushforward.DCGAN`.

    Examples:
        >>> import numpy as np, pushforward
        >>> X = np.random.default_rng(0).integers(0, 256, (64, 16, 16), dtype=np.uint8)
        >>> model = pushforward.MMDGAN(width=4, steps=2, batch_size=8, random_state=0).fit(X)
        >>> model.sample(2, random_state=0).shape
        (2, 16, 16)
    """

    features: int | None = None
    penalty: float | None = None
    activity: float | None = None
    norm: str | None = None
    critic_steps: int | None = None

    _rules: ClassVar[Mapping[str, Rule]] = {
        "features": COUNT | None,
        "activity": Number(0, ends="[") | None,
        "penalty": POSITIVE | None,
        "norm": OneOf("none", "layer", "spectral", why=NO_BATCH_NORM) | None,
        "critic_steps": COUNT | None,
    }
    _cites: ClassVar[tuple[str, ...]] = ("binkowski2018demystifying", "gretton2012kernel")
    _parts: ClassVar[tuple[str, ...]] = ("generator", "critic")
    _presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "fast": {**FAST, **_CRITIC, "critic_steps": 2},
        "paper": {
            **FAST,
            **_CRITIC,
            **{"width": 64, "latent": 128, "learning_rate": 1e-4, "ema": None},
            **{"steps": 150_000, "minutes": None, "critic_steps": 5},
        },
    }

    def _network(self, name: str, shape: tuple[int, int, int]) -> nn.Module:
        s, nets = self.settings_, self._architecture(shape)
        if name == "generator":
            return nets.generator(s["latent"])
        return nets.critic(s["norm"], head=s["features"])

    def _phases(self) -> list[Phase]:
        adam, again = self._optimiser(), self.settings_["critic_steps"]
        return [
            Phase("critic", ("critic",), self._critic_loss, adam, repeats=again),
            Phase("generator", ("generator",), self._generator_loss, adam),
        ]

    def _features(self, x: Tensor) -> Tensor:
        """The critic's vectors, (n, features)."""
        logits = self.networks_["critic"](x)
        if logits.ndim != 2 or len(logits) != len(x):
            raise ParameterError(
                f"The network 'critic' made {tuple(logits.shape)} of {len(x)} rows. Expected a "
                f"vector for each: ({len(x)}, any length)."
            )
        return logits

    def _critic_loss(self, batch: Batch) -> dict[str, Tensor]:
        with torch.no_grad():
            fake = self._generate(self._prior(batch))
        with layer_inputs(self.networks_["critic"]) as inside:
            real_features, fake_features = self._features(batch.x), self._features(fake)
        made = [h for h in (*inside, real_features, fake_features) if h.requires_grad]

        def value(x: Tensor) -> Tensor:
            return witness(self._features(x), real_features, fake_features)

        slope = gradient_penalty(value, batch.x, fake, batch.uniform())
        return {
            "distance": -mmd2(real_features, fake_features),
            "penalty": self.settings_["penalty"] * slope,
            "activity": self.settings_["activity"] * sum(x.square().mean() for x in made),
        }

    def _generator_loss(self, batch: Batch) -> dict[str, Tensor]:
        fake = self._generate(self._prior(batch))
        return {"player": mmd2(self._features(batch.x), self._features(fake))}
