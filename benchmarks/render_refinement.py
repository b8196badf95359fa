"""The tables of refinement, for `docs/benchmarks.md` and the README."""

from statistics import mean

from benchmarks.common import read_results
from benchmarks.refinement_toys import ROWS
from benchmarks.render_generators import MODEL_NAMES
from benchmarks.render_images import table, told

__all__ = ["readme_images", "refinement_section"]

TOYS_TEXT = """\
`pushforward.refine(model, data)` with 100,000 rows, where no other number stands, and nothing else
said, judged by 4,000 fresh rows and samples (means over sixteen draws of both; † four, * one): AUC
of a two-sample test by neighbours (0.5: not told apart), the share near a mode or the curve, the
spread within modes as a share of the true one, how unevenly modes are filled, and how unevenly by
real rows (with 100,000 rows, means of 100 draws and more). `table_gan` has all its steps,
`early_gan` a third of them, on the roll a sixth; `realnvp` has hardly begun, `gis` and `table_sig`
have one layer. The roll is so noisy that a Gaussian has a fifth of its samples near the curve."""
METHODS_TEXT = """\
Every method on the same base and rows, each with as many logits a sample as `auto` takes, judged
by so many draws; `ms` is what a sample costs. `dgflow, published`: the settings of its paper."""
DIGITS_TEXT = """\
A VAE of the small digits (16 latents), refined with 1,400 images: Fréchet distance of classifier
features to the 397 others, of 10,000 samples, and of as many samples as there are images (mean of
ten draws and the deviation of one): few samples add to it. So do the 1,400 training images, whose
distance is the floor."""
FOLDERS_TEXT = """\
Models of Fashion-MNIST after ten CPU minutes of training, where no other number stands, refined
with the training images in so many seconds (two or three jobs at a time on two cores): Fréchet
distance of 5,000 samples to the test images, before and after of the same latents (of residual
networks: of two draws), and the report's own AUC on held-out training images."""
TEXT_TEXT = """\
The character model trained on sentences of news for so many minutes and refined by others for as
many: Jensen-Shannon divergence of the n-grams of 3,000 samples from those of 3,000 further
sentences, in bits, and that of as many other sentences (floor). Counted within lines, as it was
then; that ends of lines count too makes it larger by about 0.01."""
RATIOS_TEXT = """\
Where a model has no critic: a network learned directly, the critic of another model with a network
from that model's samples to this one's ("corrected"), or with what it lacks ("residual")."""
CIFAR_TEXT = """\
Models of CIFAR-10, trained on 30,000 images for so many minutes and refined with them: Fréchet
distance of 5,000 samples to the 10,000 test images, by the features named. Published models train
for a day, and their distances are of Inception and 50,000 samples: nothing to compare with.
STL-10, which Ansari et al. refine too, is left out: there is no copy of it here."""
README_MODELS = ("ebgan", "dfm", "began", "dcgan", "alpha_gan", "wgan_gp", "vae")
BASES = {"gaussians": "25 Gaussians", "roll": "Swiss roll"}
NAMES = {
    "table_gan": "TableGAN",
    "early_gan": "TableGAN, stopped early",
    "realnvp": "weak RealNVP",
    "gis": "GIS of one layer",
    "table_sig": "TableSIG of one layer",
}


def _good(results, name):
    content = read_results(results / name)
    return content, [row for row in content["rows"] if row["status"] == "ok"]


def _shown(figures, key, digits):
    """The mean over the runs, where there is one."""
    values = [one[key] for one in figures if key in one]
    return f"{mean(values):.{digits}f}" if values else ""


def _by_base(rows):
    """Rows of "auto" by set, base and number of real rows."""
    groups = {}
    for row in rows:
        if row["methods"] == "auto":
            groups.setdefault((row["set"], row["base"], row["rows"]), []).append(row)
    return groups


def _judged(row):
    """Draws of samples that a row is the mean of."""
    return row.get("draws", 4 if "auc_deviation" in row["figures"]["auto"] else 1)


def _seed(row):
    """The seed of a row, marked where it is from before so many draws were judged."""
    return f"{row['seed']}{ {1: '*', 4: '†'}.get(_judged(row), '') }"


