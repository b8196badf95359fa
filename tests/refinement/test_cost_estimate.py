"""What a refinement will take."""

from dataclasses import replace

import pytest
import torch

from pushforward.refinement import Prior, cost_estimate
from pushforward.refinement.acceptance_test import RealRows
from pushforward.refinement.adapters import adapter_of
from pushforward.refinement.budget import Budget
from pushforward.refinement.cost_estimate import estimated
from pushforward.refinement.density_ratio import RatioEstimator
from pushforward.refinement.setup import Setup


class Timed(RatioEstimator):
    """An estimator whose networks take an hour to move samples, half of it near the data."""

    def seconds(self, rows, *, moves, near=False):
        return 3600.0 / (1 + near) if moves else 600.0


@pytest.fixture
def setup(generator):
    rows = torch.randn(400, 2, generator=generator)
    real = RealRows.split(rows, lambda x: x.numpy(), 0)
    adapter = adapter_of(lambda z: z, Prior.normal(2))
    return Setup(adapter, real, Timed(real), Budget(), 0, 1000)


def estimate(setup, method="auto", searches=False):
    space, _ = setup.space("auto")
    return estimated(setup, space, space.rows(20, 0), method, searches=searches)


def seconds(text):
    return int(text.split("about ")[1].split(" s")[0])


@pytest.mark.parametrize(
    ("options", "method", "learning", "one"),
    [
        ({}, "auto", 3600 + 2 * 1800 + 600, 3600),
        ({"logit": lambda x: x[:, 0]}, "auto", 3 * 1800 + 600, 3600),
        ({}, "dot", 3600, 3600),
        ({}, "mh", 600, 600),
        ({"logit": lambda x: x[:, 0]}, "mh", 0, None),
    ],
)
def test_networks_that_are_learned_count(setup, options, method, learning, one):
    found = estimate(replace(setup, **options), method)
    assert found.learning == one
    assert learning <= seconds(found.text) < learning + 60


def test_mixed_rows_learn_what_weighs_them_alone(setup):
    adapter = replace(setup.adapter, numbers=lambda rows: rows.numpy(), prior=None)
    adapter = replace(adapter, draw=lambda n, generator: torch.randn(n, 2, generator=generator))
    found = estimate(replace(setup, adapter=adapter))
    assert found.learning is None
    assert found.text.startswith("expected: 0 trial steps, about 600 s")


def test_the_text_has_the_limits(setup):
    budget = Budget(minutes=3.0004, evaluations=50, draws=2)  # what is left has any digits
    text = estimate(replace(setup, budget=budget), searches=True).text
    assert " 3 min at most" in text
    assert text.endswith("a sample then takes at most 2 draws and 50 logits")
    trials = int(text.split()[1].replace(",", ""))
    assert trials == 3 * cost_estimate.search_of(2).evaluations  # in each of three rounds
    assert estimate(setup, "mh").text.endswith(
        "a sample then takes what the method's settings say"
    )
