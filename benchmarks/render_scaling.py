"""Write the figures of `benchmarks.scaling`, and what follows from them, into `docs/scaling.md`.

python -m benchmarks.render_scaling            # rewrite the page
python -m benchmarks.render_scaling --check    # fail if the page is not what the results say
"""

import argparse
import sys

from benchmarks.common import RESULTS, ROOT, read_results, write_text
from benchmarks.render_images import table, told

PAGE = ROOT / "docs" / "scaling.md"
ROWS, COLUMNS, MACHINES, LAYERS = 10**9, 100, 64, 1000
CELLS, MOST = 1 << 24, 1 << 20  # of a sample, as `draw_rows` has them
GPU_FLOP, GPU_BYTES = 1e14, 25e9  # assumed: what a GPU does a second of Glow, and sends


def of(every, part, **wanted):
    """The rows of a part, with these values."""
    return [
        row for row in every if row["part"] == part and all(row[k] == v for k, v in wanted.items())
    ]


def seconds(value):
    """A time as people say it."""
    if value < 1:
        return f"{1e3 * value:.3g} ms"
    if value < 600:
        return f"{value:.3g} s"
    return f"{value / 60:.3g} min" if value < 7200 else f"{value / 3600:.3g} h"


def layer_section(rows):
    """Cost of a layer of GIS."""
    lines = [
        [
            f"{r['rows']:,} x {r['columns']}",
            seconds(r["make_cpu_s"]),
            seconds(r["apply_cpu_s"]),
            f"{1e9 * (r['make_cpu_s'] + r['apply_cpu_s']) / r['rows']:.0f} ns",
        ]
        for r in sorted(of(rows, "layer"), key=lambda r: (r["columns"], r["rows"]))
    ]
    return [
        "### A row, a column, a layer",
        "CPU seconds of one thread for a layer of GIS: making it from all rows (the search for "
        "its directions is of 2,048 of them, and of 2^17 or more of a 32nd), and moving all rows "
        "through it.",
        table(["rows x columns", "make", "apply", "a row"], lines),
    ]


def sample_section(rows):
    """How many rows are enough."""
    found = sorted(of(rows, "sample"), key=lambda r: (r["what"], r["rows"]))
    if not found:
        return []
    lines = []
    for r in found:
        gain = "" if "gain" not in r else f"{r['gain']:+.3f} ± {r['gain_se']:.3f}"
        lines.append([r["what"], f"{r['rows']:,}", f"{r['nats']:.3f}", gain, seconds(r["cpu_s"])])
    head = ["model", "rows drawn", "held-out nats a row", "over the sample before", "CPU"]
    return [
        "### Rows of a sample",
        f"Log density of 20,000 rows that no fit has, of the {found[0]['columns']} columns of "
        "`benchmarks.big_table`, which are hard on purpose: six bent clusters in 24 columns. "
        "Where as many rows as a table has are drawn, the fit is that of the table in memory, bit "
        "for bit: what a sample costs is what fewer rows cost. That of 262,144 rows had longer "
        "searches (above).",
        table(head, lines),
        *(
            f"Four parquet files of {r['rows']:,} rows, which fit in memory, and the frame of the "
            f"same rows: a GIS of {r['layers']} layers has {r['nats_files']:.3f} nats a row of "
            f"both, a difference of {r['difference']:g}."
            for r in of(rows, "alike", what="whole")
        ),
        *(
            f"GIS of {r['layers']} layers of {r['rows']:,} rows drawn from files of "
            f"{max(10**6, 16 * r['rows']):,} have {r['nats_files']:.3f} nats a row, the mean of "
            f"{r['seeds']} seeds, and of as many rows of a frame {r['nats_memory']:.3f}: "
            f"{r['difference']:+.3f} ± {r['difference_se']:.3f}. What differs between them, and "
            "between two seeds, is chance."
            for r in of(rows, "alike", what="sample")
        ),
    ]


