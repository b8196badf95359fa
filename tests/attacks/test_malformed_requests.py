"""A studio answers what is broken with refusals; at length: malformed_requests.py."""

import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(__file__))
from malformed_requests import attack

for _name in ("starlette", "uvicorn"):
    pytest.importorskip(_name, reason="the extra studio is not installed")

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")

ALLOWED = 8.0  # MiB, which an allocator may keep


def test_broken_requests_are_refused_and_leave_nothing():
    tally = attack(160, seed=1)
    assert not tally.faults
    assert tally.alive
    assert tally.left == tally.outside == []
    assert tally.grown < ALLOWED
