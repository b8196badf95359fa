"""A section of tables: the open columns given some cells, as small multiples with intervals."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .canvas import name_axis, tick_places
from .column_axes import PlottedColumn, draw_columns, format_cell, shortened
from .page_models import Subject
from .page_parts import Gallery, Picture, Section
from .panel import REAL, color, panel

__all__ = ["conditional_section"]

_DRAWS = 2000
_LEVEL = 0.9
_MOST = 24  # columns that are shown


def conditional_section(subjects: Sequence[Subject], given: Mapping[Any, Any]) -> Section:
    """What the models say of the other columns where some cells are given.

    Args:
        subjects: models and samples, of which those that take conditions are shown.
        given: conditions, as of :meth:`TableDensity.given`.
    """
    able = [subject for subject in subjects if subject.inputs.can("given")]
    words = " and ".join(_words(label, asked) for label, asked in given.items())
    parts = tuple(_small_multiples(subject, given) for subject in able)
    note = (
        f"Each open column given {words}: shares of draws, with the median and the {_LEVEL:.0%} "
        "interval of numbers and dates; behind them all real rows, whatever they have."
    )
    return Section("given", f"Given {words}", parts, note.replace("%", "\N{THIN SPACE}%"))


def _words(label: Any, asked: Any) -> str:
    """A condition as people say it."""
    name = shortened(label if isinstance(label, str) else f"column {label}", 40)
    if isinstance(asked, tuple) and len(asked) == 2:
        low, high = (None if end is None else format_cell(end) for end in asked)
        if low is None or high is None:
            return f"{name} at most {high}" if low is None else f"{name} at least {low}"
        return f"{name} from {low} to {high}"
    if isinstance(asked, (list, set, frozenset)):
        return f"{name} = {' or '.join(map(format_cell, asked))}"
    return f"{name} = {format_cell(asked)}"


def _small_multiples(subject: Subject, given: Mapping[Any, Any]) -> Gallery:
    reference = subject.reference
    conditional = subject.model.given(dict(given), n_draws=2 * _DRAWS, random_state=reference.seed)
    rows = conditional.sample(_DRAWS, random_state=reference.seed)
    ends = [conditional.quantile(q) for q in (0.5 - _LEVEL / 2, 0.5, 0.5 + _LEVEL / 2)]
    open_ = set(conditional.open)
    drawn = [c for c in draw_columns(reference.code.columns, reference.real, rows)
             if c.label in open_]  # fmt: skip
    pictures = tuple(
        _picture(column, [frame[column.label].iloc[0] for frame in ends]
                 if column.label in ends[0] and column.ticks is None else None, subject)
        for column in drawn[:_MOST]
    )  # fmt: skip
    size = float(conditional.effective_size[0])
    note = "summed up exactly" if np.isinf(size) else f"worth {size:,.0f} equally weighted draws"
    left = len(drawn) - len(pictures)
    note += f"; without {left:,} more columns" if left else ""
    legend = (("all real rows", REAL), (subject.name, color(subject.place)))
    return Gallery(pictures, subject.name, note, "small", legend)


def _picture(column: PlottedColumn, ends: list[Any] | None, subject: Subject) -> Picture:
    tint, bins = color(subject.place), column.bins()

    def draw(axes: Any) -> None:
        shares = np.histogram(column.clipped(column.real), bins)[0] / len(column.real)
        axes.stairs(shares, bins, fill=True, color=REAL, alpha=0.25)
        shares = np.histogram(column.clipped(column.sampled), bins)[0] / len(column.sampled)
        axes.stairs(shares, bins, color=tint, linewidth=1.7)
        if ends is not None:
            low, middle, high = (column.clipped(column.place(end)) for end in ends)
            axes.axvspan(low, high, color=tint, alpha=0.13, linewidth=0)
            axes.axvline(middle, color=tint, linewidth=1.2, linestyle=(0, (4, 2)))
        name_axis(axes, "x", column)
        axes.set_ylim(bottom=0)
        axes.yaxis.set_major_locator(tick_places(3))
        axes.yaxis.set_major_formatter(lambda share, _: f"{100 * share:g} %")
        axes.grid(visible=False, axis="x")

    caption = _caption(column, ends)
    alt = f"{column.name} of {subject.name} where the cells are given: {caption}"
    return panel(draw, alt, caption=caption, size=(3.2, 2.1))


def _caption(column: PlottedColumn, ends: list[Any] | None) -> str:
    """The conditional distribution of a column in figures."""
    if ends is not None:
        low, middle, high = (format_cell(end) for end in ends)
        return f"median {middle}, {_LEVEL * 100:.0f} % from {low} to {high}"
    if column.ticks is None:
        return ""
    share = np.bincount(column.sampled.astype(int), minlength=len(column.ticks[1]))
    share = share / share.sum()
    order = np.argsort(-share, kind="stable")[:3]
    return ", ".join(f"{column.ticks[1][i]} {100 * share[i]:.0f} %" for i in order if share[i])