def command_section(rows):
    """The commands, as the system counted them."""
    parts = []
    fits = of(rows, "table")
    if fits:
        lines = [
            [
                f"`fit {r['what']}`",
                f"{r['rows']:,} ({r['bytes'] / 1e9:.2f} GB)",
                f"{r['held_rows']:,}",
                f"{r['nats']:.3f}",
                seconds(r["cpu_s"]),
                f"{r['peak_mib']:,.0f} MiB",
            ]
            for r in fits
        ]
        head = ["command", "rows", "held", "held-out nats", "CPU", "highest memory"]
        parts += [
            "### Fits of tables larger than memory",
            table(head, lines),
            "That of 263,201 rows is of a version whose samples had 2^18 rows and whose searches "
            "looked at 2,048 of them. A fit of few layers shows what reading takes and the "
            "memory, which is that of one to the end; most of its parts are links to the others.",
        ]
    scored = sorted(of(rows, "score"), key=lambda r: (r["rows"], r["processes"]))
    if scored:
        lines = []
        for r in scored:
            alone = of(rows, "score", rows=r["rows"], processes=1)
            more = ""
            if r["processes"] > 1 and alone:
                ideal = r["processes"] * alone[0]["cpu_s"] / r["cpu_s"]
                more = f"{ideal:.2f} ({alone[0]['wall_s'] / r['wall_s']:.2f} by the clock)"
            lines.append(
                [
                    f"{r['rows']:,}",
                    str(r["processes"]),
                    seconds(r["cpu_s"]),
                    f"{1e6 * r['cpu_s'] / r['rows']:.1f} µs",
                    more,
                    f"{r['peak_mib']:,.0f} MiB",
                ]
            )
        head = ["rows", "processes", "CPU", "a row", "times one process", "highest memory"]
        parts += [
            "### Scoring parts",
            "`pushforward score model parts/ -o scored/`, a GIS of 20 layers. *Times one process* "
            "is what as many free cores give by the CPU seconds that both took; by the clock it "
            "is what this machine gave, whose two cores other work shared. Each process takes "
            "some seconds to start, which count where the rows take no minute.",
            table(head, lines),
        ]
    return parts


def growth_section(rows):
    """The growth of one flow by several processes."""
    lines, alike = [], True
    for r in sorted(of(rows, "growth"), key=lambda r: (r["columns"], r["rows"], r["processes"])):
        alone = of(rows, "growth", rows=r["rows"], columns=r["columns"], processes=1)
        more = ""
        if r["processes"] > 1 and alone:
            ideal = alone[0]["cpu_s"] / r["slowest_cpu_s"]
            more = f"{ideal:.2f} ({alone[0]['wall_s'] / r['wall_s']:.2f} by the clock)"
            alike = alike and alone[0]["digest"] == r["digest"]
        lines.append([
            f"{r['rows']:,} x {r['columns']}", str(r["processes"]), seconds(r["cpu_s"]),
            seconds(r["slowest_cpu_s"] / r["layers"]), more, f"{r['peak_mib']:,.0f} MiB",
        ])  # fmt: skip
    if not lines:
        return []
    head = [
        *("rows x columns", "processes", "CPU", "a layer", "times one process", "highest memory")
    ]
    same = "the same bits" if alike else "NOT the same bits"
    return [
        "### Growth of one GIS",
        "Layers made of that many rows, and 15 % more of them held out: CPU seconds of all "
        "processes, and of the slowest for a layer; of three runs, made in turn, the middle one. "
        "*Times one process* is what as many free cores give: the CPU seconds of one over "
        "those of the slowest; by the clock it is what "
        f"this machine gave. The layers of any number of processes have {same}. Memory is that of "
        "process 0, with the library's own. Layers of many rows have been made in blocks since "
        "the table of layers above was measured, in about half the time.",
        table(head, lines),
    ]


def image_section(rows):
    """Shards of images that are larger and larger."""
    found = sorted(of(rows, "images"), key=lambda r: r["rows"])
    if not found:
        return []
    lines = [
        [
            f"{r['rows']:,} ({r['bytes'] / 1e6:,.0f} MB)",
            seconds(r["cpu_s"]),
            f"{r['peak_mib']:,.0f} MiB",
        ]
        for r in found
    ]
    return [
        "### Shards of images",
        "`pushforward fit glow shards/`, 20 steps of a small Glow on noise of 64 x 64 in colour, "
        "in parquet files of 5,000 pictures each. All are read once, for their sizes and to know "
        "them again.",
        table(["pictures", "CPU", "highest memory"], lines),
    ]


