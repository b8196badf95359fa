"""Runs are kept every minute, and more rarely where that takes long."""

import pytest

from pushforward.training import save_pace
from pushforward.training.save_pace import SavePace


@pytest.fixture
def clock(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(save_pace.time, "monotonic", lambda: now[0])
    return now


def test_a_quick_save_comes_every_minute(clock):
    pace = SavePace()
    clock[0] = 59.0
    assert not pace.due
    clock[0] = 61.0
    assert pace.due
    pace.save(lambda: None)
    clock[0] = 120.0
    assert not pace.due
    clock[0] = 122.0
    assert pace.due


def test_a_save_of_ten_seconds_comes_every_two_hundred(clock):
    pace = SavePace()
    clock[0] = 61.0
    pace.save(lambda: clock.__setitem__(0, 71.0))
    clock[0] = 71.0 + 199.0
    assert not pace.due
    clock[0] = 71.0 + 201.0
    assert pace.due
