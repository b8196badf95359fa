"""The base class of adversarial and variational models of images."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from ..errors import MissingMethodError, stacklevel_of_caller
from ..estimators.generator_model import GeneratorModel
from ..estimators.phased_images import PhasedImages, PixelSource
from ..networks import ARCHITECTURES, Architecture, find_architecture
from ..validation import COUNT, FLAG, Integer, OneOf, Rule
from .image_distance import diversity, patch_distance

__all__ = ["FAST", "MODELS_WITH", "QUICK", "AdversarialModel", "MissingMethodError"]

#: What trains steadily in minutes on a processor.
FAST: Mapping[str, Any] = {
    "architecture": "conv",
    "width": 32,
    "latent": 64,
    "batch_size": 64,
    "optimiser": "adam",
    "learning_rate": 5e-4,
    "betas": [0.5, 0.9],
    "decay": "constant",
    "ema": 0.999,
    "steps": None,
    "minutes": 10.0,
}
#: More steps of half the size at twice the rate. Fashion-MNIST, seed 100, distances of features
#: learned from the training images: alpha-GAN after 90 CPU seconds 32 instead of 65; after 60
#: seconds DCGAN 42 instead of 69, AGE 24 (30), WGAN-GP 57 (98) and VAE-GAN 87 (108).
QUICK: Mapping[str, Any] = {"batch_size": 32, "learning_rate": 1e-3}

_COMPARED = 256  # held-out images, and samples, between which a distance is taken
_COLLAPSED = 0.2  # of the diversity of the data

_FLOWS, _WITH_CODES = ("Glow", "RealNVP", "NICE", "SIG"), ("AlphaGAN", "VAE", "VAEGAN", "AGE")
#: Which models of images can answer what not every one can.
MODELS_WITH: Mapping[str, tuple[str, ...]] = {
    "critic": ("DCGAN", "WGAN", "WGANGP", "AlphaGAN", "VAEGAN", "BEGAN", "EBGAN", "DFM"),
    **dict.fromkeys(("encode", "reconstruct", "interpolate"), (*_WITH_CODES, *_FLOWS)),
    "latent_report": _WITH_CODES,
    "elbo": ("VAE",),
    **dict.fromkeys(("score_samples", "score"), _FLOWS),
    "bits_per_dim": (*_FLOWS, "VAE"),  # of a VAE a bound
    **dict.fromkeys(("manipulate", "diagnose"), _FLOWS),
    **dict.fromkeys(("inlier_scores", "inlier_maps", "p_values", "score_maps"), ("SIG",)),
}


@dataclass(kw_only=True, eq=False, repr=False)
class AdversarialModel(GeneratorModel, PhasedImages):
    """A generator of images from codes of a prior, and the networks it is trained with.

    Subclasses give presets, networks (:meth:`_network`) and phases.
    """

    architecture: str | None = None
    width: int | None = None
    flip: bool = False

    _rules: ClassVar[Mapping[str, Rule]] = {
        "architecture": OneOf(*ARCHITECTURES) | None,
        "width": COUNT | None,
        "batch_size": Integer(2, why="batch norm needs several") | None,
        "flip": FLAG,
    }
    _others: ClassVar[Mapping[str, tuple[str, ...]]] = MODELS_WITH
    _rows: ClassVar[str] = "images"
    # What of a patch distance is chance: 24 draws of 256 images of Fashion-MNIST are 0.062 from
    # 256 others, with a deviation of 0.005, blurred ones 0.230 with 0.006. The latest of 26 may be
    # 2.5 deviations above its mean where the least is 2 below; players that go round add to that.
    _tolerance: ClassVar[float] = 0.03
    _noise_of_bytes: ClassVar[bool] = False  # a likelihood needs it, a critic sees through it

    def _row_shape(self) -> tuple[int, ...]:
        return self.pixels_.shape

    # Settings and networks

    def _resolve(self, shape: tuple[int, int, int], n: int) -> dict[str, Any]:
        settings = self._of_preset()
        return settings | {
            "pixels": {
                "low": -1.0,
                "high": 1.0,
                "flip": self.flip,
                "dequantise": self._noise_of_bytes,
            },
        }

    def _architecture(self, shape: tuple[int, int, int]) -> Architecture:
        return find_architecture(
            self.settings_["architecture"], shape, int(self.settings_["width"])
        )

    def _to_network(self, images: np.ndarray) -> Tensor:
        """Bytes as inputs of the networks, without noise."""
        return self.pixels_.encode(images, None)[0].to(self._device())

    # How it is judged

    def _prepare(self, source: PixelSource) -> None:
        self._most_diverse = 0.0
        super()._prepare(source)

    def _measures(self, images: np.ndarray, labels: np.ndarray | None) -> Mapping[str, float]:
        images = images[:_COMPARED]
        real = self._to_network(images).cpu()
        made = self._make(len(real), torch.Generator().manual_seed(0)).clamp(-1, 1)
        spread = diversity(real, made)
        if spread < _COLLAPSED < self._most_diverse / 2:
            warnings.warn(
                f"The samples have collapsed: they differ {spread:.2f} times as much as the "
                f"images do, after {self._most_diverse:.2f} before. The best weights so far are "
                "kept; lower the learning_rate, or try another seed.",
                stacklevel=stacklevel_of_caller(),
            )
        self._most_diverse = max(spread, self._most_diverse)
        return {"patch_distance": patch_distance(real, made), "diversity": spread}