def _toys(rows):
    cells = []
    for (name, base, real_rows), found in _by_base(rows).items():
        more = "" if real_rows == ROWS else f", {real_rows:,} rows"
        before, after, real = (
            [row["figures"][key] for row in found] for key in ("generator", "auto", "real")
        )
        cells.append(
            [
                f"{base} on {name}{more}", ", ".join(_seed(row) for row in found),
                _shown(before, "auc", 3), " ".join(f"{f['auc']:.3f}" for f in after),
                _shown(before, "high_quality", 3), _shown(after, "high_quality", 3),
                _shown(after, "spread", 2), _shown(after, "imbalance", 5),
                _shown(real, "imbalance", 5),
                f"{mean(r['base_cpu_seconds'] + r['auto_cpu_seconds'] for r in found):.0f} s",
            ]
        )  # fmt: skip
    header = [
        "base", "seeds", "AUC before", "AUC after, each seed", "near a mode before", "after",
        "spread", "imbalance", "of real", "base and refinement, CPU",
    ]  # fmt: skip
    return table(header, cells)


def _methods(row):
    """Every method on one base, the nearest to the data first."""
    judged = {name: one for name, one in row["figures"].items() if "auc" in one}
    forms = {"auc": ".3f", "high_quality": ".3f", "modes": "g", "spread": ".2f"}
    forms |= {"imbalance": ".5f", "draws": ".1f", "evaluations": ".0f", "ms": ".2f"}
    cells = [
        [name, *(f"{one[key]:{form}}" if key in one else "" for key, form in forms.items())]
        for name, one in sorted(judged.items(), key=lambda pair: pair[1]["auc"])
    ]
    header = [
        f"{row['base']} on {row['set']}, seed {row['seed']}, {_judged(row)} draws", "AUC",
        "near a mode", "modes", "spread", "imbalance", "draws", "logits", "ms",
    ]  # fmt: skip
    left = [f"{k}: {one['reason']}" for k, one in row["figures"].items() if "reason" in one]
    return table(header, cells) + ("\n\nNot run: " + "; ".join(left) + "." if left else "")


def _images(results):
    """Digits, trained models and the cost of a step."""
    content, rows = _good(results, "refinement_images.json")
    kinds = ("digits", "folders", "ratios", "cifar", "cost")
    of = {what: [r for r in rows if r["what"] == what] for what in kinds}
    parts = []
    if of["digits"]:
        cells = [
            [
                str(r["seed"]), *(f"{value:.2f}" for value in r["frechet_of_many"]),
                f"{r['frechet_before']:.2f}",
                f"{r['frechet_after']:.2f} ({r['spread_after']:.2f})", f"{r['floor']:.2f}",
                *(f"{value:.3f}" for value in r["auc"]), f"{sum(r['cpu_seconds']):.0f} s",
            ]
            for r in sorted(of["digits"], key=lambda r: r["seed"])
        ]  # fmt: skip
        header = [
            "seed", "before", "after", "before, 1,400 samples", "after", "floor", "AUC before",
            "AUC after", "CPU",
        ]  # fmt: skip
        parts += ["### Digits", DIGITS_TEXT, table(header, cells)]
    header = [
        "model", "before", "after", "AUC before", "AUC after", "draws", "logits", "refining",
    ]  # fmt: skip
    if of["folders"]:
        cells = [[_named(r["model"]), *_refined(r)] for r in of["folders"]]
        parts += ["### Trained models", FOLDERS_TEXT, table(header, cells)]
    for r in of["ratios"]:
        cells = [[f"{_named(r['model'])}, {k}", *_refined(one)] for k, one in r["ratios"].items()]
        parts += ["### Without a critic", RATIOS_TEXT, table(header, cells)]
    if of["cifar"]:
        cells = [
            [f"{MODEL_NAMES[r['model']]}, {r['train_minutes']:g} min on {r['device']}",
             r["features"], *_refined(r)]
            for r in of["cifar"]
        ]  # fmt: skip
        parts += ["### CIFAR-10", CIFAR_TEXT, table(["model", "features", *header[1:]], cells)]
    for r in of["cost"]:
        parts += [
            f"A step of DGflow of a DCGAN's latents costs {r['ratio']:.3f} forward and backward "
            f"passes of generator and critic ({r['step_ms']:.1f} ms against {r['pass_ms']:.1f})."
        ]
    return [*parts, *(told(run) for run in content["runs"].values())]


