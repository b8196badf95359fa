"""Sections of tables: pairs and single columns, how well each is met, the strangest rows."""

from collections.abc import Sequence
from typing import Any

import narwhals as nw
import numpy as np

from ..estimators.table_density import TableDensity
from ..metrics import Comparison
from .canvas import name_axis, tick_places
from .column_axes import PlottedColumn, draw_columns, format_cell, shortened
from .column_choice import dependence, most_informative_columns, most_informative_pairs
from .difference_sections import difference_section
from .page_models import Subject
from .page_parts import Bars, Gallery, Part, Picture, Section, Table
from .panel import REAL, color, panel
from .unlikely_rows import least_likely_rows

__all__ = ["table_sections"]

PAIRS, SINGLES, UNLIKELY, POINTS, BARS, WORST = 4, 8, 6, 400, 20, 5


def table_sections(subjects: Sequence[Subject], found: Comparison) -> list[Section]:
    """Sections on the columns of a table and of the rows sampled by each model."""
    reference = subjects[0].reference
    columns = reference.code.columns
    drawn = [draw_columns(columns, reference.real, _ordered(s)) for s in subjects]
    for same in zip(*drawn, strict=True):  # one axis for all models
        ends = [column.limits for column in same]
        for column in same:
            column.limits = min(low for low, _ in ends), max(high for _, high in ends)
    sections = []
    if drawn[0]:
        pairs = most_informative_pairs(drawn[0], dependence(drawn[0]), PAIRS)
        note = (
            "Pairs that depend on each other in the most telling way, and the columns least like "
            "a bell, chosen from the real rows alone. Points beyond an axis lie on its edge."
        )
        parts = [
            *(_pairs(s, columns, pairs) for s, columns in zip(subjects, drawn, strict=True)),
            _singles(subjects, drawn, most_informative_columns(drawn[0], pairs, SINGLES)),
        ]
        kept = tuple(part for part in parts if part.pictures)
        sections.append(Section("columns", "Real rows and sampled rows", kept, note))
    differences = difference_section(subjects, drawn, found)
    if differences:
        sections.append(differences)
    fidelity = _fidelity(found)
    if fidelity:
        sections.append(Section("fidelity", "Column by column", fidelity))
    unlikely = tuple(
        _unlikely(s) for s in subjects if isinstance(s.model, TableDensity) and s.scores
    )
    if unlikely:
        note = (
            "Held-out rows of lowest log density, with the cells that make them so: what the "
            "cell holds, and the most plausible value beside the rest of the row."
        )
        if reference.holed:
            note += " Only rows without missing cells are looked at."
        sections.append(Section("strange", "The strangest rows", unlikely, note))
    return sections


def _ordered(subject: Subject) -> Any:
    """Samples with their columns in the order of the real table."""
    samples = subject.inputs.samples
    frame = nw.from_native(samples, pass_through=True, eager_only=True)
    if not isinstance(frame, nw.DataFrame):
        return samples
    where: list[Any] = list(frame.columns)
    labels = subject.reference.code.columns.labels
    if set(labels) - set(where):  # names of which only the places count
        return samples
    return frame[:, [where.index(label) for label in labels]].to_native()


def _legend(*subjects: Subject) -> tuple[tuple[str, str], ...]:
    return (("real rows", REAL), *((s.name, color(s.place)) for s in subjects))


