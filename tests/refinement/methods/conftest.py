"""Samples of N(0, 1), real rows of N(1, 1), and the logit between them."""

import pytest
import torch

from pushforward.refinement.acceptance_test import RealRows
from pushforward.refinement.methods import Context
from pushforward.refinement.sample_spaces import Space


@pytest.fixture
def context(generator):
    rows = torch.randn(400, 1, generator=generator) + 1
    space = Space(
        lambda n, generator: torch.randn(n, 1, generator=generator), lambda z: z,
        lambda z: -z[:, 0].square() / 2,
    )  # fmt: skip
    return Context(space, lambda x: x[:, 0] - 0.5, RealRows.split(rows, lambda x: x.numpy(), 0), 0)
