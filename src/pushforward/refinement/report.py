"""What refinement did, as figures on rows that decided nothing else."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from ..metrics.measure import Measure

__all__ = ["RefinementReport", "Stage"]


@dataclass(frozen=True)
class Stage:
    """One thing that was tried.

    Attributes:
        name: the method.
        settings: JSON values, as the method takes them.
        logit: whose: "given", "critic" of the generator, or how it was learned; "" of margins,
            which go by none.
        space: what was moved or drawn, "latent" or "data".
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
    logit: str
    space: str
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

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Stage":
        """Build the stage of which :meth:`to_dict` returned the values."""
        own: dict[str, Any] = {field.name: values[field.name] for field in fields(cls)}
        own["auc"] = _measure(values["auc"])
        return cls(**own)

    def __str__(self) -> str:
        settings = ", ".join(f"{k} {_short(v)}" for k, v in self.settings.items() if v is not None)
        how = f"{_cost(self.draws, self.evaluations)} a sample"
        if self.displacement is not None:
            how += f", moved by {self.displacement:.1%} of the spread"
        by = f" by a {self.logit} logit" if self.logit else ""
        verdict = "kept" if self.kept else "does not help on held-out rows: left out"
        what = f"{self.name} of {self.space}{by} ({settings})"
        return f"{what}: AUC {_area(self.auc)}, {how}; {verdict}"


@dataclass(frozen=True)
class RefinementReport:
    """What refinement did; printing it shows all of it.

    Attributes:
        floor: AUC of the two-sample test between real rows and other real rows.
        before, after: AUC of the samples of the generator and of the refined model, drawn anew
            where one stage helped and there was time.
        stages: what was tried, in order.
        logits: percentiles 0 to 100 of the first calibrated logit of "real", "before" and "after"
            rows. A median "after" above "real" is the sign of samples piled up on peaks of it.
        rows: numbers of real rows that the ratio was learned from, that chose, and that judged.
        expected: what the run was expected to take, as it was reported before it began.
        seconds: what it took.
        notes: what could not be judged, and why.
    """

    floor: Measure
    before: Measure
    after: Measure
    stages: tuple[Stage, ...]
    logits: dict[str, list[float]]
    rows: tuple[int, int, int]
    expected: str
    seconds: float
    notes: tuple[str, ...] = ()

    @property
    def helped(self) -> bool:
        """Whether the refined model is anything but the generator."""
        return any(stage.kept for stage in self.stages)

    @property
    def draws(self) -> float:
        """Samples of the generator that a refined one takes."""
        return next((s.draws for s in reversed(self.stages) if s.kept), 1.0)

    @property
    def evaluations(self) -> float:
        """Logits that a refined sample takes."""
        return next((s.evaluations for s in reversed(self.stages) if s.kept), 0.0)

    def after_more(self, before: "RefinementReport") -> "RefinementReport":
        """This report of a model that was refined before, from the beginning of both.

        Args:
            before: the report from before, whose logits are of the same one.
        """
        return replace(
            self,
            stages=(*before.stages, *self.stages),
            before=before.before,
            logits=self.logits | {"before": before.logits["before"]},
            expected=f"the last run {self.expected}",
            seconds=before.seconds + self.seconds,
            notes=(*before.notes, *self.notes),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON values."""
        return {
            "floor": self.floor.to_dict(),
            "before": self.before.to_dict(),
            "after": self.after.to_dict(),
            "stages": [stage.to_dict() for stage in self.stages],
            "logits": {name: list(ends) for name, ends in self.logits.items()},
            "rows": list(self.rows),
            "expected": self.expected,
            "seconds": self.seconds,
            "notes": list(self.notes),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "RefinementReport":
        """Build the report of which :meth:`to_dict` returned the values."""
        learned, chose, test = (int(n) for n in values["rows"])
        return cls(
            _measure(values["floor"]),
            _measure(values["before"]),
            _measure(values["after"]),
            tuple(Stage.from_dict(stage) for stage in values["stages"]),
            {name: [float(x) for x in ends] for name, ends in values["logits"].items()},
            (learned, chose, test),
            str(values["expected"]),
            float(values["seconds"]),
            tuple(str(note) for note in values["notes"]),
        )

    def __str__(self) -> str:
        quartiles = {name: (v[25], v[50], v[75]) for name, v in self.logits.items()}
        lines = [
            f"AUC real against samples: before {_area(self.before)}; after {_area(self.after)}; "
            f"{self.floor.value:.3f} between real rows; 0.5 cannot be told apart",
            *(f"  {stage}" for stage in self.stages),
            *(f"  {note}" for note in self.notes),
            "logits, quartiles: "
            + "; ".join(
                f"{name} {a:.2f} {b:.2f} {c:.2f}" for name, (a, b, c) in quartiles.items()
            ),
            f"one refined sample takes {_cost(self.draws, self.evaluations)}; "
            f"refining took {self.seconds:.0f} s ({self.expected})",
        ]
        if not self.helped:
            lines.append("Nothing helped: the refined model is the generator as it was.")
        return "\n".join(lines)


def _cost(draws: float, logits: float) -> str:
    parts = ((draws, "draw"), (logits, "logit"))
    return " and ".join(f"{n:.3g} {name}{'' if n == 1 else 's'}" for n, name in parts)


def _measure(values: Mapping[str, Any]) -> Measure:
    ends = values["interval"]
    return Measure(
        str(values["name"]), float(values["value"]),
        None if ends is None else (float(ends[0]), float(ends[1])), values["better"],
        dict(values["details"]), tuple(values["warnings"]),
    )  # fmt: skip


def _area(measure: Measure) -> str:
    low, high = measure.interval or (measure.value, measure.value)
    distance = measure.details.get("frechet")
    more = "" if distance is None else f", Fréchet distance {distance:.4g}"
    gain = measure.details.get("gain")
    more += "" if gain is None else f", {gain:+.3g} nats of held-out likelihood"
    return f"{measure.value:.3f} [{low:.3f}, {high:.3f}]{more}"


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
