"""The tables of missing cells, for `docs/benchmarks.md`."""

from collections import Counter
from statistics import mean

from benchmarks.asking import BOUND
from benchmarks.common import read_results
from benchmarks.render_images import table, told

__all__ = ["asking_section"]

NAMES = {
    "pushforward": "**Pushforward**",
    "mean": "column means",
    "neighbours": "5 nearest neighbours",
    "ridge": "chained Bayesian ridge",
    "trees": "chained extra trees",
}
SLOW_NAMES = NAMES | {"missforest": "missForest", "mice": "miceforest"}
FILL_TEXT = """\
### Missing cells filled in

A share of the cells is removed from all rows of a table; the automatic model is fitted to 70 % of
them and fills in the others. Root mean squared errors of these cells in standard deviations of
the columns, means over the runs; lower is better. Peers are scikit-learn's imputers fitted to the
same rows. Cells removed: {runs}."""
SLOW_TEXT = """\
Beside them, on the runs in which they ended too, two that take many times as long."""
DRAW_TEXT = """\
Continuous ranked probability score of 20 draws of each cell, in the same unit, and the share of
cells between the lowest and the highest of them, which is .905 for draws of the truth."""
BOUND_TEXT = """\
What there is to know: the same score of the automatic model fitted to rows that have all their
cells, on the same cells to fill in, and how far each is under that of the ridge regressions, which
are fitted to rows with holes. Means over the runs in which all three ended."""
HOLES_TEXT = """\
### Density of tables with missing cells

Mean log density of whole test rows in nats, of the automatic model fitted to training rows of
which 30 % of the cells are removed at random, of that fitted to whole rows, to as many whole rows
as there are cells left, and of one Gaussian of all whole rows; `bound` is that of rows whose holes
were filled by draws of the density that had seen them whole. The last two columns are what the
model says of itself and what test rows with holes have, which it estimates."""
CONDITIONS_TEXT = """\
### Rows that keep to a condition

10,000 rows given cells of a row the model has not seen, CPU seconds on one thread: the longest
first call of a model, which fits what rows are proposed by, and of others the longest and the
mean. `kept` is the share that have these cells and break none of the table's relations: `orders`
has functions, codes one to one, a total of its parts and ends after beginnings, of which any may
be given without the others."""


def _score(rows, name, methods):
    """Means by table and method, of runs in which all of these methods ended."""
    rows = [row for row in rows if row["status"] == "ok" and row["method"] in methods]
    done = Counter(map(_run_of, rows))
    found = {}
    for row in rows:
        if name in row and done[_run_of(row)] == len(methods):
            found.setdefault(row["table"], {}).setdefault(row["method"], []).append(row[name])
    return {t: {m: mean(values) for m, values in by.items()} for t, by in found.items()}


def _run_of(row):
    return row["table"], row["missing"], row["share"], row["seed"]


def _settings(rows):
    """Which shares, ways and seeds there are, in words."""
    found = {}
    for row in rows:
        if row["status"] == "ok":
            where = found.setdefault((row["share"], row["missing"]), set())
            where.add(row["seed"])
    how = {"random": "at random", "large": "large values twice as often as small ones"}
    return "; ".join(
        f"{share:.0%} {how[missing]} ({len(seeds)} {'seed' if len(seeds) == 1 else 'seeds'})"
        for (share, missing), seeds in sorted(found.items())
    ).replace("%", " %")


def _ranked(scores, methods):
    """A line a table, and one of mean ranks; the best of each table is bold."""
    lines, ranks = [], {method: [] for method in methods}
    for name, by in scores.items():
        there = sorted(by[method] for method in methods if method in by)
        cells = []
        for method in methods:
            value = by.get(method)
            if value is None:
                cells.append("")
                continue
            ranks[method].append(1 + there.index(value))
            cells.append(f"**{value:.3f}**" if value == there[0] else f"{value:.3f}")
        lines.append((name, *cells))
    last = [f"{mean(r):.2f}" if r else "" for r in ranks.values()]
    return table(("table", *(SLOW_NAMES[m] for m in methods)), [*lines, ("mean rank", *last)])


