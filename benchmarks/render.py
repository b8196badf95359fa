"""Write the benchmark tables into `docs/benchmarks.md` and the README from the results files.

python -m benchmarks.render            # rewrite the page
python -m benchmarks.render --check    # fail if the page is not what the results say
"""

import argparse
import json
import sys
from pathlib import Path
from statistics import mean, median, pstdev

from benchmarks.anomaly import DETECTORS, PROTOCOLS, TABLES
from benchmarks.common import RESULTS, ROOT, read_results, write_text
from benchmarks.density import SETS
from benchmarks.density_models import MODELS
from benchmarks.render_asking import asking_section
from benchmarks.render_generators import generators_section
from benchmarks.render_gpu import gpu_section
from benchmarks.render_images import glow_section, measures_section, table
from benchmarks.render_predicting import predicting_section
from benchmarks.render_refinement import readme_images, refinement_section
from benchmarks.render_sliced import sliced_section
from benchmarks.render_synthetic import synthetic_section

PAGE = ROOT / "docs" / "benchmarks.md"
OURS = "pushforward"
NAMES = {
    "pushforward": "**Pushforward**, `pushforward.fit(X)`",
    "pushforward_dequantised": "**Pushforward**, given the dequantised floats",
    "gaussian": "one Gaussian",
    "gmm": "scikit-learn GMM, selected",
    "kde": "scikit-learn KDE, selected",
    "zuko_nsf": "zuko NSF",
    "zuko_maf": "zuko MAF",
    "sinflow": "sinflow",
    "rbig": "rbig GIS",
    "otcfm": "torchcfm OT-CFM",
    "knn": "PyOD KNN",
    "lof": "PyOD LOF",
    "iforest": "PyOD IForest",
    "ecod": "PyOD ECOD",
    "copod": "PyOD COPOD",
}
SET_NAMES = {
    "breast_cancer": "breast_cancer (30 columns, 398 + 57 rows)",
    "digits": "digits (64 columns, 1,257 + 180 rows)",
    "magic": "magic (10 columns, 13,314 + 1,902 rows)",
    "mix20": "mix20 (20 columns, 10,000 + 2,000 rows, true density known)",
}
INTRO = """# Benchmarks

What this page shows is what was measured, lost comparisons included. `benchmarks/README.md` says
how to measure again; `make bench` does, and rewrites the tables. Every fit ran in its own process
on one thread; CPU seconds include each model's own selection of settings.
"""
DENSITY_TEXT = """\
Log density of held-out rows in nats per row, in the units of the data; higher is better. Mean ±
standard deviation over seeds; a seed draws a new split (for mix20 a new true density) and seeds
the model. Bold: the best of those measured on the most seeds.

Pushforward gets training and validation rows in one call and splits them itself, as do sinflow and
rbig; OT-CFM stops by its budget and the Gaussian has nothing to select, so they get all rows too;
the others use the validation rows to stop or to select. Networks stop at 75 CPU s, OT-CFM at 60.
OT-CFM is scored on the first 200 test rows at most. On digits Pushforward is told the counts 0 to
16 as integers, and that integers are to be dequantised is its own knowledge; its peers get the
same counts dequantised."""
REFERENCE_TEXT = """\
CPU seconds until one program reaches the best held-out density of the other, on the first rows of
mix20, standardised, with the defaults of both; one thread, one program at a time; a dash where it
does not get there before it stops or is stopped. `faithful` is the published algorithm as this
library has it."""
SECTIONS = ("density", "anomaly")


def spread(values, digits=2):
    """Mean and standard deviation over seeds."""
    if len(values) == 1:
        return f"{values[0]:.{digits}f}"
    return f"{mean(values):.{digits}f} ± {pstdev(values):.{digits}f}"


def short(seconds):
    """Seconds as people say them."""
    if seconds < 0.1:
        return f"{seconds * 1000:.2g} ms"
    return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"


