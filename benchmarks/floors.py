"""Distances between real data and real data: no generator can be told from the truth below these.

``python -m benchmarks.floors`` measures the Fréchet distance of training images against test
images: Fashion-MNIST with the features of a classifier trained on it, MNIST with Inception's.
About ten CPU minutes.
"""

import argparse
import time

import numpy as np

from benchmarks.common import RESULTS, run_all, shared

KEY = ("set", "features", "n_train", "n_test", "seed")
JOBS = (
    {"set": "fashion-mnist", "features": "classifier", "n_train": 5_000, "n_test": 10_000},
    {"set": "mnist", "features": "inception", "n_train": 1_000, "n_test": 1_000},
)
FASHION_MNIST = "/usr/share/datasets/fashion-mnist"  # where Debian's package puts it


def measure(name, features, n_train, n_test, seed):
    """One row: the distance, and how it was come by."""
    import torch

    from pushforward.data.images import open_images
    from pushforward.metrics import fid
    from pushforward.metrics.features import extract, find_features, provenance
    from pushforward.metrics.features.classifier import ClassifierFeatures

    torch.set_num_threads(1)
    folder = FASHION_MNIST if name == "fashion-mnist" else shared("data", "mnist")
    train, test = (open_images(folder, split) for split in ("train", "test"))
    rng = np.random.default_rng(seed)
    begun = time.process_time()
    extractor = find_features(
        features,
        train=train.images,
        y=train.labels,
        weights=shared("data", "inception_fid") if features == "inception" else None,
        random_state=seed,
        cache=False,
    )
    ready = time.process_time()
    a, b = (
        extract(
            extractor, part.images[np.sort(rng.choice(len(part), n, replace=False))], batch_size=16
        )
        for part, n in ((train, n_train), (test, n_test))
    )
    row = {"learning_cpu_s": round(ready - begun, 1)}
    row["features_cpu_s"] = round(time.process_time() - ready, 1)
    if isinstance(extractor, ClassifierFeatures):
        images, labels = test.images, test.labels
        right = [
            extractor.probabilities(images[i : i + 500]).argmax(axis=1) == labels[i : i + 500]
            for i in range(0, len(test), 500)
        ]
        row["test_accuracy"] = round(float(np.mean(np.concatenate(right))), 4)
    found = fid(a, b, random_state=seed, details=provenance(extractor))
    interval = found.interval and [round(end, 4) for end in found.interval]
    row |= {"fid": round(found.value, 4), "interval": interval, "warnings": list(found.warnings)}
    return row | {"details": found.details}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    names = [job["set"] for job in JOBS]
    parser.add_argument("--sets", nargs="+", choices=names, default=names)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--again", action="store_true")
    given = parser.parse_args()
    jobs = [
        job | {"seed": seed}
        for job in JOBS
        if job["set"] in given.sets
        for seed in (given.seeds if job["features"] == "classifier" else given.seeds[:1])
    ]
    run_all(
        jobs,
        work=measure,
        key=KEY,
        out=RESULTS / "floors.json",
        module="benchmarks.floors",
        timeout=lambda job: 1800,
        package=lambda job: "pushforward",
        again=given.again,
    )


if __name__ == "__main__":
    main()
