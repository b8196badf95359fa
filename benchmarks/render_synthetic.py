"""The tables of samples of mixed tables, for `docs/benchmarks.md`."""

from statistics import mean

from benchmarks.common import read_results
from benchmarks.mixed_tables import TABLES
from benchmarks.render_images import table, told

__all__ = ["synthetic_section"]

NAMES = {
    "pushforward": "**Pushforward**",
    "arfpy": "arfpy",
    "gaussian_copula": "SDV Gaussian copula",
    "tvae": "SDV TVAE",
    "ctgan": "SDV CTGAN",
    "mostlyai": "mostlyai-engine",
    "nrgboost": "NRGBoost",
    "vine": "pyvinecopulib",
}
TEXT = """\
Rows sampled from each model beside rows that none has seen: three quarters of a table are fitted
on, and as many rows are sampled where nothing else is said. Means over the seeds in brackets.
Peers' numbers come back in the decimals of the table, and columns of twenty values or fewer are
categories to arfpy and NRGBoost; NRGBoost is smaller than its authors'
example."""
HEADS = {
    "auc": (
        "Told from real rows",
        "AUROC of a boosted forest in five folds; lower is better. The last column is what "
        "training rows come to, which are real.",
        "floor",
    ),
    "tstr": (
        "Fit to train on",
        "A boosted forest fitted on samples predicts a column of real rows: AUROC of classes, R2 "
        "of numbers; higher is better. The last column is fitted on the training rows.",
        "tstr_real",
    ),
    "tstr_more": (
        "Fit to train on, ten times as many rows",
        "The same of ten sampled rows for each training row; the chance of one draw is gone.",
        "tstr_real",
    ),
    "tstr_mean": (
        "The same for every column",
        "The mean over all columns as targets, of as many sampled rows as training rows; R2 below "
        "0 is counted as 0.",
        "tstr_real_mean",
    ),
    "broken": (
        "Broken dependence",
        "`pushforward.metrics.broken_dependence`; lower is better, 0 perfect.",
        None,
    ),
}
LESS = {
    "ks": "KS distance of numbers",
    "tv": "total variation of categories",
    "impossible": "impossible pairs",
    "copies": "rows that are training rows",
    "nearest_ratio": "nearest row",
    "fit_cpu_s": "fit, CPU s",
    "sample_cpu_s": "sampling, CPU s",
}
LESS_TEXT = """\
Means over all fits of a model, which are of different tables: compare models only where the column
of fits is the same. `nearest row` is the median distance of a sample to its nearest training row,
over that of a held-out row."""


def synthetic_section(results):
    """What samples of mixed tables are worth, ours and those of peers."""
    content = read_results(results / "synthetic.json")
    rows = [row for row in content["rows"] if row["status"] == "ok"]
    parts = ["## Samples of mixed tables", TEXT]
    if not rows:
        return "\n\n".join(parts)
    models = [m for m in NAMES if any(row["model"] == m for row in rows)]
    for figure, (title, text, real) in HEADS.items():
        parts += [f"### {title}", text, _figures(rows, models, figure, real)]
        parts += _wins(rows, models, figure)
    parts += ["### Margins, copies, time", LESS_TEXT, _others(rows, models)]
    failed = [row for row in content["rows"] if row["status"] != "ok"]
    parts += [
        f"* {NAMES[row['model']]}, {row['table']}, seed {row['seed']}: {row['status']} "
        f"({row['reason']})"
        for row in failed
    ]
    return "\n\n".join([*parts, *(told(run) for run in content["runs"].values())])


def _figures(rows, models, figure, real):
    lines = []
    for name in TABLES:
        here = [row for row in rows if row["table"] == name]
        if not here:
            continue
        if not any(figure in row for row in here):
            continue
        cells = []
        for model in models:
            values = [row[figure] for row in here if row["model"] == model and figure in row]
            cells.append(f"{mean(values):.3f} ({len(values)})" if values else "")
        target = f", {TABLES[name].target}" if figure in ("tstr", "tstr_more") else ""
        if real:
            by_seed = {row["seed"]: row[real] for row in here}
            cells.append(f"{mean(by_seed.values()):.3f}")
        lines.append([name + target, *cells])
    return table(["table", *(NAMES[m] for m in models), *(["real rows"] if real else [])], lines)


def _wins(rows, models, figure):
    """On how many of the splits that both were measured on we are at least as good as a peer."""
    ours, sign = _by_split(rows, "pushforward", figure), 1 if figure.startswith("tstr") else -1
    told_of = []
    for model in models:
        theirs = _by_split(rows, model, figure)
        both = ours.keys() & theirs.keys()
        if model != "pushforward" and both:
            wins = sum(sign * ours[k] >= sign * theirs[k] for k in both)
            told_of.append(f"{NAMES[model]} on {wins} of {len(both)}")
    if not told_of:
        return []
    return [f"Splits on which Pushforward is at least as good as {', '.join(told_of)}."]


def _by_split(rows, model, figure):
    return {
        (r["table"], r["seed"]): r[figure] for r in rows if r["model"] == model and figure in r
    }


def _others(rows, models):
    lines = []
    for model in models:
        mine = [row for row in rows if row["model"] == model]
        cells = []
        for figure in LESS:
            values = [row[figure] for row in mine if row.get(figure) is not None]
            cells.append(f"{mean(values):.3g}" if values else "")
        lines.append([NAMES[model], str(len(mine)), *cells])
    return table(["model", "fits", *LESS.values()], lines)
