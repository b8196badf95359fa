"""The tables of SIG and GIS of images, for `docs/benchmarks.md`."""

import json

from benchmarks.common import read_results
from benchmarks.render_images import table, told

__all__ = ["sliced_section"]

OWN = {"fashion_mnist": "Fashion-MNIST", "mnist": "MNIST"}
MODELS = {"sig": "SIG", "sig_likelihood": "GIS of images", "glow": "Glow"}
SCORES = {
    "inlier": "inlier score",
    "log_prob": "log-density",
    "typicality": "typicality",
    "complexity": "log-density and complexity",
    "last_level": "last level",
}
OTHERS = ("fashion_mnist", "mnist", "omniglot", "hflip", "vflip")
INCEPTION_TEXT = """\
Fréchet distance of 10,000 samples to the 10,000 test images in the features of the Inception of
2015-12-05, images resized as by pytorch-fid, after so much CPU time of one thread; in brackets a
95 % interval of the distance. The authors report 4.5 on MNIST and 13.7 on Fashion-MNIST, of 800
layers on all training images, which took a GPU."""
SEARCH_TEXT = """\
What searches for directions find: MNIST beside samples with the margins of its principal axes and
nothing of their dependence, in a patch in the middle. The 2-Wasserstein distance of 3,000 images
that no search has seen, along the directions found, whose square is what a layer can gain: means
and standard deviations over four starts."""
OOD_TEXT = """\
The probability that a test image of the set trained on scores above an image of another kind
(AUROC): the other digits or garments, Omniglot, and the same test images mirrored and upside down.
The authors of SIG report 0.990, 0.993, 0.631 and 0.821 for theirs, trained on Fashion-MNIST on a
GPU. The form of the inlier score was chosen with these sets in view."""
REFERENCE_TEXT = """\
A layer of each stage of the published schedule on 2,000 images of Fashion-MNIST, one thread: CPU
seconds against the authors' program with its searches cut short, memory above the data, and the
2-Wasserstein distances to held-out images after the stage, along principal axes and along random
directions. `same slices` leaves out the first layer along all principal axes and has the
reference's 400 knots."""
BITS_TEXT = """\
`SIG(goal="likelihood")`, GIS on patches of 4 and 2, on MNIST: bits per dimension of the 10,000
test images after so much CPU time of one thread, with one draw of noise and, of 1,000 of them, by
the mean probability of eight. The paper has 1.34 on all 60,000 training images."""
SPEED_TEXT = """\
What a layer of SIG and a fit of GIS take, CPU time of one thread beside commit `5348b60` in the
same run, at equal held-out nats; and CPU milliseconds that an image of MNIST takes a fitted SIG,
for 1,400 of its layers, with Numba (extra `fast`)."""


def sliced_section(results):
    """Inception's distance, other kinds of images, the authors' program, bits per dimension."""
    parts = ["## SIG and GIS of images"]
    parts += _inception(*_read(results / "sig_inception.json"))
    parts += _ood(*_read(results / "sig_ood.json"))
    parts += _reference(results / "sig_reference.json")
    parts += _search(*_read(results / "sig_search.json"))
    parts += _speed(*_read(results / "sig_speed.json"))
    parts += _bits(*_read(results / "sig_bits.json"))
    return "\n\n".join(parts)


def _read(path):
    content = read_results(path)
    return content, [row for row in content["rows"] if row["status"] == "ok"]


def _runs(content):
    return [told(run) for run in content["runs"].values()]


def _speed(content, rows):
    by = {(row["what"], row["images"]): row for row in rows}
    fits = [by[key] for key in (("fit", 5000), ("gis", 0)) if key in by]
    fitted = [row for row in rows if row["what"] == "fitted"]
    if not fits or not fitted:
        return []
    names = {"fit": "a layer of SIG, fitted", "gis": "60 layers of GIS, the whole fit"}
    lines = [(names[row["what"]], f"{row['times_faster']:.2f}") for row in fits]
    each = []
    for row in fitted:
        costs = [f"{row[f'{what}_milliseconds_of_1400']:.1f}" for what in ("sample", "score")]
        each.append((str(row["images"]), str(row["layers"]), *costs))
    return [
        "### Speed",
        SPEED_TEXT,
        table(("", "times as fast as before"), lines),
        table(("images", "layers", "sample, ms", "score, ms"), each),
        *_runs(content),
    ]


