"""The tables of image models and of measures for `docs/benchmarks.md`."""

import json
from statistics import mean

from benchmarks.common import read_results

__all__ = ["glow_section", "measures_section"]

PEER_NAMES = {
    "store": "**Pushforward**, `store`",
    "checkpoint": "**Pushforward**, `checkpoint`",
    "reversible": "**Pushforward**, `reversible`",
    "pushforward": "**Pushforward**",
    "normflows": "normflows",
    "normflows_net_actnorm": "normflows, `net_actnorm=True`",
    "nflows": "nflows, its blocks",
    "rosinality": "rosinality/glow-pytorch",
    "y0ast": "y0ast/Glow-PyTorch",
}
FID_NAMES = {
    "distance": "**Pushforward**, the value",
    "fid": "**Pushforward**, with interval and bias",
    "torchmetrics": "torchmetrics, the value",
}
PEERS_TEXT = """\
K=8, L=2, coupling networks of width 128, affine coupling, 32x32 colour images. Steps and samples
are timed in turn in one process; peak memory is what one training step of 32 images adds to the
resident set, in a process of its own. rosinality, nflows and plain normflows have no actnorms in
the coupling networks, which spares them work that the published model has."""
TIME_TEXT = """\
Bits per dimension of the 10,000 test images after the same CPU time of training on 30,000 training
images, K=8, L=2, width 64, the same batches and optimiser for all; lower is better. These are
minutes, not the published days: the figures rank programs, they are not what Glow reaches."""
STEPS_TEXT = """\
The same models after as many steps each, on 2,000 test images."""
MINUTES_TEXT = """\
The `fast` preset on 28 x 28 images by the CPU time of its budget, with its start (margins and
correlations of the data) and without; bits per dimension of 1,000 test images, Fréchet distance of
5,000 samples in the features of a classifier, lower is better."""
PARTS_TEXT = """\
The comparison of the paper's figure 3 in small: bits per dimension of 2,000 test images after the
same number of steps of our network; lower is better."""
EXACT_TEXT = """\
After training the `fast` preset: test images of which any pixel differs after encoding and
decoding in float32, and samples at temperature 1 that are not finite."""
FID_TEXT = """\
FID of 50,000 against 50,000 rows of 2,048 features: medians of interleaved runs, each in a process
of its own."""


def table(header, rows):
    """A Markdown table; the first column is text, the others numbers."""
    rule = ["---"] + ["---:"] * (len(header) - 1)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (header, rule, *rows))


def told(run):
    """Where figures are from, in one line."""
    machine, state = run["machine"], " with uncommitted changes" if run["dirty"] else ""
    return (
        f"`{run['command']}` on {machine['cpu']}, {machine['cores']} cores, load "
        f"{machine['load_at_start']} at the start, torch {run['versions']['torch']}, "
        f"{run['date'][:10]}, commit `{run['commit']}`{state}."
    )


def _runs(content):
    return [told(run) for run in content["runs"].values()]


