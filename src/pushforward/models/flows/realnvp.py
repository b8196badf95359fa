"""RealNVP: affine couplings on several scales (Dinh, Sohl-Dickstein & Bengio 2017)."""

from collections.abc import Mapping
from typing import Any, ClassVar

from torch import Tensor, nn

from ...deprecation import renamed
from ...training import Batch, Optimiser, Phase, Processes
from ...validation import COUNT, FLAG, Number, OneOf, Rule
from .masks import largest_scales
from .realnvp_network import RealNVPNetwork
from .trained_flow import TrainedFlow

__all__ = ["RealNVP"]

_PRESETS: dict[str, dict[str, Any]] = {
    "fast": {"width": 16, "minutes": 10.0, "judged": 256},
    "paper": {"width": 32, "steps": 500_000, "judged": 1000},
}


@renamed(rate="learning_rate")
class RealNVP(TrainedFlow):
    """RealNVP: checkerboard and channel couplings, batch normalisation as a layer of the flow.

    Pixels go through a logit first. The latent is one image-shaped tensor.

    Args:
        preset: "fast", small and made for minutes on a processor; "paper", the published size.
        scales: None takes 3 or, of the paper, 4 up to 32 pixels and 5 beyond, if the size
            allows them.
        width: channels of the networks at the first scale; doubles with each.
        blocks: residual blocks a network; None takes 1 or, of the paper, 4 up to 32 pixels and 2
            beyond.
        alpha: distance from the ends of (0, 1) that the logit keeps, 0.05 as published.
        flip: mirror half of the images in training.
        batch_size: images a step, over all processes.
        learning_rate: learning rate of Adam.
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
        >>> model = pushforward.RealNVP(width=4, steps=5, device="cpu", random_state=0).fit(X)
        >>> model.sample(3, random_state=0).shape
        (3, 8, 8)
        >>> model.bits_per_dim(X) < 8
        True
    """

    _cites: ClassVar[tuple[str, ...]] = ("dinh2017density",)
    _rules: ClassVar[Mapping[str, Rule]] = {
        "preset": OneOf(*_PRESETS),
        "scales": COUNT | None,
        "width": COUNT | None,
        "blocks": COUNT | None,
        "alpha": Number(1e-7, 0.25, ends="[]"),
        "flip": FLAG,
    }

    def __init__(
        self,
        *,
        preset: str = "fast",
        scales: int | None = None,
        width: int | None = None,
        blocks: int | None = None,
        alpha: float = 0.05,
        flip: bool = False,
        batch_size: int = 64,
        learning_rate: float = 1e-3,
        ema: float | None = None,
        steps: int | None = None,
        minutes: float | None = None,
        validation_fraction: float = 0.05,
        device: str | None = None,
        random_state: Any = None,
        verbose: bool = False,
    ) -> None:
        self.preset = preset
        self.scales = scales
        self.width = width
        self.blocks = blocks
        self.alpha = alpha
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
        chosen = _PRESETS[self.preset]
        given = self.steps is not None or self.minutes is not None
        paper, large = self.preset == "paper", max(shape[1:]) > 32
        scales = min(4 + large if paper else 3, largest_scales(*shape[1:]))
        blocks = (2 if large else 4) if paper else 1
        return {
            "scales": scales if self.scales is None else self.scales,
            "width": chosen["width"] if self.width is None else self.width,
            "blocks": blocks if self.blocks is None else self.blocks,
            "batch_size": self.batch_size,
            "learning_rate": self.learning_rate,
            "ema": self.ema or None,
            "precision": "float32",
            "steps": self.steps if given else chosen.get("steps"),
            "minutes": self.minutes if given else chosen.get("minutes"),
            "judged": chosen["judged"],
            "pixels": {"logit": self.alpha, "flip": self.flip},
        }

    def _build(self, shape: tuple[int, int, int], classes: int | None) -> dict[str, nn.Module]:
        s = self.settings_
        sizes = {"scales": s["scales"], "width": s["width"], "blocks": s["blocks"]}
        return {"flow": RealNVPNetwork(shape, **sizes, seed=self._seed)}

    def _phases(self) -> list[Phase]:
        adam = Optimiser("adam", self.settings_["learning_rate"], clip=100.0)
        return [Phase("flow", ("flow",), self._loss, adam)]

    def _share(self, processes: Processes) -> None:
        self._flow.sum_over_processes(processes.sum if processes.count > 1 else None)

    def _loss(self, batch: Batch) -> dict[str, Tensor]:
        bits = self._bits(self._flow.training_log_prob(batch.x), batch.x).mean()
        return {"bits": bits, "penalty": self._flow.penalty()}
