"""Glow: invertible 1x1 convolutions, exact likelihood, one latent (Kingma & Dhariwal 2018)."""

import math
import warnings
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from ...deprecation import renamed
from ...devices import inference
from ...errors import ParameterError, stacklevel_of_caller
from ...estimators.image_model import GivenImages
from ...estimators.phased_images import PixelSource
from ...training import Batch, Optimiser, Phase
from ...validation import COUNT, FLAG, SHARE, Integer, Number, OneOf, Rule
from ...wording import worded
from .gaussian_start import PixelMargins, bits_of_margins
from .glow_network import GlowNetwork
from .trained_flow import TrainedFlow

__all__ = ["Glow"]

_LN2 = math.log(2)
_MOST_VALUES = 4096  # of an image whose values can have a covariance matrix
_RECOGNISED = 256  # held-out images by which it is asked whether labels act
_STARTING = 10_000  # images that margins and covariance are learned from
_READ = 64  # of them at a time
_ASKED = 1000  # images by which it is asked whether margins help
_BITS = 1.0  # a value that they have to say more than normal distributions
_HIDDEN = 6  # times the hidden channels of a coupling that "store" keeps of each

#: What a preset decides where an argument is None. The paper's are those of its released code.
_PRESETS: dict[str, dict[str, Any]] = {
    "fast": {"depth": 8, "width": 64, "batch_size": 64, "warm_up": 100, "ema": 0.99, "shift": 0.0},
    "paper": {"depth": 32, "width": 512, "batch_size": 64, "ema": None, "shift": 0.1},
}
#: The same on a GPU: the released code has batches of 64 on each of eight cards.
_ON_A_GPU: dict[str, dict[str, Any]] = {
    "fast": {},
    "paper": {"batch_size": 512, "precision": "bfloat16"},
}
_GOALS: dict[str, dict[str, Any]] = {
    "likelihood": {"coupling": "affine", "gate_floor": 0.5, "bits": 8},
    "pictures": {"coupling": "additive", "gate_floor": 0.0, "bits": 5},
}


