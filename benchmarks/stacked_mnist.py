"""Stacked MNIST: how many of 1,000 modes a generator finds.

    python -m benchmarks.stacked_mnist [--models r3gan dcgan] [--cpu-minutes 5] [--seeds 0]

An image has three digits of MNIST's training images, drawn alike, as its channels (Metz et al.
2017, *Unrolled Generative Adversarial Networks*): 1,000 modes of about equal share; 60,000 are
drawn once. A model is trained on one thread for minutes of CPU time, judging included, and 26,000
samples are given to a classifier of single digits, a channel at a time. `modes` counts those that
any sample has, and `divergence` is the Kullback-Leibler divergence, in nats, of the samples'
shares from equal ones, as in the literature; `well_found` are those with at least a tenth of
their fair share (`metrics.class_modes`). As many images drawn from the data are "data": the
classifier errs on some.
"""

import argparse
import time

import numpy as np

from benchmarks.common import RESULTS, budget_by_cpu_time, run_all

IMAGES, SAMPLES = 60_000, 26_000
MODELS = {
    "data": None,
    "dcgan": {},
    "relativistic": {"loss": "relativistic"},
    "r3gan": {"loss": "relativistic", "penalty": 0.05},
    "r3gan_networks": {"loss": "relativistic", "architecture": "r3gan"},
}


def stacked(digits, n, seed):
    """n images (n, 28, 28, 3) of three digits each."""
    rows = np.random.default_rng(seed).integers(0, len(digits), (n, 3))
    return np.stack([digits[channel] for channel in rows.T], axis=-1)


def numbers(images, features):
    """The three digits that the classifier reads, as one number from 0 to 999."""
    from pushforward.data.images import as_images

    read = [
        features.probabilities(as_images(part[..., channel])[0][:]).argmax(1)
        for part in np.array_split(images, len(images) // 500)
        for channel in range(3)
    ]
    first, second, third = (np.concatenate(read[channel::3]) for channel in range(3))
    return 100 * first + 10 * second + third


def measure(model, budget, seed):
    """One row: modes found by a model after minutes of CPU time."""
    import torch

    import pushforward
    from benchmarks.shared_images import load
    from pushforward.metrics import class_modes
    from pushforward.metrics.features import find_features

    torch.set_num_threads(1)
    budget_by_cpu_time()
    mnist = load("mnist", "train")
    digits = mnist.images[np.arange(len(mnist.images))][:, 0]
    features = find_features("classifier", train=mnist.images, y=mnist.labels, random_state=0)
    made, row = stacked(digits, SAMPLES, seed + 1000), {}
    if MODELS[model] is not None:
        minutes = float(budget.split()[0])
        gan = pushforward.DCGAN(**MODELS[model], minutes=minutes, random_state=seed)
        begun = time.process_time()
        gan.fit(stacked(digits, IMAGES, 0))
        made = gan.sample(SAMPLES, random_state=seed)
        row = {
            "cpu_seconds": round(time.process_time() - begun, 1),
            "steps": gan.history_[-1]["step"],
            "kept": {k: gan.best_[k] for k in ("step", "which")},
        }
    read = numbers(made, features)
    share = np.bincount(read, minlength=1000) / len(read)
    seen = share[share > 0]
    found, _ = class_modes(read, np.arange(1000), classes=1000)
    return {
        **row,
        "modes": len(seen),
        "well_found": int(found.value),
        "divergence": round(float((seen * np.log(1000 * seen)).sum()), 4),
    }


def main():
    """Measure and write benchmarks/results/stacked_mnist.json."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--models", nargs="+", choices=list(MODELS), default=list(MODELS))
    parser.add_argument("--cpu-minutes", type=float, default=5.0)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--again", action="store_true")
    given = parser.parse_args()
    budget = f"{given.cpu_minutes:g} minutes"
    run_all(
        [
            {"model": name, "budget": budget, "seed": seed}
            for seed in given.seeds
            for name in given.models
        ],
        work=measure, key=("model", "budget", "seed"), out=RESULTS / "stacked_mnist.json",
        module="benchmarks.stacked_mnist", timeout=lambda job: 7200.0,
        package=lambda job: "pushforward", again=given.again,
    )  # fmt: skip


if __name__ == "__main__":
    main()
