"""Trains flows under torchrun; the first process saves them. Not a test itself."""

import sys
from pathlib import Path

import torch

from pushforward.data import open_images
from pushforward.models.flows import Glow, RealNVP


def trained(name, steps=6):
    torch.set_num_threads(1)
    options = {"steps": steps, "random_state": 0, "device": "cpu", "batch_size": 31}
    # Glow's start is near where training ends: six steps at its own rate move no score by the
    # thousandth that tells a trained network from an untrained one
    made = {
        "glow": Glow(depth=2, width=8, warm_up=2, conditional=True, learning_rate=5e-3, **options),
        "realnvp": RealNVP(width=4, scales=2, **options),
    }[name]
    return made.fit(open_images("digits"))


if __name__ == "__main__":
    for name in ("glow", "realnvp"):
        model = trained(name)
        if torch.distributed.get_rank() == 0:
            model.save(Path(sys.argv[1]) / name)