def _refined(row):
    return [
        f"{row['frechet_before']:.1f}", f"{row['frechet_after']:.1f}",
        f"{row['auc_before']:.3f}", f"{row['auc_after']:.3f}", f"{row['draws']:.1f}",
        f"{row['evaluations']:.0f}", f"{row['seconds']:.0f} s",
    ]  # fmt: skip


def _text(results):
    """The character model before and after."""
    content, rows = _good(results, "refinement_text.json")
    cells = [
        [
            f"{r['minutes']:g} minutes, seed {r['seed']}, n = {n}",
            *(f"{r[f'js_{n}_{name}']:.3f}" for name in ("before", "after", "floor")),
            *(f"{value:.3f}" for value in r["auc"]), f"{r['seconds']:.0f} s",
        ]
        for r in rows
        for n in (4, 6)
    ]  # fmt: skip
    if not cells:
        return []
    header = ["trained for", "before", "after", "floor", "AUC before", "AUC after", "refining"]
    runs = (told(run) for run in content["runs"].values())
    return ["### Text", TEXT_TEXT, table(header, cells), *runs]


def _named(folder):
    """The model in a folder that a benchmark kept: "dcgan-10-minutes-0", "sig-...-5-0"."""
    name, *rest = folder.split("-")
    if name == "sig":
        return f"SIG, {rest[-2]} min, seed {rest[-1]}"
    return f"{MODEL_NAMES.get(name, name)}, seed {rest[-1]}"


def refinement_section(results):
    """What refinement does to weak models of the toy sets, and to models of images."""
    content, rows = _good(results, "refinement_toys.json")
    if not rows:
        return "## Refinement\n\nNothing has been measured yet."
    parts = ["## Refinement", TOYS_TEXT, _toys(rows)]
    every = [row for row in rows if row["methods"] == "all"]
    if every:
        parts += ["### Every method", METHODS_TEXT, *map(_methods, every)]
    parts += [told(run) for run in content["runs"].values()]
    return "\n\n".join([*parts, *_images(results), *_text(results)])


def readme_images(results):
    """Images after equal time, and what refinement does: a few lines for the README."""
    _, gans = _good(results, "adversarial_fashion.json")
    _, grown = _good(results, "sig_fashion.json")
    found = {}
    for row in gans:
        if row["budget"] == "10 minutes":
            found.setdefault(MODEL_NAMES[row["model"]], []).append(row["fid"])
    for row in grown:
        if row["minutes"] == 10:
            found.setdefault("SIG", []).append(row["fid"])
    best = sorted(found, key=lambda name: mean(found[name]))
    wanted = ("SIG", "EBGAN", "DFM", "BEGAN", "DCGAN", "alpha-GAN", "WGAN-GP", "VAE")
    line = ", ".join(f"{n} {mean(found[n]):.1f}" for n in best if n in wanted)
    text = (
        "Fréchet distance of samples from Fashion-MNIST after ten CPU minutes on one thread\n"
        f"(features of a classifier; lower is better): {line}.\n\n"
        "`pushforward.refine(model, data)`, with nothing else said: AUC of a test that tells "
        "samples\nfrom data (0.5: it cannot), and the same Fréchet distance."
    )
    _, toys = _good(results, "refinement_toys.json")
    cells = [
        [f"{BASES[name]}, {NAMES[base]}", "AUC",
         _shown([r["figures"]["generator"] for r in rows], "auc", 3),
         _shown([r["figures"]["auto"] for r in rows], "auc", 3)]
        for (name, base, number), rows in _by_base(toys).items()
        if number == ROWS
        if base in ("early_gan", "realnvp") or (base == "gis" and name == "gaussians")
    ]  # fmt: skip
    _, images = _good(results, "refinement_images.json")
    cells += [
        ["Fashion-MNIST, " + MODEL_NAMES[kind], "Fréchet distance",
         f"{r['frechet_before']:.1f}", f"{r['frechet_after']:.1f}"]
        for r in images
        if r["what"] == "folders" and (kind := r["model"].partition("-")[0]) in README_MODELS
    ]  # fmt: skip
    header = ["refined", "measure", "before", "after"]
    return f"{text}\n\n{table(header, cells)}"
