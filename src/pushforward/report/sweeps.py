"""The figure of a sweep: the best runs of each model, measure by measure."""

import math
from typing import Any

from .canvas import GREY, INK, REAL, REAL_PALE

__all__ = ["sweep_figure"]

_COLUMNS = 3
_MOST = 10


def sweep_figure(sweep: Any, measures: list[str] | None = None) -> Any:
    """Draw the ten best runs of each model: how good, and how far apart.

    As figures 4 to 6 of Rosca et al., *Variational Approaches for Auto-Encoding Generative
    Adversarial Networks* (2017), which show a box of each; ten runs are shown as they are.

    Args:
        sweep: a :class:`~pushforward.metrics.Sweep`.
        measures: which; None for all that have a better direction.

    Returns:
        A ``matplotlib.figure.Figure`` of no window.
    """
    from matplotlib.figure import Figure

    known = sweep.measures
    names = measures or [name for name, m in known.items() if m.better] or list(known)
    rows = math.ceil(len(names) / _COLUMNS)
    models = list(dict.fromkeys(run.model for run in sweep.runs))
    figure = Figure(figsize=(11, 0.6 + rows * (1.0 + 0.3 * len(models))), layout="constrained")
    grid = figure.subplots(rows, _COLUMNS, squeeze=False)
    for place, axes in enumerate(grid.flat):
        if place >= len(names):
            axes.set_axis_off()
            continue
        name = names[place]
        for line, model in enumerate(models):
            values = sweep.best(name, _MOST)[model]
            axes.plot(values[1:], [line] * len(values[1:]), "o", color=REAL_PALE, ms=5)
            axes.plot(values[:1], [line] * len(values[:1]), "o", color=REAL, ms=7)
        better = known[name].better
        arrow = {"lower": "  (lower is better)", "higher": "  (higher is better)"}.get(better, "")
        axes.set_title(name.replace("_", " ") + arrow, fontsize=9, color=INK, loc="left")
        axes.set_yticks(
            range(len(models)), models if place % _COLUMNS == 0 else [""] * len(models)
        )
        axes.set_ylim(len(models) - 0.5, -0.5)
        axes.margins(x=0.08)
        axes.tick_params(labelsize=8, colors=GREY, length=3)
        axes.grid(axis="y", color="#E8E8E8", lw=0.8)
        axes.set_axisbelow(True)
        for side in ("top", "right", "left"):
            axes.spines[side].set_visible(False)
        axes.spines["bottom"].set_color(GREY)
    runs = max(sum(run.model == model for run in sweep.runs) for model in models)
    figure.suptitle(
        f"The {min(runs, _MOST)} best of {runs} runs of each model; the best is dark",
        fontsize=10, color=INK, x=0.01, ha="left",
    )  # fmt: skip
    return figure
