"""SIG on MNIST and Fashion-MNIST by the FID that papers report.

    python -m benchmarks.sig_inception mnist fashion_mnist --cpu-minutes 15 60 --keep FOLDER

Preset "fast" on one thread; the clock of its budget is the CPU time of the process, so that other
work on the machine changes nothing. 10,000 samples are compared with the 10,000 test images in the
features of the Inception of 2015-12-05, float32, images resized as by pytorch-fid. To compute
them takes more than 20 minutes for either set on one core; what is there already is kept in the
folder of `--keep`: models, features, and a grid of samples of each.
"""

import argparse
import functools
import time
from pathlib import Path

from benchmarks.common import RESULTS, run_all, shared
from benchmarks.floors import FASHION_MNIST
from benchmarks.sig_fashion import fitted

KEY = ("data", "minutes", "seed")
SAMPLES = 10_000
DATA = ("mnist", "fashion_mnist")


def measure(data, minutes, seed, keep):
    """One row: how long it grew, and what its samples are worth."""
    from pushforward import open_images
    from pushforward.data.images import as_images, write_grid
    from pushforward.metrics import fid
    from pushforward.metrics.features import extract, find_features, provenance

    (keep / data).mkdir(parents=True, exist_ok=True)
    place = shared("data", "mnist") if data == "mnist" else FASHION_MNIST
    train, test = (open_images(place, split) for split in ("train", "test"))
    model, seconds = fitted("pictures", minutes, seed, keep / data, train)
    begun = time.process_time()
    images = as_images(model.sample(SAMPLES, random_state=seed))[0]
    row = {
        "cpu_seconds": seconds and round(seconds, 1),
        "layers": {record["stage"]: record["step"] for record in model.history_},
        "images_a_layer": model.settings_["max_images"],
        "sample_cpu_s": round(time.process_time() - begun, 1),
    }
    name = f"{data}-{minutes:g}-{seed}"
    write_grid(keep / f"{name}.png", images[:100])
    extractor = find_features("inception-bilinear", weights=shared("data", "inception_fid"))
    real, fake = (
        extract(extractor, source[:], batch_size=50, cache=keep / "features")
        for source in (test.images, images)
    )
    distance = fid(real, fake, random_state=0, details=provenance(extractor))
    row |= {
        "fid": round(distance.value, 2),
        "interval": [round(end, 2) for end in distance.interval or ()],
    }
    return row


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", nargs="+", choices=DATA)
    parser.add_argument("--cpu-minutes", nargs="+", type=float, default=[15.0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--keep", type=Path, required=True)
    parser.add_argument("--again", action="store_true")
    given = parser.parse_args()
    run_all(
        [
            {"data": data, "minutes": minutes, "seed": seed}
            for seed in given.seeds
            for minutes in given.cpu_minutes
            for data in given.data
        ],
        work=functools.partial(measure, keep=given.keep),
        key=KEY,
        out=RESULTS / "sig_inception.json",
        module="benchmarks.sig_inception",
        timeout=lambda job: 8 * 3600,
        package=lambda job: "pushforward",
        again=given.again,
    )


if __name__ == "__main__":
    main()