def told_provenance(rows, runs):
    """Where the figures of a table come from: commands, commits, machine, versions, dates."""
    seeds = ", ".join(str(s) for s in sorted({row["seed"] for row in rows}))
    commands = {}
    for run in sorted(
        (runs[key] for key in {row["run"] for row in rows}), key=lambda r: r["date"]
    ):
        machine = run["machine"]
        at = f"commit `{run['commit']}`" if run["commit"] else "before the first commit"
        state = " with uncommitted changes" if run["commit"] and run["dirty"] else ""
        where = (
            f"On {machine['cpu']}, {machine['cores']} cores (1 used, niceness {machine['nice']}), "
            f"Python {run['python']}, {run['date'][:10]}, {at}{state}:"
        )
        commands.setdefault(where, {})[f"* `{run['command']}`"] = None  # a dict keeps order
    lines = [f"Seeds {seeds}."]
    for where, told in commands.items():
        lines += ["", where, "", *told]
    versions = {}
    for row in rows:
        for name, version in runs[row["run"]]["versions"].items():
            versions.setdefault(name, set()).add(version)
    told = "; ".join(f"{name} {' and '.join(sorted(v))}" for name, v in sorted(versions.items()))
    lines += ["", f"Packages: {told}."]
    ours = [r for r in rows if r.get("model", r.get("detector")).startswith(OURS)]
    if sources := sorted({row["version"] for row in ours}):
        lines[-1] += f" Digest of Pushforward's source: {', '.join(sources)}."
    return "\n".join(lines)


def details(title, text):
    """A part of the page that opens on a click."""
    return f"<details><summary>{title}</summary>\n\n{text}\n\n</details>"


def verdict(scores, unit):
    """Say who is ahead of us, or next after us, by how much, on the fits that both have."""
    if OURS not in scores:
        return "Pushforward has not been measured on these yet."
    gaps = []
    for peer, theirs in scores.items():
        both = theirs.keys() & scores[OURS].keys()
        if both and not peer.startswith(OURS):
            gap = mean(theirs[k] - scores[OURS][k] for k in both)
            fits = f"{len(both)} fit{'s' * (len(both) > 1)}"
            gaps.append((gap, f"{NAMES[peer]} ({abs(gap):.2g} {unit}, {fits})"))
    gaps.sort(reverse=True)
    if not gaps:
        return "No peer has been measured on the same fits."
    if gaps[0][0] > 0:
        return f"**Ahead of Pushforward here: {', '.join(t for gap, t in gaps if gap > 0)}.**"
    return f"Pushforward leads; nearest behind is {gaps[0][1]}."


def failures(rows, place):
    """One line for every fit that failed or ran out of time."""
    return "\n".join(
        f"* {NAMES[row[place]]}, seed {row['seed']}: {row['status']}, {row['reason']}"
        for row in rows
        if row["status"] != "ok"
    )


def pinned_split(rows):
    """What only the model's seed does to the figures: the rows measured on the split of seed 0."""
    means = {}
    for row in rows:
        if row["status"] == "ok":
            means.setdefault(row["model"], []).append(row["mean"])
    told = [
        f"{NAMES[model]} {spread(values)} ({len(values)} seeds)"
        for model, values in means.items()
        if len(values) > 1
    ]
    return [f"On one split (seed 0), over seeds of the model: {'; '.join(told)}."] if told else []


def told_fit(row):
    """One fit's result and what its selection chose."""
    chosen = f" ({row['chosen']})" if row["chosen"] else ""
    return f"seed {row['seed']}: {row['mean']:.2f}{chosen}"


def density_section(content):
    """One table a data set."""
    parts = ["## Density estimation", DENSITY_TEXT]
    for name in SETS:
        rows = [row for row in content["rows"] if row["set"] == name]
        if rows:
            parts += density_table(name, rows, content["runs"])
    return "\n\n".join(parts)


