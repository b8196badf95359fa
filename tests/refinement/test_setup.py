"""What a refinement is given, and how its progress is reported."""

import time
from dataclasses import replace

import pytest
import torch

from pushforward.errors import DataError
from pushforward.refinement import Prior
from pushforward.refinement.acceptance_test import RealRows
from pushforward.refinement.adapters import adapter_of
from pushforward.refinement.budget import Budget
from pushforward.refinement.density_ratio import RatioEstimator
from pushforward.refinement.setup import Progress, Setup


def identity(z):
    return z


@pytest.fixture
def setup(generator):
    rows = torch.randn(800, 1, generator=generator) + 1
    real = RealRows.split(rows, lambda x: x.numpy(), 0)
    adapter = adapter_of(identity, Prior.normal(1))
    return Setup(adapter, real, RatioEstimator(real), Budget(), 0, 100)


def test_the_share_done_never_falls_and_ends_at_one():
    lines = []
    progress = Progress(lambda text, share: lines.append((text, share)))
    for share in (0.2, 0.1, 5.0):
        progress(f"{share}", share)
    progress("a note")
    progress("done", 1.0)
    assert lines == [("0.2", 0.2), ("0.1", 0.2), ("5.0", 0.97), ("a note", 0.97), ("done", 1.0)]
    progress.restarted()("again", 0.1)
    assert lines[-1] == ("again", 0.1)
    Progress()("to nobody", 0.5)


def test_samples_of_another_shape_or_that_are_not_finite_are_refused(setup):
    setup.check(torch.zeros(3, 1))
    with pytest.raises(DataError, match=r"\(2,\)"):
        setup.check(torch.zeros(3, 2))
    with pytest.raises(DataError, match="not finite"):
        setup.check(torch.full((3, 1), torch.nan))


def test_fewer_rows_judge_where_samples_are_dear_and_the_setup_stays_as_it_was(setup):
    assert setup.in_time(setup.space("auto")[0], moves=True) is setup  # there is no limit

    def slow(z):
        time.sleep(2e-4 * len(z))
        return z

    dear = replace(setup, adapter=adapter_of(slow, Prior.normal(1)), budget=Budget(minutes=1 / 60))
    space, _ = dear.space("auto")
    shorter = dear.in_time(space, moves=True)
    assert shorter.real.drawn < dear.real.drawn
    assert shorter.estimator.real is shorter.real
    assert "no time for more" in shorter.notes[0]
    assert dear.notes == ()


def test_mixed_rows_move_only_by_latents_or_a_logit_that_is_there(setup):
    assert setup.moving
    mixed = replace(setup.adapter, numbers=lambda rows: rows.numpy())
    assert replace(setup, adapter=mixed).moving
    drawn = replace(mixed, prior=None)
    assert not replace(setup, adapter=drawn).moving
    assert replace(setup, adapter=drawn, logit=lambda x: x[:, 0]).moving
    assert replace(setup, adapter=replace(drawn, critic=lambda x: x[:, 0])).moving
