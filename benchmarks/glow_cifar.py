"""Glow on CIFAR-10: bits per dimension after equal CPU time, and the paper's ablation.

python -m benchmarks.glow_cifar time --y0ast FOLDER      # against normflows and y0ast
python -m benchmarks.glow_cifar steps --y0ast FOLDER     # the same after equal steps
python -m benchmarks.glow_cifar parts                    # three permutations, two couplings

`time`: K=8, L=2, coupling networks of width 64, affine coupling, LU convolutions, batches of 32,
Adamax at 1e-3 after a linear warm-up of 100 steps, the same batches, for all; training stops
after the same CPU seconds of one thread, and the 10,000 test images are scored with one draw of
dequantisation noise. y0ast is at github.com/y0ast/Glow-PyTorch.

`steps`: the same after as many steps for all, on 2,000 test images.

`parts`: figure 3 of Kingma & Dhariwal (2018) in small: reversed channels, a fixed shuffle and 1x1
convolutions with additive and affine coupling, for the same number of steps.

Both train on the 30,000 training images that lie in `shared/`, without augmentation.
"""

import argparse
import math
import time
from pathlib import Path

from benchmarks import glow_peers
from benchmarks.common import RESULTS, run_all

K, WIDTH, BATCH, RATE, WARM_UP = 8, 64, 32, 1e-3, 100
D = 3 * 32 * 32
PERMUTATIONS = ("reverse", "shuffle", "lu")
COUPLINGS = ("additive", "affine")


def _images(split):
    import numpy as np

    from benchmarks.shared_images import load

    return np.ascontiguousarray(load("cifar10", split).images[:])


def _pixels(images, generator):
    """Dequantised pixels in [-0.5, 0.5)."""
    import torch

    x = torch.from_numpy(images).float()
    return (x + torch.rand(x.shape, generator=generator)) / 256 - 0.5


def _bits(name, loss, images, generator):
    """Bits per dimension of a batch; differentiable."""
    import torch

    if name == "y0ast":  # adds the noise and its constant itself
        return loss(torch.from_numpy(images).float() / 256 - 0.5) / (D * math.log(2))
    return loss(_pixels(images, generator)) / (D * math.log(2)) + 8


def _train(name, model, loss, seed, *, seconds=math.inf, steps=10**9):
    """Train until either budget is spent; return steps and CPU seconds."""
    import numpy as np
    import torch

    train, rng = _images("train"), np.random.default_rng(seed)
    generator = torch.Generator().manual_seed(seed)
    optimiser = torch.optim.Adamax(model.parameters(), lr=RATE)
    begun, taken = time.process_time(), 0
    while taken < steps and time.process_time() - begun < seconds:
        rows = np.sort(rng.choice(len(train), BATCH, replace=False))
        bits = _bits(name, loss, train[rows], generator)
        optimiser.zero_grad()
        bits.backward()
        for group in optimiser.param_groups:
            group["lr"] = RATE * min(1.0, (taken + 1) / WARM_UP)
        optimiser.step()
        taken += 1
    return taken, time.process_time() - begun


def _test_bits(name, model, loss, count):
    import torch

    generator = torch.Generator().manual_seed(0)
    model.eval()
    test = _images("test")[:count]
    with torch.no_grad():
        total = [
            _bits(name, loss, test[k : k + 100], generator).item() * len(test[k : k + 100])
            for k in range(0, count, 100)
        ]
    return sum(total) / count


def _initialised(name, seed, y0ast=None):
    """A model of the sizes above, initialised on 256 training images."""
    import numpy as np
    import torch

    torch.set_num_threads(1)
    glow_peers.WIDTH = WIDTH
    torch.manual_seed(seed)
    first = _images("train")[np.random.default_rng(seed).choice(30_000, 256, replace=False)]
    x = _pixels(first, torch.Generator().manual_seed(seed))
    if name == "pushforward":
        model, loss, _ = glow_peers._ours("store", K, x)
    elif name == "normflows":
        model, loss, _ = glow_peers._normflows(K, net_actnorm=True)
    else:
        model, loss, _ = glow_peers._y0ast(y0ast, K)
    with torch.no_grad():
        loss(x)  # peers initialise in their first pass
    return model, loss


