"""What a layer of SIG costs: an image of samples, one of log densities, and the fit of it.

    python -m benchmarks.sig_speed

A model of 28 x 28 pixels with four layers of each stage of the published schedule, 400 knots a
spline: random directions, and splines that bend a little. It stands in for a fitted one of
hundreds of layers, each of which costs as much. CPU microseconds for an image and a layer, one
thread, median of five calls. `--what fitted --model FOLDER` measures a model that was fitted, of
layers most of whose slices leave images as they are: CPU milliseconds an image of samples and of
scores, and what 1,400 of its layers come to. Splines are compiled for so many numbers where Numba
is installed (extra `fast`), which `numba` says. The four seconds that takes once a process
are not counted.

A fit is of ten layers a stage on 5,000 images of MNIST and as many samples, directions searched in
20 steps among 1,024: CPU milliseconds for a layer of a stage, all that a fit does included.
`--against FOLDER` measures the checkout of an older commit there as well, in turn, so that both
have the machine as it is. So does `--what gis`, of fits of 60 layers of GIS to made tables: CPU
seconds, the least of three.
"""

import argparse
import functools
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

from benchmarks.common import RESULTS, ROOT, run_all, shared

KEY = ("what", "images")
SHAPE, LAYERS, KNOTS = (1, 28, 28), 4, 400
FITTED = """
import json, sys, time
import torch
import pushforward
torch.set_num_threads(1)
images = pushforward.open_images(sys.argv[1], "train").images[:int(sys.argv[2])]
time.monotonic = time.process_time
options = {"layers": 10, "minutes": 60, "samples": 1, "max_images": len(images)}
options |= {"search_rows": 1024, "search_steps": 20}
options |= {"validation_fraction": 0, "device": "cpu", "random_state": 0}
model = pushforward.SIG(**options).fit(images)
print(json.dumps([[r["stage"], r["step"], r["seconds"]] for r in model.history_]))
"""
GIS_FITTED = """
import json, time
import numpy as np, torch
import pushforward
torch.set_num_threads(1)
found = {}
for n, d in ((400, 5), (2000, 5), (5000, 8), (20000, 16)):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, d))
    X[:, 1] += X[:, 0] ** 2
    X[:, 3] = np.exp(0.5 * X[:, 2]) + 0.1 * rng.normal(size=n)  # a function would be computed
    X[:, 4] += np.sin(3 * X[:, 0])
    begun = time.process_time()
    model = pushforward.GIS(max_layers=60, random_state=0).fit(X[: n // 2])
    spent = time.process_time() - begun
    if n > 400:  # the first one imports what it needs
        found[f"{n // 2} x {d}"] = (spent, model.n_layers_, model.score(X[n // 2 :]))
print(json.dumps(found))
"""


def model_of():
    """The model, and its layers."""
    import numpy as np
    import torch

    import pushforward
    from pushforward.models.sliced.patch_schedule import picture_schedule
    from pushforward.transport.patches import PatchFlow, PatchLayer
    from pushforward.transport.spline import Splines

    draw = torch.Generator().manual_seed(0)
    images = np.random.default_rng(0).integers(0, 256, (60, *SHAPE[1:]), dtype=np.uint8)
    tiny = {"layers": 1, "knots": 16, "samples": 1, "search_steps": 1, "validation_fraction": 0}
    model = pushforward.SIG(**tiny, device="cpu", random_state=0).fit(images)
    layers = []
    for stage in picture_schedule(SHAPE, LAYERS):
        for _ in range(LAYERS):
            grid, slices = stage.grid(draw), stage.slices
            size = grid.count, grid.dimension, slices
            directions = torch.linalg.qr(torch.randn(*size, generator=draw)).Q
            x = torch.linspace(-3, 3, KNOTS).expand(grid.count, slices, KNOTS).contiguous()
            x = x + 0.3 / KNOTS * torch.rand(x.shape, generator=draw)
            y = x + 0.05 * torch.sin(2 * x + torch.rand(grid.count, slices, 1, generator=draw))
            slope = 1 + 0.1 * torch.cos(2 * x)
            layers.append(PatchLayer(grid, directions, Splines(x, y, slope, uniform=False)))
    model.networks_ = {"flow": PatchFlow(SHAPE, layers[::-1]).eval()}
    return model, len(layers)


