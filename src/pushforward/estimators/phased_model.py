"""The base class of models that the training loop trains, by phases."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from ..storage.checkpoint import RunCheckpoint, digest
from ..training.batches import Source
from ..training.loop import Loop
from ..training.phase import Phase
from ..training.processes import Processes
from ..training.run_lock import run_of_one
from ..training.threads import numbers_of, threads_for
from ..validation import COUNT, POSITIVE, SHARE, Rule
from .parameters import drawn_seed
from .trained_model import Report, TrainedModel, print_report

__all__ = ["DividedRows", "PhasedModel"]


@dataclass(frozen=True)
class DividedRows:
    """The rows of a fit, in those that are trained on and those that choose the best weights.

    Attributes:
        source: the rows to train on.
        held_out: what :meth:`PhasedModel._measures` takes, or None where nothing is held out.
        identity: JSON values of all data that decide the result, as digests, when called; a run
            goes on with these only.
    """

    source: Source
    held_out: tuple[Any, ...] | None
    identity: Callable[[], Mapping[str, Any]]


class PhasedModel(TrainedModel):
    """A model that is trained by gradient, by the phases it names.

    Subclasses say how rows are divided (:meth:`_divide`), who moves by which loss
    (:meth:`_phases`), and by what the best weights are chosen (:meth:`_measures`).
    """

    _rules: ClassVar[Mapping[str, Rule]] = {
        "batch_size": COUNT,
        "learning_rate": POSITIVE,
        "ema": SHARE | None,
        "steps": COUNT | None,
    }
    _tolerance: ClassVar[float] = 0.0  # see Loop.run: how much of the judge's word is chance
    _autocast: ClassVar[bool] = True  # False where a network chooses its precisions itself

    steps: int | None

    # What a model says of itself

    def _divide(self, data: Any) -> DividedRows:
        """What :meth:`_read` returned in rows to train on and rows held out, by the seed."""
        raise NotImplementedError

    def _phases(self) -> list[Phase]:
        raise NotImplementedError

    def _measures(self, *held_out: Any) -> Mapping[str, float]:
        """Measures of the networks as they are on held-out rows; the first decides."""
        raise NotImplementedError

    def _prepare(self, source: Any) -> None:
        """What comes before the first step, such as data-dependent initialisation."""

    def _share(self, processes: Processes) -> None:
        """What networks that several processes train together have to know of them."""

    def _refresh(self) -> None:
        """Estimate anew what follows from the weights: called where they are an average."""

    # Training

    def _run_seed(self, folder: str | Path | None) -> int:
        """A seed of ``random_state``; where that is None, the one of the run in the folder."""
        work = RunCheckpoint(None if folder is None else Path(folder) / "checkpoint")
        seed = drawn_seed(self.random_state)
        return work.chosen_seed(seed, asked=self.random_state is not None)

    def _train(
        self,
        data: Any,
        folder: str | Path | None,
        tensorboard: bool,
        report: Report | None,
    ) -> None:
        started = time.monotonic()
        self._seed = self._run_seed(folder)
        self._train_on(self._divide(data), folder, tensorboard, report, started=started)

    def _train_on(
        self,
        rows: DividedRows,
        folder: str | Path | None,
        tensorboard: bool,
        report: Report | None,
        *,
        started: float,
    ) -> None:
        """Train the networks of the seed on the rows, within the budget of ``settings_``.

        What has been done since ``started``, on the clock of ``time.monotonic``, counts too.
        """
        self.networks_ = {k: v.to(self._device()) for k, v in self._begin().items()}
        self.settings_ = {
            name: value.item() if isinstance(value, np.generic) else value
            for name, value in self.settings_.items()
        }
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
        loop.seconds = time.monotonic() - started
        self._share(loop.processes)
        numbers = numbers_of(self.networks_.values(), self.settings_["batch_size"])
        try:
            with run_of_one(folder, loop.processes.first), threads_for(numbers):
                loop.run(
                    steps=self.settings_["steps"],
                    minutes=self.settings_["minutes"],
                    folder=None if folder is None else Path(folder),
                    judge=None if held_out is None else lambda: self._measures(*held_out),
                    tolerance=self._tolerance,
                    refresh=self._refresh,
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
