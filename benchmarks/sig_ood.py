"""Foreign images by SIG and by Glow, both trained on Fashion-MNIST in equal CPU time.

python -m benchmarks.sig_ood --cpu-minutes 15 --keep FOLDER
python -m benchmarks.sig_ood --cpu-minutes 5 --own mnist --models sig

The probability that a test image of the set trained on scores above a foreign image (AUROC):
images of MNIST or Fashion-MNIST, whichever is the other, Omniglot (28 x 28, ink white), and the
same test images mirrored and upside down. Models are of preset "fast", that of Glow for
likelihood, on one thread; the clock is the CPU time of the process. The scores are

* `log_prob`: `score_samples`, one draw of noise.
* `inlier`: `inlier_scores` (SIG), whose form was chosen with these sets in view.
* `typicality`: minus the distance of `log_prob` from its mean over training images.
* `complexity`: `log_prob` and the length of a lossless code (`input_complexity`).
* `last_level`: share of the coarsest level (Glow).

`--keep FOLDER` saves the models there, and takes those that are there already.
"""

import argparse
import functools
import math
import time
from pathlib import Path

import numpy as np

from benchmarks.common import RESULTS, budget_by_cpu_time, run_all
from benchmarks.floors import FASHION_MNIST

KEY = ("own", "model", "minutes", "seed")
OWN = ("fashion_mnist", "mnist")
MODELS = ("sig", "sig_likelihood", "glow")


def image_sets(own, count):
    """Test images (count, 1, 28, 28) of each kind, the model's own first."""
    from benchmarks.shared_images import load
    from pushforward import open_images

    known = {
        "fashion_mnist": open_images(FASHION_MNIST, "test"),
        "mnist": load("mnist", "test"),
        "omniglot": load("omniglot"),
    }
    sets = {}
    for name in (own, *(name for name in known if name != own)):
        images = known[name].images
        sets[name] = images[np.linspace(0, len(images) - 1, min(count, len(images))).astype(int)]
    ours = sets[own]
    sets = {"own" if name == own else name: images for name, images in sets.items()}
    sets |= {"hflip": ours[..., ::-1], "vflip": ours[..., ::-1, :]}
    return {name: np.ascontiguousarray(images) for name, images in sets.items()}


def training(own):
    """The training images."""
    from benchmarks.shared_images import load
    from pushforward import open_images

    return open_images(FASHION_MNIST, "train") if own == "fashion_mnist" else load(own, "train")


def fit_glow(own, minutes, seed, keep):
    """A Glow for likelihood after so many CPU minutes, or the one in ``keep``."""
    import torch

    import pushforward

    torch.set_num_threads(1)
    folder = None if keep is None else Path(keep) / f"glow-{own}-{minutes:g}-{seed}"
    if folder is not None and folder.exists():
        return pushforward.load(folder), None
    budget_by_cpu_time()
    begun = time.process_time()
    model = pushforward.Glow(goal="likelihood", minutes=minutes, random_state=seed)
    model.fit(training(own))
    seconds = time.process_time() - begun
    if folder is not None:
        model.save(folder)
    return model, seconds


def scores(model, sets, train):
    """Scores of every set by every name."""
    from pushforward.metrics import input_complexity, typicality

    found = {"log_prob": {name: model.score_samples(images) for name, images in sets.items()}}
    reference = model.score_samples(train)
    for name, images in sets.items():
        of = found["log_prob"][name]
        found.setdefault("typicality", {})[name] = typicality(reference, of)
        found.setdefault("complexity", {})[name] = input_complexity(images, of)
        if hasattr(model, "inlier_scores"):
            found.setdefault("inlier", {})[name] = model.inlier_scores(images)
        else:
            levels = model.score_samples(images, per_level=True)
            found.setdefault("last_level", {})[name] = levels[:, -1]
    return found


def measure(own, name, minutes, seed, keep=None, count=2000):
    """One row: AUROC by score and kind."""
    from benchmarks.sig_fashion import fitted
    from pushforward.metrics import auroc

    if name == "glow":
        model, seconds = fit_glow(own, minutes, seed, keep)
    else:
        goal = "likelihood" if name == "sig_likelihood" else "pictures"
        model, seconds = fitted(goal, minutes, seed, keep, training(own))
    begun = time.process_time()
    sets = image_sets(own, count)
    train = training(own).images[:count]
    found = scores(model, sets, train)
    row = {"fit_cpu_s": seconds and round(seconds, 1), "images": count}
    row["score_cpu_s"] = round(time.process_time() - begun, 1)
    dimension = sets["own"][0].size
    row["bits"] = round(float(-found["log_prob"]["own"].mean() / dimension / math.log(2)), 3)
    row["auroc"] = {
        score: {
            kind: round(auroc(of["own"], values).value, 4)
            for kind, values in of.items()
            if kind != "own"
        }
        for score, of in found.items()
    }
    return row


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--own", nargs="+", choices=OWN, default=OWN[:1], help="trained on")
    parser.add_argument("--cpu-minutes", type=float, default=15.0)
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--images", type=int, default=2000, help="of each kind")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--again", action="store_true")
    given = parser.parse_args()
    run_all(
        [
            {"own": own, "model": name, "minutes": given.cpu_minutes, "seed": seed}
            for own in given.own
            for seed in given.seeds
            for name in given.models
        ],
        work=functools.partial(measure, keep=given.keep, count=given.images),
        key=KEY,
        out=RESULTS / "sig_ood.json",
        module="benchmarks.sig_ood",
        timeout=lambda job: 4 * 3600,
        package=lambda job: "pushforward",
        again=given.again,
    )


if __name__ == "__main__":
    main()
