"""What adversarial and variational models of images share: a prior, networks, a judge."""

import copy
import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from ..artifact import read_folder
from ..errors import DataError, ModelFileError, ParameterError, TrainingError, UnsupportedError
from ..nets import Architecture, find_architecture
from ..training import Batch, Optimiser
from ..training.image_model import CHUNK, ImageModel, PixelSource
from .sample_distance import diversity, patch_distance

__all__ = ["ABLE", "FAST", "AdversarialModel", "LacksError", "positive"]

#: What trains steadily in minutes on a processor.
FAST: Mapping[str, Any] = {
    "architecture": "conv",
    "width": 32,
    "latent": 64,
    "batch_size": 64,
    "rate": 5e-4,
    "betas": [0.5, 0.9],
    "decay": "constant",
    "ema": 0.995,
    "steps": None,
    "minutes": 10.0,
}

_JUDGED = 256  # held-out images, and samples, that a look compares
_COLLAPSED = 0.2  # of the diversity of the data

#: Which models can answer what not every one can.
ABLE: Mapping[str, tuple[str, ...]] = {
    "critic": ("DCGAN", "WGANGP", "AlphaGAN"),
    "encode": ("AlphaGAN", "VAE"),
    "reconstruct": ("AlphaGAN", "VAE"),
    "interpolate": ("AlphaGAN", "VAE"),
    "latent_report": ("AlphaGAN", "VAE"),
    "elbo": ("VAE",),
}


class LacksError(UnsupportedError, AttributeError):
    """The model has no such method; the text names those that have. ``hasattr`` is False."""


