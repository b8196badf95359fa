"""The sections of the page on a refined model: stages tried, samples, and other methods."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..refinement import Compared, RefinedModel, RefinementReport, StepResult
from .page_parts import Bars, Code, Gallery, Part, Picture, Section, Table
from .panel import MODELS, QUIET, REAL, panel

__all__ = [
    "AFTER",
    "LEGEND",
    "SHEET",
    "comparison_sections",
    "measured_section",
    "over_optimisation_section",
    "sample_sections",
    "tried_section",
    "verdict_text",
]

BEFORE, AFTER = MODELS[0], MODELS[1]
LEGEND = (("real", REAL), ("before", BEFORE), ("after", AFTER))
SHEET = 40  # images in a picture
_LINES, _POINTS, _PAIRS, _CATEGORIES = 12, 1500, 2, 12
_UNORDERED = ("category", "boolean")


def verdict_text(report: RefinementReport) -> str:
    """Whether refinement helped, in a sentence or two."""
    if not report.helped:
        return (
            "Nothing helped beyond chance on held-out rows: the refined model is the generator "
            f"as it was.{_distances(report)}"
        )
    return (
        f"A two-sample test tells samples from held-out rows with an AUC of "
        f"{report.before.value:.3f} before and {report.after.value:.3f} after; real rows from "
        f"other real rows with {report.floor.value:.3f}. 0.5 cannot be told apart."
        f"{_distances(report)}"
    )


def _distances(report: RefinementReport) -> str:
    """Of images, Fréchet distances of the features that the test sees."""
    before, after = (m.details.get("frechet") for m in (report.before, report.after))
    if before is None or after is None:
        return ""
    return f" The Fréchet distance of the features is {before:.4g} before and {after:.4g} after."


def _ends(auc: Any) -> str:
    return "" if auc.interval is None else "{:.3f} to {:.3f}".format(*auc.interval)


def tried_section(report: RefinementReport) -> Section:
    """A table of the stages that were tried, with what each did and cost."""
    lines = []
    for stage in report.stages:
        settings = {k: v for k, v in stage.settings.items() if v is not None}
        words = (
            f"{k} {v:.3g}" if isinstance(v, float) else f"{k} {v}" for k, v in settings.items()
        )
        gain = stage.auc.details.get("gain")
        if gain is not None:
            words = (*words, f"{gain:+.2g} nats")
        moved = "" if stage.displacement is None else f"{stage.displacement:.1%}"
        by = f"by a {stage.logit} logit; " if stage.logit else ""
        lines.append(
            (
                f"{stage.name} of {stage.space}", f"{by}{', '.join(words)}",
                f"{stage.auc.value:.3f}", _ends(stage.auc), moved, f"{stage.effective:.0%}",
                f"{stage.acceptance:.0%}", f"{stage.evaluations:.3g}",
                "kept" if stage.kept else "left out",
            )
        )  # fmt: skip
    heads = (
        *("Stage", "Settings", "AUC", "95 %", "Moved", "Effective", "Accepted", "Logits"),
        "Verdict",
    )
    note = (
        "Each stage is judged on fresh samples and held-out rows that taught and chose nothing, "
        "and kept only if the test finds samples nearer to the data, beyond chance, or thinning "
        "raises the mean log-likelihood of those rows (nats) beyond chance. Moved: root "
        "mean square, of the spread of the rows. Effective: share of the samples before the stage "
        "that count when the logit weighs them. Accepted: of all draws. Logits: of one sample."
    )
    table = Table(heads, tuple(lines), numbers=(2, 4, 5, 6, 7))
    left = (f" {line[0].upper()}{line[1:].rstrip('.')}." for line in report.notes)
    return Section("tried", "What was tried", (table,), note + "".join(left))


def measured_section(report: RefinementReport) -> Section:
    """Figures of the AUC after each stage, and of the logits of real rows and samples."""
    places = [("generator", report.before, BEFORE)]
    places += [
        (f"{k}. {s.name}", s.auc, AFTER if s.kept else QUIET)
        for k, s in enumerate(report.stages, start=1)
    ]
    places += [("refined, anew", report.after, AFTER)]

    def draw_areas(axes: Any) -> None:
        low, high = report.floor.interval or (report.floor.value, report.floor.value)
        axes.axvspan(low, high, color=REAL, alpha=0.25, linewidth=0)
        for y, (_, auc, tint) in enumerate(places):
            ends = auc.interval or (auc.value, auc.value)
            axes.plot(ends, [y, y], color=tint, linewidth=2.2)
            axes.plot([auc.value], [y], "o", color=tint, markersize=7)
        axes.set_yticks(range(len(places)), [name for name, _, _ in places])
        axes.set_ylim(len(places) - 0.4, -0.6)
        axes.set_xlim(0.45, 1.0)
        axes.set_xlabel("AUC of the two-sample test")

    def draw_logits(axes: Any) -> None:
        values = {name: np.asarray(report.logits[name]) for name, _ in LEGEND}
        inner = [v[1:-1] for v in values.values()]
        bins = np.linspace(min(v[0] for v in inner), max(v[-1] for v in inner), 41)
        share = (np.arange(4000) + 0.5) / 40
        for name, tint in LEGEND:
            drawn = np.interp(share, np.arange(101), values[name]).clip(bins[0], bins[-1])
            height = np.histogram(drawn, bins)[0] / len(drawn)
            axes.stairs(height, bins, color=tint, linewidth=1.8, fill=name == "real", alpha=0.9)
        axes.set_ylim(bottom=0)
        axes.yaxis.set_major_formatter(lambda y, _: f"{100 * y:g} %")
        axes.set_xlabel("logit, log of real over generated")
        axes.set_ylabel("share of rows")

    pictures = (
        panel(
            draw_areas, f"AUC of each stage: {verdict_text(report)}", title="Told from data",
            caption="The band is real rows against other real rows. Grey stages were left out.",
            size=(5.2, 0.9 + 0.42 * len(places)),
        ),
        panel(
            draw_logits, "Histograms of logits of real rows, samples before and after",
            title="Logits",
            caption="By the logit the refinement began with. Samples after it that lie to the "
            "right of real rows have piled up on its peaks.",
            size=(5.2, 3.2),
        ),
    )  # fmt: skip
    parts = (Gallery(pictures, size="large", legend=LEGEND),)
    return Section("measured", "Before, after, and real rows", parts)


def sample_sections(model: RefinedModel, data: Any, n: int, seed: int) -> list[Section]:
    """Samples from the same latents before and after, and shares of categories."""
    can = model.capabilities()
    if can.kind == "images":
        return [_images(model, seed)]
    if can.kind == "text":
        before, after = model.before_after(_LINES, random_state=seed)
        parts = (Code("\n".join(before), "before"), Code("\n".join(after), "after"))
        note = "Lines of the same latents, as they come; thinning is left out."
        return [Section("samples", "Samples", parts, note)]
    after = model.sample(n, random_state=seed, complete=True)
    before, moved = model.before_after(n, random_state=seed)
    sides = [_numbers(model, x) for x in (data, before, moved, after)]
    sections = []
    if sides[0].shape[1] > 1:
        columns = can.columns
        names = None if columns is None else columns.names
        names = names or [f"x{k}" for k in range(sides[0].shape[1])]
        drawn = _drawn(model, sides[0].shape[1])
        sections.append(_clouds([x[:, drawn] for x in sides], [names[k] for k in drawn]))
    shares = _categories(model, data, before, after)
    return [*sections, *shares]


def _images(model: RefinedModel, seed: int) -> Section:
    from ..data.images import as_images
    from .image_sheets import sheet

    layout = model.pixels_.layout
    before, after = (
        as_images(x, layout)[0][:] for x in model.before_after(SHEET, random_state=seed)
    )
    final = as_images(model.sample(SHEET, random_state=seed), layout)[0][:]
    pictures = (
        sheet(before, "Samples of the generator", columns=8, title="before"),
        sheet(after, "The same latents, moved", columns=8, title="the same latents, moved"),
        sheet(final, "Samples of the refined model", columns=8, title="samples, refined"),
    )
    note = "As they come: none were chosen. Thinning shows in the last sheet alone."
    return Section("samples", "Samples", (Gallery(pictures, size="panel"),), note)


def _numbers(model: RefinedModel, X: Any) -> np.ndarray:
    columns = model.capabilities().columns
    if columns is not None:
        z, _, known = columns.encode_known(X)
        return np.where(known, z, np.nan)
    array = np.asarray(X, dtype=float)
    return array.reshape(len(array), -1)


def _drawn(model: RefinedModel, width: int) -> list[int]:
    """Coordinates that make pairs: numbers, where there are two; categories have their shares."""
    columns = model.capabilities().columns
    kinds = [] if columns is None else [one.kind for one in columns.columns if one.has_coordinate]
    numbers = [k for k, kind in enumerate(kinds) if kind not in _UNORDERED]
    return numbers if len(numbers) > 1 else [*range(width)]


def _clouds(sides: list[np.ndarray], names: Sequence[str]) -> Section:
    real, before, moved, after = sides
    titles = ("real", "before", "the same latents, moved", "refined")
    tints = (REAL, BEFORE, AFTER, AFTER)
    galleries = []
    for k in range(0, min(2 * _PAIRS, real.shape[1] - 1), 2):
        low, high = np.nanquantile(real[:, k : k + 2], [0.002, 0.998], axis=0)
        room = 0.15 * (high - low) + 1e-9
        pictures = [
            _cloud(x[:_POINTS, k : k + 2], tint, low - room, high + room, names[k : k + 2], title)
            for x, tint, title in zip((real, before, moved, after), tints, titles, strict=True)
        ]
        galleries.append(Gallery(tuple(pictures), size="small"))
    note = (
        f"At most {_POINTS:,} rows each, in standardised coordinates. The second and third "
        "picture are of the same latents. Thinning shows in the last alone."
    )
    return Section("samples", "Samples", tuple(galleries), note)


def _cloud(
    x: np.ndarray, tint: str, low: np.ndarray, high: np.ndarray, names: Sequence[str], title: str
) -> Picture:
    def draw(axes: Any) -> None:
        axes.scatter(
            x[:, 0], x[:, 1], s=3.5, color=tint, alpha=0.45, linewidths=0, rasterized=True
        )
        axes.set_xlim(low[0], high[0])
        axes.set_ylim(low[1], high[1])
        axes.set_xlabel(names[0])
        axes.set_ylabel(names[1])

    return panel(draw, f"Scatter plot of {title} rows", title=title, size=(3.2, 3.0))


def _categories(model: RefinedModel, data: Any, before: Any, after: Any) -> list[Section]:
    """Shares of the commonest categories of the first column that has any."""
    columns = model.capabilities().columns
    kinds = [] if columns is None else list(columns.kinds)
    place = next((k for k, kind in enumerate(kinds) if kind in _UNORDERED), None)
    if columns is None or place is None:
        return []
    import narwhals as nw

    def values(X: Any) -> np.ndarray:
        frame = nw.from_native(X, pass_through=True, eager_only=True)
        column = frame[:, place] if isinstance(frame, nw.DataFrame) else np.asarray(X)[:, place]
        known = ~columns.missing(X)[columns.labels[place]]
        return np.asarray(column)[known].astype(str)

    sides = [values(x) for x in (data, before, after)]
    names, counts = np.unique(sides[0], return_counts=True)
    names = names[np.argsort(-counts, kind="stable")][:_CATEGORIES]
    lines = tuple(
        (str(name), tuple(float(np.mean(side == name)) for side in sides)) for name in names
    )
    part: Part = Bars(("real", "before", "after"), lines)
    title = f"Shares of {columns.labels[place]}"
    return [
        Section("shares", title, (part,), "Thinning carries mass between modes; moving hardly.")
    ]


def comparison_sections(compared: Sequence[Compared]) -> list[Section]:
    """A table of all methods, where they were compared."""
    if not compared:
        return []
    lines = tuple(
        (
            c.method, "" if c.auc is None else f"{c.auc.value:.3f}",
            "" if c.auc is None else _ends(c.auc), f"{c.draws:.3g}", f"{c.evaluations:.3g}",
            f"{c.milliseconds:.3g}", c.reason or ("helps" if c.helped else "does not help"),
        )
        for c in compared
    )  # fmt: skip
    heads = ("Method", "AUC", "95 %", "Draws", "Logits", "ms a sample", "On held-out rows")
    note = "By the same rows and, where there is no critic, the same networks; at one cost."
    table = Table(heads, lines, numbers=(1, 3, 4, 5))
    return [Section("compared", "All methods", (table,), note)]


def over_optimisation_section(results: Sequence[StepResult]) -> Section:
    """A figure of what becomes of samples that are moved on without a stop."""
    note = (
        "The generator's samples, moved on and on by the first logit, without noise and without a "
        "stop. The logit is that of the start and does not know that they moved. The share of "
        "samples it finds good rises all the while, and goes on rising as they pile up, which the "
        "two-sample test sees. So refinement is chosen and judged by that test, on rows that "
        "taught nothing."
    )
    if not results:
        note = "The logit is flat: there is nothing to move by."
        return Section("dial", "Why the share of good samples is the wrong dial", note=note)
    steps = [result.steps for result in results]

    def draw(axes: Any) -> None:
        axes.plot(range(len(steps)), [result.good for result in results], "o-", color=QUIET)
        axes.plot(range(len(steps)), [result.auc for result in results], "o-", color=AFTER)
        axes.set_xticks(range(len(steps)), [str(k) for k in steps])
        axes.set_ylim(0, 1.03)
        axes.set_xlabel("steps")

    best = min(results, key=lambda result: result.auc)
    last = results[-1]
    caption = (
        f"The test likes {best.steps} steps best (AUC {best.auc:.3f}, {best.good:.0%} good); "
        f"after {last.steps} steps {last.good:.0%} are good, and the AUC is {last.auc:.3f}."
    )
    if best is last:
        caption = (
            f"Here {last.steps} steps do no harm yet: {last.good:.0%} are good, and the AUC is "
            f"{last.auc:.3f}, its lowest."
        )
    picture = panel(
        draw, f"Share of good samples and AUC after {steps[0]} to {steps[-1]} steps",
        caption=caption, size=(5.6, 3.2),
    )  # fmt: skip
    legend = (("share of samples the logit finds good", QUIET), ("AUC; lower is better", AFTER))
    parts = (Gallery((picture,), size="large", legend=legend),)
    return Section("dial", "Why the share of good samples is the wrong dial", parts, note)