def message_section(rows):
    lines = [
        [f"{r['rows']:,}", seconds(r["gather_s"]), seconds(r["sum_s"])]
        for r in sorted(of(rows, "message"), key=lambda r: r["rows"])
    ]
    return [
        "### Messages",
        "Two processes of this machine, by gloo: each gives all its bytes to the other, and sums "
        "of as many bytes of float32.",
        table(["bytes", "gather", "sum"], lines),
    ]


def fit_seconds(rows, n, columns, held, layers):
    """CPU seconds of a fit that the costs of a cell read and of a layer give."""
    read = max(of(rows, "read"), key=lambda r: r["rows"])
    cell = read["cpu_s"] / (read["rows"] * read["columns"])
    widths = sorted({r["columns"] for r in of(rows, "layer")}, key=lambda c: abs(c - columns))
    layer = [r for r in of(rows, "layer", columns=widths[0]) if r["rows"] >= 100_000]
    low, high = (f(layer, key=lambda r: r["rows"]) for f in (min, max))
    cost = [r["make_cpu_s"] + r["apply_cpu_s"] for r in (low, high)]
    a_row = (cost[1] - cost[0]) / (high["rows"] - low["rows"])
    return n * columns * cell, layers * (cost[0] + a_row * (held - low["rows"]))


def checked(rows):
    """What the costs say of what was run."""
    lines = []
    for r in of(rows, "table"):
        if r.get("layers"):
            read, fit = fit_seconds(rows, r["rows"], r["columns"], r["held_rows"], r["layers"])
            lines.append([
                f"fit of {r['rows']:,} rows, {r['layers']} layers on {r['held_rows']:,}",
                f"{seconds(read)} + {seconds(fit)}", seconds(r["cpu_s"]),
            ])  # fmt: skip
    scored = sorted(of(rows, "score", processes=1), key=lambda r: r["rows"])
    for r in scored[1:]:
        expected = scored[0]["cpu_s"] / scored[0]["rows"] * r["rows"]
        lines.append([f"scores of {r['rows']:,} rows", seconds(expected), seconds(r["cpu_s"])])
    if not lines:
        return []
    return [
        "The same sums for what was run: reading and layers from the tables above, scores from "
        "the smallest number of rows. What follows the last layer of a fit (the spread of the "
        "latents, scores of the rows held out) is not in the sum.",
        table(["run", "predicted", "measured"], lines),
    ]


