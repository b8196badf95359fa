"""Refines and samples under torchrun; the first process writes samples. Not a test itself."""

import sys

import torch
from safetensors.torch import save_file

from pushforward.refinement import refine
from pushforward.refinement.budget import Budget
from pushforward.training import Processes


def refined():
    """By a logit that is known, by networks that are learned, and while clocks disagree."""
    torch.set_num_threads(1)
    draw = torch.Generator().manual_seed(0)
    data = torch.randn(600, 1, generator=draw) + 1
    known = refine(lambda z: z, data, prior=1, logit=lambda x: x[:, 0] - 0.5)
    learned = refine(lambda z: z, data, prior=1, method="rejection")
    own = Budget.out_of_time
    here = Processes(torch.device("cpu")).rank
    # one whose clock is ahead
    Budget.out_of_time = lambda self, ahead=0.0: here > 0 or own(self, ahead)
    hurried = refine(lambda z: z, data, prior=1, minutes=10)
    return {
        "hurried": hurried.sample(3000, random_state=0),
        "known": known.sample(3000, random_state=0),
        "learned": learned.sample(3000, random_state=0),
    }


if __name__ == "__main__":
    samples = refined()
    processes = Processes(torch.device("cpu"))
    assert processes.count == int(sys.argv[2])
    if processes.first:
        save_file(samples, sys.argv[1])
