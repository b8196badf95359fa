"""The results of evaluating one model, or of comparing several."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..citations import bibtex
from .measure import Measure
from .references import papers_of

__all__ = ["Comparison", "Evaluation"]


@dataclass(frozen=True)
class Evaluation:
    """The measures of one model or set of samples.

    Attributes:
        measures: in the order they were taken.
        kind: "table", "rows", "images" or "text": what the data were taken for.
        name: of what was judged.
        skipped: why a measure that belongs to this kind of data was not taken, by its name.

    Examples:
        >>> found = Evaluation((Measure("fid", 1.0, (0.5, 1.5), "lower"),), "rows")
        >>> found["fid"].value
        1.0
        >>> print(found)
        measure  value    95 % interval  better
        fid          1  0.5 ... 1.5      lower
    """

    measures: tuple[Measure, ...]
    kind: str
    name: str = "samples"
    skipped: Mapping[str, str] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Measure:
        for measure in self.measures:
            if measure.name == name:
                return measure
        raise KeyError(f"{name}; there are {', '.join(m.name for m in self.measures)}")

    @property
    def warnings(self) -> tuple[str, ...]:
        """All warnings, each once, in order."""
        return tuple(dict.fromkeys(text for m in self.measures for text in m.warnings))

    def to_frame(self) -> Any:
        """A pandas frame with a row for each measure: value, low, high, better, warnings."""
        import pandas as pd

        return pd.DataFrame(
            {
                "value": [m.value for m in self.measures],
                "low": [m.interval[0] if m.interval else None for m in self.measures],
                "high": [m.interval[1] if m.interval else None for m in self.measures],
                "better": [m.better for m in self.measures],
                "warnings": [" ".join(m.warnings) for m in self.measures],
            },
            index=pd.Index([m.name for m in self.measures], name="measure"),
        ).astype({"low": float, "high": float})

    def to_dict(self) -> dict[str, Any]:
        """Everything as JSON values."""
        return {
            "name": self.name,
            "kind": self.kind,
            "measures": [m.to_dict() for m in self.measures],
            "skipped": dict(self.skipped),
        }

    def cite(self) -> str:
        """BibTeX of the papers behind the measures and their features; empty where none is."""
        return bibtex(papers_of(self.measures))

    def __str__(self) -> str:
        lines = [["measure", "value", "95 % interval", "better"]]
        for m in self.measures:
            ends = "{:.4g} ... {:.4g}".format(*m.interval) if m.interval else ""
            lines.append([m.name, f"{m.value:.4g}", ends, m.better or ""])
        if not self.measures:
            lines = [["no measure could be taken", "because"]]
            lines += [[name, reason] for name, reason in self.skipped.items()]
            return aligned(lines, left=2)
        return "\n".join([aligned(lines), *_notes(self.warnings)])


@dataclass(frozen=True)
class Comparison:
    """The same measures of several models, by name.

    Attributes:
        evaluations: one for each model.

    Examples:
        >>> one = Evaluation((Measure("fid", 1.0, None, "lower"),), "rows", "a")
        >>> two = Evaluation((Measure("fid", 2.0, None, "lower"),), "rows", "b")
        >>> print(Comparison({"a": one, "b": two}))
        measure  better   a  b
        fid      lower   1*  2
        * the best; others whose interval overlaps with its are not told apart
    """

    evaluations: Mapping[str, Evaluation]

    def __getitem__(self, name: str) -> Evaluation:
        return self.evaluations[name]

    @property
    def measure_names(self) -> list[str]:
        """Names of all measures taken of any model, in order."""
        return list(dict.fromkeys(m.name for e in self.evaluations.values() for m in e.measures))

    def best(self, measure: str) -> str | None:
        """Name of the model with the best value; None where neither direction is better."""
        found = self._of(measure)
        better = next(iter(found.values())).better
        if better is None:
            return None
        pick = min if better == "lower" else max
        return pick(found, key=lambda name: found[name].value)

    def _of(self, measure: str) -> dict[str, Measure]:
        return {
            name: m
            for name, evaluation in self.evaluations.items()
            for m in evaluation.measures
            if m.name == measure
        }

    def to_frame(self) -> Any:
        """A pandas frame of values, a row for each measure and a column for each model."""
        import pandas as pd

        frame = pd.DataFrame(
            {
                name: {m.name: m.value for m in evaluation.measures}
                for name, evaluation in self.evaluations.items()
            }
        ).reindex(self.measure_names)
        return frame.rename_axis("measure")

    def to_dict(self) -> dict[str, Any]:
        """Everything as JSON values."""
        return {
            "models": {name: e.to_dict() for name, e in self.evaluations.items()},
            "best": {name: self.best(name) for name in self.measure_names},
        }

    def cite(self) -> str:
        """BibTeX of the papers behind the measures and their features; empty where none is."""
        return bibtex(papers_of(m for e in self.evaluations.values() for m in e.measures))

    def __str__(self) -> str:
        lines = [["measure", "better", *self.evaluations]]
        for name in self.measure_names:
            found, best = self._of(name), self.best(name)
            cells = []
            for model in self.evaluations:
                if model not in found:
                    cells.append("")
                    continue
                measure = found[model]
                half = ""
                if measure.interval:
                    half = f" ± {(measure.interval[1] - measure.interval[0]) / 2:.2g}"
                cells.append(f"{measure.value:.4g}{half}{'*' if model == best else ''}")
            better = next(iter(found.values())).better or ""
            lines.append([name, better, *cells])
        warnings = dict.fromkeys(w for e in self.evaluations.values() for w in e.warnings)
        legend = "* the best; others whose interval overlaps with its are not told apart"
        return "\n".join([aligned(lines, left=2), legend, *_notes(warnings)])


def aligned(lines: list[list[str]], left: int = 1) -> str:
    widths = [max(len(line[j]) for line in lines) for j in range(len(lines[0]))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if j < left or cell in ("lower", "higher", "better")
            else cell.rjust(width)
            for j, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )  # fmt: skip


def _notes(warnings: Any) -> list[str]:
    return [f"note: {text}" for text in warnings]