def predicted(rows):
    """The lines of the prediction, from the costs above."""
    held = min(MOST, CELLS // COLUMNS)
    near = min(of(rows, "layer", columns=COLUMNS), key=lambda r: abs(r["rows"] - held))
    wide = max(of(rows, "layer", columns=COLUMNS), key=lambda r: r["rows"])
    read = max(of(rows, "read"), key=lambda r: r["rows"])
    cell = read["cpu_s"] / (read["rows"] * read["columns"])
    sent = max(of(rows, "message"), key=lambda r: r["rows"])
    rate = 2 * sent["rows"] / sent["gather_s"]
    one = (near["make_cpu_s"] + near["apply_cpu_s"]) / near["rows"] * held
    message = held * 8 * (1 + COLUMNS)
    score = LAYERS * wide["apply_cpu_s"] / wide["rows"]
    return [
        [
            "read and draw", f"{1e9 * cell:.0f} ns a cell",
            seconds(ROWS * COLUMNS * cell / MACHINES),
        ],
        [
            "exchange the sample", f"{message / 1e6:.0f} MB, {rate / 1e6:.0f} MB a second",
            seconds(message / rate),
        ],
        [
            f"GIS of {LAYERS} layers on {held:,} rows", f"{seconds(one)} a layer",
            seconds(LAYERS * one),
        ],
        [
            "score all rows by it", f"{1e6 * score:.0f} µs a row",
            seconds(ROWS * score / MACHINES),
        ],
    ]  # fmt: skip


def glow(side, levels, steps=32, width=512):
    """Parameters of the convolutions of a Glow."""
    total = 0
    for level in range(levels):
        channels = 12 * 2**level
        coupling = 9 * (channels // 2) * width + width * width + 9 * width * channels
        total += steps * (coupling + channels * channels)
    return total


def predicted_section(rows):
    """One billion rows on 64 machines, and images on 64 GPUs."""
    parts = ["## What follows for sizes that nobody here has run"]
    if of(rows, "read") and of(rows, "message"):
        parts += [
            f"A table of {ROWS:.0e} rows and {COLUMNS} columns on {MACHINES} machines, one core "
            "each (more cores are more machines to reading and scoring):",
            table(["step", "cost", "predicted"], predicted(rows)),
            "Reading and scoring share nothing and go with the number of cores, until the file "
            "system is the limit. The fit is of the sample, so it does not grow with the table.",
            *checked(rows),
        ]
    for r in of(rows, "network", rows=256):
        train = 4 * r["forward_flop"]  # forwards, backwards twice that, activations anew
        gradient = 8 * glow(256, 6)  # bytes of float32, to and from a ring
        parts += [
            f"A published Glow (6 levels of 32 steps, 512 channels) at 256 x 256 takes "
            f"{r['forward_flop'] / 1e9:.0f} GFLOP an image forwards, counted, and about four "
            f"times that in training, which makes activations anew. On 64 GPUs that do "
            f"{GPU_FLOP / 1e12:.0f} TFLOP a second of it (assumed: no GPU was at hand), a batch "
            f"of 256 takes {seconds(256 * train / GPU_FLOP / 64)}, and its gradients of "
            f"{glow(256, 6) / 1e6:.0f} million weights {seconds(gradient / GPU_BYTES)} at "
            f"{GPU_BYTES / 1e9:.0f} GB a second (assumed): a million images are seen in "
            f"{seconds(1e6 / 256 * (256 * train / GPU_FLOP / 64 + gradient / GPU_BYTES))}.",
        ]
    speed = read_results(RESULTS / "sig_speed.json")["rows"]
    speed = [r["microseconds"] for r in speed if r["status"] == "ok" and r["what"] == "score"]
    if speed:
        layer = 1e-6 * min(speed) * (256 * 256 * 3) / (28 * 28)
        parts += [
            f"SIG moves an image of 28 x 28 through a layer in {min(speed):.0f} µs of one core "
            "([benchmarks](benchmarks.md)), and costs go with values: one of 256 x 256 in colour "
            f"in {seconds(layer)}. A layer over a million images shared among 64 processors of "
            f"one core each takes {seconds(1e6 * layer / 64)}; what the processes exchange is "
            "sums over patches, whose size depends on slices and knots, not on images. How much "
            "faster 64 GPUs are was not measured.",
        ]
    return parts


def page_of(content):
    """The figures as Markdown."""
    rows = [row for row in content["rows"] if row["status"] == "ok"]
    parts = [*layer_section(rows), *sample_section(rows), *command_section(rows)]
    parts += growth_section(rows)
    parts += [*image_section(rows), *message_section(rows), *predicted_section(rows)]
    runs = {(r["command"], r["commit"]): r for r in content["runs"].values()}
    parts += ["Measured by:", "\n".join(f"* {told(run)}" for run in runs.values())]
    return "\n\n".join(parts)


def main():
    from benchmarks.render import put

    parser = argparse.ArgumentParser("python -m benchmarks.render_scaling", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, compare")
    options = parser.parse_args()
    old = PAGE.read_text()
    new = put(old, "scaling", page_of(read_results(RESULTS / "scaling.json")))
    if options.check and new != old:
        sys.exit(f"benchmarks: {PAGE.name} is not what the results say")
    if not options.check:
        write_text(PAGE, new)


if __name__ == "__main__":
    main()
