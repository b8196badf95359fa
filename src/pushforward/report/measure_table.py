"""The table of measures: intervals side by side, what each cannot see, where it comes from."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from ..metrics import Comparison, Measure, limitation_of
from .formatting import figure, title_of
from .page_parts import Table
from .panel import color

__all__ = ["Cell", "Line", "measure_lines", "provenance", "skipped", "verdicts"]

AS_ABOVE = "The same as above."
_CORE = ("n_real", "n_generated", "features", "preprocessing", "precision", "seed", "interval")


@dataclass(frozen=True)
class Cell:
    """A measure of one model.

    Attributes:
        text, interval: the value and its ends, rounded; empty if it was not taken.
        mark: "best", "tied" (its interval overlaps with that of the best) or "".
        places: value and ends of the interval on the axis of the line, per cent.
        color: of the model.
        model: its name.
    """

    text: str
    interval: str
    mark: str
    places: tuple[float, float, float] | None
    color: str
    model: str


@dataclass(frozen=True)
class Line:
    """A measure of all models."""

    name: str
    title: str
    better: str | None
    cells: tuple[Cell, ...]
    limitations: str
    warnings: tuple[str, ...]


def measure_lines(found: Comparison) -> list[Line]:
    """A line for each measure taken of any model."""
    lines = [_line(found, name) for name in found.measure_names]
    return [
        replace(line, limitations=AS_ABOVE)
        if i and line.limitations and line.limitations == lines[i - 1].limitations
        else line
        for i, line in enumerate(lines)
    ]


def _line(found: Comparison, name: str) -> Line:
    taken = {
        model: measure
        for model, evaluation in found.evaluations.items()
        for measure in evaluation.measures
        if measure.name == name
    }
    best = found.best(name) if len(taken) > 1 else None
    alike = best is not None and sum(m.value == taken[best].value for m in taken.values()) > 1
    ends = [x for m in taken.values() for x in (m.value, *(m.interval or ()))]
    low, high = min(ends), max(ends)
    pad = 0.08 * (high - low) or 1.0
    low, high = low - pad, high + pad
    cells = []
    for place, model in enumerate(found.evaluations):
        measure = taken.get(model)
        if measure is None:
            cells.append(Cell("", "", "", None, color(place), model))
            continue
        interval = measure.interval or (measure.value, measure.value)
        text = ""
        if measure.interval:
            text = " … ".join(figure(x, measure.interval) for x in measure.interval)
        mark = ""
        if best is not None:
            first = model == best and not alike
            mark = "best" if first else "tied" * _overlap(measure, taken[best])
        at, start, end = (100 * (x - low) / (high - low) for x in (measure.value, *interval))
        shown = figure(measure.value, measure.interval)
        cells.append(Cell(shown, text, mark, (at, start, end), color(place), model))
    notes = [
        (text if len(found.evaluations) == 1 else f"{model}: {text}", text)
        for model, measure in taken.items()
        for text in measure.warnings
    ]
    plain = [text for _, text in notes]
    warnings = dict.fromkeys(
        text if plain.count(text) == len(found.evaluations) else named for named, text in notes
    )
    better = next(iter(taken.values())).better
    return Line(name, title_of(name), better, tuple(cells), limitation_of(name), tuple(warnings))


def _overlap(a: Measure, b: Measure) -> bool:
    if a.interval is None or b.interval is None:
        return a.value == b.value
    return a.interval[0] <= b.interval[1] and b.interval[0] <= a.interval[1]


def verdicts(lines: Iterable[Line]) -> list[tuple[str, str, str]]:
    """Name, colour and a sentence for each of several models: how often it is best."""
    directed = [line for line in lines if line.better and any(c.mark for c in line.cells)]
    found = []
    for i, cell in enumerate(directed[0].cells if directed else ()):
        best = sum(line.cells[i].mark == "best" for line in directed)
        clear = sum(
            line.cells[i].mark == "best" and all(c.mark != "tied" for c in line.cells)
            for line in directed
        )
        tied = sum(line.cells[i].mark == "tied" for line in directed)
        text = f"is best in {best} of {len(directed)} measures"
        text += f", beyond doubt in {clear}" if clear else ""
        text += f"; not told from the best in {tied}" if tied else ""
        found.append((cell.model, cell.color, f"{text}."))
    return found


def skipped(found: Comparison) -> list[tuple[str, str]]:
    """(measure, why) of what could not be taken, each reason once."""
    reasons: dict[tuple[str, str], list[str]] = {}
    for model, evaluation in found.evaluations.items():
        for name, reason in evaluation.skipped.items():
            reasons.setdefault((name, reason), []).append(model)
    everyone = len(found.evaluations)
    return [
        (title_of(name), reason if len(models) == everyone else f"{', '.join(models)}: {reason}")
        for (name, reason), models in reasons.items()
    ]


def provenance(found: Comparison) -> Table:
    """What each figure was computed from."""
    lines = []
    for model, evaluation in found.evaluations.items():
        for measure in evaluation.measures:
            core = (_formatted(measure.details.get(key)) for key in _CORE)
            rest = "; ".join(
                f"{key.replace('_', ' ')} {_formatted(value)}"
                for key, value in measure.details.items()
                if key not in _CORE and isinstance(value, (str, int, float))
            )
            lines.append((measure.name, model, *core, rest))
    heads = (
        *("measure", "model", "real", "generated", "features", "preprocessing", "precision"),
        *("seed", "interval", "more"),
    )
    used = [j for j in range(len(heads)) if any(line[j] for line in lines)]
    numbers = tuple(i for i, j in enumerate(used) if heads[j] in ("real", "generated", "seed"))
    return Table(
        tuple(heads[j] for j in used), tuple(tuple(line[j] for j in used) for line in lines),
        numbers=numbers,
    )  # fmt: skip


def _formatted(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return figure(value) if isinstance(value, float) else str(value)
