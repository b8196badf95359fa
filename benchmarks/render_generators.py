"""The tables of generators without a flow, for `docs/benchmarks.md`."""

from statistics import mean

from benchmarks.common import read_results
from benchmarks.render_images import table, told

__all__ = ["MODEL_NAMES", "generators_section"]

MODEL_NAMES = {
    "dcgan": "DCGAN",
    "sn_dcgan": "DCGAN, spectral norm and hinge loss",
    "sn_resnet_gan": "the same, residual networks",
    "relativistic": "DCGAN, relativistic loss",
    "r3gan": "the same with R1 + R2, critic without norm (R3GAN)",
    "r3gan_networks": "the same, R3GAN's networks",
    "wgan": "WGAN",
    "wgan_gp": "WGAN-GP",
    "mmd_gan": "MMD-GAN",
    "alpha_gan": "alpha-GAN",
    "alpha_gan_joint": "alpha-GAN, players jointly",
    "age": "AGE",
    "vae": "VAE",
    "vae_gan": "VAE-GAN",
    "began": "BEGAN",
    "ebgan": "EBGAN",
    "dfm": "DFM",
}
FASHION_TEXT = """\
Preset `fast` on Fashion-MNIST, 28 x 28, after the CPU time of one thread that the column says:
Fréchet distance of 5,000 samples to the 10,000 test images in the features of one classifier (real
against real: see the floors), precision and recall, mean absolute error of reconstructed test
images in shares of a pixel's range. Means over the seeds; the distance of each is in brackets."""
STEPS_TEXT = "The same after equal steps, whatever a step costs."
MINUTES_TEXT = """\
The Fréchet distance after fewer CPU minutes, of runs of so many and, but for SIG and Glow, of the
weights that a longer run would keep if it ended there; means over the seeds and runs."""
STACKED_TEXT = """\
Digits of MNIST in each of three channels are 1,000 modes. Modes that any of 26,000 samples has,
those with a tenth of their fair share, and the divergence, in nats, of the shares from equal ones,
as a classifier of digits reads them; as many images of the data for comparison."""
PAPER_TEXT = """\
Models of preset `fast`, each run with so many CPU minutes of one thread and settings drawn at
random but for the first: the best run, and the last of the ten best. The independent critic and
the Inception score are better where they are higher, diversity where it is near that of real
images."""
SPEED_TEXT = """\
CPU milliseconds of a training step against a loop written by hand for the same networks, medians
of blocks in turn, and what a fresh process takes to load a model and draw 64 images."""
TOYS_TEXT = """\
`TableGAN`, preset `fast`, against fresh rows: the share near a mode or the curve, modes found of
25, and the AUC of a two-sample test by neighbours (0.5: not told apart)."""


def _runs(content):
    return [told(run) for run in content["runs"].values()]


def _ok(path):
    content = read_results(path)
    return content, [row for row in content["rows"] if row["status"] == "ok"]


def _fashion_table(lines):
    """A line for each model and budget, the nearest to the real images first."""
    groups = {}
    for line in lines:
        groups.setdefault((line["name"], line["budget"]), []).append(line)
    cells = []
    for (name, _), found in sorted(groups.items(), key=lambda g: mean(o["fid"] for o in g[1])):

        def shown(key, form, found=found):
            values = [one[key] for one in found if key in one]
            return format(mean(values), form) if values else ""

        each = ", ".join(f"{one['fid']:.1f}" for one in found)
        fid = shown("fid", ".1f") + (f" ({each})" if len(found) > 1 else "")
        cells.append(
            [
                name, shown("cpu", ".0f") + " s", shown("steps", ",.0f"), fid,
                shown("precision", ".2f"), shown("recall", ".2f"), shown("reconstruction", ".3f"),
            ]
        )  # fmt: skip
    header = ["model", "CPU", "steps or layers", "FID", "precision", "recall", "error"]
    return table(header, cells)


def _minutes_table(lines):
    """A line for each model: its distance after so many minutes, as far as it is known."""
    after = {}
    for line in lines:
        end = {"minutes": float(line["budget"].split()[0]), "fid": line["fid"]}
        for one in [*line.get("earlier", []), end]:
            after.setdefault(line["name"], {}).setdefault(one["minutes"], []).append(one["fid"])
    columns = sorted({minutes for found in after.values() for minutes in found})
    cells = [
        [name, *(f"{mean(found[m]):.1f}" if m in found else "" for m in columns)]
        for name, found in sorted(after.items(), key=lambda item: mean(item[1][max(item[1])]))
    ]
    return table(["model", *(f"{minutes:g} min" for minutes in columns)], cells)


def _timely(line):
    """Whether a run has one of the budgets that models are compared after."""
    return float(line["budget"].split()[0]) in (1, 2, 5, 10)