def _inception(content, rows):
    if not rows:
        return []
    cells = [
        [
            OWN[row["data"]], f"{row['minutes']:g} min", str(max(row["layers"].values())),
            f"{row['fid']:.1f} ({row['interval'][0]:.1f} to {row['interval'][1]:.1f})",
        ]
        for row in rows
    ]  # fmt: skip
    header = ["images", "CPU", "layers", "FID"]
    return ["### Samples, by Inception", INCEPTION_TEXT, table(header, cells), *_runs(content)]


def _ood(content, rows):
    if not rows:
        return []
    cells = []
    for row in rows:
        name = f"{MODELS[row['model']]} on {OWN[row['own']]}, {row['minutes']:g} min"
        for score in (score for score in SCORES if score in row["auroc"]):
            areas = row["auroc"][score]
            shown = (f"{areas[kind]:.3f}" if kind in areas else "" for kind in OTHERS)
            cells.append([f"{name}: {SCORES[score]}", *shown])
    header = ["model and score", "Fashion-MNIST", "MNIST", "Omniglot", "mirrored", "upside down"]
    return ["### Other kinds of images", OOD_TEXT, table(header, cells), *_runs(content)]


def _reference(path):
    if not path.exists():
        return []
    content = json.loads(path.read_text())
    names = {"pushforward": "Pushforward", "pushforward_same_slices": "same slices"}
    of = {(row["program"], row["patch"]): row for row in content["rows"]}
    cells = []
    for (program, patch), row in of.items():
        if program == "reference":
            continue
        theirs = of["reference", patch]
        cells.append(
            [
                f"{patch} x {patch}, {names[program]}",
                f"{row['cpu_s_a_layer']:.2f}", f"{theirs['cpu_s_a_layer']:.2f}",
                f"{theirs['cpu_s_a_layer'] / row['cpu_s_a_layer']:.1f}",
                f"{row['peak_mib_above_data']} / {theirs['peak_mib_above_data']}",
                *(
                    f"{row[key]:.3f} / {theirs[key]:.3f}"
                    for key in ("pca_sliced_distance", "sliced_distance")
                ),
            ]
        )  # fmt: skip
    header = [
        "patches", "layer, s", "reference, s", "ratio", "MiB, ours / theirs",
        "PCA-sliced, ours / theirs", "random-sliced",
    ]  # fmt: skip
    run = told(content["provenance"])
    return ["### The authors' program", REFERENCE_TEXT, table(header, cells), run]


def _search(content, rows):
    if not rows:
        return []
    rows = sorted(rows, key=lambda r: (-r["side"], r["rows"], r["steps"]))
    cells = [
        [
            f"{row['side']} x {row['side']}", f"{row['rows']:,}", str(row["steps"]),
            f"{row['distance']:.3f} ± {row['deviation']:.3f}",
            f"{row['milliseconds']:.0f}",
        ]
        for row in rows
    ]  # fmt: skip
    header = ["patch", "images", "steps", "distance", "CPU, ms"]
    return ["### Searches", SEARCH_TEXT, table(header, cells), *_runs(content)]


def _bits(content, rows):
    if not rows:
        return []
    cells = [
        [
            f"{row['minutes']:g} min, {row['images']:,} images", f"{row['cpu_seconds']:.0f} s",
            str(row["layers"]), f"{row['held_out_bits']:.3f}", f"{row['bits']:.3f}",
            f"{row['bits_8']:.3f}",
        ]
        for row in rows
    ]  # fmt: skip
    header = ["budget", "CPU", "layers", "held out", "test, bits", "eight draws"]
    return ["### Bits per dimension", BITS_TEXT, table(header, cells), *_runs(content)]
