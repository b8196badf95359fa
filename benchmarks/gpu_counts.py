"""What steps and layers of the papers' sizes ask of a GPU, counted on a pretend one.

    python -m benchmarks.gpu_counts
    PYTHONPATH=../other/src python -m benchmarks.gpu_counts --code 5348b60

The device is that of `tests/device/`, which computes on the processor, needs g++, and counts.
`calls` are the operators that a GPU would be given, those on lists of tensors, such as an
optimiser's, once a tensor, though CUDA has kernels for lists; `graphs` what is left of them where
gradients are CUDA graphs. A step is a sixth of what a run of twelve does more than one of six, a
layer likewise. `--code` names other code than this checkout's, which `PYTHONPATH` has.
"""

import argparse
import contextlib
import sys
import warnings
from collections import Counter

from .common import RESULTS, ROOT, run_all, shared

KEY = ("model", "code")
STEPS = (
    *("dcgan", "wgan_gp", "wgan_gp_residual", "sn_dcgan", "sn_resnet", "alpha_gan", "vae"),
    *("glow", "realnvp"),
)
LAYERS = ("sig", "gis")
_IMAGES = 24  # of which the counts of a step do not depend
_ROWS = 100_000  # of a table as large as a share of POWER


def _model(name, **run):
    """A model of the size of its paper, for a number of steps."""
    import pushforward

    run |= {"batch_size": 4, "validation_fraction": 0, "device": "cuda", "random_state": 0}
    spectral = {"norm": "spectral", "loss": "hinge"}
    return {
        "dcgan": lambda: pushforward.DCGAN(preset="paper", **run),
        "wgan_gp": lambda: pushforward.WGANGP(preset="paper", **run),
        "wgan_gp_residual": lambda: pushforward.WGANGP(preset="paper-resnet", **run),
        "sn_dcgan": lambda: pushforward.DCGAN(architecture="sn-dcgan", **spectral, **run),
        "sn_resnet": lambda: pushforward.DCGAN(architecture="sn-resnet", **spectral, **run),
        "alpha_gan": lambda: pushforward.AlphaGAN(preset="paper", **run),
        "vae": lambda: pushforward.VAE(**run),
        "glow": lambda: pushforward.Glow(preset="paper", warm_up=1, **run),
        "realnvp": lambda: pushforward.RealNVP(**run),
    }[name]()


def _of_fit(model, X):
    """The totals that a fit counts."""
    import pretend_cuda

    pretend_cuda.reset()
    model.fit(X)
    return Counter(pretend_cuda.counts()["totals"])


def _steps(name):
    """Counts of a step, of calls and of graphs."""
    import numpy as np

    X = np.random.default_rng(0).integers(0, 256, (_IMAGES, 32, 32, 3), dtype=np.uint8)

    def a_step():
        few, many = (_of_fit(_model(name, steps=n), X) for n in (6, 12))
        return {what: (many[what] - few[what]) / 6 for what in many}

    found = a_step()
    with contextlib.suppress(ImportError):  # older code has none
        from pushforward.training import cuda_graphs

        with cuda_graphs():
            found["graphs"] = a_step()["calls"]
    return found


def _sig():
    """Counts of a layer of SIG on MNIST, one of each stage, as published but for the search."""
    import gzip

    import numpy as np

    import pushforward

    packed = shared("data", "mnist", "train-images-idx3-ubyte.gz").read_bytes()
    X = np.frombuffer(gzip.decompress(packed)[16:], np.uint8).reshape(-1, 28, 28)
    run = {"layers": 1, "search_rows": 16_384, "samples": 2, "search_steps": 60}
    model = pushforward.SIG(preset="paper", device="cuda", random_state=0, **run)
    totals = _of_fit(model, X)
    layers = len(model.networks_["flow"].layers)
    return {what: n / layers for what, n in totals.items()} | {"layers": layers}


def _gis():
    """Counts of a layer of GIS."""
    import numpy as np

    import pushforward

    rng = np.random.default_rng(0)
    X = rng.gamma(2.0, size=(_ROWS, 6)) @ rng.normal(size=(6, 6))
    few, many = (
        _of_fit(pushforward.GIS(max_layers=n, device="cuda", random_state=0), X) for n in (4, 12)
    )
    return {what: (many[what] - few[what]) / 8 for what in many}


def work(model, code):
    """The counts of a model."""
    sys.path.insert(0, str(ROOT / "tests" / "device"))
    import pretend_cuda

    pretend_cuda.install()  # before torch is imported
    warnings.simplefilter("ignore")
    found = {"sig": _sig, "gis": _gis}.get(model, lambda: _steps(model))()
    return {name.replace(" ", "_"): round(float(n), 1) for name, n in found.items()}


def main():
    parser = argparse.ArgumentParser("python -m benchmarks.gpu_counts", description=__doc__)
    models = [*STEPS, *LAYERS]
    parser.add_argument("--models", nargs="+", default=models, choices=models)
    parser.add_argument("--code", default="this")
    parser.add_argument("--again", action="store_true")
    options = parser.parse_args()
    run_all(
        [{"model": model, "code": options.code} for model in options.models],
        work=work, key=KEY, out=RESULTS / "gpu_counts.json", module="benchmarks.gpu_counts",
        timeout=lambda job: 3600, package=lambda job: "pushforward", again=options.again,
    )  # fmt: skip


if __name__ == "__main__":
    main()
