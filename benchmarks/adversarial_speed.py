"""What the loop costs: a step of DCGAN and WGAN-GP against a hand-written loop, and loading.

    python -m benchmarks.adversarial_speed

Both loops train copies of the same networks (28 x 28, width 32, batches of the preset, one thread)
on the same images. Blocks of steps alternate, and which loop comes first; the figure is the median
over rounds of the CPU seconds of a step and of their ratio. Ours reads bytes, watches for values
that are not finite and records losses; `with_average` also keeps the moving average that the
presets have, against a hand-written loop with one. The hand-written loop freezes the critic in the
generator's turn, as ours does.

`load_and_sample`: CPU and wall seconds of a fresh interpreter that imports the library, loads the
saved model and draws 64 images; medians of seven.
"""

import argparse
import copy
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.common import RESULTS, run_all
from benchmarks.floors import FASHION_MNIST

KEY = ("what", "model", "average")
STEPS, ROUNDS = {"dcgan": 10, "wgan_gp": 4}, 24


def _fitted(name, **parameters):
    import torch

    import pushforward

    torch.set_num_threads(1)
    cls = {"dcgan": pushforward.DCGAN, "wgan_gp": pushforward.WGANGP}[name]
    images = pushforward.open_images(FASHION_MNIST, "train").images[:10_000]
    return cls(steps=1, random_state=0, **parameters).fit(images), images


def step(_, name, average):
    """Median CPU milliseconds of a step of both, and of the ratio of neighbours."""
    import torch

    from pushforward.estimators.phased_images import PixelSource
    from pushforward.training import Loop

    model, images = _fitted(name, ema=0.995 if average else 0)
    theirs = copy.deepcopy(model.networks_)
    source = PixelSource(images, np.arange(len(images)), None, model.pixels_)
    s = model.settings_
    loop = Loop(
        model.networks_, model._phases(), source, batch_size=s["batch_size"], seed=0, ema=s["ema"]
    )
    x = torch.from_numpy(images).float() / 127.5 - 1
    by_hand = by_hand_step(name, theirs, x, s)
    block, ours, hand = STEPS[name], [], []

    def ours_runs():
        loop.run(steps=loop.step + block)

    def theirs_runs():
        for network in theirs.values():
            network.train()
        for _ in range(block):
            by_hand()

    runs = [(ours, ours_runs), (hand, theirs_runs)]
    for _ in range(ROUNDS + 1):
        for seconds, run in runs:
            begun = time.process_time()
            run()
            seconds.append((time.process_time() - begun) / block)
        runs.reverse()  # neither is always first
    ratios = [a / b for a, b in zip(ours[1:], hand[1:], strict=True)]
    return {
        "ours_ms": round(1000 * statistics.median(ours[1:]), 2),
        "by_hand_ms": round(1000 * statistics.median(hand[1:]), 2),
        "ratio": round(statistics.median(ratios), 3),
        "ratios": [round(r, 3) for r in ratios],
    }


def by_hand_step(model, networks, x, settings):
    """One step as it would be written for this model alone."""
    import torch
    from torch.nn.functional import softplus

    generator, critic = networks["generator"], networks["critic"]
    betas, n = tuple(settings["betas"]), settings["batch_size"]
    adams = {
        key: torch.optim.Adam(network.parameters(), settings["learning_rate"], betas)
        for key, network in networks.items()
    }
    mean = {
        name: {key: value.clone() for key, value in network.state_dict().items()}
        for name, network in networks.items()
    }
    draw = torch.Generator().manual_seed(0)

    def latent():
        return torch.randn(n, settings["latent"], generator=draw).to(x.device)

    def dcgan(real, fake):
        return softplus(-critic(real)).mean() + softplus(critic(fake)).mean()

    def wgan_gp(real, fake):
        share = torch.rand(n, 1, 1, 1, generator=draw).to(x.device)
        between = (share * real + (1 - share) * fake).requires_grad_()
        (slope,) = torch.autograd.grad(critic(between).sum(), between, create_graph=True)
        penalty = (slope.flatten(1).norm(dim=1) - 1).square().mean()
        return critic(fake).mean() - critic(real).mean() + settings["penalty"] * penalty

    of_critic = {"dcgan": dcgan, "wgan_gp": wgan_gp}[model]

    def move(key, loss):
        adams[key].zero_grad()
        loss.backward()
        adams[key].step()

    def take():
        for _ in range(settings["critic_steps"]):
            real = x[torch.randint(len(x), (n,), generator=draw)]
            with torch.no_grad():
                fake = generator(latent())
            move("critic", of_critic(real, fake))
        critic.requires_grad_(False)
        said = critic(generator(latent()))
        move("generator", softplus(-said).mean() if model == "dcgan" else -said.mean())
        critic.requires_grad_(True)
        if settings["ema"]:
            with torch.no_grad():
                for name, network in networks.items():
                    for key, value in network.state_dict().items():
                        if value.is_floating_point():
                            mean[name][key].lerp_(value, 1 - settings["ema"])

    return take


def load_and_sample(_, name, average):
    """Median wall seconds of a fresh process."""
    model, _ = _fitted(name)
    with tempfile.TemporaryDirectory() as parent:
        folder = model.save(Path(parent) / "model")
        code = f"import pushforward; pushforward.load({str(folder)!r}).sample(64)"
        # an installed package has its bytecode: the first run, which does not count, writes it
        usual = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
        wall, cpu = [], []
        for _ in range(8):
            begun, spent = time.perf_counter(), sum(os.times()[2:4])
            subprocess.run([sys.executable, "-c", code], check=True, env=usual)
            wall.append(time.perf_counter() - begun)
            cpu.append(sum(os.times()[2:4]) - spent)
    return {
        "cpu_seconds": round(statistics.median(cpu[1:]), 2),
        "seconds": round(statistics.median(wall[1:]), 2),
    }


def work(what, name, average):
    """One row."""
    return (step if what == "step" else load_and_sample)(what, name, average)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--again", action="store_true")
    given = parser.parse_args()
    jobs = [
        {"what": "step", "model": name, "average": average}
        for name in STEPS
        for average in (False, True)
    ]
    jobs += [{"what": "load_and_sample", "model": "dcgan", "average": True}]
    run_all(
        jobs,
        work=work,
        key=KEY,
        out=RESULTS / "adversarial_speed.json",
        module="benchmarks.adversarial_speed",
        timeout=lambda job: 1800,
        package=lambda job: "pushforward",
        again=given.again,
    )


if __name__ == "__main__":
    main()
