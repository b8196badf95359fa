"""Where sampled rows differ from real ones: the pairs broken most, the cells that show it."""

from collections.abc import Sequence
from typing import Any

import narwhals as nw
import numpy as np

from ..metrics import Comparison
from ..metrics.attribution import CellAttribution, attribute_cells
from .canvas import name_axis
from .column_axes import PlottedColumn, format_cell, shortened
from .page_models import Subject
from .page_parts import Bars, Gallery, Part, Picture, Section, Table
from .panel import REAL, color, panel

__all__ = ["difference_section"]

PAIRS, POINTS, ROWS, COLUMNS, BARS = 3, 400, 8, 10, 8
CLEAR = 0.1  # share of a pair's dependence that is lost where it is worth a picture
MARKED = 0.4  # of what the greatest cell of a row adds: that of a cell that is marked as well
SAME = 3  # rows at most whose greatest cell is of the same column
CHANCE = 0.01  # p-value of the two-sample test from which there is nothing to recognise
SURE = 0.75  # probability of being sampled from which a row is shown


def difference_section(
    subjects: Sequence[Subject], drawn: Sequence[list[PlottedColumn]], found: Comparison
) -> Section | None:
    """The pairs of columns whose dependence is broken most, real beside sampled, and the rows of
    each model that a boosted forest recognises, with the cells it goes by.

    Each part is there where its measure (``broken_dependence``, ``two_sample_auroc``) was taken.

    Args:
        subjects: what is judged.
        drawn: the columns of each, as positions.
        found: the measures.
    """
    parts: list[Part] = []
    cells: dict[str, CellAttribution] = {}
    p_values: dict[str, float] = {}
    for subject, columns in zip(subjects, drawn, strict=True):
        taken = {m.name: m for m in found[subject.name].measures}
        if "broken_dependence" in taken:
            parts.append(_pairs(subject, columns, taken["broken_dependence"].details))
        if "two_sample_auroc" in taken:
            cells[subject.name] = _attribution(subject)
            p_values[subject.name] = taken["two_sample_auroc"].details["p_value"]
    if cells:
        parts.append(_columns(cells, subjects))
    parts += [_rows(s, cells[s.name], p_values[s.name]) for s in subjects if s.name in cells]
    note = (
        "What gives the samples away: the pairs of columns whose dependence is broken most, and "
        "the sampled rows that a boosted forest recognises best, with the cells it goes by."
    )
    return Section("differences", "Where samples differ", tuple(parts), note) if parts else None


def _pairs(subject: Subject, columns: list[PlottedColumn], details: dict[str, Any]) -> Gallery:
    names = subject.reference.code.names
    labels = list(subject.reference.code.columns.labels)
    places = {column.label: column for column in columns}
    pictures = []
    for pair in details["worst_pairs"]:
        a, b = (places.get(labels[names.index(name)]) for name in pair["columns"])
        if pair["value"] < CLEAR or len(pictures) == 2 * PAIRS or a is None or b is None:
            continue
        caption = f"{100 * pair['lost']:.0f} % of the dependence lost"
        if pair["impossible"] >= 0.01:
            caption += f"; impossible rows: {100 * pair['impossible']:.0f} % of those by chance"
        for which, tint in (("real", REAL), ("sampled", color(subject.place))):
            pictures.append(_cloud(a, b, which, tint, caption if which == "sampled" else "real"))
    note = "Real rows, and beside them those sampled."
    if not pictures:
        note = (
            "None loses a tenth of its dependence."
            if details["pairs"]
            else "No two columns depend on each other clearly."
        )
    legend = (("real rows", REAL), (subject.name, color(subject.place))) if pictures else ()
    return Gallery(tuple(pictures), f"Pairs broken most: {subject.name}", note, "small", legend)


