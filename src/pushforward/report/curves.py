"""Curves of a page: histograms of scores, receiver operating characteristics, losses."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .canvas import tick_places
from .page_parts import Picture
from .panel import INK, QUIET, REAL, color, panel

__all__ = ["loss_curves", "roc_curves", "score_histogram"]

_ALIKE = {"bits": "bits_per_dim"}  # a loss and the measure it is, on the same axes
_SPLITS = {"train": QUIET, "held out": REAL, "sampled": "", "other": INK}


def score_histogram(
    scores: Mapping[str, np.ndarray],
    model: str,
    place: int,
    unit: str,
    threshold: float | None = None,
) -> Picture:
    """Densities of the scores of several sets of rows, on one axis.

    The axis ends three times the middle 90 % away from it; rows beyond lie in the last bins.

    Args:
        scores: (n,) by "train", "held out", "sampled", "other".
        model: its name.
        place: of the model on the page, which gives the colour.
        unit: what the axis says.
        threshold: score below which rows are outliers.
    """
    known = [x for name, x in scores.items() if name != "other"]
    low, high = np.quantile(np.concatenate(known), [0.05, 0.95])
    reach = max(high - low, 1e-9)
    everything = np.concatenate(list(scores.values()))
    ends = max(everything.min(), low - 2 * reach), min(everything.max(), high + 2 * reach)
    pad = 0.02 * (ends[1] - ends[0]) or 1.0
    count = int(np.clip(3 * len(scores["held out"]) ** (1 / 3), 12, 48))
    bins = np.linspace(ends[0] - pad, ends[1] + pad, count + 1)

    def draw(axes: Any) -> None:
        for name, x in scores.items():
            shares = np.histogram(x.clip(ends[0], ends[1]), bins)[0] / len(x)
            tint = _SPLITS.get(name) or color(place)
            if name == "held out":
                axes.stairs(shares, bins, fill=True, color=tint, alpha=0.35)
            dashes = (0, (2.5, 1.5)) if name == "other" else "-"
            axes.stairs(
                shares, bins, color=tint, linewidth=1.6, linestyle=dashes,
                label=f"{name} ({len(x):,})",
            )  # fmt: skip
        if threshold is not None and ends[0] <= threshold <= ends[1]:
            axes.axvline(threshold, color=INK, linewidth=1, linestyle=(0, (4, 3)))
            axes.annotate(
                "threshold", (threshold, 1), xycoords=("data", "axes fraction"),
                xytext=(-4, -4), textcoords="offset points", ha="right", va="top",
                fontsize=9, color=INK,
            )  # fmt: skip
        axes.set_xlim(bins[0], bins[-1])
        axes.set_ylim(bottom=0)
        axes.yaxis.set_major_locator(tick_places(4))
        axes.yaxis.set_major_formatter(lambda share, _: f"{100 * share:g} %")
        axes.xaxis.set_major_locator(tick_places(6))
        axes.grid(visible=False, axis="x")
        axes.set_xlabel(unit)
        axes.set_ylabel("share")
        _legend(axes)

    means = ", ".join(f"{name} {np.mean(x):.4g}" for name, x in scores.items())
    return panel(
        draw, f"Histogram of the scores of {model}; means: {means}",
        title=model, caption=f"Means: {means}.", size=(4.6, 3.1),
    )  # fmt: skip


def roc_curves(
    pairs: Mapping[str, tuple[np.ndarray, np.ndarray, float]], model: str, place: int
) -> Picture:
    """Share of held-out rows that pass against share of other rows that do, at every threshold.

    Args:
        pairs: scores of held-out and of other rows, and the area under the curve, by the kind of
            score.
        model: its name.
        place: of the model on the page.
    """
    styles = ("-", (0, (5, 1.5)), (0, (1.5, 1.2)), (0, (6, 1.5, 1.5, 1.5)))

    def draw(axes: Any) -> None:
        axes.plot([0, 1], [0, 1], color=QUIET, linewidth=0.9, linestyle=(0, (2, 3)))
        for i, (name, (inside, outside, area)) in enumerate(pairs.items()):
            thresholds = np.sort(np.concatenate([inside, outside]))[::-1]
            passed = [
                1 - np.searchsorted(np.sort(x), thresholds, side="left") / len(x)
                for x in (outside, inside)
            ]
            axes.plot(
                np.concatenate([[0], passed[0], [1]]), np.concatenate([[0], passed[1], [1]]),
                color=color(place) if i == 0 else INK, linewidth=2.2 if i == 0 else 1.3,
                linestyle=styles[i % len(styles)], label=f"{name}  {area:.3f}",
            )  # fmt: skip
        axes.set_xlim(-0.01, 1.01)
        axes.set_ylim(-0.01, 1.01)
        axes.set_aspect("equal")
        axes.set_xlabel("other data taken for normal")
        axes.set_ylabel("held-out data taken for normal")
        axes.legend(
            fontsize=9, handlelength=2.4, labelcolor=INK, frameon=False, ncols=2,
            loc="upper center", bbox_to_anchor=(0.5, -0.16),
        )  # fmt: skip

    areas = ", ".join(f"{name} {area:.3f}" for name, (_, _, area) in pairs.items())
    return panel(
        draw, f"Receiver operating characteristics of {model}. AUROC: {areas}", title=model,
        caption="Beside each kind of score its AUROC.", size=(4.6, 4.7),
    )  # fmt: skip


def loss_curves(history: Sequence[Any], model: str, place: int) -> list[Picture]:
    """What a training recorded: losses on the way and measures on held-out rows.

    Args:
        history: records of a training, {"step": k, name: value, ...}; or (train, held out) for
            each layer of a sliced flow.
        model: its name.
        place: of the model on the page.

    Returns:
        A picture for each quantity, several terms of a loss being one each.
    """
    if not len(history):
        return []
    if not isinstance(history[0], Mapping):
        train, held = np.asarray(history, dtype=float).T
        steps = np.arange(1, len(train) + 1)
        lines = {"train": (steps, train), "held out": (steps, held)}
        return [_lines(lines, model, place, "layers", "log density, nats a row")]
    skip = ("step", "seconds")
    names = dict.fromkeys(str(n) for record in history for n in record if n not in skip)
    groups: dict[str, dict[str, tuple[np.ndarray, np.ndarray]]] = {}
    for name in names:
        end: str = name.rsplit(".", 1)[-1]
        last = _ALIKE.get(end, end)
        if last in ("rate", "gradient"):
            continue
        found = [(r["step"], r[name]) for r in history if isinstance(r.get(name), (int, float))]
        line = np.asarray(found, dtype=float).T
        if line.size and np.isfinite(line).all():
            groups.setdefault(last, {})[name] = (line[0], line[1])
    return [_lines(lines, model, place, "steps", last) for last, lines in groups.items()]


def _lines(
    lines: Mapping[str, tuple[np.ndarray, np.ndarray]], model: str, place: int, x: str, y: str
) -> Picture:
    words = y.replace("_", " ")

    def draw(axes: Any) -> None:
        for i, (name, (steps, values)) in enumerate(lines.items()):
            few = len(steps) < 30
            tint = color(place) if i == 0 else (REAL, QUIET, INK)[(i - 1) % 3]
            axes.plot(
                steps, values, color=tint, linewidth=1.7, marker="o" if few else None,
                markersize=3.5, label=name.replace("_", " "),
            )  # fmt: skip
        values = np.concatenate([v[max(1, len(v) // 20) :] for _, v in lines.values()] or [[0.0]])
        if values.size:  # the first steps may be far off: the view is of the rest
            low, high = values.min(), values.max()
            pad = 0.06 * (high - low) or 0.1 * abs(high) or 1.0
            axes.set_ylim(low - pad, high + pad)
        axes.set_xlabel(x)
        axes.set_ylabel(words)
        axes.xaxis.set_major_locator(tick_places(6))
        axes.yaxis.set_major_locator(tick_places(5))
        if len(lines) > 1:
            _legend(axes)

    ends = ", ".join(f"{name} {values[-1]:.4g}" for name, (_, values) in lines.items())
    return panel(draw, f"{words} of {model} over {x}; last: {ends}", title=f"{model}: {words}",
                 caption=f"Last: {ends}.")  # fmt: skip


def _legend(axes: Any) -> None:
    axes.legend(fontsize=9, handlelength=1.8, labelcolor=INK, frameon=False)
