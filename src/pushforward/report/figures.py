"""One figure of a fitted table density: real rows against sampled ones, and the strangest rows."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np

from ..errors import ParameterError, UnsupportedError
from ..estimators.table_density import TableDensity
from ..validation import COUNT, check
from .canvas import (
    GREY,
    INK,
    REAL,
    REAL_PALE,
    SAMPLED,
    WIDTH,
    Band,
    name_axis,
    tick_places,
    two_histograms,
)
from .column_axes import draw_columns, shortened
from .column_choice import (
    dependence,
    most_informative_columns,
    most_informative_pairs,
    most_informative_partner,
)
from .unlikely_rows import UnlikelyRow, least_likely_rows

__all__ = ["table_figure"]

PAIRS, SINGLES, UNLIKELY = 4, 6, 4
SLOT = 3.32  # inches from one of four plots in a row to the next


def table_figure(
    model: TableDensity,
    X: Any,
    *,
    rows: int = 400,
    title: str | None = None,
    random_state: Any = 0,
) -> Any:
    """Draw what a fitted density makes of a table.

    From top to bottom: the pairs of columns that depend on each other in the most telling way,
    real rows against as many sampled ones; log densities with the threshold of ``predict``, and
    single columns; the strangest rows, each beside the column that shows why, with the columns
    that make it unlikely, their values, and what the model expected there.

    Args:
        model: a fitted density of a table.
        X: table of shape (n, p), at least two rows; best rows that were not fitted on.
        rows: most real rows drawn as points. Histograms count all rows of ``X``, and the
            strangest are sought among all.
        title: first line of the figure.
        random_state: seed of the sampled rows.

    Returns:
        A ``matplotlib.figure.Figure`` 14 inches wide; ``figure.savefig("figure.png")`` writes
        it. It belongs to no window and no global state.

    Raises:
        UnsupportedError: if the model is not a density of tables, or matplotlib is missing.
        ParameterError: for fewer than two rows, or ``rows`` below one.
        NotFittedError, DataError: as ``score_samples``.

    Examples:
        >>> import pushforward
        >>> from pushforward.report import table_figure
        >>> X = pushforward.load_dataset("iris")
        >>> figure = table_figure(pushforward.GIS(max_layers=5, random_state=0).fit(X), X)
        >>> figure.get_size_inches()[0].item()
        14.0
    """
    if not isinstance(model, TableDensity):
        raise UnsupportedError(
            "table_figure draws densities of tables (AutoDensity, GIS), and got "
            f"{type(model).__name__}."
        )
    check({"rows": COUNT}, {"rows": rows})
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise UnsupportedError(
            'Figures need matplotlib, which is not installed: pip install "pushforward[plot]"'
        ) from error

    page = _Page(model, X, rows, title, random_state)
    parts = page.parts()
    figure = Figure(
        figsize=(WIDTH, sum(height for _, height in parts)), dpi=100, facecolor="white"
    )
    FigureCanvasAgg(figure)
    top = figure.get_figheight()
    for draw, height in parts:
        top -= height
        draw(Band(figure, top, height))
    return figure


class _Page:
    """What there is to draw, and the parts of the figure that draw it."""

    def __init__(
        self, model: TableDensity, X: Any, rows: int, title: str | None, random_state: Any
    ) -> None:
        self.model, self.title = model, title
        self.scores = model.decision_function(X) + model.offset_
        by_density = model.capabilities().threshold is not None
        self.log_density = (self.scores if by_density else model.score_samples(X)).mean()
        self.score_name = "log density" if by_density else "outlier score"
        n = len(self.scores)
        if n < 2:
            raise ParameterError("X has one row. Expected at least two rows to draw.")
        self.points = np.sort(np.random.default_rng(0).permutation(n)[:rows])
        count = max(4000, len(self.points))
        sampled = model.sample(count, random_state=random_state, complete=True)
        self.sampled_scores = model.decision_function(sampled) + model.offset_
        self.columns = draw_columns(model.columns_, X, sampled)
        self.unlikely = least_likely_rows(model, X, self.scores, UNLIKELY) if self.columns else []
        information = dependence(self.columns)
        self.pairs = most_informative_pairs(self.columns, information, PAIRS)
        self.singles = most_informative_columns(self.columns, self.pairs, SINGLES)

    def parts(self) -> list[tuple[Callable[[Band], None], float]]:
        """What draws the parts, from top to bottom, and the inches each needs."""
        parts: list[tuple[Callable[[Band], None], float]] = [(self.head, 0.95)]
        if self.pairs:
            parts.append((self.pair_plots, 3.55))
        parts.append((self.densities, 3.75))
        if self.columns:
            parts.append((self.unlikely_rows, 4.15))
        return parts

    def head(self, band: Band) -> None:
        title = self.title or f"Real rows against rows sampled from {type(self.model).__name__}"
        band.text(0.45, 0.52, title, fontsize=16, fontweight="bold")
        x, n = 0.45, len(self.scores)
        for colour, text in (
            (REAL, f"{n:,} real rows"),
            (SAMPLED, "rows sampled from the model"),
        ):
            band.text(x, 0.17, "●", fontsize=12, color=colour)
            band.text(x + 0.2, 0.19, text, fontsize=11, color=colour)
            x += 0.5 + 0.085 * len(text)
        below = int((self.scores < self.model.offset_).sum())
        summary = (
            f"mean log density {_nats(self.log_density, 2)} nats a row   ·   {below:,} of "
            f"{n:,} rows ({100 * below / n:.1f} %) below the threshold"
        )
        band.text(WIDTH - 0.3, 0.19, summary, color=GREY, ha="right")

    def pair_plots(self, band: Band) -> None:
        count = len(self.points)
        sampled = ("sampled", slice(0, count), SAMPLED)
        real = ("real", self.points, REAL)
        plots = [(pair, [sampled, real]) for pair in self.pairs]
        if len(plots) == 1:  # there is room to show them apart as well
            plots += [(self.pairs[0], [real]), (self.pairs[0], [sampled])]
        beyond = False
        for i, ((a, b), layers) in enumerate(plots):
            axes = band.axes(0.95 + SLOT * i, 0.62, 2.6, 2.55)
            pair = self.columns[a], self.columns[b]
            for which, rows, colour in layers:
                x, y = (column.scattered(which, rows) for column in pair)
                size = 11 if count < 1000 else 5
                axes.scatter(x, y, s=size, c=colour, alpha=0.6, linewidths=0, rasterized=True)
                beyond |= any(column.beyond(which, rows) for column in pair)
            name_axis(axes, "x", pair[0])
            name_axis(axes, "y", pair[1])
        note = "; those beyond an axis lie on its edge" if beyond else ""
        band.heading("Pairs of columns", f"{count:,} real rows and as many sampled{note}")

    def densities(self, band: Band) -> None:
        self._log_densities(band.axes(0.95, 0.62, 4.6 if self.singles else 12.4, 2.7))
        band.heading(f"{self.score_name.capitalize()} of the rows")
        if self.singles:
            band.heading("Single columns", "share of rows in each bin", x=6.15)
        for i, j in enumerate(self.singles):
            row, place = divmod(i, 3)
            axes = band.axes(6.55 + 2.5 * place, 2.3 - 1.68 * row, 2.05, 1.0)
            column = self.columns[j]
            bins = column.bins()
            two_histograms(
                axes,
                column.clipped(column.known),
                column.clipped(column.sampled),
                bins,
                bars=column.few and len(bins) <= 10,
            )
            name_axis(axes, "x", column)
            axes.yaxis.set_major_locator(tick_places(2))

    def _log_densities(self, axes: Any) -> None:
        threshold = self.model.offset_
        low, high = np.quantile(self.scores, [0.05, 0.95])
        reach = 3 * max(high - low, 1e-9)
        sampled = np.quantile(self.sampled_scores, [0.005, 1])
        low = max(min(self.scores.min(), sampled[0], threshold), low - reach)
        high = min(max(self.scores.max(), sampled[1], threshold), high + reach)
        pad = 0.03 * (high - low) or 1.0
        bins = np.linspace(low - pad, high + pad, 41)
        ends = low - 0.99 * pad, high + 0.99 * pad
        two_histograms(axes, self.scores.clip(*ends), self.sampled_scores.clip(*ends), bins)
        top = axes.get_ylim()[1] * 1.12
        axes.set_ylim(0, top)
        axes.axvline(threshold, color=INK, linewidth=1.2, linestyle=(0, (4, 2)))
        right = threshold < 0.5 * (low + high)
        axes.annotate(
            f"threshold {_nats(threshold, 1)}",
            (threshold, top),
            xytext=(5 if right else -5, -3),
            textcoords="offset points",
            ha="left" if right else "right",
            va="top",
            fontsize=9,
            color=INK,
        )
        self._name_unlikely(axes, ends, top)
        axes.set_xlabel(f"{self.score_name}, nats a row (higher is more normal)", fontsize=9.5)
        axes.set_ylabel("share of rows", fontsize=9.5)
        axes.yaxis.set_major_locator(tick_places(4))

    def _name_unlikely(self, axes: Any, ends: tuple[float, float], top: float) -> None:
        """Names over the bars of the strangest rows, one above the other where they are close."""
        taken: list[tuple[float, float]] = []
        for unlikely in self.unlikely:
            at = float(np.clip(unlikely.score, *ends))
            name = shortened(unlikely.name, 12)
            wide = 0.035 * (ends[1] - ends[0]) * (1 + 0.45 * len(name))
            level = 0.1
            while any(abs(at - x) < wide and abs(level - y) < 0.07 for x, y in taken):
                level += 0.08
            taken.append((at, level))
            axes.plot([at, at], [0, (level - 0.01) * top], color=INK, linewidth=0.8)
            axes.text(
                at,
                level * top,
                name,
                fontsize=9,
                color=INK,
                ha="center",
                va="bottom",
                fontweight="bold",
                parse_math=False,
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.8, "alpha": 0.85},
            )

    def unlikely_rows(self, band: Band) -> None:
        band.heading(
            "The strangest rows",
            "arrow: from the cell's value to what the model expects there, the rest of the row "
            "as it is",
        )
        for i, unlikely in enumerate(self.unlikely):
            left, y = 0.95 + SLOT * i, 0.72
            self._unlikely_plot(band.axes(left, 1.5, 2.6, 2.15), unlikely)
            name = f"row {shortened(unlikely.name, 12)}   {_nats(unlikely.score, 1)} nats"
            band.text(left - 0.5, y + 0.03, name, fontsize=10.5, fontweight="bold")
            for reason in unlikely.reasons:
                y -= 0.2
                band.text(left - 0.5, y, _minus(reason.sentence(43)), fontsize=9)

    def _unlikely_plot(self, axes: Any, unlikely: UnlikelyRow) -> None:
        """The cell that fits least, against the column that shows why, with what was expected."""
        at = {column.label: j for j, column in enumerate(self.columns)}
        reason = next((r for r in unlikely.reasons if r.column in at), None)
        j = 0 if reason is None else at[reason.column]
        column = self.columns[j]
        y = goal = float(column.clipped(column.real[unlikely.row]))
        if reason is not None:
            goal = float(column.clipped(column.place(reason.expected)))
        # near enough for the arrow to be seen
        share = float(np.clip(abs(y - goal) / (0.25 * np.ptp(column.limits)), 0.2, 1))
        k = most_informative_partner(self.columns, j, unlikely.row, goal)
        if k is None:
            x, own = self.points.astype(float), float(unlikely.row)
            axes.set_xlabel("row", fontsize=9.5)
        else:
            other = self.columns[k]
            x = other.scattered("real", self.points, apart=False)
            own = float(other.clipped(other.real[unlikely.row]))
            name_axis(axes, "x", other, other.window(own, share))
        name_axis(axes, "y", column, column.window(0.5 * (y + goal), share))
        dots = column.scattered("real", self.points, apart=False)
        axes.scatter(x, dots, s=13, c=REAL_PALE, linewidths=0, rasterized=True)
        if reason is not None:
            arrow = {"arrowstyle": "-|>", "color": INK, "linewidth": 1.3, "mutation_scale": 10}
            arrow |= {"shrinkA": 3, "shrinkB": 0}
            axes.annotate("", (own, goal), xytext=(own, y), arrowprops=arrow)
        ring = {"c": "white", "edgecolors": INK, "linewidths": 1.6}
        axes.scatter([own], [y], s=48, zorder=3, clip_on=False, **ring)


def _nats(value: float, digits: int) -> str:
    return _minus(f"{value:,.{digits}f}")


def _minus(text: str) -> str:
    """A text whose negative numbers have the sign they have on axes."""
    return re.sub(r"(^| )-(?=\d)", "\\1\N{MINUS SIGN}", text)
