"""Bits per dimension of GIS on MNIST, by CPU time.

python -m benchmarks.sig_bits --cpu-minutes 2 5 15

`SIG(goal="likelihood")`: patches of 4 and 2 in turn on logits of dequantised pixels, stopped by
held-out training images, as in Dai & Seljak (2021), who report 1.34 on all 60,000 images. One
thread; the clock is the CPU time of the process. The 10,000 test images are scored with one draw
of noise; `bits_8` takes the mean probability over eight draws of 1,000 of them, a tighter bound.
"""

import argparse
import time

from benchmarks.common import RESULTS, budget_by_cpu_time, run_all, shared

KEY = ("set", "minutes", "images", "seed")


def measure(name, minutes, images, seed):
    """One row: bits per dimension of the test images."""
    import torch

    import pushforward

    torch.set_num_threads(1)
    budget_by_cpu_time()
    train, test = (
        pushforward.open_images(shared("data", name), split).images for split in ("train", "test")
    )
    model = pushforward.SIG(
        goal="likelihood", minutes=minutes, max_images=images, random_state=seed
    )
    begun = time.process_time()
    model.fit(train)
    row = {"cpu_seconds": round(time.process_time() - begun, 1)}
    row |= {"layers": model.history_[-1]["step"], "stopped": model.stopped_}
    row |= {"held_out_bits": round(model.history_[-1]["bits_per_dim"], 4)}
    row |= {"bits": round(model.bits_per_dim(test[:]), 4)}
    row |= {"bits_8": round(model.bits_per_dim(test[:1000], n_draws=8), 4)}
    return row | {"trend": [round(r["bits_per_dim"], 3) for r in model.history_][::10]}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cpu-minutes", nargs="+", type=float, default=[2.0, 5.0, 15.0])
    parser.add_argument("--images", nargs="+", type=int, default=[10_000])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--again", action="store_true")
    given = parser.parse_args()
    run_all(
        [
            {"set": "mnist", "minutes": minutes, "images": images, "seed": seed}
            for seed in given.seeds
            for images in given.images
            for minutes in given.cpu_minutes
        ],
        work=measure,
        key=KEY,
        out=RESULTS / "sig_bits.json",
        module="benchmarks.sig_bits",
        timeout=lambda job: 4 * 3600,
        package=lambda job: "pushforward",
        again=given.again,
    )


if __name__ == "__main__":
    main()
