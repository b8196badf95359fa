"""The map from an interval to the line: it inverts, and its slope is that of differences."""

import numpy as np
import pytest

from pushforward.data.tables.bounded_transform import SQUEEZE, BoundedTransform

BOUNDS = [(None, None), (0.0, None), (None, 3.0), (-1.0, 3.0)]
X = np.linspace(0.05, 2.9, 40)


@pytest.mark.parametrize("bounds", BOUNDS)
def test_inverse_gives_values_back(bounds):
    transform = BoundedTransform.learn(X, bounds)
    y, _ = transform.forward(X)
    assert (np.diff(y) > 0).all()
    assert np.allclose(transform.inverse(y), X, rtol=1e-12)


@pytest.mark.parametrize("bounds", BOUNDS)
def test_log_slope_is_that_of_central_differences(bounds):
    transform = BoundedTransform.learn(X, bounds)
    step = 1e-6
    rise = transform.forward(X + step)[0] - transform.forward(X - step)[0]
    assert np.allclose(transform.forward(X)[1], np.log(rise / (2 * step)), atol=1e-6)


@pytest.mark.parametrize("bounds", BOUNDS[1:])
def test_values_on_a_bound_are_finite_and_come_back(bounds):
    transform = BoundedTransform.learn(X, bounds)
    ends = np.array([end for end in bounds if end is not None])
    y, log_slope = transform.forward(ends)
    assert np.isfinite(y).all()
    assert np.isfinite(log_slope).all()
    assert np.allclose(transform.inverse(y), ends, atol=1e-9)
    assert np.abs(y).max() == pytest.approx(-np.log(SQUEEZE), abs=1e-3)


@pytest.mark.parametrize("bounds", BOUNDS[1:])
def test_what_lies_beyond_the_image_of_a_bound_becomes_the_bound(bounds):
    low, high = bounds
    found = BoundedTransform.learn(X, bounds).inverse(np.array([-50.0, 50.0]))
    assert low is None or found[0] == low
    assert high is None or found[1] == high


def test_the_unit_is_a_power_of_two_that_keeps_squares_finite():
    for scale in (1e200, 1e-200):
        transform = BoundedTransform.learn(scale * X, (None, None))
        assert np.frexp(transform.unit)[0] == 0.5
        y, log_slope = transform.forward(scale * X)
        assert np.isfinite(y**2).all()
        assert y.max() > 0.1
        assert np.allclose(log_slope, -np.log(transform.unit))
        assert np.array_equal(transform.inverse(y), scale * X)


def test_the_reach_is_the_weighted_mean_distance_to_the_one_bound():
    values, weights = np.array([1.0, 3.0]), np.array([3.0, 1.0])
    assert BoundedTransform.learn(values, (0.0, None), weights).reach == 1.5
    assert BoundedTransform.learn(values, (None, 5.0), weights).reach == 3.5
    assert BoundedTransform.learn(values, (0.0, 5.0), weights).reach == 1.0