def _pairs(
    subject: Subject, columns: list[PlottedColumn], pairs: list[tuple[int, int]]
) -> Gallery:
    count = min(POINTS, len(columns[0].real), len(columns[0].sampled))
    rows = np.sort(np.random.default_rng(0).permutation(len(columns[0].real))[:count])
    layers = (("sampled", slice(0, count), color(subject.place)), ("real", rows, REAL))

    def picture(a: PlottedColumn, b: PlottedColumn) -> Picture:
        def draw(axes: Any) -> None:
            for which, subsample, tint in layers:
                x, y = (column.scattered(which, subsample) for column in (a, b))
                axes.scatter(x, y, s=13, c=tint, alpha=0.6, linewidths=0, rasterized=True)
            name_axis(axes, "x", a)
            name_axis(axes, "y", b)

        alt = f"{b.name} against {a.name}: real rows and rows of {subject.name}"
        return panel(draw, alt, size=(3.2, 2.9))

    pictures = tuple(picture(columns[a], columns[b]) for a, b in pairs)
    note = f"{count:,} real rows and as many sampled"
    return Gallery(pictures, subject.name, note, "small", _legend(subject))


def _singles(
    subjects: Sequence[Subject], drawn: list[list[PlottedColumn]], which: list[int]
) -> Gallery:
    def picture(j: int) -> Picture:
        first = drawn[0][j]
        bins = first.bins()

        def draw(axes: Any) -> None:
            shares = np.histogram(first.clipped(first.real), bins)[0] / len(first.real)
            axes.stairs(shares, bins, fill=True, color=REAL, alpha=0.35)
            for subject, columns in zip(subjects, drawn, strict=True):
                sampled = columns[j].clipped(columns[j].sampled)
                shares = np.histogram(sampled, bins)[0] / len(sampled)
                axes.stairs(shares, bins, color=color(subject.place), linewidth=1.7)
            name_axis(axes, "x", first)
            axes.set_ylim(bottom=0)
            axes.yaxis.set_major_locator(tick_places(3))
            axes.yaxis.set_major_formatter(lambda share, _: f"{100 * share:g} %")
            axes.grid(visible=False, axis="x")

        alt = f"Histogram of {first.name}: real rows and those of each model"
        return panel(draw, alt, size=(3.2, 2.1))

    pictures = tuple(picture(j) for j in which)
    note = "share of rows in each bin"
    return Gallery(pictures, "Single columns", note, "small", _legend(*subjects))


def _fidelity(found: Comparison) -> tuple[Part, ...]:
    """Bars of each column and the pairs met worst."""
    taken = {
        name: {m.name: m.details for m in evaluation.measures}
        for name, evaluation in found.evaluations.items()
    }
    parts: list[Part] = []
    columns = {
        name: details["column_fidelity"]["columns"]
        for name, details in taken.items()
        if "column_fidelity" in details
    }
    if columns:
        names = next(iter(columns.values()))
        worst = sorted(names, key=lambda c: min(each[c] for each in columns.values()))
        lines = tuple(
            (c, tuple(columns[m].get(c) if m in columns else None for m in taken))
            for c in worst[:BARS]
        )
        left = len(worst) - len(lines)
        note = "1 is perfect; chance alone takes away a little. The worst first"
        note += f", without the {left:,} best columns." if left else "."
        parts.append(Bars(tuple(taken), lines, "Column fidelity", note))
    lines = tuple(
        (name, " and ".join(pair["columns"]), f"{pair['value']:.3f}")
        for name, details in taken.items()
        if "pair_fidelity" in details
        for pair in details["pair_fidelity"]["worst_pairs"][:WORST]
    )
    if lines:
        heads = ("model", "columns", "fidelity")
        parts.append(Table(heads, lines, "Pairs of columns met worst", numbers=(2,)))
    return tuple(parts)


def _nats(score: float) -> str:
    return f"{score:,.1f}".replace("-", "\N{MINUS SIGN}")


def _unlikely(subject: Subject) -> Table:
    model, scores = subject.model, subject.scores["held out"]
    lines, rows = [], subject.parts["held out"]
    for one in least_likely_rows(model, rows, scores, UNLIKELY):
        reasons = "; ".join(reason.sentence() for reason in one.reasons)
        lines.append(
            (shortened(format_cell(one.name), 24), _nats(one.score), reasons or "all of it")
        )
    return Table(("row", "nats", "why"), tuple(lines), subject.name, numbers=(1,))