def fitted(source, images):
    """CPU milliseconds of a layer of each stage, by the code in a folder."""
    words = [sys.executable, "-c", FITTED, str(shared("data", "mnist")), str(images)]
    environment = os.environ | {"PYTHONPATH": str(Path(source) / "src")}
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=True)
    ends = [["", 0, 0.0], *json.loads(done.stdout)]
    spent = {new[0]: 1e3 * (new[2] - old[2]) / (new[1] - old[1]) for old, new in pairwise(ends)}
    return {stage: round(value) for stage, value in spent.items()}


def gis_fitted(sources):
    """Of each source, in turn, the least CPU seconds of three, layers and held-out nats."""
    rounds = [[] for _ in sources]
    for _ in range(3):
        for own, source in zip(rounds, sources, strict=True):
            environment = os.environ | {"PYTHONPATH": str(Path(source) / "src")}
            words = [sys.executable, "-W", "ignore", "-c", GIS_FITTED]
            done = subprocess.run(
                words, env=environment, capture_output=True, text=True, check=True
            )
            own.append(json.loads(done.stdout))
    return [
        {name: [round(float(v), 3) for v in min(one[name] for one in own)] for name in own[0]}
        for own in rounds
    ]


def used_of_fitted(model, images):
    """CPU milliseconds an image of 28 x 28 takes a fitted model, and 1,400 layers of it."""
    import torch

    import pushforward

    torch.set_num_threads(1)
    model = pushforward.load(model)
    layers = len(model.networks_["flow"].layers)
    data = pushforward.open_images(shared("data", "mnist"), "test").images[:images]
    row = {"layers": layers}
    for name, call in (
        ("sample", lambda: model.sample(images, random_state=0)),
        ("score", lambda: model.score_samples(data)),
    ):
        spent = []
        call()
        for _ in range(3):
            begun = time.process_time()
            call()
            spent.append(1e3 * (time.process_time() - begun) / images)
        each = statistics.median(spent)
        row[f"{name}_milliseconds"] = round(each, 2)
        row[f"{name}_milliseconds_of_1400"] = round(1400 * each / layers, 2)
    return row


def work(what, images, against=None, model=None):
    """One row."""
    row = {"numba": importlib.util.find_spec("numba") is not None}
    if what == "fitted":
        return row | used_of_fitted(model, images)
    return row | measured(what, images, against)


def measured(what, images, against):
    """What a row says of fits, samples and scores of made models."""
    if what == "gis":
        found = gis_fitted([ROOT] if against is None else [ROOT, against])
        row = dict(zip(("seconds_layers_nats", "before"), found, strict=False))
        if against is not None:
            seconds = [sum(values[0] for values in one.values()) for one in found]
            row["times_faster"] = round(seconds[1] / seconds[0], 2)
        return row
    if what == "fit":
        own = fitted(ROOT, images)
        row = {"milliseconds": own, "mean_milliseconds": statistics.mean(own.values())}
        if against is not None:
            row["milliseconds_before"] = before = fitted(against, images)
            row["times_faster"] = round(sum(before.values()) / sum(own.values()), 2)
        return row
    return used(what, images)


def used(what, images):
    """Microseconds for an image and a layer."""
    import torch

    torch.set_num_threads(1)
    model, layers = model_of()
    drawn = model.sample(images, random_state=0)
    spent = []
    for _ in range(5):
        begun = time.process_time()
        if what == "sample":
            model.sample(images, random_state=0)
        else:
            model.score_samples(drawn)
        spent.append(1e6 * (time.process_time() - begun) / images / layers)
    return {"microseconds": round(statistics.median(spent), 2), "layers": layers}


def main():
    """Measure what has no row yet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--what", nargs="+", default=["fit", "sample", "score"])
    parser.add_argument("--against", type=Path, help="checkout of an older commit")
    parser.add_argument("--model", type=Path, help="folder of a fitted SIG of 28 x 28 pixels")
    parser.add_argument("--again", action="store_true")
    given = parser.parse_args()
    sizes = {
        "fitted": [256, 1024],
        "gis": [0],
        "fit": [5000],
        "sample": [64, 1024, 4096],
        "score": [64, 1024, 4096],
    }
    run_all(
        [{"what": what, "images": n} for what in given.what for n in sizes[what]],
        work=functools.partial(
            work,
            against=given.against and given.against.resolve(),
            model=given.model and given.model.resolve(),
        ),
        key=KEY,
        out=RESULTS / "sig_speed.json",
        module="benchmarks.sig_speed",
        timeout=lambda job: 600,
        package=lambda job: "pushforward",
        again=given.again,
    )


if __name__ == "__main__":
    main()