def density_table(name, rows, runs):
    """The parts of one data set: heading, table, verdict, failures, provenance."""
    pinned = [row for row in rows if row["split_seed"] == 0]
    rows = [row for row in rows if row["split_seed"] == row["seed"]]
    truth = name == "mix20"
    scores, lines = {}, []
    for model in MODELS:
        mine = [row for row in rows if row["model"] == model]
        done = [row for row in mine if row["status"] == "ok"]
        if done:
            scores[model] = {row["seed"]: row["mean"] for row in done}
            height = mean(-row["gap_to_truth"] if truth else row["mean"] for row in done)
            lines.append((height, model, done, len(mine)))
    lines.sort(key=lambda line: -line[0])
    full = max((len(done) for _, _, done, _ in lines), default=0)
    best = next((model for _, model, done, _ in lines if len(done) == full), None)
    header = ["model", "nats per row", "median row", *(["below the truth"] if truth else [])]
    header += ["fit, CPU", "score 1,000 rows", "sample 1,000", "peak memory", "seeds"]
    cells = []
    for _, model, done, tried in lines:
        column = {k: [row[k] for row in done] for k in done[0] if k in done[-1]}
        score = spread(column["mean"])
        cells.append(
            [
                NAMES[model],
                f"**{score}**" if model == best else score,
                spread(column["median"]),
                *([spread(column["gap_to_truth"])] if truth else []),
                short(median(column["fit_cpu_s"])),
                short(median(column["score_1000_s"])),
                short(median(column["sample_1000_s"])),
                f"{median(column['peak_rss_mb']):.0f} MB",
                f"{len(done)} of {tried}",
            ]
        )
    chosen = "\n".join(
        f"* {NAMES[model]}: " + "; ".join(map(told_fit, done)) for _, model, done, _ in lines
    )
    notes = verdict(scores, "nats per row")
    if failed := failures(rows, "model"):
        notes += f"\n\nNot finished:\n\n{failed}"
    return [
        f"### {SET_NAMES[name]}",
        table(header, cells),
        notes,
        *pinned_split(pinned),
        details("Each seed, and what selection chose", chosen),
        details("Where these figures are from", told_provenance(rows, runs)),
    ]


def anomaly_section(content):
    """A summary and a table of every data set for each protocol."""
    parts = [
        "## Anomaly detection",
        "Area under the ROC curve (AUROC) on 13 ADBench tables (Han et al. 2022) of at most "
        "8,000 rows, 70/30 stratified split; nothing is tuned on labels. Peers see standardised "
        "columns, PyOD detectors their defaults; the GMM's size is chosen on a fifth of the "
        "training rows.",
    ]
    titles = {
        "contaminated": "### Trained on contaminated rows (ADBench's protocol)",
        "clean": "### Trained on normal rows only",
    }
    for protocol in PROTOCOLS:
        rows = [row for row in content["rows"] if row["protocol"] == protocol]
        if rows:
            parts += [titles[protocol], *anomaly_tables(rows, content["runs"])]
    return "\n\n".join(parts)


def anomaly_tables(rows, runs):
    """The parts of one protocol: summary, verdict, table by table, provenance."""
    scores, summary = {}, []
    for detector in DETECTORS:
        done = [r for r in rows if r["detector"] == detector and r["status"] == "ok"]
        if not done:
            continue
        auroc = {(row["table"], row["seed"]): row["auroc"] for row in done}
        by_table = {t: mean(v for k, v in auroc.items() if k[0] == t) for t, _ in auroc}
        seeds = sorted({seed for _, seed in auroc})
        by_seed = [mean(v for k, v in auroc.items() if k[1] == s) for s in seeds]
        worst = min(by_table, key=by_table.get)
        tried = sum(r["detector"] == detector for r in rows)
        cells = [
            NAMES[detector],
            spread(by_seed, 3),
            f"{by_table[worst]:.3f} ({worst})",
            short(median(row["fit_cpu_s"] for row in done)),
            f"{len(done)} of {tried}",
        ]
        scores[detector] = auroc
        summary.append((mean(by_table.values()), cells, by_table))
    summary.sort(key=lambda item: -item[0])
    summary[0][1][1] = f"**{summary[0][1][1]}**"
    header = ["detector", "mean AUROC", "worst table", "fit, CPU a table", "fits"]
    every = []
    for name in TABLES:
        values = [by_table.get(name) for _, _, by_table in summary]
        best = max((v for v in values if v is not None), default=None)
        told = ["none" if v is None else f"{v:.3f}" for v in values]
        every.append(
            [name, *(f"**{t}**" if v == best else t for t, v in zip(told, values, strict=True))]
        )
    notes = verdict(scores, "AUROC")
    if failed := failures(rows, "detector"):
        notes += f"\n\nNot finished:\n\n{failed}"
    return [
        table(header, [cells for _, cells, _ in summary]),
        notes,
        details("Table by table", table(["table", *(c[0] for _, c, _ in summary)], every)),
        details("Where these figures are from", told_provenance(rows, runs)),
    ]


