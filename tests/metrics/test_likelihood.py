"""Nats a row and bits a dimension: means in the right units, and nothing that is not finite."""

import math

import numpy as np
import pytest

from pushforward.errors import DataError, ParameterError
from pushforward.metrics import bits_per_dimension, nats_per_row


def test_nats_are_the_mean_with_students_interval():
    measure = nats_per_row([1.0, 2.0, 6.0], details={"model": "x"})
    half = 4.302652729911275 * np.std([1, 2, 6], ddof=1) / math.sqrt(3)
    assert measure.value == 3.0
    assert measure.interval == pytest.approx((3 - half, 3 + half))
    assert (measure.details["median"], measure.details["model"]) == (2.0, "x")
    assert measure.better == "higher"


def test_bits_are_minus_the_nats_over_the_dimensions_in_base_two():
    scores = np.array([-3.0, -5.0])
    measure = bits_per_dimension(scores, 4)
    assert measure.value == pytest.approx(4 / (4 * math.log(2)))
    low, high = nats_per_row(scores).interval
    bits = 1 / (4 * math.log(2))
    assert measure.interval == pytest.approx((-high * bits, -low * bits))
    assert measure.better == "lower"


@pytest.mark.parametrize("bad", [[1.0, math.nan], [1.0, -math.inf], [1.0]])
def test_what_has_no_mean_is_refused(bad):
    with pytest.raises(DataError):
        nats_per_row(bad)
    with pytest.raises(DataError):
        bits_per_dimension(bad, 3)


def test_no_dimensions_are_refused():
    with pytest.raises(ParameterError, match="dimensions is 0"):
        bits_per_dimension([1.0, 2.0], 0)