def _cloud(a: PlottedColumn, b: PlottedColumn, which: str, tint: str, caption: str) -> Picture:
    count = min(POINTS, len(a.real), len(a.sampled))
    size = len(a.positions(which))
    rows = np.sort(np.random.default_rng(0).permutation(size)[:count])

    def draw(axes: Any) -> None:
        x, y = (column.scattered(which, rows, apart=False) for column in (a, b))
        axes.scatter(x, y, s=13, c=tint, alpha=0.6, linewidths=0, rasterized=True)
        name_axis(axes, "x", a)
        name_axis(axes, "y", b)

    alt = f"{b.name} against {a.name}: {which} rows"
    return panel(draw, alt, caption=caption, size=(3.2, 2.6))


def _attribution(subject: Subject) -> CellAttribution:
    code, reference = subject.reference.code, subject.reference
    numbers = code.numbers(reference.real), code.numbers(subject.inputs.samples)
    return attribute_cells(*numbers, missing=True, random_state=reference.seed)


def _columns(cells: dict[str, CellAttribution], subjects: Sequence[Subject]) -> Bars:
    names = subjects[0].reference.code.names
    shares = {name: one.columns for name, one in cells.items()}
    most = np.max(list(shares.values()), axis=0)
    lines = tuple(
        (
            names[j],
            tuple(float(shares[s.name][j]) if s.name in shares else None for s in subjects),
        )
        for j in np.argsort(-most, kind="stable")[:BARS].tolist()
    )
    note = "Share of each column in what the forest goes by; those with most."
    return Bars(tuple(s.name for s in subjects), lines, "Columns that give rows away", note)


def _rows(subject: Subject, attribution: CellAttribution, p_value: float) -> Table:
    """Rows recognised best, no cells the reason twice, no column the first of them too often."""
    title = f"Sampled rows that are recognised: {subject.name}"
    if p_value > CHANCE:
        return Table((), (), title, "None: the forest does not tell sampled rows from real ones.")
    probability = 1 / (1 + np.exp(-attribution.log_odds))
    cells = _cells(subject)
    chosen: list[tuple[int, list[int]]] = []
    reasons: set[tuple[tuple[int, str], ...]] = set()
    for k in np.argsort(-attribution.log_odds, kind="stable").tolist():
        added = attribution.cells[k]
        marked = np.flatnonzero(added >= max(MARKED * added.max(), 1e-9)).tolist()
        reason = tuple((j, format_cell(cells[j][attribution.rows[k]])) for j in marked)
        first = [int(attribution.cells[i].argmax()) for i, _ in chosen].count(int(added.argmax()))
        if probability[k] < SURE or reason in reasons or first == SAME or len(chosen) == ROWS:
            continue
        chosen.append((k, marked))
        reasons.add(reason)
    if not chosen:
        note = f"None has a probability of {SURE} or more to be sampled, by the forest."
        return Table((), (), title, note)
    names = subject.reference.code.names
    most = attribution.cells[[k for k, _ in chosen]].max(axis=0)
    shown = np.sort(np.argsort(-most, kind="stable")[:COLUMNS]).tolist()
    lines = tuple(
        (
            f"{100 * probability[k]:.0f} %",
            *(format_cell(cells[j][attribution.rows[k]]) for j in shown),
        )
        for k, _ in chosen
    )
    places = frozenset(
        (i, shown.index(j) + 1)
        for i, (_, marked) in enumerate(chosen)
        for j in marked
        if j in shown
    )
    left = len(names) - len(shown)
    note = "Marked: the cells it goes by. First the probability that the row is sampled"
    note += f"; {left} columns with less to show are left out." if left else "."
    heads = ("sampled", *(shortened(names[j], 18) for j in shown))
    return Table(heads, lines, title, note, (0,), places)


def _cells(subject: Subject) -> list[Any]:
    """Columns of the samples, as they are, in the order of the real table."""
    samples = subject.inputs.samples
    frame = nw.from_native(samples, pass_through=True, eager_only=True)
    if not isinstance(frame, nw.DataFrame):
        return list(np.asarray(samples, dtype=object).T)
    labels = list(subject.reference.code.columns.labels)
    columns: list[Any] = list(frame.columns)
    named = set(labels) <= set(columns)
    return [frame[:, columns.index(x) if named else j].to_list() for j, x in enumerate(labels)]
