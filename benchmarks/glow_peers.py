"""Glow against other PyTorch programs: time of a training step, its memory, time to sample.

python -m benchmarks.glow_peers --rosinality FOLDER --y0ast FOLDER

The folders are checkouts of rosinality/glow-pytorch and y0ast/Glow-PyTorch on GitHub; without them
only normflows is compared with. All models have L=2 levels, coupling networks of width 128, affine
coupling and LU convolutions, on 32x32 colour images. Steps and samples are timed in turn in one
process, CPU seconds of one thread, medians over the rounds; a step ends with Adamax. Memory is the
growth of the resident set over one forward and backward pass in a process of its own. Only
normflows with `net_actnorm=True` and y0ast have the actnorms of the coupling network, as ours.
nflows has blocks only, put together here.
"""

import argparse
import importlib.util
import json
import math
import resource
import statistics
import sys
import time
from pathlib import Path

from benchmarks.common import RESULTS, provenance, run_job, write_text

LEVELS, WIDTH, SHAPE = 2, 128, (3, 32, 32)
OURS = ("store", "checkpoint", "reversible")
PEERS = ("normflows", "normflows_net_actnorm", "nflows", "rosinality", "y0ast")


# --- the models: each gives (module, loss(x), sample(n)) ---------------------------------------


def build(name, steps, folders, batch):
    """A model, initialised on one batch."""
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(0)
    x = torch.rand(batch, *SHAPE) - 0.5
    if name in OURS:
        model, loss, sample = _ours(name, steps, x)
    elif name.startswith("normflows"):
        model, loss, sample = _normflows(steps, name.endswith("net_actnorm"))
    elif name == "nflows":
        model, loss, sample = _nflows(steps)
    elif name == "rosinality":
        model, loss, sample = _rosinality(folders[name], steps)
    else:
        model, loss, sample = _y0ast(folders[name], steps)
    with torch.no_grad():
        loss(x)  # peers initialise in their first pass
    return model, loss, sample, x


def _ours(memory, steps, x):
    import torch

    from pushforward.models.flows.glow_network import GlowNetwork

    network = GlowNetwork(SHAPE, levels=LEVELS, steps=steps, width=WIDTH, memory=memory)
    network.initialise(x)
    frozen, generator = network.freeze(), torch.Generator().manual_seed(0)
    return (
        network,
        lambda x: -network.log_prob(x).mean(),
        lambda n: frozen.decode(network.sample_latent(n, 0.7, generator)),
    )


