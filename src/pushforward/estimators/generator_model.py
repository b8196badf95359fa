"""The base class of models with a generator: presets, prior, networks and critic."""

import copy
import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import update_bn

from ..devices import inference, on_host, sizes_of
from ..errors import DataError, MissingMethodError, ModelFileError, ParameterError, TrainingError
from ..storage.migrations import migrated
from ..storage.model_folder import read_model
from ..training import Batch, Optimiser
from ..validation import COUNT, POSITIVE, Instance, OneOf, Rule, check
from .base import UNREADABLE
from .capabilities import LatentSpace
from .parameters import drawn_seed
from .phased_model import PhasedModel
from .prior import Prior

__all__ = ["CriticModel", "GeneratorModel", "MissingMethodError"]

_REFRESH_BATCH, _REFRESH_BATCHES = 128, 16  # codes: a fraction of a second, moments to 2 %


@dataclass(kw_only=True, eq=False, repr=False)
class GeneratorModel(PhasedModel):
    """A generator of rows from codes of a prior, and the networks it is trained with.

    Subclasses give presets, networks (:meth:`_network`), phases and what a row is
    (:meth:`_row_shape`, :meth:`_to_user`); the prior is standard normal unless they say what
    becomes of such noise (:meth:`prior_codes`). Their settings are fields; a field that is None
    takes the value of the preset.
    """

    preset: str = "fast"
    latent: int | None = None
    networks: Mapping[str, nn.Module] | None = None
    batch_size: int | None = None
    learning_rate: float | None = None
    ema: float | None = None
    steps: int | None = None
    minutes: float | None = None
    validation_fraction: float = 0.05
    device: str | None = None
    random_state: Any = None
    verbose: bool = False

    _rules: ClassVar[Mapping[str, Rule]] = {
        "latent": COUNT | None,
        "networks": Instance(Mapping, description="modules by name") | None,
        "batch_size": COUNT | None,
        "learning_rate": POSITIVE | None,
    }
    _presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    _parts: ClassVar[tuple[str, ...]] = ("generator",)
    _others: ClassVar[Mapping[str, tuple[str, ...]]] = {}  # methods it may lack, and who has them
    _rows: ClassVar[str] = "rows"  # what the generator makes, in a word

    def __getattr__(self, name: str) -> Any:
        if name in self._others:
            able = ", ".join(self._others[name])
            others = f"These models have: {able}." if able else f"No model of {self._rows} has."
            raise MissingMethodError(f"{type(self).__name__} has no {name}(). {others}")
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def _row_shape(self) -> tuple[int, ...]:
        """Shape of what the generator makes of one code."""
        raise NotImplementedError

    def _network(self, name: str, shape: Any) -> nn.Module:
        """The network of that name, with initial weights."""
        raise NotImplementedError

    def _to_network(self, rows: Any) -> Tensor:
        """Rows of :meth:`_chunks` as input of the networks, on their device."""
        raise NotImplementedError

    # Settings and networks

    @classmethod
    def _all_rules(cls) -> dict[str, Rule]:
        return {"preset": OneOf(*cls._presets), **super()._all_rules()}

    def _preset(self) -> dict[str, Any]:
        """The preset's settings."""
        return dict(self._presets[self.preset])

    def _of_preset(self) -> dict[str, Any]:
        """The preset's settings, with those that were given in their place."""
        preset = self._preset()
        if self.steps is not None or self.minutes is not None:
            preset |= {"steps": None, "minutes": None}
        given = self.get_params(deep=False)
        settings = preset | {name: given[name] for name in preset if given.get(name) is not None}
        return settings | {
            "ema": settings["ema"] or None,
            "precision": "float32",
            "own": sorted(self._own()),
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

    def _build(self, shape: Any, classes: int | None = None) -> dict[str, nn.Module]:
        own = self._own()
        with torch.random.fork_rng([]):
            torch.manual_seed(self._seed)
            return {
                name: copy.deepcopy(own[name]) if name in own else self._network(name, shape)
                for name in self._parts
            }

    def _prepare(self, source: Any) -> None:
        if self.settings_["own"]:  # an error now is better than one after the first minutes
            for network in self.networks_.values():
                network.eval()
            with inference():
                self._try_generator()

    def _try_generator(self) -> None:
        """Refuse a generator of one's own that does not make rows of codes (2, latent)."""
        latent = self.settings_["latent"]
        codes = self.prior_codes(torch.ones(2, latent)).to(self._device())
        try:
            made = self._generate(codes)
        except (RuntimeError, TypeError, ValueError, IndexError) as error:
            if "generator" not in self.settings_["own"]:
                raise
            raise ParameterError(
                f"The generator in networks= fails on codes of shape (2, {latent}): {error}. "
                f"Expected a module that takes (n, {latent}); where yours takes (n, {latent}, 1, "
                f"1), give nn.Sequential(nn.Unflatten(1, ({latent}, 1, 1)), yours)."
            ) from error
        if not isinstance(made, Tensor):
            raise ParameterError(
                f"The generator in networks= returns a {type(made).__name__}. Expected one "
                f"tensor, (n, {', '.join(map(str, self._row_shape()))}): wrap it in a module that "
                "returns its rows alone."
            )
        self._decoded(self.prior_codes(torch.ones(2, latent)))

    def _refresh(self) -> None:
        """Estimate the moments of the generator's batch norm on codes of the prior."""
        generator, latent = torch.Generator().manual_seed(0), self.settings_["latent"]
        codes = (
            self.prior_codes(torch.randn(_REFRESH_BATCH, latent, generator=generator))
            for _ in range(_REFRESH_BATCHES)
        )
        update_bn(codes, self.networks_["generator"], device=self._device())

    def _optimiser(self) -> Optimiser:
        s = self.settings_
        own = {"betas": tuple(s["betas"])} if s["optimiser"] == "adam" else {}
        return Optimiser(s["optimiser"], s["learning_rate"], own, decay=s["decay"])

    # Mathematics that all of them need

    def _generate(self, z: Tensor) -> Tensor:
        return self.networks_["generator"](z)

    def prior_codes(self, noise: Tensor) -> Tensor:
        """Codes of the prior, (n, latent), that standard normal noise of that shape becomes."""
        return noise

    def _prior(self, batch: Batch) -> Tensor:
        """Codes (n, latent) of the prior, one for each row of the batch."""
        return self.prior_codes(batch.normal(self.settings_["latent"]))

    def _logit(self, name: str, x: Tensor) -> Tensor:
        """The output of a critic for each row, (n,)."""
        logits = self.networks_[name](x)
        if not isinstance(logits, Tensor):
            raise ParameterError(
                f"The network {name!r} returns a {type(logits).__name__}. Expected one tensor."
            )
        if logits.numel() != len(x):
            raise ParameterError(
                f"The network {name!r} made {tuple(logits.shape)} of {len(x)} rows. Expected one "
                f"number for each: ({len(x)},) or ({len(x)}, 1)."
            )
        return logits.flatten()

    # Use

    def _make(self, n: int, generator: torch.Generator, **options: Any) -> Tensor:
        if options:
            raise ParameterError(
                f"{type(self).__name__} has no option {next(iter(options))!r} of sampling."
            )
        return self._decoded(self._codes(n, generator))

    def _codes(self, n: int, generator: torch.Generator) -> Tensor:
        return self.prior_codes(torch.randn(n, self.settings_["latent"], generator=generator))

    def prior(self, n_samples: int = 1, random_state: Any = None) -> np.ndarray:
        """Draw codes of the prior, (n, latent) float32: ``sample`` is ``decode`` of them.

        Args:
            n_samples: how many, 1 or more.
            random_state: seed, RandomState, or None for numpy's global one; a seed draws the
                codes of ``sample``.
        """
        self._check_fitted()
        check({"n_samples": COUNT}, {"n_samples": n_samples})
        seed = drawn_seed(random_state)
        return self._codes(int(n_samples), torch.Generator().manual_seed(seed)).numpy()

    def _at_once(self) -> int:
        """How many rows go through a network at once."""
        return sizes_of(self._device()).rows_of(math.prod(self._row_shape()))

    def _decoded(self, z: Tensor) -> Tensor:
        """Decoded codes, (n, *row shape) on the CPU, as :meth:`_to_user` takes them."""
        device = self._device()
        x = torch.cat([self._generate(part.to(device)).cpu() for part in z.split(self._at_once())])
        if x.shape[1:] != self._row_shape():
            raise ParameterError(
                f"The generator makes {self._rows} of shape {tuple(x.shape[1:])}. Expected "
                f"{self._row_shape()}, as in fit."
            )
        if not bool(torch.isfinite(x).all()):
            raise TrainingError(
                f"{self._rows.capitalize()} of the generator are not finite. Train at a lower "
                "learning_rate."
            )
        return x

    def decode(self, Z: Any, y: Any = None) -> Any:
        """Decode codes to rows, in the form of ``fit``.

        Args:
            Z: codes (n, latent), such as those of :meth:`prior`.
            y: not used.

        Raises:
            DataError: for codes of another length, and such as are not finite.
        """
        self._check_fitted()
        z = torch.as_tensor(np.asarray(on_host(Z), dtype=np.float32))
        if z.ndim != 2 or not len(z) or z.shape[1] != self.settings_["latent"]:
            raise DataError(
                f"Z has shape {tuple(z.shape)}. Expected (n, {self.settings_['latent']})."
            )
        if not bool(torch.isfinite(z).all()):
            raise DataError("Z has values that are not finite numbers.")
        with inference():
            return self._to_user(self._decoded(z))

    def _abilities(self) -> dict[str, Any]:
        def sample(n: int, generator: torch.Generator) -> Tensor:
            return self._codes(n, generator).to(self._device())

        noise = torch.ones(1, self.settings_["latent"])
        plain = self.prior_codes(noise) is noise
        prior = Prior(sample, Prior.normal(1).log_prob if plain else None)
        return {
            **super()._abilities(),
            "latent_space": LatentSpace(prior, self._generate, self._encoder()),
        }

    def _encoder(self) -> Callable[[Tensor], Tensor] | None:
        """The map from inputs of the networks to codes (n, latent); None without an encoder."""
        return None

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
        config, tensors, version = read_model(folder)
        if config.get("class") != type(self).__name__:
            raise ModelFileError(
                f"{folder} holds a model of class {config.get('class')!r}, not "
                f"{type(self).__name__}."
            )
        config = migrated(config, folder, version)
        try:
            self._restore(config, tensors)
        except UNREADABLE as error:
            raise ModelFileError(f"The weights in {folder} do not fit: {error}") from error
        return self


class CriticModel(GeneratorModel):
    """A model with a critic, a network that discriminates data from samples."""

    def _abilities(self) -> dict[str, Any]:
        def critic(x: Tensor) -> Tensor:
            # rows are where the generator is that is judged, which may be another model's
            return self._logit("critic", x.to(self._device())).to(x.device)

        return {**super()._abilities(), "critic": critic}

    def critic(self, X: Any) -> np.ndarray:
        """The critic's output for rows like those of ``fit``, (n,) float32: higher is more real.

        A logit where it was trained as a classifier, so that odds are its exponential. It was
        trained against this generator only; it is no likelihood.

        Raises:
            DataError: for rows of another shape.
        """
        self._check_fitted()
        with inference():
            parts = [self._logit("critic", self._to_network(x)).cpu() for _, x in self._chunks(X)]
        return torch.cat(parts).numpy()
