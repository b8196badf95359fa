"""The contract of models that are fitted in a run: data, budget, best weights, saving."""

import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
from torch import Tensor, nn

from ..devices import find_device, inference
from ..errors import ParameterError
from ..storage.weights import built_to_fit
from ..validation import MINUTES, SHARE, Device, Rule, Seed, Verbosity
from .base import Model
from .parameters import drawn_seed
from .run_records import best_of, history_of, seed_of, settings_of

__all__ = ["Report", "TrainedModel", "print_report"]

Report = Callable[[str, float], None]

_MOST_HELD_OUT = 1000


class TrainedModel(Model):
    """A generative model whose fit is a run, with a folder of its own where that is wanted.

    Subclasses know what a row is: how the data come in (:meth:`_read`) and out
    (:meth:`_to_user`), with which networks (:meth:`_begin`), and how these are fitted
    (:meth:`_train`): by the phases of a :class:`~pushforward.estimators.phased_model.PhasedModel`,
    or layer by layer. This class knows what is alike: arguments, records, sampling, saving.

    Attributes:
        networks_: the trained networks by name.
        settings_: every setting, with what the presets decided.
        history_: records of the training, one a line of ``log.jsonl``.
        best_: step and measures of the weights that are kept.
        stopped_: why training ended.
    """

    _rules: ClassVar[Mapping[str, Rule]] = {
        "minutes": MINUTES,
        "validation_fraction": SHARE,
        "device": Device() | None,
        "random_state": Seed(),
        "verbose": Verbosity(),
    }
    networks_: dict[str, nn.Module]
    settings_: dict[str, Any]
    history_: list[dict[str, Any]]
    best_: dict[str, Any] | None = None  # nor before a fit
    stopped_: str

    minutes: float | None
    validation_fraction: float
    device: str | None
    random_state: Any
    verbose: bool

    # What a model says of itself

    def _read(self, X: Any, y: Any, validation: Any, **options: Any) -> Any:
        """The user's data, checked; learns the settings, and of the data what needs no seed."""
        raise NotImplementedError

    def _train(
        self,
        data: Any,
        folder: str | Path | None,
        tensorboard: bool,
        report: Report | None,
    ) -> None:
        """Fit the networks to what :meth:`_read` returned; arguments as of ``fit``."""
        raise NotImplementedError

    def _picture(self, path: Path) -> None:
        """Draw samples of latents that stay the same through the run; not every model does."""

    def _begin(self) -> dict[str, nn.Module]:
        """Networks with the weights they begin with; of what is learned but weights, and seed."""
        raise NotImplementedError

    def _finished(self) -> None:
        """Called when the networks have their last weights."""

    def _make(self, n: int, generator: torch.Generator, **options: Any) -> Tensor:
        """n rows, as :meth:`_to_user` takes them."""
        raise NotImplementedError

    def _chunks(self, X: Any) -> Iterator[tuple[slice, Any]]:
        """The user's rows, checked, as many at a time as go through a network."""
        raise NotImplementedError

    def _to_user(self, x: Tensor) -> Any:
        """What :meth:`_make` made in the form of ``fit``."""
        raise NotImplementedError

    # Training

    def fit(
        self,
        X: Any,
        y: Any = None,
        *,
        validation: Any = None,
        folder: str | Path | None = None,
        tensorboard: bool = False,
        report: Report | None = None,
    ) -> Self:
        """Train on rows.

        Args:
            X: the rows.
            y: what belongs to each, for models that learn of it.
            validation: rows to choose the best weights by; None holds out a share of X.
            folder: where checkpoints, logs (``log.jsonl``, ``log.csv``) and samples go. A run
                that is there already is resumed.
            tensorboard: also log for TensorBoard, into the folder.
            report: called with a line of text and the share of the budget used.

        Returns:
            The trained model itself.

        Raises:
            DataError: for data that cannot be used.
            ParameterError: for unusable parameters, and a folder with a run of something else.
            TrainingError: if a loss or gradient is not finite. The model then holds the best
                weights so far, and the text says which term failed.
        """
        return self._fit_rows(X, y, validation, folder, tensorboard, report)

    def _fit_rows(
        self,
        X: Any,
        y: Any,
        validation: Any,
        folder: str | Path | None,
        tensorboard: bool,
        report: Report | None,
        **options: Any,
    ) -> Self:
        """Every ``fit``, with what else :meth:`_read` takes."""
        self._check_fit(folder, tensorboard)
        self._train(self._read(X, y, validation, **options), folder, tensorboard, report)
        return self

    def _check_fit(self, folder: str | Path | None, tensorboard: bool) -> None:
        """Refuse, before any work, parameters and arguments that cannot be used."""
        self._check_parameters()
        if tensorboard and folder is None:
            raise ParameterError("tensorboard needs a folder to write into: fit(X, folder=...).")

    def _held_out_rows(self, n: int) -> int:
        """How many of n rows are kept from training to choose the best weights by."""
        return min(round(self.validation_fraction * n), _MOST_HELD_OUT) if n >= 20 else 0

    # Use

    def sample(self, n_samples: int = 1, random_state: Any = None, **options: Any) -> Any:
        """Draw rows like those of ``fit``, in its form.

        Args:
            n_samples: how many, 1 or more.
            random_state: seed, RandomState, or None for numpy's global one.
            options: of the model, such as ``temperature`` or ``y``.
        """
        self._check_fitted()
        if not isinstance(n_samples, (int, np.integer)) or n_samples < 1:
            raise ParameterError(
                f"n_samples is {n_samples!r}. Expected a whole number of at least 1."
            )
        seed = drawn_seed(random_state)
        generator = torch.Generator().manual_seed(seed)
        with inference():
            return self._to_user(self._make(int(n_samples), generator, **options))

    def _device(self) -> torch.device:
        return find_device(self.device)

    def _abilities(self) -> dict[str, Any]:
        return {
            **super()._abilities(),
            "resumable": True,
            "networks": tuple(self.networks_.values()),
            "device": self._device(),
            "history": self.history_,
            "settings": self.settings_,
            "stopped": self.stopped_,
        }

    # Saving

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "networks_") and hasattr(self, "history_")

    def _state(self) -> dict[str, Any]:
        return {
            "settings": self.settings_,
            "seed": self._seed,
            "history": self.history_,
            "best": self.best_,
            "stopped": self.stopped_,
        }

    def _tensors(self) -> dict[str, Tensor]:
        return {
            f"{name}.{key}": value
            for name, network in self.networks_.items()
            for key, value in network.state_dict().items()
        }

    def _restore(self, state: dict[str, Any], tensors: dict[str, Tensor]) -> None:
        self._restore_run(state)
        built = built_to_fit(self._begin, tensors)
        self.networks_ = {k: v.to(self._device()).eval() for k, v in built.items()}
        self._finished()
        self.cite()  # papers follow from settings: what lacks some fails here, and not in use

    def _restore_run(self, state: dict[str, Any]) -> None:
        self.settings_ = settings_of(state["settings"], self._all_rules())
        self._seed = seed_of(state["seed"])
        self.history_ = history_of(state["history"])
        self.best_, self.stopped_ = best_of(state["best"]), str(state["stopped"])


def print_report(text: str, share: float) -> None:
    """Progress, to stderr."""
    print(f"[{100 * share:3.0f} %] {text}", file=sys.stderr)
