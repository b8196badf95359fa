"""The comparison of the alpha-GAN paper on subsets: four models, three sets, sweeps of settings.

    python -m benchmarks.adversarial_paper --cpu-minutes 5 --runs 10
    python -m benchmarks.adversarial_paper --sets color_mnist --cpu-minutes 1 --runs 3

alpha-GAN, DCGAN, WGAN-GP and AGE of preset "fast" on ColorMNIST (one digit, one colour), CIFAR-10
(30,000 images) and faces of CelebA (5,000, 64 x 64). The first run of each has its own settings,
the others draw learning rate, length of codes and weight of reconstruction, the same for all
models (Rosca et al. 2017, section 5, show the ten best of each). One thread; the clock of a run is
the CPU time of its process.

2,000 samples of every run are judged by the independent Wasserstein critic (half of 2,000 test
images teaches it, it is asked about the other half; higher is better), the diversity of pairs
(1 - MS-SSIM), and on CIFAR-10 by the Inception score and the Fréchet distance of a CIFAR ResNet.
`pushforward compare alpha-gan dcgan wgan-gp age --train .. --data .. --minutes N --runs 10` is the
same as one command.
"""

import argparse
import time

from benchmarks.common import RESULTS, budget_by_cpu_time, run_all, shared

KEY = ("set", "model", "minutes", "runs", "seed")
SETS = ("color_mnist", "cifar10", "celeba64")
MODELS = {"alpha_gan": "AlphaGAN", "dcgan": "DCGAN", "wgan_gp": "WGANGP", "age": "AGE"}
JUDGED = 2000


def images(name):
    """Training and test images of a set, (n, 3, H, W) uint8."""
    from benchmarks.shared_images import load
    from pushforward.data import color_mnist

    if name != "color_mnist":
        return tuple(load(name, split).images for split in ("train", "test"))
    made = []
    for seed, split in enumerate(("train", "test")):
        digits = load("mnist", split)
        made.append(color_mnist("metz", digits, random_state=seed).images)
    return tuple(made)


def measure(name, model, minutes, runs, seed):
    """One row: values of every measure, the best run first."""
    import torch

    import pushforward
    from pushforward.metrics import sweep

    torch.set_num_threads(1)
    budget_by_cpu_time()
    train, test = images(name)
    wanted, judging = ["critic", "ms_ssim_diversity"], {"features": "pixels"}
    if name == "cifar10":
        wanted += ["inception_score", "fid"]
        judging = {"features": "cifar_resnet20", "weights": shared("data", "cifar_resnet")}
    begun = time.process_time()
    found = sweep(
        {model: getattr(pushforward, MODELS[model])(minutes=minutes)},
        train,
        test[:JUDGED],
        runs=runs,
        measures=wanted,
        random_state=seed,
        n=JUDGED,
        **judging,
    )
    row = {"cpu_seconds": round(time.process_time() - begun, 1)}
    row["failed"] = sum(bool(run.failed) for run in found.runs)
    row["best"] = {
        key: [round(value, 4) for value in found.best(key)[model]] for key in found.measures
    }
    return row


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", nargs="+", choices=SETS, default=SETS)
    parser.add_argument("--models", nargs="+", choices=list(MODELS), default=list(MODELS))
    parser.add_argument("--cpu-minutes", type=float, default=5.0)
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--again", action="store_true")
    given = parser.parse_args()
    run_all(
        [
            {"set": name, "model": model, "minutes": given.cpu_minutes, "runs": given.runs}
            | {"seed": seed}
            for seed in given.seeds
            for name in given.sets
            for model in given.models
        ],
        work=measure,
        key=KEY,
        out=RESULTS / "adversarial_paper.json",
        module="benchmarks.adversarial_paper",
        timeout=lambda job: 8 * 3600,
        package=lambda job: "pushforward",
        again=given.again,
    )


if __name__ == "__main__":
    main()
