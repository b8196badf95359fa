"""The state of a refinement: an immutable value that every stage maps to a new one."""

from dataclasses import dataclass, replace

from torch import Tensor

from .acceptance_test import Verdict
from .logit import Logit
from .report import Stage
from .sample_spaces import Space
from .stages import KeptStage

__all__ = ["State", "Timing"]


@dataclass(frozen=True)
class Timing:
    """Seconds that parts of a refinement took, by which it foresees what fits into its time.

    Attributes:
        learning: that a network of the ratio wants.
        evaluating: that drawing and testing the samples of the last stage took; the next takes no
            less.
        testing: of these, what the test took.
    """

    learning: float = 0.0
    evaluating: float = 0.0
    testing: float = 0.0


@dataclass(frozen=True)
class State:
    """The state of a refinement between two stages.

    Attributes:
        space: that the stages kept so far make.
        place: what its points are, "latent" or "data".
        rows: samples of the space, which were judged.
        verdict: on these samples.
        kept: stages that are part of the refined model, those of an earlier refinement first.
        stages: what was tried, for the report.
        notes: sentences for the report.
        first: the logit that the refinement began with; None before there is one.
        learned: number of logits that were learned.
        tried: the space that was judged last, whether or not it was kept.
        timing: of what was done.
    """

    space: Space
    place: str
    rows: Tensor
    verdict: Verdict
    kept: tuple[KeptStage, ...] = ()
    stages: tuple[Stage, ...] = ()
    notes: tuple[str, ...] = ()
    first: Logit | None = None
    learned: int = 0
    tried: Space | None = None
    timing: Timing = Timing()

    @property
    def helped(self) -> bool:
        """Whether a stage of this refinement is kept."""
        return any(stage.kept for stage in self.stages)

    def noted(self, text: str) -> "State":
        """The state with one more sentence for the report."""
        return replace(self, notes=(*self.notes, text))
