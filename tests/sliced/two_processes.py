"""Grows flows of images under torchrun; the first process saves them. Not a test itself."""

import sys
from pathlib import Path

import torch

from pushforward import SIG, open_images

FITS = {
    "pictures": {"layers": 2},
    "likelihood": {"goal": "likelihood", "layers": 12},
    "conditional": {"conditional": True, "layers": 1},
}


def grown(name, **more):
    torch.set_num_threads(1)
    options = {"search_steps": 5, "knots": 32, "device": "cpu", "random_state": 0}
    return SIG(**options | FITS[name] | more).fit(open_images("digits"))


if __name__ == "__main__":
    for name in FITS:
        model = grown(name)
        if torch.distributed.get_rank() == 0:
            model.save(Path(sys.argv[1]) / name)
        own = model._tensors()["flow.layers.0.y"]
        other = own.clone()
        torch.distributed.broadcast(other, 0)
        assert other.equal(own), "the processes hold different layers"
    assert torch.distributed.get_world_size() == int(sys.argv[2])