@dataclass(kw_only=True, eq=False, repr=False)
class AdversarialModel(ImageModel):
    """A generator of images from standard normal codes, and the networks that teach it.

    Subclasses give presets, networks (:meth:`_networks`) and phases. Their settings are fields;
    a field that is None takes the value of the preset.
    """

    preset: str = "fast"
    architecture: str | None = None
    width: int | None = None
    latent: int | None = None
    networks: Mapping[str, nn.Module] | None = None
    flip: bool = False
    batch_size: int | None = None
    rate: float | None = None
    ema: float | None = None
    steps: int | None = None
    minutes: float | None = None
    validation_fraction: float = 0.05
    device: str | None = None
    random_state: Any = None
    verbose: bool = False

    _presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    _parts: ClassVar[tuple[str, ...]] = ("generator",)
    _noise_of_bytes: ClassVar[bool] = False  # a likelihood needs it, a critic sees through it

    def __getattr__(self, name: str) -> Any:
        if name in ABLE:
            raise LacksError(
                f"{type(self).__name__} has no {name}(). These models have: "
                f"{', '.join(ABLE[name])}."
            )
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    # Settings and networks

    def _resolve(self, shape: tuple[int, int, int], n: int) -> dict[str, Any]:
        if self.preset not in self._presets:
            raise ParameterError(
                f"preset is {self.preset!r}. Expected one of {', '.join(self._presets)}."
            )
        preset = dict(self._presets[self.preset])
        if self.steps is not None or self.minutes is not None:
            preset |= {"steps": None, "minutes": None}
        own = {name: getattr(self, name, None) for name in preset}
        settings = preset | {name: value for name, value in own.items() if value is not None}
        for name in ("width", "latent", "batch_size"):
            value = settings[name]
            if not isinstance(value, (int, np.integer)) or value < 1:
                raise ParameterError(
                    f"{name} is {value!r}. Expected a whole number of at least 1."
                )
        if settings["batch_size"] < 2:
            raise ParameterError("batch_size is 1. Expected at least 2: batch norm needs several.")
        return settings | {
            "ema": settings["ema"] or None,
            "precision": "float32",
            "own": sorted(self._own()),
            "pixels": {
                "low": -1.0,
                "high": 1.0,
                "flip": self.flip,
                "dequantise": self._noise_of_bytes,
            },
        }

    def _own(self) -> dict[str, nn.Module]:
        """The user's networks by name."""
        if not isinstance(self.networks, Mapping):  # None, or the trace of them in a config
            return {}
        for name, network in self.networks.items():
            if name not in self._parts:
                raise ParameterError(
                    f"networks has {name!r}. {type(self).__name__} has {', '.join(self._parts)}."
                )
            if not isinstance(network, nn.Module):
                raise ParameterError(
                    f"networks[{name!r}] is a {type(network).__name__}. Expected a torch module."
                )
        return dict(self.networks)

    def _build(self, shape: tuple[int, int, int], classes: int | None) -> dict[str, nn.Module]:
        own = self._own()
        with torch.random.fork_rng([]):
            torch.manual_seed(self._seed)
            return {
                name: copy.deepcopy(own[name]) if name in own else self._network(name, shape)
                for name in self._parts
            }

    def _network(self, name: str, shape: tuple[int, int, int]) -> nn.Module:
        """The network of that name, with the weights it begins with."""
        raise NotImplementedError

    def _architecture(self, shape: tuple[int, int, int]) -> Architecture:
        return find_architecture(
            self.settings_["architecture"], shape, int(self.settings_["width"])
        )

    def _optimiser(self) -> Optimiser:
        s = self.settings_
        return Optimiser("adam", s["rate"], {"betas": tuple(s["betas"])}, decay=s["decay"])

    # Mathematics that all of them need

    def _generate(self, z: Tensor) -> Tensor:
        return self.networks_["generator"](z)

    def _prior(self, batch: Batch) -> Tensor:
        """Codes (n, latent) of the prior, one for each row of the batch."""
        return batch.normal(self.settings_["latent"])

    def _logit(self, name: str, x: Tensor) -> Tensor:
        """What a critic says of each row, (n,)."""
        said = self.networks_[name](x)
        if said.numel() != len(x):
            raise ParameterError(
                f"The network {name!r} made {tuple(said.shape)} of {len(x)} rows. Expected one "
                f"number for each: ({len(x)},) or ({len(x)}, 1)."
            )
        return said.flatten()

    # Use

    def _make(self, n: int, generator: torch.Generator, **options: Any) -> Tensor:
        if options:
            raise ParameterError(
                f"{type(self).__name__} has no option {next(iter(options))!r} of sampling."
            )
        return self._decoded(torch.randn(n, self.settings_["latent"], generator=generator))

    def _decoded(self, z: Tensor) -> Tensor:
        """Codes as what the networks see, (n, C, H, W) on the CPU."""
        device = self._device()
        x = torch.cat([self._generate(part.to(device)).cpu() for part in z.split(CHUNK)])
        if x.shape[1:] != self.pixels_.shape:
            raise ParameterError(
                f"The generator makes images of shape {tuple(x.shape[1:])}. Expected "
                f"{self.pixels_.shape}, as in fit."
            )
        if not bool(torch.isfinite(x).all()):
            raise TrainingError("Images of the generator are not finite. Train at a lower rate.")
        return x

    def decode(self, Z: Any, y: Any = None) -> np.ndarray:
        """Images of codes: (n, latent) -> uint8 in the layout of ``fit``.

        Args:
            Z: codes; the prior is standard normal.
            y: not used.

        Raises:
            DataError: for codes of another length, and such as are not finite.
        """
        self._check_fitted()
        z = torch.as_tensor(np.asarray(Z, dtype=np.float32))
        if z.ndim != 2 or not len(z) or z.shape[1] != self.settings_["latent"]:
            raise DataError(
                f"Z has shape {tuple(z.shape)}. Expected (n, {self.settings_['latent']})."
            )
        if not bool(torch.isfinite(z).all()):
            raise DataError("Z has values that are not finite numbers.")
        with torch.no_grad():
            return self.pixels_.decode(self._decoded(z))

    def _seen(self, images: np.ndarray) -> Tensor:
        """Bytes as the networks see them, without noise."""
        return self.pixels_.encode(images, None)[0].to(self._device())

    # How it is judged

    def _prepare(self, source: PixelSource) -> None:
        self._most_diverse = 0.0
        if self.settings_["own"]:  # an error now is better than one after the first minutes
            for network in self.networks_.values():
                network.eval()
            with torch.no_grad():
                self._decoded(torch.zeros(2, self.settings_["latent"]))

    def _measures(self, images: np.ndarray, labels: np.ndarray | None) -> Mapping[str, float]:
        images = images[:_JUDGED]
        real = self._seen(images).cpu()
        made = self._make(len(real), torch.Generator().manual_seed(0)).clamp(-1, 1)
        spread = diversity(real, made)
        if spread < _COLLAPSED < self._most_diverse / 2:
            warnings.warn(
                f"The samples have collapsed: they differ {spread:.2f} times as much as the "
                f"images do, after {self._most_diverse:.2f} before. The best weights so far are "
                "kept; lower the rate, or try another seed.",
                stacklevel=2,
            )
        self._most_diverse = max(spread, self._most_diverse)
        return {"patch_distance": patch_distance(real, made), "diversity": spread}

    # Networks of one's own have no place in a folder

    def _restore(self, state: dict[str, Any], tensors: dict[str, Tensor]) -> None:
        missing = [name for name in state["settings"]["own"] if name not in self._own()]
        if missing:
            raise ModelFileError(
                f"This {type(self).__name__} was fitted with networks of your own "
                f"({', '.join(missing)}); a folder holds their weights, never their code. Give "
                f"them: {type(self).__name__}(networks={{...}}).restore(folder)."
            )
        super()._restore(state, tensors)

    def restore(self, folder: str | os.PathLike[str]) -> Any:
        """Take the weights of a saved model whose networks are your own.

        Args:
            folder: as :meth:`save` wrote it; this model was made with ``networks`` like those.

        Returns:
            The model itself, fitted.

        Raises:
            ModelFileError: for a model of another class, and weights that do not fit.
        """
        config, tensors = read_folder(folder)
        if config.get("class") != type(self).__name__:
            raise ModelFileError(
                f"{folder} holds a model of class {config.get('class')!r}, not "
                f"{type(self).__name__}."
            )
        try:
            self._restore(config, tensors)
        except (KeyError, RuntimeError) as error:
            raise ModelFileError(f"The weights in {folder} do not fit: {error}") from error
        return self


def positive(settings: Mapping[str, Any], names: Sequence[str], *, whole: bool = False) -> None:
    """Refuse settings that are not numbers above 0.

    Raises:
        ParameterError: naming the first.
    """
    kinds = (int, np.integer) if whole else (int, float)
    for name in names:
        value = settings[name]
        if isinstance(value, bool) or not isinstance(value, kinds) or not 0 < value < float("inf"):
            kind = "whole number" if whole else "number"
            raise ParameterError(f"{name} is {value!r}. Expected a {kind} above 0.")
