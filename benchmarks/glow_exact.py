"""Glow after training: is every pixel recovered, is every sample finite?

python -m benchmarks.glow_exact

For both goals, the `fast` preset is trained on CIFAR-10 for a number of steps. Then 10,000 test
images go to their latents and back in float32, and 10,000 samples are drawn at temperature 1.
"""

import argparse
import time

from benchmarks.common import RESULTS, run_all


def exact(goal, steps, count, seed):
    """Row of a goal."""
    import numpy as np
    import torch

    from benchmarks.shared_images import load
    from pushforward import Glow

    torch.set_num_threads(1)
    begun = time.process_time()
    model = Glow(goal=goal, steps=steps, device="cpu", random_state=seed)
    model.fit(load("cifar10", "train"))
    trained = time.process_time() - begun
    images = np.ascontiguousarray(load("cifar10", "test").images[:count]).transpose(0, 2, 3, 1)
    bits = model.pixels_.bits
    # with fewer than 8 bits the levels that are left are spread evenly from 0 to 255
    known = np.rint((images >> (8 - bits)) * (255 / (2**bits - 1))).astype(np.uint8)
    wrong = 0
    for start in range(0, count, 500):
        part = slice(start, start + 500)
        wrong += int((model.reconstruct(images[part]) != known[part]).any((1, 2, 3)).sum())
    generator = torch.Generator().manual_seed(seed)
    broken, extreme = 0, 0.0
    with torch.no_grad():
        for start in range(0, count, 500):
            rows = min(500, count - start)
            eps = model._flow.sample_latent(rows, 1.0, generator)
            made = model._inference.decode(eps)
            broken += int((~torch.isfinite(made).flatten(1).all(1)).sum())
            extreme = max(extreme, float(made.nan_to_num().abs().max()))
    return {
        "bits_per_dim": round(model.bits_per_dim(images[:2000]), 4),
        "bits": model.pixels_.bits,
        "images_not_recovered": wrong,
        "samples_not_finite": broken,
        "largest_value": round(extreme, 3),
        "training_cpu_seconds": round(trained, 1),
        "diagnosis": {k: float(f"{v:.4g}") for k, v in model.diagnose(images[:64]).items()},
    }


def main():
    """Measure and write benchmarks/results/glow_exact.json."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--goals", nargs="+", default=["likelihood", "pictures"])
    parser.add_argument("--again", action="store_true")
    options = parser.parse_args()
    key = ("goal", "steps", "count", "seed")
    jobs = [
        dict(zip(key, (goal, options.steps, options.count, options.seed), strict=True))
        for goal in options.goals
    ]
    run_all(
        jobs, work=exact, key=key, out=RESULTS / "glow_exact.json",
        module="benchmarks.glow_exact", timeout=lambda job: 7200.0,
        package=lambda job: "pushforward", again=options.again,
    )  # fmt: skip


if __name__ == "__main__":
    main()
