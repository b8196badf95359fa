"""What a refinement is given, which none of its stages changes."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from ..errors import DataError
from ..storage.checkpoint import Checkpoint
from ..training import Processes
from .acceptance_test import RealRows
from .adapters import Adapter
from .budget import Budget
from .density_ratio import RatioEstimator
from .logit import Logit
from .logit_gradients import Score
from .methods import Context
from .sample_spaces import Space
from .stages import KeptStage, first_place, space_for
from .state import State
from .streams import Stream

__all__ = ["Progress", "Report", "Setup"]

_TIMED = 128  # samples that show what drawing takes
_FOR_TESTS = 0.15  # of the time, that drawing the samples of one verdict may take
_MOVED_COSTS = 15  # times what a sample costs that two steps move, by a critic and back
_MEASURED = 1000  # samples that displacement and weights are measured on
_UNFINISHED = 0.97  # the largest share that is reported before all is done

Report = Callable[[str, float], None]


class Progress:
    """Reports what is going on, and the share done, which never falls.

    Args:
        report: called with a line of text and the share; None for nobody.
    """

    def __init__(self, report: Report | None = None) -> None:
        self._report = report
        self._share = 0.0

    def __call__(self, text: str, share: float = 0.0) -> None:
        """Report a line; a share of 1 says that all is done."""
        self._share = 1.0 if share == 1 else max(self._share, min(_UNFINISHED, share))
        if self._report is not None:
            self._report(text, self._share)

    def restarted(self) -> "Progress":
        """Progress of another run, from a share of 0."""
        return Progress(self._report)


@dataclass(frozen=True)
class Setup:
    """A generator, real rows, and how one is to be refined by the other.

    Attributes:
        adapter: of the generator.
        real: rows in parts.
        estimator: of density ratios.
        budget: that is not exceeded.
        seed: of all that is drawn.
        batch_size: points whose activations are held at once.
        logit: of rows, that the user gave; None for the generator's own critic, or none.
        kept: stages of a refinement before this one.
        place: what the first of them moves or draws.
        known: logits of the generator's samples that need not be learned: under True what moves
            points, under False what weighs them.
        reference: the logit whose percentiles are reported; None for the first.
        notes: sentences that the report begins with.
        progress: of the run.
        checkpoint: what an interrupted refinement has learned, where a folder was given.
    """

    adapter: Adapter
    real: RealRows
    estimator: RatioEstimator
    budget: Budget
    seed: int
    batch_size: int
    logit: Score | None = None
    kept: tuple[KeptStage, ...] = ()
    place: str = "data"
    known: Mapping[bool, Logit] = field(default_factory=dict)
    reference: Logit | None = None
    notes: tuple[str, ...] = ()
    progress: Progress = field(default_factory=Progress)
    checkpoint: Checkpoint = field(default_factory=Checkpoint)

    @property
    def moving(self) -> bool:
        """Whether the automatic refinement moves rows: mixed ones without latents are chosen only.

        Categories do not move, and a network hardly learns what distinguishes such rows.
        """
        adapter = self.adapter
        logit = self.logit is not None or adapter.critic is not None
        return adapter.numbers is None or adapter.prior is not None or logit

    @property
    def measured(self) -> int:
        """Samples that displacement and weights are measured on."""
        return min(_MEASURED, len(self.real.test))

    def first_place(self, requested: str) -> str:
        """What the first stage moves or draws."""
        return first_place(self.adapter, self.kept, self.place, requested)

    def space(self, requested: str) -> tuple[Space, str]:
        """The space there is before this refinement, and what its points are."""
        place = self.first_place(requested)
        return space_for(self.adapter, self.kept, place, requested, self.batch_size)

    def context(self, state: State, logit: Score) -> Context:
        """What a method is tuned on."""
        return Context(
            state.space, logit, self.real, self.seed, self.budget,
            samples=self.real.drawn + self.measured, testing=state.timing.testing,
        )  # fmt: skip

    def check(self, rows: Tensor) -> None:
        """Refuse samples that cannot be compared with the data.

        Raises:
            DataError: for another shape, or rows that are not finite.
        """
        if rows.shape[1:] != self.real.test.shape[1:]:
            raise DataError(
                f"The generator makes rows of shape {tuple(rows.shape[1:])} and data has "
                f"{tuple(self.real.test.shape[1:])}. Expected the same."
            )
        if not rows.isfinite().all():
            raise DataError("The generator makes rows that are not finite. Mend it first.")

    def in_time(self, space: Space, *, moves: bool) -> "Setup":
        """With fewer rows and samples to judge by, where the budget is short for all of them.

        Args:
            space: before this refinement.
            moves: whether samples are to be moved, which makes them dearer.
        """
        left = self.budget.minutes_left
        if left is None:
            return self
        started = time.monotonic()
        self.real.features(space.quantised(_TIMED, self.seed, Stream.START))
        each = (time.monotonic() - started) / _TIMED
        if moves:
            each *= _MOVED_COSTS
        most = _FOR_TESTS * 60 * (self.budget.minutes_left or 0.0) / each
        device = self.real.test.device
        processes = Processes()
        first = torch.tensor(most if processes.first else 0.0, device=device)
        most = float(processes.sum(first))  # of one, so that all judge alike
        if most >= self.real.drawn:
            return self
        real = self.real.fewer(int(most))
        note = (
            f"{len(real.test)} rows judge and {real.drawn} samples are drawn for it: there was "
            "no time for more"
        )
        return replace(
            self, real=real, estimator=replace(self.estimator, real=real),
            notes=(*self.notes, note),
        )  # fmt: skip

    def out_of_time(self, ahead: float) -> bool:
        """Whether time will be up after so many seconds, by the clock of the first process."""
        return Processes().agree(self.budget.out_of_time(ahead))

    def note(self, state: State, text: str) -> State:
        """The state with one more sentence for the report, which is reported at once too."""
        self.progress(text)
        return state.noted(text)