@renamed(rate="learning_rate")
class Glow(TrainedFlow):
    """Glow: a flow of images with an exact likelihood, and latents to interpolate and edit.

    Steps of actnorm, invertible 1x1 convolution and coupling on several scales; every part of
    the published code, the actnorms in the coupling network, the conditional prior of what
    leaves at each level and the edge channel included.

    Args:
        preset: "fast", small and made for minutes on a processor; "paper", the published size
            and schedule.
        goal: "likelihood", affine coupling of 8-bit images with a gate that is bounded below,
            so that samples stay finite; "pictures", additive coupling of 5-bit images.
        levels: L; None takes 3, or as many as leave a side of 4 pixels.
        depth: K, steps of flow a level.
        width: channels of the hidden layers of the coupling networks.
        coupling: "affine" or "additive".
        permutation: "lu", "direct" (1x1 convolutions), "reverse" or "shuffle".
        gate_floor: least value of the affine scale, in [0, 1); 0 is the published gate.
        bits: bits of each byte that are modelled, 1 to 8.
        shift: random shifts in training, as a share of the side.
        flip: mirror half of the images in training.
        learn_top: learn the prior of the last latent.
        gaussianise: begin with the margins of the pixels and the correlations of the latents,
            learned before the first step: the samples of step 0 have those of the data. They stay
            as they are; training begins from there. None takes it for "fast" and images of up to
            4,096 values, the most that it can do, if their margins are far from normal, as where
            most of an image is paper; of photographs it says less after the same steps. The
            published network has none.
        conditional: condition the prior of the last latent on labels.
        label_weight: of the loss of a classifier on that latent, for conditional models.
        memory: "store", "checkpoint" or "reversible": what is kept for the gradient. None takes
            reversible, in which memory does not grow with ``depth``, for "paper" on a processor,
            and on a GPU where what "store" keeps would not fit.
        batch_size: images a step, over all processes; None takes 64, and of "paper" on a GPU the
            512 of the released code on eight cards.
        learning_rate: learning rate of Adamax.
        warm_up: steps of linear warm-up; None of "paper" takes 10 passes over the images.
        ema: decay of the average of the weights; 0 keeps none.
        precision: "float32", or "bfloat16" for the coupling networks alone; None takes that for
            "paper" on a GPU.
        steps, minutes: budget; None of both takes 10 minutes, or the published 1,800 passes.
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
        >>> model = pushforward.Glow(depth=2, width=8, steps=5, device="cpu", random_state=0)
        >>> model.fit(X).sample(3, random_state=0).shape
        (3, 8, 8)
        >>> z = model.encode(X[:2])
        >>> bool((model.decode(z) == X[:2]).all())
        True
    """

    _cites: ClassVar[tuple[str, ...]] = ("kingma2018glow",)
    _rules: ClassVar[Mapping[str, Rule]] = {
        "preset": OneOf(*_PRESETS),
        "goal": OneOf(*_GOALS),
        "levels": COUNT | None,
        "depth": COUNT | None,
        "width": COUNT | None,
        "coupling": OneOf("affine", "additive") | None,
        "permutation": OneOf("lu", "direct", "reverse", "shuffle"),
        "gate_floor": SHARE | None,
        "bits": Integer(1, 8) | None,
        "shift": Number(0, 1, ends="[]") | None,
        "flip": FLAG,
        "learn_top": FLAG,
        "gaussianise": FLAG | None,
        "conditional": FLAG,
        "label_weight": Number(0, ends="["),
        "memory": OneOf("store", "checkpoint", "reversible") | None,
        "batch_size": COUNT | None,
        "warm_up": Integer(0) | None,
        "precision": OneOf("float32", "bfloat16") | None,
    }

    def __init__(
        self,
        *,
        preset: str = "fast",
        goal: str = "likelihood",
        levels: int | None = None,
        depth: int | None = None,
        width: int | None = None,
        coupling: str | None = None,
        permutation: str = "lu",
        gate_floor: float | None = None,
        bits: int | None = None,
        shift: float | None = None,
        flip: bool = False,
        learn_top: bool = True,
        gaussianise: bool | None = None,
        conditional: bool = False,
        label_weight: float = 0.01,
        memory: str | None = None,
        batch_size: int | None = None,
        learning_rate: float = 1e-3,
        warm_up: int | None = None,
        ema: float | None = None,
        precision: str | None = None,
        steps: int | None = None,
        minutes: float | None = None,
        validation_fraction: float = 0.05,
        device: str | None = None,
        random_state: Any = None,
        verbose: bool = False,
    ) -> None:
        self.preset = preset
        self.goal = goal
        self.levels = levels
        self.depth = depth
        self.width = width
        self.coupling = coupling
        self.permutation = permutation
        self.gate_floor = gate_floor
        self.bits = bits
        self.shift = shift
        self.flip = flip
        self.learn_top = learn_top
        self.gaussianise = gaussianise
        self.conditional = conditional
        self.label_weight = label_weight
        self.memory = memory
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.warm_up = warm_up
        self.ema = ema
        self.precision = precision
        self.steps = steps
        self.minutes = minutes
        self.validation_fraction = validation_fraction
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    def _resolve(self, shape: tuple[int, int, int], n: int) -> dict[str, Any]:
        paper = self.preset == "paper"
        device = self._device()
        decided = {"precision": "float32", "levels": _levels(shape), **_PRESETS[self.preset]}
        decided |= _GOALS[self.goal] | (_ON_A_GPU[self.preset] if device.type == "cuda" else {})
        own = {k: v for k, v in self.get_params(deep=False).items() if v is not None}
        chosen = {**decided, **{k: v for k, v in own.items() if k in decided}}
        epoch = max(1, math.ceil(n / chosen["batch_size"]))
        if "warm_up" not in chosen:
            chosen["warm_up"] = 10 * epoch if self.warm_up is None else self.warm_up
        memory = self.memory or self._memory(shape, chosen, device)
        steps, minutes = self.steps, self.minutes
        if steps is None and minutes is None:
            steps, minutes = (1800 * epoch, None) if paper else (None, 10.0)
        pixels = {"bits": chosen.pop("bits"), "shift": chosen.pop("shift"), "flip": self.flip}
        return {
            **chosen,
            "ema": chosen["ema"] or None,
            "permutation": self.permutation,
            "learn_top": self.learn_top,
            "gaussianise": self._gaussianises(shape),
            "label_weight": self.label_weight,
            "memory": memory,
            "learning_rate": self.learning_rate,
            # the released code ties the second moment's memory to one pass over the images
            "beta2": min(0.999, max(0.9, 1 - 1 / epoch)),
            "steps": steps,
            "minutes": minutes,
            "judged": 1000 if paper else 256,
            "pixels": pixels,
        }

    def _read(self, X: Any, y: Any, validation: Any, **options: Any) -> GivenImages:
        given = super()._read(X, y, validation, **options)
        if self.gaussianise is None and self.settings_["gaussianise"]:
            n, p = len(given.images), self.pixels_
            few = np.linspace(0, n - 1, min(n, _ASKED)).round().astype(int)
            x, _ = p.encode(given.images[few])
            told = bits_of_margins(x, p.low, p.high, 2**p.bits)
            self.settings_["gaussianise"] = told >= _BITS
        return given

    def _memory(
        self, shape: tuple[int, int, int], chosen: dict[str, Any], device: torch.device
    ) -> str:
        """What is kept for the gradient, where that is not given."""
        if device.type != "cuda":
            return "reversible" if self.preset == "paper" else "store"
        _, height, width = shape
        places = sum(height * width // 4**level for level in range(1, chosen["levels"] + 1))
        numbers = _HIDDEN * chosen["width"] * places * chosen["depth"] * chosen["batch_size"]
        size = numbers * (2 if chosen["precision"] == "bfloat16" else 4)
        return "store" if size < torch.cuda.mem_get_info(device)[0] / 2 else "reversible"

    def _gaussianises(self, shape: tuple[int, int, int]) -> bool:
        fits = math.prod(shape) <= _MOST_VALUES
        if self.gaussianise and not fits:
            raise ParameterError(
                f"gaussianise is True, and the images have {math.prod(shape)} values. Expected at "
                f"most {_MOST_VALUES}: leave it out, or make the images smaller."
            )
        return fits and self.preset == "fast" if self.gaussianise is None else self.gaussianise

    def _build(self, shape: tuple[int, int, int], classes: int | None) -> dict[str, nn.Module]:
        s, p = self.settings_, self.pixels_
        margins = None
        if s.get("gaussianise"):  # folders of earlier versions have no such setting
            margins = PixelMargins(shape, p.low, p.high, 2**p.bits)
        flow = GlowNetwork(
            shape,
            levels=s["levels"],
            steps=s["depth"],
            width=s["width"],
            coupling=s["coupling"],
            permutation=s["permutation"],
            gate_floor=s["gate_floor"],
            learn_top=s["learn_top"],
            classes=classes,
            memory=s["memory"],
            coupling_dtype=torch.bfloat16 if s["precision"] == "bfloat16" else None,
            seed=self._seed,
            margins=margins,
        )
        return {"flow": flow}

    def _initialise(self, source: PixelSource, x: Tensor, y: Tensor | None) -> None:
        if not self.settings_["gaussianise"]:
            return super()._initialise(source, x, y)
        few = np.random.default_rng(self._seed).permutation(len(source))[:_STARTING]

        def batches() -> Iterator[Tensor]:
            generator = torch.Generator().manual_seed(self._seed)
            for k in range(0, len(few), _READ):
                yield source.take(np.sort(few[k : k + _READ]), generator)[0].to(x.device)

        return self._flow.start(batches, x)

    def _phases(self) -> list[Phase]:
        s = self.settings_
        optimiser = Optimiser(
            "adamax",
            s["learning_rate"],
            {"betas": (0.9, s["beta2"]), "foreach": True},
            warm_up=s["warm_up"],
            hidden_warm_up=True,
        )
        return [Phase("flow", ("flow",), self._loss, optimiser)]

    def _loss(self, batch: Batch) -> dict[str, Tensor]:
        weight = self.settings_["label_weight"]
        if self.classes_ is None or weight == 0:
            return super()._loss(batch)
        assert batch.y is not None
        log_prob, logits = self._flow.log_prob_and_label_logits(batch.x, batch.y)
        surprise = nn.functional.cross_entropy(logits, batch.y) / _LN2
        return {"bits": self._bits(log_prob, batch.x).mean(), "labels": weight * surprise}

    def _signs(self, x: Tensor) -> dict[str, float]:
        return self._flow.diagnose(x)

    def _measures(self, images: np.ndarray, labels: np.ndarray | None) -> Mapping[str, float]:
        self._judged = images[:_RECOGNISED], None if labels is None else labels[:_RECOGNISED]
        return super()._measures(images, labels)

    def _finished(self) -> None:
        self._frozen: Any = None
        images, labels = self.__dict__.pop("_judged", (None, None))
        if labels is not None:
            self._warn_of_labels(images, torch.from_numpy(labels))

    def __getstate__(self) -> dict[str, Any]:
        # the frozen network follows from the weights: copied, its sums round otherwise
        made = {"_frozen": None} if "_frozen" in vars(self) else {}
        return {**vars(self), **made}

    def _warn_of_labels(self, images: np.ndarray, labels: Tensor) -> None:
        """Warn where the density of images hardly depends on their labels."""
        assert self.classes_ is not None
        classes = len(self.classes_)
        with inference():
            scores = [
                self._scored(images, torch.full_like(labels, k), draw=0) for k in range(classes)
            ]
        right = float((torch.stack(scores).argmax(0) == labels).double().mean())
        if right < 0.5 + 0.5 / classes:  # half way between guessing and knowing
            warnings.warn(
                f"The labels hardly act: by its density the class of {100 * right:.0f} % of "
                f"held-out images is recognised ({100 / classes:.0f} % by guessing), so samples "
                "of a class will not show it. Give it more minutes or a larger label_weight, or "
                + worded("take SIG(conditional=True)", "take sig with --set conditional=true")
                + ", where every label has splines of its own.",
                stacklevel=stacklevel_of_caller(),
            )

    @property
    def _inference(self) -> Any:
        if not self.__sklearn_is_fitted__():  # in training the weights still change
            return self._flow
        if self._frozen is None:
            self._frozen = self._flow.freeze()
        return self._frozen


def _levels(shape: tuple[int, int, int]) -> int:
    """Levels of the paper for images of this size: sides are halved down to 4 pixels."""
    side, levels = min(shape[1:]), 0
    sides = shape[1:]
    while levels < 3 and all(s % 2 ** (levels + 1) == 0 for s in sides):
        if side // 2 ** (levels + 1) < 4 and levels > 0:
            break
        levels += 1
    if levels == 0:
        raise ParameterError(
            f"The images are {shape[1]} x {shape[2]} pixels. Glow halves their sides, so both "
            "have to be even: crop or resize them, such as "
            + worded("open_images(..., size=32).", "--size 32.")
        )
    return levels