def reference_section(content):
    """GIS beside the program of its authors."""
    header = ["rows", "authors' program", "GIS", "GIS to theirs", "theirs to GIS", "faithful"]
    cells = [
        [
            f"{row['rows']:,}",
            f"{row['reference_nats']:.2f} nats in {short(row['reference_cpu_s'])}, "
            f"{row['reference_layers']} layers",
            f"{row['ours_final_nats']:.2f} nats in {short(row['ours_final_cpu_s'])}",
            *(
                "-" if row.get(k) is None else short(row[k])
                for k in ("ours_cpu_s_to_that", "reference_cpu_s_to_ours")
            ),
            f"{row['faithful_nats_at_cap']:.2f} nats, {row['faithful_layers']} layers",
        ]
        for row in content["rows"]
    ]
    run = content["provenance"]
    where = (
        f"`{run['command']}` on {run['machine']['cpu']}, Python {run['python']}, "
        f"torch {run['versions']['torch']}, {run['date'][:10]}, commit {run['commit']}"
        f"{' with changes not committed' if run['dirty'] else ''}."
    )
    return "\n\n".join(["## GIS and its reference", REFERENCE_TEXT, table(header, cells), where])


def readme_table(content):
    """The density table in short: ours, the best peer, one Gaussian."""
    lines = []
    for name in SETS:
        rows = [r for r in content["rows"] if r["set"] == name and r["split_seed"] == r["seed"]]
        done = {}
        for row in rows:
            if row["status"] == "ok":
                done.setdefault(row["model"], []).append(row)
        if OURS not in done:
            continue
        full = len(done[OURS])
        peers = {
            m: mean(r["mean"] for r in rs)
            for m, rs in done.items()
            if not m.startswith(OURS) and len(rs) == full
        }
        best = max(peers, key=peers.get)
        lines.append(
            [
                SET_NAMES[name].split(" (")[0],
                f"**{mean(r['mean'] for r in done[OURS]):.2f}**",
                f"{peers[best]:.2f} ({NAMES[best]})",
                f"{peers['gaussian']:.2f}",
                short(median(r["fit_cpu_s"] for r in done[OURS])),
                short(median(r["fit_cpu_s"] for r in done["zuko_nsf"])),
            ]
        )
    header = ["table", "Pushforward", "best peer", "one Gaussian", "our fit, CPU", "NSF's"]
    return (
        "## Measured\n\nLog density of held-out rows in nats a row, mean over three splits; "
        "higher is better.\n\n" + table(header, lines)
    )


def put(page, section, text):
    """Replace what stands between a section's markers, or add the section at the end."""
    begin, end = f"<!-- {section}: begin -->", f"<!-- {section}: end -->"
    if begin not in page:
        page = f"{page.rstrip()}\n\n{begin}\n{end}\n"
    before, rest = page.split(begin, 1)
    return f"{before}{begin}\n{text}\n{end}{rest.split(end, 1)[1]}"


def main():
    parser = argparse.ArgumentParser("python -m benchmarks.render", description=__doc__)
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--page", type=Path, default=PAGE)
    parser.add_argument("--check", action="store_true", help="write nothing, compare")
    options = parser.parse_args()
    old = options.page.read_text() if options.page.exists() else INTRO
    page = old
    for section, render in zip(SECTIONS, (density_section, anomaly_section), strict=True):
        content = read_results(options.results / f"{section}.json")
        if content["rows"]:
            page = put(page, section, render(content))
    reference = options.results / "gis_reference.json"
    if reference.exists():
        page = put(page, "reference", reference_section(json.loads(reference.read_text())))
    page = put(page, "synthetic", synthetic_section(options.results))
    if (options.results / "asking.json").exists():
        page = put(page, "asking", asking_section(options.results))
    if (options.results / "predicting.json").exists():
        page = put(page, "predicting", predicting_section(options.results))
    page = put(page, "glow", glow_section(options.results))
    page = put(page, "generators", generators_section(options.results))
    page = put(page, "sliced", sliced_section(options.results))
    page = put(page, "refinement", refinement_section(options.results))
    page = put(page, "measures", measures_section(options.results))
    if (options.results / "gpu_counts.json").exists():
        page = put(page, "gpu", gpu_section(options.results))
    readme = ROOT / "README.md"
    front = readme.read_text()
    short_table = readme_table(read_results(options.results / "density.json"))
    new_front = put(front, "bench", f"{short_table}\n\n{readme_images(options.results)}")
    if not options.check:
        write_text(options.page, page)
        write_text(readme, new_front)
    elif page != old or front != new_front or not options.page.exists():
        sys.exit("benchmarks: the page is stale; run python -m benchmarks.render")


if __name__ == "__main__":
    main()
