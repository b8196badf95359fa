"""Glow's first minutes on Fashion-MNIST, 28 x 28: bits and Fréchet distance by CPU time.

python -m benchmarks.glow_minutes --cpu-minutes 1 2 5 10
python -m benchmarks.glow_minutes --set mnist --starts gaussian plain --cpu-minutes 1 2

Preset "fast" on one thread; the clock of its budget is the CPU time of the process, what comes
before the first step included, so that other work on the machine changes nothing. `gaussian`
begins with the margins and correlations of the data, `plain` as published. 5,000 samples are
compared with the 10,000 test images in the features of one classifier, as
`benchmarks.sig_fashion` does it. `bits` is the bits per dimension of 1,000 test images;
`pixels_lost` the share of those images of which any pixel differs after encoding and decoding.

`--keep FOLDER` saves a grid of samples of each model there.
"""

import argparse
import functools
import time
from pathlib import Path

from benchmarks.common import RESULTS, budget_by_cpu_time, run_all, shared
from benchmarks.floors import FASHION_MNIST

KEY = ("set", "start", "minutes", "seed")
SAMPLES = 5_000


def measure(name, start, minutes, seed, keep=None):
    """One row: the model after so many CPU minutes; 0 takes one step."""
    import torch

    import pushforward
    from pushforward.data.images import as_images, open_images, write_grid
    from pushforward.metrics import fid
    from pushforward.metrics.features import extract, find_features, provenance

    torch.set_num_threads(1)
    folder = FASHION_MNIST if name == "fashion-mnist" else shared("data", "mnist")
    train, test = (open_images(folder, split) for split in ("train", "test"))
    budget_by_cpu_time()
    budget = {"minutes": minutes} if minutes else {"steps": 1}
    gaussianise = start == "gaussian"
    model = pushforward.Glow(gaussianise=gaussianise, device="cpu", random_state=seed, **budget)
    begun = time.process_time()
    model.fit(train.images)
    row = {"cpu_seconds": round(time.process_time() - begun, 1)}
    row["steps"] = model.history_[-1]["step"]
    images = model.sample(SAMPLES, random_state=seed)
    if keep is not None:
        few = as_images(images[:64])[0][:]
        write_grid(Path(keep) / f"glow-{name}-{start}-{minutes:g}-{seed}.png", few)
    features = find_features("classifier", train=train.images, y=train.labels, random_state=0)
    real, fake = (
        extract(features, source[:], batch_size=100)
        for source in (test.images, as_images(images)[0])
    )
    distance = fid(real, fake, random_state=0, details=provenance(features))
    few = test.images[:1000]
    back = as_images(model.reconstruct(few))[0][:]
    return row | {
        "fid": round(distance.value, 1),
        "interval": [round(end, 1) for end in distance.interval or ()],
        "bits": round(model.bits_per_dim(few), 3),
        "pixels_lost": float((back != few).reshape(len(few), -1).any(1).mean()),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    sets = ("fashion-mnist", "mnist")
    parser.add_argument("--set", choices=sets, default=sets[0])
    parser.add_argument("--starts", nargs="+", choices=("gaussian", "plain"), default=["gaussian"])
    parser.add_argument("--cpu-minutes", nargs="+", type=float, default=[1.0, 2.0, 5.0, 10.0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--again", action="store_true")
    given = parser.parse_args()
    run_all(
        [
            {"set": given.set, "start": start, "minutes": minutes, "seed": seed}
            for seed in given.seeds
            for minutes in given.cpu_minutes
            for start in given.starts
        ],
        work=functools.partial(measure, keep=given.keep),
        key=KEY,
        out=RESULTS / "glow_minutes.json",
        module="benchmarks.glow_minutes",
        timeout=lambda job: 4 * 3600,
        package=lambda job: "pushforward",
        again=given.again,
    )


if __name__ == "__main__":
    main()
