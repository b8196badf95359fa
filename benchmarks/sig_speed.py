"""What a layer of SIG costs an image: of samples, and of log densities.

    python -m benchmarks.sig_speed

A model of 28 x 28 pixels with four layers of each stage of the published schedule, 400 knots a
spline: random directions, and splines that bend a little. It stands in for a fitted one of
hundreds of layers, each of which costs as much. CPU microseconds for an image and a layer, one
thread, median of five calls.
"""

import argparse
import statistics
import time

from benchmarks.common import RESULTS, run_all

KEY = ("what", "images")
SHAPE, LAYERS, KNOTS = (1, 28, 28), 4, 400


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


def work(what, images):
    """One row."""
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
    parser.add_argument("--again", action="store_true")
    given = parser.parse_args()
    run_all(
        [{"what": what, "images": n} for what in ("sample", "score") for n in (64, 1024, 4096)],
        work=work,
        key=KEY,
        out=RESULTS / "sig_speed.json",
        module="benchmarks.sig_speed",
        timeout=lambda job: 600,
        package=lambda job: "pushforward",
        again=given.again,
    )


if __name__ == "__main__":
    main()
