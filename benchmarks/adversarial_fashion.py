"""Adversarial and variational models on Fashion-MNIST, 28 x 28, after equal CPU time or steps.

    python -m benchmarks.adversarial_fashion --cpu-minutes 10              # all models, seed 0
    python -m benchmarks.adversarial_fashion --steps 2000 --models dcgan alpha_gan
    python -m benchmarks.adversarial_fashion --marks 1 2 5         # and after fewer minutes

Every model is its `preset="fast"` on one thread; the clock of its budget is the CPU time of the
process, judging included, so that other work on the machine changes nothing. The weights are
those that the model itself chose, on training images. 5,000 samples are then compared with the
10,000 test images in the features of one classifier trained on the training images with seed 0
(`benchmarks.floors` has its accuracy, and the distance of real from real); precision and recall
with 5,000 test images, k = 5. The reconstruction error is the mean absolute difference of 2,000
test images, in shares of the range of a pixel.

`--marks` adds the distance of the weights that the model would keep after fewer minutes. They are
those that a run of so many minutes ends with wherever the rate does not fall towards the end of
the budget, as it does in no preset here, but for this: a shorter run judges its weights as often,
so sooner, and what that costs is a larger share of it. Marks are minutes at which the run judges
its weights: 1, 2, 5, 10, 20, ... 100 % of the budget.

`--keep FOLDER` saves the trained models and a grid of samples of each there.
"""

import argparse
import functools
import time
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import numpy as np

from benchmarks.common import RESULTS, budget_by_cpu_time, run_all
from benchmarks.floors import FASHION_MNIST

KEY = ("model", "budget", "seed")
MODELS = {
    "dcgan": ("DCGAN", {}),
    "sn_dcgan": ("DCGAN", {"norm": "spectral", "loss": "hinge"}),
    "sn_resnet_gan": ("DCGAN", {"norm": "spectral", "loss": "hinge", "architecture": "residual"}),
    "relativistic": ("DCGAN", {"loss": "relativistic"}),
    "r3gan": ("DCGAN", {"loss": "relativistic", "penalty": 0.05}),
    "r3gan_networks": ("DCGAN", {"loss": "relativistic", "architecture": "r3gan"}),
    "wgan": ("WGAN", {}),
    "wgan_gp": ("WGANGP", {}),
    "mmd_gan": ("MMDGAN", {}),
    "alpha_gan": ("AlphaGAN", {}),
    "alpha_gan_joint": ("AlphaGAN", {"joint": True}),
    "age": ("AGE", {}),
    "vae": ("VAE", {}),
    "vae_gan": ("VAEGAN", {}),
    "began": ("BEGAN", {}),
    "ebgan": ("EBGAN", {}),
    "dfm": ("DFM", {}),
}
SAMPLES = 5_000


@contextmanager
def weights_at(minutes):
    """While it lasts, training adds to what this gives: the weights kept after so many minutes.

    Each is the minutes, the step, and a function that puts those weights into the networks.
    """
    from pushforward.training.loop import Loop

    left, found, plain = sorted(minutes), [], Loop._mark

    def mark(loop, *given):
        plain(loop, *given)
        if left and loop.seconds >= 60 * left[0]:
            kept = loop._best_state  # replaced, never changed
            found.append((left.pop(0), loop.best["step"], functools.partial(loop._load, kept)))

    with mock.patch.object(Loop, "_mark", mark):
        yield found


def measure(name, budget, seed, marks=(), keep=None):
    """One row: how long it trained, and what its samples are worth."""
    import torch

    import pushforward
    from pushforward.data.images import as_images, open_images, write_grid
    from pushforward.metrics import fid, prdc
    from pushforward.metrics.features import extract, find_features, provenance

    torch.set_num_threads(1)
    budget_by_cpu_time()
    train, test = (open_images(FASHION_MNIST, split) for split in ("train", "test"))
    features = find_features("classifier", train=train.images, y=train.labels, random_state=0)
    cls, parameters = MODELS[name]
    amount, unit = budget.split()
    parameters = {**parameters, unit: float(amount) if unit == "minutes" else int(amount)}
    model = getattr(pushforward, cls)(**parameters, random_state=seed)
    begun = time.process_time()
    with weights_at(marks) as earlier:
        model.fit(train)
    row = {
        "cpu_seconds": round(time.process_time() - begun, 1),
        "steps": model.history_[-1]["step"],
        "kept": {k: model.best_[k] for k in ("step", "which")},
        "patch_distance": [
            [r["step"], round(r["patch_distance"], 4)]
            for r in model.history_
            if "patch_distance" in r
        ],
    }
    real = extract(features, test.images[:], batch_size=100)

    def judged():
        images = as_images(model.sample(SAMPLES, random_state=seed))[0]
        fake = extract(features, images[:], batch_size=100)
        return images, fake, fid(real, fake, random_state=0, details=provenance(features))

    images, fake, distance = judged()
    if keep is not None:
        folder = Path(keep) / f"{name}-{amount}-{unit}-{seed}"
        model.save(folder)
        write_grid(folder.with_name(f"{folder.name}.png"), images[:64])
    precision, recall, *_ = prdc(real[:SAMPLES], fake)
    row |= {
        "fid": round(distance.value, 2),
        "interval": [round(end, 2) for end in distance.interval],
        "precision": round(precision.value, 3),
        "recall": round(recall.value, 3),
    }
    if hasattr(model, "reconstruct"):
        shown = as_images(test.images[:2000])[0][:][:, 0]
        apart = model.reconstruct(shown).astype(np.float64) - shown
        row["reconstruction"] = round(float(np.abs(apart).mean() / 255), 4)
    row["earlier"] = []
    for minutes, step, put in earlier:  # last: the model ends with other weights
        put()
        images, _, distance = judged()
        row["earlier"].append({"minutes": minutes, "step": step, "fid": round(distance.value, 2)})
        if keep is not None:
            place = folder.with_name(f"{name}-{minutes:g}-of-{amount}-minutes-{seed}.png")
            write_grid(place, images[:64])
    return row


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", nargs="+", choices=list(MODELS), default=list(MODELS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    budget = parser.add_mutually_exclusive_group()
    budget.add_argument("--cpu-minutes", type=float, default=10.0)
    budget.add_argument("--steps", type=int)
    parser.add_argument("--marks", type=float, nargs="+", default=[], metavar="MINUTES")
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--again", action="store_true")
    given = parser.parse_args()
    if given.marks and (given.steps or max(given.marks) >= given.cpu_minutes):
        parser.error("--marks takes minutes before the end of --cpu-minutes")
    budget = f"{given.steps} steps" if given.steps else f"{given.cpu_minutes:g} minutes"
    run_all(
        [
            {"model": name, "budget": budget, "seed": seed}
            for seed in given.seeds
            for name in given.models
        ],
        work=functools.partial(measure, marks=given.marks, keep=given.keep),
        key=KEY,
        out=RESULTS / "adversarial_fashion.json",
        module="benchmarks.adversarial_fashion",
        timeout=lambda job: 3 * 3600,
        package=lambda job: "pushforward",
        again=given.again,
    )


if __name__ == "__main__":
    main()
