"""Grows flows of images under torchrun; the first process saves them. Not a test itself."""

import json
import sys
from pathlib import Path

import torch

from pushforward import SIG, open_images
from pushforward.models.sliced import patch_loop

FITS = {
    "pictures": {"layers": 2, "max_images": 600},  # a third of them for each layer
    "resumed": {"layers": 2, "max_images": 600},  # from what one process left in the folder "work"
    "likelihood": {"goal": "likelihood", "layers": 12},
    "conditional": {"conditional": True, "layers": 1},
}


def grown(name, folder=None):
    torch.set_num_threads(1)
    options = {"search_steps": 5, "knots": 32, "device": "cpu", "random_state": 0}
    return SIG(**options | FITS[name]).fit(open_images("digits"), folder=folder)


def told(seen):
    """Note the numbers of layers that are made, not taken from an earlier fit."""
    keep = patch_loop._keep

    def noted(kept, count, number, layer):
        keep(kept, count, number, layer)
        seen(kept, count)

    patch_loop._keep = noted


if __name__ == "__main__":
    made = []
    told(lambda kept, count: made.append(count))
    for name in FITS:
        made.clear()
        model = grown(name, Path(sys.argv[1]) / "work" if name == "resumed" else None)
        if torch.distributed.get_rank() == 0:
            (Path(sys.argv[1]) / f"{name}.json").write_text(json.dumps(made))
            model.save(Path(sys.argv[1]) / name)
        own = model._tensors()["flow.layers.0.y"]
        other = own.clone()
        torch.distributed.broadcast(other, 0)
        assert other.equal(own), "the processes hold different layers"
    assert torch.distributed.get_world_size() == int(sys.argv[2])
