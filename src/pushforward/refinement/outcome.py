"""What refinement did, as figures on rows that decided nothing else."""

from dataclasses import dataclass
from typing import Any

from ..metrics.measure import Measure

__all__ = ["RefinementReport", "Stage"]


@dataclass(frozen=True)
class Stage:
    """One thing that was tried.

    Attributes:
        name: the method.
        settings: JSON values, as the method takes them.
        auc: of the two-sample test of fresh samples after this stage, on held-out real rows.
        kept: whether it helped, and is part of the refined model.
        displacement: root mean square distance rows moved, by the spread of the rows they were;
            None where nothing moves.
        draws, evaluations: one sample after this stage takes: samples of the generator, and
            logits (a logit with its gradient is one).
        effective: share of the samples before the stage that, weighed by the logit, still count.
    """

    name: str
    settings: dict[str, Any]
    auc: Measure
    kept: bool
    displacement: float | None
    draws: float
    evaluations: float
    effective: float

    @property
    def acceptance(self) -> float:
        """Samples kept of those drawn, all stages up to this one together."""
        return 1 / self.draws

    def to_dict(self) -> dict[str, Any]:
        """Return the stage as JSON values."""
        return {**vars(self), "auc": self.auc.to_dict(), "acceptance": self.acceptance}

    def __str__(self) -> str:
        told = ", ".join(f"{k} {_short(v)}" for k, v in self.settings.items())
        low, high = self.auc.interval or (self.auc.value, self.auc.value)
        how = f"{self.draws:.3g} draws and {self.evaluations:.3g} logits a sample"
        if self.displacement is not None:
            how += f", moved by {self.displacement:.1%} of the spread"
        verdict = "kept" if self.kept else "does not help on held-out rows: left out"
        return (
            f"{self.name} ({told}): AUC {self.auc.value:.3f} [{low:.3f}, {high:.3f}], {how}; "
            f"{verdict}"
        )


@dataclass(frozen=True)
class RefinementReport:
    """What refinement did. Printing it tells the whole story.

    Attributes:
        floor: AUC of the two-sample test between real rows and other real rows.
        before: AUC of the samples of the generator.
        stages: what was tried, in order.
        logits: quartiles of the calibrated logit of "real", "before" and "after" rows. A median
            "after" above "real" is the sign of samples piled up on peaks of the logit.
        rows: numbers of real rows that taught the ratio, chose, and judged.
    """

    floor: Measure
    before: Measure
    stages: tuple[Stage, ...]
    logits: dict[str, tuple[float, float, float]]
    rows: tuple[int, int, int]

    @property
    def after(self) -> Measure:
        """AUC of the samples of the refined model."""
        return next((s.auc for s in reversed(self.stages) if s.kept), self.before)

    @property
    def helped(self) -> bool:
        """Whether the refined model is anything but the generator."""
        return any(stage.kept for stage in self.stages)

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON values."""
        return {
            "floor": self.floor.to_dict(),
            "before": self.before.to_dict(),
            "after": self.after.to_dict(),
            "stages": [stage.to_dict() for stage in self.stages],
            "logits": {name: list(ends) for name, ends in self.logits.items()},
            "rows": list(self.rows),
        }

    def __str__(self) -> str:
        lines = [
            f"AUC real against samples: {self.before.value:.3f} before, {self.after.value:.3f} "
            f"after, {self.floor.value:.3f} between real rows; 0.5 cannot be told apart",
            *(f"  {stage}" for stage in self.stages),
            "logits, quartiles: "
            + "; ".join(
                f"{name} {a:.2f} {b:.2f} {c:.2f}" for name, (a, b, c) in self.logits.items()
            ),
        ]
        if not self.helped:
            lines.append("Nothing helped: the refined model is the generator as it was.")
        return "\n".join(lines)


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
