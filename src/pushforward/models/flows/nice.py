"""NICE: additive couplings and a scale (Dinh, Krueger & Bengio 2015)."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from torch import nn

from ...deprecation import renamed
from ...training import Optimiser, Phase
from ...validation import COUNT, FLAG, POSITIVE, Integers, OneOf, Rule
from .nice_network import NICENetwork
from .nice_published import NICE_EPOCHS, NICE_PUBLISHED
from .trained_flow import TrainedFlow

__all__ = ["NICE"]

_FAST = {"couplings": (2, 2, 2, 2), "width": 256, "prior": "logistic", "tile": True}
_PRESETS = ("fast", "paper", *(name for name in NICE_PUBLISHED if name != "mnist"))


@renamed(rate="learning_rate")
class NICE(TrainedFlow):
    """NICE: additive couplings between halves of the pixels, whose volume only a last scale moves.

    Args:
        preset: "fast", small, by Adam, made for minutes on a processor; "paper", what was
            published for MNIST, by RMSProp with momentum and a falling rate; "tfd", "svhn",
            "cifar10", what was published for those.
        couplings: hidden layers of the network of each coupling; at least three couplings let
            every pixel depend on every other.
        width: of the hidden layers.
        prior: "logistic" or "normal"; latents are standard normal to users in both cases.
        tile: put every second pixel into the first half, as published for MNIST.
        couplings, width, prior, tile: None of them takes the preset's.
        flip: mirror half of the images in training.
        batch_size: images a step, over all processes.
        learning_rate: learning rate; None takes the preset's.
        ema: decay of the average of the weights; None keeps none, as published.
        steps, minutes: budget; None of both takes the preset's.
        validation_fraction: share of the images held out to keep the best weights, at most 1,000.
        device: "cpu", "cuda"; None takes a GPU where there is one.
        random_state: seed, RandomState, or None for numpy's global one.
        verbose: print progress to stderr.

    Attributes:
        networks_, pixels_, settings_, classes_, history_, best_, stopped_: see
            :class:`~pushforward.estimators.image_model.ImageModel`.

    Examples:
        >>> import pushforward
        >>> X = pushforward.open_images("digits").images[:500][:, 0]
        >>> model = pushforward.NICE(width=32, steps=5, device="cpu", random_state=0).fit(X)
        >>> bool((model.reconstruct(X[:5]) == X[:5]).all())
        True
    """

    _cites: ClassVar[tuple[str, ...]] = ("dinh2015nice",)
    _rules: ClassVar[Mapping[str, Rule]] = {
        "preset": OneOf(*_PRESETS),
        "couplings": Integers() | None,
        "width": COUNT | None,
        "prior": OneOf("logistic", "normal") | None,
        "tile": FLAG | None,
        "flip": FLAG,
        "batch_size": COUNT | None,
        "learning_rate": POSITIVE | None,
    }

    def __init__(
        self,
        *,
        preset: str = "fast",
        couplings: Sequence[int] | None = None,
        width: int | None = None,
        prior: str | None = None,
        tile: bool | None = None,
        flip: bool = False,
        batch_size: int | None = None,
        learning_rate: float | None = None,
        ema: float | None = None,
        steps: int | None = None,
        minutes: float | None = None,
        validation_fraction: float = 0.05,
        device: str | None = None,
        random_state: Any = None,
        verbose: bool = False,
    ) -> None:
        self.preset = preset
        self.couplings = couplings
        self.width = width
        self.prior = prior
        self.tile = tile
        self.flip = flip
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.ema = ema
        self.steps = steps
        self.minutes = minutes
        self.validation_fraction = validation_fraction
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    def _resolve(self, shape: tuple[int, int, int], n: int) -> dict[str, Any]:
        fast = self.preset == "fast"
        published = NICE_PUBLISHED["mnist" if self.preset in ("fast", "paper") else self.preset]
        network = _FAST if fast else published["network"]
        low, high = published["interval"]
        own = {
            "couplings": self.couplings,
            "width": self.width,
            "prior": self.prior,
            "tile": self.tile,
        }
        chosen = {**network, **{k: v for k, v in own.items() if v is not None}}
        learning_rate = (
            published["learning_rate"] if self.learning_rate is None else self.learning_rate
        )
        batch_size = self.batch_size or published["batch_size"]
        steps, minutes = self.steps, self.minutes
        if steps is None and minutes is None:
            steps, minutes = (None, 10.0) if fast else (NICE_EPOCHS * -(-n // batch_size), None)
        return {
            **chosen,
            "couplings": list(chosen["couplings"]),
            "batch_size": batch_size,
            "learning_rate": learning_rate,
            "least": published["last_rate"] / published["learning_rate"],
            "optimiser": "adam" if fast else "rmsprop",
            "ema": self.ema or None,
            "precision": "float32",
            "steps": steps,
            "minutes": minutes,
            "judged": 256 if fast else 1000,
            "pixels": {"low": low, "high": high, "flip": self.flip},
        }

    def _build(self, shape: tuple[int, int, int], classes: int | None) -> dict[str, nn.Module]:
        s = self.settings_
        network = NICENetwork(
            shape, s["couplings"], s["width"], s["prior"], tile=s["tile"], seed=self._seed
        )
        return {"flow": network}

    def _phases(self) -> list[Phase]:
        s = self.settings_
        optimiser = Optimiser("adam", s["learning_rate"], {"betas": (0.9, 0.99)})
        if s["optimiser"] == "rmsprop":
            # the released code clamps the root mean square at 1e-2, here it is added
            settings = {"alpha": 0.95, "eps": 1e-2, "momentum": 0.5}
            optimiser = Optimiser(
                "rmsprop", s["learning_rate"], settings, shrink=1 / 1.0005, least=s["least"]
            )
        return [Phase("flow", ("flow",), self._loss, optimiser)]
