"""Distributions in pieces: closed forms of a uniform, of points, and of mixtures that overlap."""

import numpy as np
import pytest

from pushforward.estimators.piecewise import Pieces


def pieces(*rows):
    """One distribution a row, of (low, high, weight)."""
    return Pieces(*np.moveaxis(np.array(rows, dtype=float), 2, 0))


def test_moments_are_those_of_a_uniform_and_of_points():
    found = pieces([(0, 1, 0.5), (1, 2, 0.5)], [(3, 3, 0.25), (7, 7, 0.75)])
    assert found.mean() == pytest.approx([1.0, 6.0])
    assert found.std() == pytest.approx([(4 / 12) ** 0.5, 3**0.5])


def test_quantiles_are_the_inverse_of_the_distribution_function():
    found = pieces([(1, 3, 0.5), (0, 1, 0.5)], [(0, 10, 0.9), (20, 30, 0.1)])
    for q in (0.1, 0.5, 0.75):
        assert found.cdf(found.quantile(q)) == pytest.approx([q, q])
    assert found.quantile(0.75) == pytest.approx([2.0, 0.75 / 0.09])
    assert found.quantile_of_mixture(0.75) == pytest.approx(found.quantile(0.75))


def test_a_value_with_a_probability_is_its_own_quantile():
    found = pieces([(0, 1, 0.2), (5, 5, 0.6), (8, 9, 0.2)])
    assert found.quantile(0.5).tolist() == found.quantile_of_mixture(0.5).tolist() == [5.0]
    assert found.cdf(np.array([5.0])) == pytest.approx([0.8])
    assert found.cdf(np.array([np.nextafter(5.0, 0)])) == pytest.approx([0.2])


def test_quantiles_of_pieces_that_overlap():
    found = pieces([(0, 2, 0.5), (1, 3, 0.5)])  # .25, .5 and .25 of the probability
    assert found.quantile_of_mixture(0.25) == pytest.approx([1.0])
    assert found.quantile_of_mixture(0.5) == pytest.approx([1.5])


def test_draws_are_of_the_distribution():
    found = pieces([(0, 1, 0.5), (4, 4, 0.5)])
    drawn = found.sample(4000, np.random.default_rng(0))
    assert drawn.shape == (1, 4000)
    assert (drawn == 4).mean() == pytest.approx(0.5, abs=0.03)
    assert np.quantile(drawn, 0.25) == pytest.approx(0.5, abs=0.05)
