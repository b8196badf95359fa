"""Resident memory of long trainings and of many calls.

``python tests/attacks/memory_growth.py --steps 1000 --calls 10000`` trains and samples models of
several families, and says by how much memory grew after the first tenth.
"""

import argparse
import sys
import warnings
from pathlib import Path

import numpy as np
import torch
from mutated_folders import MIB, _resident

import pushforward

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
SMALL = {"latent": 3, "width": 2, "batch_size": 8, "device": "cpu", "random_state": 0}


class Growth:
    """Memory after the first tenth of many steps, and at the end."""

    def __init__(self, count):
        self.begin, self.done, self.first, self.last = max(1, count // 10), 0, 0, 0

    def step(self, *args):
        self.done += 1
        if self.done == self.begin:
            self.first = _resident("VmRSS")
        self.last = _resident("VmRSS")

    def mebibytes(self):
        return (self.last - self.first) / MIB


def trained(name, steps):
    """Growth in MiB over the steps of a training."""
    growth = Growth(steps)
    images = np.random.default_rng(0).integers(0, 256, (60, 8, 8), dtype=np.uint8)
    rows = np.random.default_rng(0).standard_normal((200, 4))
    made = {
        "dcgan": lambda: pushforward.DCGAN(**SMALL, steps=steps).fit(images, report=growth.step),
        "vae": lambda: pushforward.VAE(**SMALL, steps=steps).fit(images, report=growth.step),
        "glow": lambda: pushforward.Glow(
            depth=1, width=4, levels=1, steps=steps, batch_size=8, device="cpu", random_state=0
        ).fit(images, report=growth.step),
        "table_flow": lambda: pushforward.TableFlow(steps=steps, random_state=0).fit(
            rows, report=growth.step
        ),
    }[name]
    made()
    return growth.mebibytes()


def sampled(name, calls):
    """Growth in MiB over calls of ``sample``."""
    growth, model = Growth(calls), pushforward.load(GOLDEN / name)
    for seed in range(calls):
        model.sample(2, random_state=seed)
        growth.step()
    return growth.mebibytes()


TRAINED = ("table_flow", "dcgan", "vae", "glow")
SAMPLED = ("gis", "auto", "dcgan", "glow", "sig", "character_gan", "refined")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--calls", type=int, default=10_000)
    parser.add_argument("--trained", nargs="*", default=TRAINED)
    parser.add_argument("--sampled", nargs="*", default=SAMPLED)
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    for name in options.trained:
        grown = round(trained(name, options.steps), 2)
        print(f"{name}: {grown} MiB over {options.steps} steps", flush=True)
    for name in options.sampled:
        grown = round(sampled(name, options.calls), 2)
        print(f"{name}: {grown} MiB over {options.calls} calls", flush=True)


if __name__ == "__main__":
    sys.exit(main())
