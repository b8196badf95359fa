"""Plain pieces of a matplotlib figure: bands placed by inches, histograms, named axes."""

from typing import Any

import numpy as np

from .column_axes import PlottedColumn, shortened

__all__ = [
    "GREY",
    "INK",
    "REAL",
    "REAL_PALE",
    "SAMPLED",
    "WIDTH",
    "Band",
    "name_axis",
    "tick_places",
    "two_histograms",
]

# blue and orange of Okabe and Ito's palette, which people of every colour vision tell apart
REAL, REAL_PALE, SAMPLED, INK, GREY = "#0072B2", "#8FBCDB", "#D55E00", "#1A1A1A", "#5F5F5F"
WIDTH = 14.0  # inches of a figure


class Band:
    """A horizontal part of a figure; places things in it by inches from its lower left."""

    def __init__(self, figure: Any, bottom: float, height: float) -> None:
        self.figure, self.bottom, self.height = figure, bottom, height
        self._total = figure.get_figheight()

    def axes(self, left: float, bottom: float, width: float, height: float) -> Any:
        """Axes with a quiet frame."""
        axes = self.figure.add_axes(
            (
                left / WIDTH,
                (self.bottom + bottom) / self._total,
                width / WIDTH,
                height / self._total,
            )
        )
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
        for side in ("left", "bottom"):
            axes.spines[side].set_color(GREY)
            axes.spines[side].set_linewidth(0.8)
        axes.tick_params(colors=GREY, labelsize=8.5, length=3, width=0.8)
        return axes

    def text(self, x: float, y: float, text: str, **style: Any) -> None:
        """A line of text, whose characters all mean themselves."""
        style = {"fontsize": 10, "color": INK, "ha": "left", "va": "baseline", **style}
        at = x / WIDTH, (self.bottom + y) / self._total
        self.figure.text(*at, text, parse_math=False, **style)

    def heading(self, text: str, note: str = "", x: float = 0.45) -> None:
        """A heading, with a note at the right end of its line."""
        y = self.height - 0.24
        self.text(x, y, text, fontsize=11.5, fontweight="bold")
        self.text(WIDTH - 0.3, y, note, fontsize=9.5, color=GREY, ha="right")


def two_histograms(
    axes: Any, real: np.ndarray, sampled: np.ndarray, bins: np.ndarray, *, bars: bool = False
) -> None:
    """Shares of rows in bins: real filled, sampled as a line; bars stand apart."""
    shares = [np.histogram(values, bins)[0] / len(values) for values in (real, sampled)]
    if bars:
        middles = 0.5 * (bins[1:] + bins[:-1])
        axes.bar(middles, shares[0], 0.76, color=REAL_PALE)
        axes.bar(middles, shares[1], 0.76, fill=False, edgecolor=SAMPLED, linewidth=1.5)
    else:
        axes.stairs(shares[0], bins, fill=True, color=REAL_PALE)
        axes.stairs(shares[1], bins, color=SAMPLED, linewidth=1.5)
    axes.set_xlim(bins[0], bins[-1])
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_formatter(lambda share, _: f"{100 * share:g}%")


def name_axis(
    axes: Any, which: str, column: PlottedColumn, limits: tuple[float, float] | None = None
) -> None:
    """Label, limits and a few ticks of an axis that shows a column."""
    axis = axes.xaxis if which == "x" else axes.yaxis
    (axes.set_xlim if which == "x" else axes.set_ylim)(*(limits or column.limits))
    axis.set_label_text(column.name, fontsize=9.5, color=INK, parse_math=False)
    if column.smallest is not None:
        places, texts = column.orders(limits or column.limits)
        axis.set_ticks(places, texts, parse_math=False)
        return
    if column.ticks is None:
        axis.set_major_locator(tick_places(4, column.discrete))
        return
    places, texts = column.ticks
    length = max(3, 26 // len(places)) if which == "x" else 9
    axis.set_ticks(places, [shortened(text, length) for text in texts], parse_math=False)


def tick_places(count: int, whole: bool = False) -> Any:
    """A locator of at most ``count`` round steps."""
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(count, integer=whole, steps=[1, 2, 5, 10])