def _normflows(steps, net_actnorm):
    import normflows as nf

    c, h, w = SHAPE
    bases, flows, merges = [], [], []
    for level in range(LEVELS):
        depth = LEVELS - level
        blocks = [
            nf.flows.GlowBlock(c * 2 ** (depth + 1), WIDTH, net_actnorm=net_actnorm)
            for _ in range(steps)
        ]
        flows.append([*blocks, nf.flows.Squeeze()])
        channels = c * 2**depth if level else c * 2 ** (depth + 1)
        bases.append(nf.distributions.DiagGaussian((channels, h // 2**depth, w // 2**depth)))
        if level:
            merges.append(nf.flows.Merge())
    model = nf.MultiscaleFlow(bases, flows, merges, class_cond=False)
    return model, model.forward_kld, lambda n: model.sample(n, temperature=0.7)[0]


def _nflows(steps):
    """Its blocks put together by us: it has no Glow, and no conditional prior of what leaves."""
    import torch
    from nflows.transforms import (
        ActNorm,
        AffineCouplingTransform,
        CompositeTransform,
        MultiscaleCompositeTransform,
        OneByOneConvolution,
        SqueezeTransform,
    )

    class Network(torch.nn.Sequential):
        def forward(self, x, context=None):
            return super().forward(x)

    def network(channels_in, channels_out):
        layers = [
            torch.nn.Conv2d(channels_in, WIDTH, 3, padding=1),
            *(torch.nn.ReLU(), torch.nn.Conv2d(WIDTH, WIDTH, 1), torch.nn.ReLU()),
            torch.nn.Conv2d(WIDTH, channels_out, 3, padding=1),
        ]
        return Network(*layers)

    model, shape = MultiscaleCompositeTransform(LEVELS), SHAPE
    for _ in range(LEVELS):
        c, h, w = 4 * shape[0], shape[1] // 2, shape[2] // 2
        mask = torch.arange(c) >= c // 2
        blocks = [
            CompositeTransform(
                [ActNorm(c), OneByOneConvolution(c), AffineCouplingTransform(mask, network)]
            )
            for _ in range(steps)
        ]
        shape = model.add_transform(CompositeTransform([SqueezeTransform(), *blocks]), (c, h, w))
    normal = torch.distributions.Normal(0.0, 1.0)

    def loss(x):
        z, log_det = model(x)
        return -(normal.log_prob(z).sum(1) + log_det).mean()

    def sample(n):
        return model.inverse(torch.randn(n, math.prod(SHAPE)) * 0.7)[0]

    return model, loss, sample


def _load(folder, file):
    """A module of a checkout; both checkouts have a `model.py`."""
    sys.path.insert(0, str(folder))
    try:
        spec = importlib.util.spec_from_file_location(f"peer_{folder.name}", folder / file)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    finally:
        sys.path.pop(0)
    return module


def _rosinality(folder, steps):
    import torch

    module = _load(folder, "model.py")
    module.AffineCoupling.__init__.__defaults__ = (WIDTH, True)  # the width is not an argument
    model = module.Glow(SHAPE[0], steps, LEVELS, affine=True, conv_lu=True)

    def loss(x):
        log_p, log_det, _ = model(x)
        return -(log_p + log_det).mean()

    def sample(n):
        c, h, w = SHAPE
        shapes = [(c * 2 ** (i + 1), h >> (i + 1), w >> (i + 1)) for i in range(LEVELS - 1)]
        shapes.append((c * 2 ** (LEVELS + 1), h >> LEVELS, w >> LEVELS))
        return model.reverse([torch.randn(n, *shape) * 0.7 for shape in shapes])

    return model, loss, sample


def _y0ast(folder, steps):
    import torch

    c, h, w = SHAPE
    model = _load(folder, "model.py").Glow(
        *((h, w, c), WIDTH, steps, LEVELS, 1.0, "invconv", "affine", True),
        y_classes=1,
        learn_top=True,
        y_condition=False,
    )

    def sample(n):
        top = torch.randn(n, c * 2 ** (LEVELS + 1), h >> LEVELS, w >> LEVELS) * 0.7
        return model(z=top, temperature=0.7, reverse=True)

    return model, lambda x: model(x)[1].mean() * (c * h * w * math.log(2)), sample


# --- what is measured -------------------------------------------------------------------------


def _in_turn(works, rounds):
    """Median CPU seconds of each piece of work, taken in turn."""
    taken = {name: [] for name in works}
    for count in range(rounds + 1):
        for name, work in works.items():
            begun = time.process_time()
            work()
            if count:  # the first round warms up
                taken[name].append(time.process_time() - begun)
    return {name: statistics.median(seconds) for name, seconds in taken.items()}


def training_step(names, steps, batch, rounds, folders):
    """Milliseconds of a step, Adamax included."""
    import torch

    works = {}
    for name in names:
        model, loss, _, x = build(name, steps, folders, batch)
        optimiser = torch.optim.Adamax(model.parameters(), lr=1e-4)

        def work(model=model, loss=loss, x=x, optimiser=optimiser):
            optimiser.zero_grad()
            loss(x).backward()
            optimiser.step()

        works[name] = work
    return {name: 1000 * value for name, value in _in_turn(works, rounds).items()}


def sampling(names, steps, batch, rounds, folders):
    """Milliseconds of a batch of samples."""
    import torch

    works = {}
    for name in names:
        sample = build(name, steps, folders, 16)[2]

        def work(sample=sample):
            with torch.no_grad():
                sample(batch)

        works[name] = work
    return {name: 1000 * value for name, value in _in_turn(works, rounds).items()}


def _resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def memory(name, steps, batch, folders):
    """Mebibytes the resident set grows at most over one forward and backward pass."""
    import torch

    _, small, _, x = build(name, 1, folders, 2)
    small(x).backward()  # libraries are loaded by a model of one step
    loss = build(name, steps, folders, 2)[1]
    x = torch.rand(batch, *SHAPE) - 0.5
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts again from here
    before, begun = _resident(), time.process_time()
    loss(x).backward()
    seconds = time.process_time() - begun
    status = Path("/proc/self/status").read_text()
    peak = int(status.split("VmHWM:")[1].split()[0]) * 1024
    return {"mebibytes": round((peak - before) / 2**20, 1), "seconds": round(seconds, 3)}


def main():
    """Measure and write benchmarks/results/glow_peers.json."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rosinality", type=Path)
    parser.add_argument("--y0ast", type=Path)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--measure", nargs="+", default=["step", "sample", "memory"])
    parser.add_argument("--out", type=Path, default=RESULTS / "glow_peers.json")
    options = parser.parse_args()
    folders = {"rosinality": options.rosinality, "y0ast": options.y0ast}
    peers = [name for name in PEERS if name not in folders or folders[name]]
    every = [*OURS, *peers]
    found = {"run": provenance("benchmarks.glow_peers"), "rows": []}

    def note(measure, unit, values, **conditions):
        for name, value in values.items():
            row = {"measure": measure, **conditions, "model": name, unit: value}
            found["rows"].append(row)
            print(json.dumps(row), file=sys.stderr, flush=True)

    if "step" in options.measure:
        values = training_step(every, 8, 16, options.rounds, folders)
        note("training step", "ms", {k: round(v, 1) for k, v in values.items()}, K=8, batch=16)
    if "sample" in options.measure:
        for batch in (16, 1):
            names = ["store", *peers]
            values = sampling(names, 8, batch, options.rounds * (1 if batch > 1 else 3), folders)
            values = {k: round(v, 2) for k, v in values.items()}
            note("sampling", "ms", values, K=8, batch=batch)
    if "memory" in options.measure:
        for steps in (8, 32):
            for name in every:
                row = run_job(memory, (name, steps, 32, folders), 300)
                note("memory", "peak", {name: row}, K=steps, batch=32)
    write_text(options.out, json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
