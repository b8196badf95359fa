"""The tables of predictions, for `docs/benchmarks.md`."""

from statistics import mean, stdev

from benchmarks.common import read_results
from benchmarks.render_images import table, told

__all__ = ["predicting_section"]

NAMES = {
    "pushforward": "**Pushforward**",
    "ngboost": "NGBoost",
    "quantile_forest": "quantile forest",
    "quantile_boosting": "quantile boosting",
    "process": "Gaussian process",
    "linear": "linear",
    "forest": "random forest",
    "boosting": "boosting",
}
TEXTS = {
    "nll": """\
## Predicting a column

One column given the others, fitted on 75 % of at most 2,600 rows of each table; means over
{splits}. Mean negative log density of the targets of the others in nats, of methods that have one;
lower is better.""",
    "crps": "Continuous ranked probability score in standard deviations of the target.",
    "rmse": "Root mean squared error of the means in the same unit.",
}
INSIDE = """\
Share of targets inside central intervals of 50 and 90 %; more where many rows share a value."""

CALIBRATED = """\
The same of Pushforward over all its runs, with the standard error of their mean, and how many
targets were judged."""
BY_PARTS = """\
On the right a value with a probability of its own counts with the part of it that lies inside the
interval (randomised probability integral transforms), which is as asked of a calibrated
distribution whatever values come again."""


def _means(rows, measure):
    """Means over the seeds that all methods of a table ended, by table and method."""
    found, seeds = {}, _seeds(rows)
    for row in rows:
        shared = row["status"] == "ok" and row["seed"] in seeds[row["table"]]
        if shared and measure in row:
            found.setdefault(row["table"], {}).setdefault(row["method"], []).append(row[measure])
    return {t: {m: mean(values) for m, values in by.items()} for t, by in found.items()}


def _seeds(rows):
    """The seeds that all of the methods of a table ended, by table."""
    found = {}
    for row in rows:
        if row["status"] == "ok":
            found.setdefault(row["table"], {}).setdefault(row["method"], set()).add(row["seed"])
    return {name: set.intersection(*by.values()) for name, by in found.items()}


def _ranked(scores):
    """A line a table, and one of mean ranks among the methods that have the measure."""
    methods = [m for m in NAMES if any(m in by for by in scores.values())]
    lines, ranks = [], {method: [] for method in methods}
    for name, by in scores.items():
        order = sorted(by.values())
        cells = []
        for method in methods:
            if method not in by:
                cells.append("")
                continue
            ranks[method].append(1 + order.index(by[method]))
            text = f"{by[method]:.3f}"
            cells.append(f"**{text}**" if by[method] == order[0] else text)
        lines.append((name, *cells))
    last = [f"{mean(r):.2f}" for r in ranks.values()]
    return table(("table", *(NAMES[m] for m in methods)), [*lines, ("mean rank", *last)])


def _calibrated(rows):
    """Shares inside of all runs of ours with their standard errors, a line a table, and a text."""
    ours = [r for r in rows if r["method"] == "pushforward" and r["status"] == "ok"]
    heads = {"in50": "50 %", "in90": "90 %", "pit50": "50 %, by parts", "pit90": "90 %, by parts"}
    heads = {measure: head for measure, head in heads.items() if any(measure in r for r in ours)}
    lines = []
    for name in dict.fromkeys(row["table"] for row in ours):
        own = [row for row in ours if row["table"] == name]
        cells = []
        for measure in heads:
            values = [row[measure] for row in own if measure in row]
            error = stdev(values) / len(values) ** 0.5 if len(values) > 1 else 0.0
            cells.append(f"{mean(values):.3f} ± {error:.3f}" if values else "")
        judged = sum(row["judged"] for row in own)
        lines.append((name, str(len(own)), str(judged), *cells))
    text = f"{CALIBRATED} {BY_PARTS}" if "pit50" in heads else CALIBRATED
    return [text, table(("table", "runs", "judged", *heads.values()), lines)]


def predicting_section(results):
    """Distributions of one column given the others."""
    found = read_results(results / "predicting.json")
    rows = found["rows"]
    parts = []
    counts = sorted({len(seeds) for seeds in _seeds(rows).values()})
    splits = " to ".join(map(str, dict.fromkeys([counts[0], counts[-1]])))
    splits += " split" if splits == "1" else " splits"
    for measure, text in TEXTS.items():
        parts += [text.format(splits=splits), _ranked(_means(rows, measure))]
    halves, most = _means(rows, "in50"), _means(rows, "in90")
    methods = [m for m in NAMES if any(m in by for by in most.values())]
    lines = [
        (t, *(f"{halves[t][m]:.2f}, {most[t][m]:.2f}" if m in most[t] else "" for m in methods))
        for t in most
    ]
    parts += [INSIDE, table(("table", *(NAMES[m] for m in methods)), lines)]
    parts += _calibrated(rows)
    seconds = _means(rows, "cpu_s")
    methods = [m for m in NAMES if any(m in by for by in seconds.values())]
    middle = [mean(by[m] for by in seconds.values() if m in by) for m in methods]
    parts.append(
        "Mean CPU seconds of fit and predictions: "
        + ", ".join(f"{NAMES[m]} {s:.1f}" for m, s in zip(methods, middle, strict=True))
        + "."
    )
    return "\n\n".join([*parts, *(told(run) for run in found["runs"].values())])
