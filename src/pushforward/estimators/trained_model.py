"""The contract of models trained by phases: everything but what a row is, networks and losses."""

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
from torch import Tensor, nn

from ..errors import ModelFileError, ParameterError
from ..storage.checkpoint import digest
from ..storage.weights import load_weights
from ..training.batches import Source
from ..training.checkpoint import read_checkpoint
from ..training.loop import Loop
from ..training.phase import Phase
from ..training.processes import Processes
from ..validation import COUNT, MINUTES, POSITIVE, SHARE, Device, Rule, Seed, Verbosity
from .base import Model
from .parameters import drawn_seed

__all__ = ["DividedRows", "Report", "TrainedModel", "print_report"]

Report = Callable[[str, float], None]

_MOST_HELD_OUT = 1000


@dataclass(frozen=True)
class DividedRows:
    """The rows of a fit, in those that are trained on and those that choose the best weights.

    Attributes:
        source: the rows to train on.
        held_out: what :meth:`TrainedModel._measures` takes, or None where nothing is held out.
        identity: JSON values of all data that decide the result, as digests, when called; a run
            goes on with these only.
    """

    source: Source
    held_out: tuple[Any, ...] | None
    identity: Callable[[], Mapping[str, Any]]


class TrainedModel(Model):
    """A generative model that is trained by the phases it names.

    Subclasses know what a row is: how the data become tensors (:meth:`_read`, :meth:`_divide`)
    and tensors data (:meth:`_to_user`), with which networks (:meth:`_begin`), by which phases
    (:meth:`_phases`). This class knows the rest: budgets, checkpoints, the best weights, saving.

    Attributes:
        networks_: the trained networks by name.
        settings_: every setting, with what the presets decided.
        history_: records of the training, one a line of ``log.jsonl``.
        best_: step and measures of the weights that are kept.
        stopped_: why training ended.
    """

    _rules: ClassVar[Mapping[str, Rule]] = {
        "batch_size": COUNT,
        "learning_rate": POSITIVE,
        "ema": SHARE | None,
        "steps": COUNT | None,
        "minutes": MINUTES,
        "validation_fraction": SHARE,
        "device": Device() | None,
        "random_state": Seed(),
        "verbose": Verbosity(),
    }
    _tolerance: ClassVar[float] = 0.0  # see Loop.run: how much of the judge's word is chance
    _autocast: ClassVar[bool] = True  # False where a network chooses its precisions itself

    networks_: dict[str, nn.Module]
    settings_: dict[str, Any]
    history_: list[dict[str, Any]]
    best_: dict[str, Any] | None
    stopped_: str

    steps: int | None
    minutes: float | None
    validation_fraction: float
    device: str | None
    random_state: Any
    verbose: bool

    # What a model says of itself

    def _read(self, X: Any, y: Any, validation: Any, **options: Any) -> Any:
        """The user's data, checked; learns the settings, and of the data what needs no seed."""
        raise NotImplementedError

    def _divide(self, data: Any) -> DividedRows:
        """What :meth:`_read` returned in rows to train on and rows held out, by the seed."""
        raise NotImplementedError

    def _measures(self, *held_out: Any) -> Mapping[str, float]:
        """Measures of the networks as they are on held-out rows; the first decides."""
        raise NotImplementedError

    def _picture(self, path: Path) -> None:
        """Draw samples of latents that stay the same through the run; not every model does."""

    def _begin(self) -> dict[str, nn.Module]:
        """Networks with the weights they begin with; of what is learned but weights, and seed."""
        raise NotImplementedError

    def _phases(self) -> list[Phase]:
        raise NotImplementedError

    def _prepare(self, source: Any) -> None:
        """What comes before the first step, such as data-dependent initialisation."""

    def _share(self, processes: Processes) -> None:
        """What has to be told to networks that several processes train together."""

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
        self._check_parameters()
        if tensorboard and folder is None:
            raise ParameterError("tensorboard needs a folder to write into: fit(X, folder=...).")
        data = self._read(X, y, validation, **options)
        self._seed = self._run_seed(folder)
        rows = self._divide(data)
        self.networks_ = {k: v.to(self._device()) for k, v in self._begin().items()}
        self._train(rows, folder, tensorboard, report)
        return self

    def _run_seed(self, folder: str | Path | None) -> int:
        """A seed of ``random_state``; where that is None, the one of the run in the folder."""
        place = None if folder is None else Path(folder) / "checkpoint"
        if self.random_state is None and place is not None and place.exists():
            return int(read_checkpoint(place)[0]["identity"]["seed"])
        return drawn_seed(self.random_state)

    def _held_out_rows(self, n: int) -> int:
        """How many of n rows are kept from training to choose the best weights by."""
        return min(round(self.validation_fraction * n), _MOST_HELD_OUT) if n >= 20 else 0

    def _train(
        self,
        rows: DividedRows,
        folder: str | Path | None,
        tensorboard: bool,
        report: Report | None,
    ) -> None:
        """Train ``networks_`` on the rows, within the budget of ``settings_``."""
        self.settings_ = {
            name: value.item() if isinstance(value, np.generic) else value
            for name, value in self.settings_.items()
        }
        began = time.monotonic()
        self._prepare(rows.source)
        settings = {k: v for k, v in self.settings_.items() if k not in ("steps", "minutes")}
        data = {} if folder is None else rows.identity()
        held_out = rows.held_out
        loop = Loop(
            self.networks_,
            self._phases(),
            rows.source,
            batch_size=self.settings_["batch_size"],
            seed=self._seed,
            ema=self.settings_["ema"],
            precision=self.settings_["precision"] if self._autocast else "float32",
            identity={"model": type(self).__name__, **settings, **self._sizes(), **data},
        )
        loop.seconds = time.monotonic() - began  # what comes before the first step counts too
        self._share(loop.processes)
        try:
            loop.run(
                steps=self.settings_["steps"],
                minutes=self.settings_["minutes"],
                folder=None if folder is None else Path(folder),
                judge=None if held_out is None else lambda: self._measures(*held_out),
                tolerance=self._tolerance,
                picture=self._picture,
                report=report or (print_report if self.verbose else None),
                tensorboard=tensorboard,
            )
        finally:
            self.history_, self.best_, self.stopped_ = loop.history, loop.best, loop.stopped
            self._finished()

    def _sizes(self) -> dict[str, str]:
        """A digest of what tensors the networks have: those of the user may have changed."""
        tensors = (
            f"{name}.{key} {tuple(value.shape)} {value.dtype}"
            for name, network in self.networks_.items()
            for key, value in network.state_dict().items()
        )
        return {"networks": digest(*tensors)}

    # Use

    def sample(self, n_samples: int = 1, random_state: Any = None, **options: Any) -> Any:
        """Draw rows like those of ``fit``, in its form.

        Args:
            n_samples: how many, 1 or more.
            random_state: seed, RandomState or None.
            options: of the model, such as ``temperature`` or ``y``.
        """
        self._check_fitted()
        if not isinstance(n_samples, (int, np.integer)) or n_samples < 1:
            raise ParameterError(
                f"n_samples is {n_samples!r}. Expected a whole number of at least 1."
            )
        seed = drawn_seed(random_state)
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            return self._to_user(self._make(int(n_samples), generator, **options))

    def _device(self) -> torch.device:
        if self.device is not None:
            return torch.device(self.device)
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")

    def _abilities(self) -> dict[str, Any]:
        return {
            **super()._abilities(),
            "resumable": True,
            "networks": tuple(self.networks_.values()),
            "device": self._device(),
            "history": self.history_,
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
        self.settings_ = dict(state["settings"])
        self._seed = int(state["seed"])
        self.best_, self.stopped_ = state["best"], str(state["stopped"])
        built = self._begin()
        if unknown := [k for k in tensors if k.split(".", 1)[0] not in built]:
            raise ModelFileError(f"The weights have {unknown[0]!r}, which the model has not.")
        for name, network in built.items():
            own = {k: v for k, v in tensors.items() if k.startswith(f"{name}.")}
            load_weights(network, {k.removeprefix(f"{name}."): v for k, v in own.items()})
            network.to(self._device()).eval()
        self.networks_ = built
        self.history_ = [dict(record) for record in state["history"]]
        self._finished()


def print_report(text: str, share: float) -> None:
    """Progress, to stderr."""
    print(f"[{100 * share:3.0f} %] {text}", file=sys.stderr)
