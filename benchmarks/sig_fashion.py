"""SIG on Fashion-MNIST, 28 x 28, after so much CPU time: are its samples pictures?

python -m benchmarks.sig_fashion --cpu-minutes 2 5 15 --keep FOLDER

Preset "fast" on one thread; the clock of its budget is the CPU time of the process, so that other
work on the machine changes nothing. 5,000 samples are compared with the 10,000 test images in the
features of one classifier trained on the training images with seed 0, as
`benchmarks.adversarial_fashion` does it for GANs; `benchmarks.floors` has the distance of real
from real. `bits` is the bits per dimension of 1,000 test images, `round_trip` the largest error of
an image of them that was encoded and decoded, in grey levels.

`--keep FOLDER` saves the models and a grid of samples of each there.
"""

import argparse
import functools
import time
from pathlib import Path

from benchmarks.common import RESULTS, budget_by_cpu_time, run_all
from benchmarks.floors import FASHION_MNIST

KEY = ("goal", "minutes", "seed")
SAMPLES = 5_000


def fitted(goal, minutes, seed, keep=None, train=None):
    """A SIG fitted in so many CPU minutes, or the one that lies in ``keep``; and the seconds.

    On the training images of Fashion-MNIST, or on ``train``.
    """
    import torch

    import pushforward

    torch.set_num_threads(1)
    train = pushforward.open_images(FASHION_MNIST, "train") if train is None else train
    folder = None if keep is None else Path(keep) / f"sig-{train.name}-{goal}-{minutes:g}-{seed}"
    if folder is not None and folder.exists():
        return pushforward.load(folder), None
    budget_by_cpu_time()
    model = pushforward.SIG(goal=goal, minutes=minutes, random_state=seed)
    begun = time.process_time()
    model.fit(train)
    seconds = time.process_time() - begun
    if folder is not None:
        model.save(folder)
    return model, seconds


def measure(goal, minutes, seed, keep=None):
    """One row: how long it grew, and what its samples are worth."""
    from pushforward import open_images
    from pushforward.data.images import as_images, write_grid
    from pushforward.metrics import fid, prdc
    from pushforward.metrics.features import extract, find_features, provenance

    model, seconds = fitted(goal, minutes, seed, keep)
    train, test = (open_images(FASHION_MNIST, split) for split in ("train", "test"))
    row = {"cpu_seconds": seconds and round(seconds, 1)}
    row["layers"] = {record["stage"]: record["step"] for record in model.history_}
    begun = time.process_time()
    images = model.sample(SAMPLES, random_state=seed)
    row["sample_cpu_s"] = round(time.process_time() - begun, 1)
    if keep is not None:
        few = as_images(images[:100])[0][:]
        write_grid(Path(keep) / f"sig-{goal}-{minutes:g}-{seed}.png", few)
    features = find_features("classifier", train=train.images, y=train.labels, random_state=0)
    real, fake = (
        extract(features, source[:], batch_size=100)
        for source in (test.images, as_images(images)[0])
    )
    distance = fid(real, fake, random_state=0, details=provenance(features))
    precision, recall, *_ = prdc(real[:SAMPLES], fake)
    row |= {
        "fid": round(distance.value, 2),
        "interval": [round(end, 2) for end in distance.interval or ()],
        "precision": round(precision.value, 3),
        "recall": round(recall.value, 3),
        "bits": round(model.bits_per_dim(test.images[:1000]), 3),
    }
    few = test.images[:256]
    row["round_trip"] = model.diagnose(few, n_samples=64)["round_trip.data"]
    row["history"] = [
        {k: round(v, 4) if isinstance(v, float) else v for k, v in r.items()}
        for r in model.history_
    ]
    return row


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cpu-minutes", nargs="+", type=float, default=[15.0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--again", action="store_true")
    given = parser.parse_args()
    run_all(
        [
            {"goal": "pictures", "minutes": minutes, "seed": seed}
            for seed in given.seeds
            for minutes in given.cpu_minutes
        ],
        work=functools.partial(measure, keep=given.keep),
        key=KEY,
        out=RESULTS / "sig_fashion.json",
        module="benchmarks.sig_fashion",
        timeout=lambda job: 4 * 3600,
        package=lambda job: "pushforward",
        again=given.again,
    )


if __name__ == "__main__":
    main()
