"""Refines and samples under torchrun; the first process writes samples. Not a test itself."""

import sys

import torch
from safetensors.torch import save_file

from pushforward.refinement import refine
from pushforward.training import Processes


def refined():
    """One refinement by a logit that is known, and one whose network is learned."""
    torch.set_num_threads(1)
    draw = torch.Generator().manual_seed(0)
    data = torch.randn(600, 1, generator=draw) + 1
    known = refine(lambda z: z, data, prior=1, logit=lambda x: x[:, 0] - 0.5)
    learned = refine(lambda z: z, data, prior=1, method="rejection")
    return {
        "known": known.sample(3000, random_state=0),
        "learned": learned.sample(3000, random_state=0),
    }


if __name__ == "__main__":
    samples = refined()
    processes = Processes(torch.device("cpu"))
    assert processes.count == int(sys.argv[2])
    if processes.first:
        save_file(samples, sys.argv[1])