def _glow_lines(results):
    """Runs of Glow with its start."""
    _, rows = _ok(results / "glow_minutes.json")
    return [
        {"name": "Glow", "budget": f"{row['minutes']:g} minutes", "fid": row["fid"]}
        for row in rows
        if (row["set"], row["start"]) == ("fashion-mnist", "gaussian")
    ]


def _paper_table(rows, name):
    """A line for each model on one set."""
    found = [row for row in rows if row["set"] == name]
    measures = list(found[0]["best"])
    cells = [
        [
            f"{MODEL_NAMES[row['model']]}, {row['minutes']:g} min, "
            f"{row['runs']} run{'s' * (row['runs'] > 1)}",
            *(
                " ... ".join(f"{v:.3g}" for v in dict.fromkeys((values[0], values[-1])))
                for values in row["best"].values()
            ),
        ]
        for row in found
    ]
    return table([name, *measures], cells)


def generators_section(results):
    """Images of GANs and SIG after equal time, their speed, and the toy sets."""
    parts = ["## Generators"]
    content, rows = _ok(results / "adversarial_fashion.json")
    grown, ours = _ok(results / "sig_fashion.json")
    lines = [{**row, "name": MODEL_NAMES[row["model"]], "cpu": row["cpu_seconds"]} for row in rows]
    grown_lines = [
        {**row, "name": "SIG", "cpu": row["cpu_seconds"], "steps": max(row["layers"].values())}
        | {"budget": f"{row['minutes']:g} minutes"}
        for row in ours
    ]
    if lines or grown_lines:
        timed_lines = [line for line in lines if line["budget"].endswith("minutes")]
        stepped = [line for line in lines if line["budget"].endswith("steps")]
        parts += ["### Fashion-MNIST", FASHION_TEXT, _fashion_table(timed_lines + grown_lines)]
        parts += [STEPS_TEXT, _fashion_table(stepped)] if stepped else []
        early = any(line.get("earlier") or line["budget"] != "10 minutes" for line in timed_lines)
        minutes = [
            line for line in timed_lines + grown_lines + _glow_lines(results) if _timely(line)
        ]
        parts += [MINUTES_TEXT, _minutes_table(minutes)] if early else []
        parts += [*_runs(content), *_runs(grown)]
    stacks, rows = _ok(results / "stacked_mnist.json")
    if rows:
        names = {**MODEL_NAMES, "data": "the data"}
        cells = [
            [
                names[row["model"]], str(row["seed"]), f"{row.get('cpu_seconds', 0):.0f} s",
                str(row["modes"]), str(row["well_found"]), f"{row['divergence']:.3f}",
            ]
            for row in rows
        ]  # fmt: skip
        header = ["model", "seed", "CPU", "modes of 1,000", "a tenth of their share", "divergence"]
        parts += ["### Stacked MNIST", STACKED_TEXT, table(header, cells), *_runs(stacks)]
    timed, rows = _ok(results / "adversarial_speed.json")
    if rows:
        steps = [row for row in rows if row["what"] == "step"]
        cells = [
            [
                f"{MODEL_NAMES[row['model']]}{', with an average' if row['average'] else ''}",
                f"{row['ours_ms']:.1f}", f"{row['by_hand_ms']:.1f}", f"{row['ratio']:.2f}",
            ]
            for row in steps
        ]  # fmt: skip
        header = ["step", "Pushforward, ms", "by hand, ms", "ratio"]
        loads = [
            f"Load and 64 samples of {MODEL_NAMES[row['model']]}: {row['cpu_seconds']:.1f} CPU "
            f"seconds, {row['seconds']:.1f} s of wall time."
            for row in rows
            if row["what"] != "step"
        ]
        parts += ["### Speed", SPEED_TEXT, table(header, cells), *loads, *_runs(timed)]
    paper, rows = _ok(results / "adversarial_paper.json")
    if rows:
        parts += ["### The comparison of the alpha-GAN paper", PAPER_TEXT]
        parts += [_paper_table(rows, name) for name in dict.fromkeys(row["set"] for row in rows)]
        parts += _runs(paper)
    toys, rows = _ok(results / "toy_gans.json")
    if rows:
        cells = [
            [
                row["data"], str(row["seed"]), f"{row['training_cpu_seconds']:.0f} s",
                f"{100 * row['high_quality']:.1f} %", f"{row.get('modes_found', '')}"[:2],
                f"{row['two_sample_auroc']:.3f}",
            ]
            for row in rows
        ]  # fmt: skip
        header = ["set", "seed", "training, CPU", "high quality", "modes", "AUC"]
        parts += ["### Toy sets", TOYS_TEXT, table(header, cells), *_runs(toys)]
    return "\n\n".join(parts)