def after_time(name, seconds, seed, y0ast=None):
    """Row of `time`."""
    model, loss = _initialised(name, seed, y0ast)
    steps, taken = _train(name, model, loss, seed, seconds=seconds)
    bits = _test_bits(name, model, loss, 10_000)
    return {"steps": steps, "cpu_seconds": round(taken, 1), "bits_per_dim": round(bits, 4)}


def after_steps(name, steps, seed, y0ast=None):
    """Row of `steps`."""
    model, loss = _initialised(name, seed, y0ast)
    _, taken = _train(name, model, loss, seed, steps=steps)
    bits = _test_bits(name, model, loss, 2000)
    return {"cpu_seconds": round(taken, 1), "bits_per_dim": round(bits, 4)}


def with_parts(permutation, coupling, steps, seed):
    """Row of `parts`."""
    import numpy as np
    import torch

    from pushforward.models.flows.glow_network import GlowNetwork

    torch.set_num_threads(1)
    network = GlowNetwork(
        (3, 32, 32), levels=2, steps=K, width=WIDTH, coupling=coupling, permutation=permutation,
        memory="store", seed=seed,
    )  # fmt: skip
    first = _images("train")[np.random.default_rng(seed).choice(30_000, 256, replace=False)]
    network.initialise(_pixels(first, torch.Generator().manual_seed(seed)))

    def loss(x):
        return -network.log_prob(x).mean()

    _, seconds = _train("pushforward", network, loss, seed, steps=steps)
    bits = _test_bits("pushforward", network, loss, 2000)
    return {"cpu_seconds": round(seconds, 1), "bits_per_dim": round(bits, 4)}


def main():
    """Measure and write benchmarks/results/glow_cifar_{time,steps,parts}.json."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("what", choices=("time", "steps", "parts"))
    parser.add_argument("--y0ast", type=Path)
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--again", action="store_true")
    options = parser.parse_args()
    if options.what != "parts":
        timed = options.what == "time"
        budget = options.seconds if timed else options.steps
        key = ("model", "seconds" if timed else "steps", "seed")
        models = ["pushforward", "normflows", *(["y0ast"] if options.y0ast else [])]
        jobs = [
            dict(zip(key, (model, budget, seed), strict=True))
            for seed in options.seeds
            for model in models
        ]
        run_all(
            jobs, work=_With(options.y0ast, timed), key=key,
            out=RESULTS / f"glow_cifar_{options.what}.json",
            module="benchmarks.glow_cifar", timeout=lambda job: 7200.0,
            package=lambda job: "normflows" if job["model"] == "y0ast" else job["model"],
            again=options.again,
        )  # fmt: skip
        return
    key = ("permutation", "coupling", "steps", "seed")
    jobs = [
        dict(zip(key, (permutation, coupling, options.steps, seed), strict=True))
        for seed in options.seeds
        for coupling in COUPLINGS
        for permutation in PERMUTATIONS
    ]
    run_all(
        jobs, work=with_parts, key=key, out=RESULTS / "glow_cifar_parts.json",
        module="benchmarks.glow_cifar", timeout=lambda job: 3600.0,
        package=lambda job: "pushforward", again=options.again,
    )  # fmt: skip


class _With:
    """`after_time` or `after_steps` with the folder of y0ast, for another process."""

    def __init__(self, y0ast, timed):
        self.y0ast, self.timed = y0ast, timed

    def __call__(self, name, budget, seed):
        return (after_time if self.timed else after_steps)(name, budget, seed, self.y0ast)


if __name__ == "__main__":
    main()
