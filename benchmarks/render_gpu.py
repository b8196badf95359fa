"""What a GPU is asked for, for `docs/benchmarks.md`."""

from benchmarks.common import read_results
from benchmarks.render_images import table, told

__all__ = ["gpu_section"]

FIRST = "5348b60"  # the code before any of it was made for a GPU
NAMES = {
    "dcgan": "DCGAN",
    "wgan_gp": "WGAN-GP, five steps of its critic",
    "wgan_gp_residual": "WGAN-GP, residual networks",
    "sn_dcgan": "SN-DCGAN",
    "sn_resnet": "SN-ResNet",
    "alpha_gan": "alpha-GAN",
    "vae": "VAE",
    "glow": "Glow, K=32, L=3, width 512",
    "realnvp": "RealNVP",
    "sig": "SIG, a layer, 60,000 images of MNIST",
    "gis": "GIS, a layer, 100,000 rows of 6 columns",
}
TEXT = """\
## What a GPU is asked for

Nothing here has run on a GPU yet. What the processor would ask of one, in a step of training, or
in making a layer, of the papers' sizes: operators that are launched, each of which costs the
processor some microseconds (one on a list of tensors counts once a tensor, though CUDA has kernels
for lists), copies to the GPU, and waits for it. They are counted on a pretend device, which runs
them on the processor. With `pushforward.training.cuda_graphs()` the gradients of a step are
launched at once; what is left are mostly the optimiser's lists. `{first}` is the code before it
was made for a GPU; GIS could not use one then."""


def gpu_section(results):
    """Counts of every model: now, by graphs, and before."""
    found = read_results(results / "gpu_counts.json")
    rows = {(r["model"], r["code"]): r for r in found["rows"] if r["status"] == "ok"}
    lines = []
    for name, shown in NAMES.items():
        now, then = rows.get((name, "this"), {}), rows.get((name, FIRST), {})
        values = [then.get("calls"), now.get("calls"), now.get("graphs")]
        for what in ("copies_to_the_device", "synchronisations"):
            values += [then.get(what), now.get(what)]
        lines.append((shown, *("" if v is None else f"{v:,.0f}" for v in values)))
    head = ("", f"calls, `{FIRST}`", "now", "by graphs", "copies", "now", "waits", "now")
    runs = [told(run) for run in found["runs"].values()]
    return "\n\n".join([TEXT.format(first=FIRST), table(head, lines), *runs])
