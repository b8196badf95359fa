"""A training and many calls take no more memory as they go on; at length: memory_growth.py."""

import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(__file__))
from memory_growth import sampled, trained

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")

ALLOWED = 4.0  # MiB, which an allocator may keep


def test_training_takes_no_more_memory():
    assert trained("table_flow", 60) < ALLOWED


@pytest.mark.parametrize("name", ["gis", "dcgan"])
def test_samples_take_no_more_memory(name):
    assert sampled(name, 200) < ALLOWED