def _ranks_of_runs(rows, name, methods):
    """Mean ranks over single runs in which all methods ended, in words."""
    runs = {}
    for row in rows:
        if row["status"] == "ok" and name in row and row["method"] in methods:
            runs.setdefault(_run_of(row), {})[row["method"]] = row[name]
    whole = [by for by in runs.values() if len(by) == len(methods)]
    ranks = {m: mean(sorted(by.values()).index(by[m]) + 1 for by in whole) for m in methods}
    shown = ", ".join(f"{NAMES[m]} {rank:.2f}" for m, rank in ranks.items())
    return f"Mean ranks over the {len(whole)} runs, in place of means of tables: {shown}."


def _bounded(scores):
    """A line a table: scores with holes, of whole rows, and both less the peer's, in per cent."""
    lines = []
    for name, by in scores.items():
        under = [f"{100 * (by[m] / by['ridge'] - 1):+.0f} %" for m in ("pushforward", BOUND)]
        values = [f"{by[m]:.3f}" for m in ("ridge", "pushforward", BOUND)]
        lines.append((name, *values, *under))
    head = ("chained Bayesian ridge", "**Pushforward**", "whole rows", "under", "whole, under")
    return table(("table", *head), lines)


def asking_section(results):
    """Cells that are missing from rows to fill in, and from those of a fit."""
    parts = ["## Missing cells"]
    filled = read_results(results / "asking.json")
    rows = filled["rows"]
    if rows:
        quick = [row for row in rows if row["method"] in NAMES]
        parts.append(FILL_TEXT.format(runs=_settings(quick)))
        parts.append(_ranked(_score(quick, "rmse", NAMES), tuple(NAMES)))
        parts.append(_ranks_of_runs(quick, "rmse", tuple(NAMES)))
        drawing = ("pushforward", "ridge")
        parts += [DRAW_TEXT, _ranked(_score(quick, "crps", NAMES), drawing)]
        inside = _score(quick, "inside", NAMES)
        lines = [(t, *(f"{by[m]:.3f}" for m in drawing)) for t, by in inside.items()]
        parts.append(table(("inside", *(NAMES[m] for m in drawing)), lines))
        if bound := _score(rows, "crps", ("pushforward", "ridge", BOUND)):
            parts += [BOUND_TEXT, _bounded(bound)]
        if beside := _score(rows, "rmse", SLOW_NAMES):
            parts += [SLOW_TEXT, _ranked(beside, tuple(SLOW_NAMES))]
        parts += [told(run) for run in filled["runs"].values()]
    holes = read_results(results / "holes.json")
    rows = [row for row in holes["rows"] if row["status"] == "ok"]
    if rows:
        names = ("gaussian", "fewer", "holes", "bound", "complete", "told", "fresh")
        lines = []
        for name in dict.fromkeys(row["table"] for row in rows):
            own = [row for row in rows if row["table"] == name]
            values = [f"{mean(row[column] for row in own):.2f}" for column in names]
            lines.append((f"{name} ({len(own)})", str(own[0]["n"]), *values))
        head = (
            "table (seeds)",
            "rows",
            "Gaussian",
            "70 % of the rows",
            "with holes",
            "bound",
            "whole",
        )
        parts += [HOLES_TEXT, table((*head, "told", "fresh"), lines)]
        parts += [told(run) for run in holes["runs"].values()]
    drawn = read_results(results / "conditions.json")
    rows = [row for row in drawn["rows"] if row["status"] == "ok"]
    if rows:
        lines = []
        for name, cells in dict.fromkeys((row["table"], row["cells"]) for row in rows):
            own = [row for row in rows if (row["table"], row["cells"]) == (name, cells)]
            values = [f"{max(row[name] for row in own):.1f}" for name in ("first_cpu_s", "cpu_s")]
            values += [f"{mean(row['mean_cpu_s'] for row in own):.1f}"]
            values += [f"{mean(row['kept'] for row in own):.4f}"]
            values += [f"{mean(row['copies'] for row in own):.3f}"]
            lines.append((f"{name} ({len(own)})", str(own[0]["columns"]), str(cells), *values))
        head = (
            "table (seeds)",
            "columns",
            "given",
            "first, CPU s",
            "later",
            "mean",
            "kept",
            "copies",
        )
        parts += [CONDITIONS_TEXT, table(head, lines)]
        parts += [told(run) for run in drawn["runs"].values()]
    return "\n\n".join(parts)
