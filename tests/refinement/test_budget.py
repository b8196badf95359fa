"""What a refinement may take."""

import time
from dataclasses import FrozenInstanceError

import pytest
import torch

from pushforward.errors import ParameterError
from pushforward.refinement.budget import Budget
from pushforward.refinement.sample_spaces import Space


def space(draws=1.0, evaluations=0.0):
    return Space(
        lambda n, generator: torch.zeros(n, 1), lambda x: x, draws=draws, evaluations=evaluations
    )


def test_time_is_up_after_the_minutes_and_what_is_ahead():
    half_gone = Budget(minutes=1.0, started=time.monotonic() - 30)
    assert not half_gone.out_of_time()
    assert not half_gone.out_of_time(20)
    assert half_gone.out_of_time(40)
    assert half_gone.minutes_left == pytest.approx(0.5, abs=0.02)
    assert half_gone.seconds == pytest.approx(30, abs=1)


def test_what_the_report_needs_is_kept():
    half_gone = Budget(minutes=1.0, started=time.monotonic() - 30, reserve=15)
    assert not half_gone.out_of_time(10)
    assert half_gone.out_of_time(20)
    assert half_gone.minutes_left == pytest.approx(0.25, abs=0.02)


def test_what_has_started_can_end_when_time_is_up():
    over = Budget(minutes=1.0, started=time.monotonic() - 600)
    assert over.out_of_time()
    assert over.minutes_left == 0.02


def test_no_minutes_no_end():
    budget = Budget(started=time.monotonic() - 1e6)
    assert not budget.out_of_time(1e6)
    assert budget.minutes_left is None


@pytest.mark.parametrize(
    ("budget", "method", "usual", "expected"),
    [
        (Budget(), "most_steps", 100, 100),
        (Budget(evaluations=14), "most_steps", 100, 5),  # (14 - 4) / 2
        (Budget(evaluations=1), "most_steps", 100, 1),
        (Budget(), "most_draws", 8, 8),
        (Budget(draws=6), "most_draws", 8, 3),  # 6 / 2
        (Budget(draws=60, evaluations=20), "most_draws", 8, 4),  # 20 / (4 + 1)
        (Budget(draws=1), "most_draws", 8, 1),
    ],
)
def test_a_method_takes_what_the_space_before_it_leaves(budget, method, usual, expected):
    assert getattr(budget, method)(space(draws=2.0, evaluations=4.0), usual) == expected


def test_a_space_over_the_budget_is_refused_by_name():
    Budget(evaluations=4, draws=2).check(space(draws=2.0, evaluations=4.0), "mh")
    with pytest.raises(ParameterError, match=r"mh takes 5 evaluations. The budget is 4"):
        Budget(evaluations=4).check(space(evaluations=5.0), "mh")
    with pytest.raises(ParameterError, match=r"mh takes 3 draws. The budget is 2"):
        Budget(draws=2).check(space(draws=3.0), "mh")


def test_a_budget_does_not_change():
    with pytest.raises(FrozenInstanceError):
        Budget().minutes = 3.0  # type: ignore