def glow_section(results):
    """Glow against its peers, and against itself."""
    parts = ["## Glow"]
    path = results / "glow_peers.json"
    if path.exists():
        content = json.loads(path.read_text())
        parts += [PEERS_TEXT, _peers(content["rows"]), told(content["run"])]
    timed = read_results(results / "glow_cifar_time.json")
    rows = [row for row in timed["rows"] if row["status"] == "ok"]
    if rows:
        cells = [
            [
                PEER_NAMES[row["model"]], str(row["seed"]), f"{row['cpu_seconds']:.0f} s",
                f"{row['steps']:,}", f"{row['bits_per_dim']:.3f}",
            ]
            for row in sorted(rows, key=lambda row: row["bits_per_dim"])
        ]  # fmt: skip
        header = ["program", "seed", "training, CPU", "steps", "bits/dim"]
        parts += ["### After equal time", TIME_TEXT, table(header, cells), *_runs(timed)]
    stepped = read_results(results / "glow_cifar_steps.json")
    rows = [row for row in stepped["rows"] if row["status"] == "ok"]
    if rows:
        cells = [
            [
                PEER_NAMES[row["model"]], str(row["seed"]), f"{row['steps']:,}",
                f"{row['cpu_seconds']:.0f} s", f"{row['bits_per_dim']:.3f}",
            ]
            for row in sorted(rows, key=lambda row: row["bits_per_dim"])
        ]  # fmt: skip
        header = ["program", "seed", "steps", "training, CPU", "bits/dim"]
        parts += ["### After equal steps", STEPS_TEXT, table(header, cells), *_runs(stepped)]
    minutes = read_results(results / "glow_minutes.json")
    rows = [row for row in minutes["rows"] if row["status"] == "ok"]
    if rows:
        order = sorted(rows, key=lambda row: (row["set"], row["minutes"], row["start"]))
        cells = [
            [
                row["set"], row["start"], f"{row['minutes']:g} min", str(row["seed"]),
                f"{row['steps']:,}", f"{row['bits']:.3f}", f"{row['fid']:.1f}",
            ]
            for row in order
        ]  # fmt: skip
        header = ["images", "start", "budget", "seed", "steps", "bits/dim", "FID"]
        parts += ["### First minutes", MINUTES_TEXT, table(header, cells), *_runs(minutes)]
    compared = read_results(results / "glow_cifar_parts.json")
    rows = [row for row in compared["rows"] if row["status"] == "ok"]
    if rows:
        parts += ["### Permutations and couplings", PARTS_TEXT, _compared(rows), *_runs(compared)]
    exact = read_results(results / "glow_exact.json")
    rows = [row for row in exact["rows"] if row["status"] == "ok"]
    if rows:
        cells = [
            [
                f"`goal={row['goal']!r}`", f"{row['steps']:,}", f"{row['count']:,}",
                str(row["images_not_recovered"]), str(row["samples_not_finite"]),
                f"{row['bits_per_dim']:.3f} ({row['bits']} bits)",
            ]
            for row in rows
        ]  # fmt: skip
        header = ["model", "steps", "images, samples", "not recovered", "not finite", "bits/dim"]
        parts += ["### After training", EXACT_TEXT, table(header, cells), *_runs(exact)]
    return "\n\n".join(parts)


def _peers(rows):
    """One line a program, one column a measure."""
    columns = {
        "step, batch 16": lambda r: r["measure"] == "training step" and f"{r['ms']:.0f} ms",
        "16 samples": lambda r: (
            r["measure"] == "sampling" and r["batch"] == 16 and f"{r['ms']:.0f} ms"
        ),
        "1 sample": lambda r: (
            r["measure"] == "sampling" and r["batch"] == 1 and f"{r['ms']:.1f} ms"
        ),
        "memory, K=8": lambda r: _memory(r, 8),
        "memory, K=32": lambda r: _memory(r, 32),
    }
    names = list(dict.fromkeys(row["model"] for row in rows))
    cells = []
    for name in names:
        mine = [row for row in rows if row["model"] == name]
        found = [next((v for v in map(get, mine) if v), "") for get in columns.values()]
        cells.append([PEER_NAMES[name], *found])
    return table(["program", *columns], cells)


def _memory(row, steps):
    if row["measure"] != "memory" or row["K"] != steps or "mebibytes" not in row["peak"]:
        return None
    return f"{row['peak']['mebibytes']:.0f} MiB"


def _compared(rows):
    header = ["permutation", "additive", "affine"]
    cells = []
    for permutation in ("reverse", "shuffle", "lu"):
        line = [permutation]
        for coupling in ("additive", "affine"):
            values = [
                row["bits_per_dim"]
                for row in rows
                if (row["permutation"], row["coupling"]) == (permutation, coupling)
            ]
            line.append(f"{mean(values):.3f}" if values else "")
        cells.append(line)
    return table(header, cells)


def measures_section(results):
    """What the measures cost, and what they give where the answer is known."""
    parts = ["## Measures"]
    path = results / "fid.json"
    if path.exists():
        content = json.loads(path.read_text())
        cells = [
            [FID_NAMES[name], f"{row['seconds']:.0f} s", f"{row['peak_growth_mib']:.0f} MiB"]
            for name, row in content["summary"].items()
        ]
        header = ["program", "time", "growth of memory"]
        parts += [FID_TEXT, table(header, cells), told(content["provenance"])]
    floors = read_results(results / "floors.json")
    rows = [row for row in floors["rows"] if row["status"] == "ok"]
    if rows:
        cells = [
            [
                f"{row['set']}, {row['features']}", str(row["seed"]),
                f"{row['n_train']:,} to {row['n_test']:,}", f"{row['fid']:.2f}",
                f"{row['interval'][0]:.2f} to {row['interval'][1]:.2f}",
            ]
            for row in rows
        ]  # fmt: skip
        header = ["training to test images, features", "seed", "images", "FID", "95 %"]
        parts += ["### Real against real", table(header, cells), *_runs(floors)]
    return "\n\n".join(parts)
