"""Wasserstein distances, exact and by slices: equal to POT."""

import numpy as np
import pytest

from pushforward.errors import DataError, ParameterError
from pushforward.metrics import (
    max_sliced_wasserstein,
    sliced_wasserstein,
    wasserstein,
    wasserstein_1d,
)

ot = pytest.importorskip("ot")


@pytest.mark.parametrize("p", [1, 2])
def test_exact_equals_pot(rng, p):
    a, b = rng.normal(size=(150, 3)), 2 * rng.normal(size=(150, 3)) + 0.3
    weight = np.full(150, 1 / 150)
    expected = ot.emd2(weight, weight, ot.dist(a, b, "euclidean") ** p) ** (1 / p)
    assert wasserstein(a, b, p=p).value == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("p", [1, 2])
def test_line_of_unequal_sizes_and_weights_equals_pot(rng, p):
    a, b = rng.normal(size=80), rng.exponential(size=50)
    v, w = rng.random(80), rng.random(50)
    w[7] = 0
    expected = ot.wasserstein_1d(a, b, v / v.sum(), w / w.sum(), p=p) ** (1 / p)
    assert wasserstein_1d(a, b, p=p, a_weight=v, b_weight=w) == pytest.approx(expected, rel=1e-9)
    plain = ot.wasserstein_1d(a, b, p=p) ** (1 / p)
    assert wasserstein(a, b, p=p).value == pytest.approx(plain, rel=1e-9)


@pytest.mark.parametrize("m", [90, 120])
def test_sliced_equals_pot_on_the_same_directions(rng, m):
    a, b = rng.normal(size=(120, 4)), rng.normal(size=(m, 4)) * 1.5
    directions = np.random.default_rng(5).normal(size=(4, 200))
    directions /= np.linalg.norm(directions, axis=0)
    for p in (1, 2):
        expected = ot.sliced_wasserstein_distance(a, b, projections=directions, p=p)
        found = sliced_wasserstein(a, b, p=p, slices=200, random_state=5)
        assert found.value == pytest.approx(expected, rel=1e-6)
        assert found.interval[0] < found.value < found.interval[1]


def test_max_sliced_finds_the_direction_that_random_ones_miss(rng):
    a = rng.normal(size=(300, 30))
    b = rng.normal(size=(300, 30))
    b[:, 17] += 4
    found = max_sliced_wasserstein(a, b, slices=50)
    assert abs(found.details["direction"][17]) > 0.9
    assert found.value > ot.max_sliced_wasserstein_distance(a, b, n_projections=500, seed=0)
    assert found.value == pytest.approx(4, rel=0.15)


def test_interval_covers_repetition():
    values, errors = [], []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        one = sliced_wasserstein(
            rng.normal(size=(150, 2)), rng.normal(size=(150, 2)) + 1, slices=20
        )
        values.append(one.value)
        errors.append(one.details["standard_error"])
    assert 0.6 < np.mean(errors) / np.std(values) < 1.6


def test_the_floor_is_told(rng):
    near = wasserstein(rng.normal(size=(100, 10)), rng.normal(size=(100, 10)))
    assert near.details["floor"] > 0.8 * near.details["at_floor_size"]
    assert any("size of the sample" in text for text in near.warnings)


def test_limits_are_named(rng):
    with pytest.raises(DataError, match="sliced_wasserstein"):
        wasserstein(rng.normal(size=(30, 2)), rng.normal(size=(20, 2)))
    with pytest.raises(DataError, match="at most 5000"):
        wasserstein(np.zeros((5001, 2)), np.zeros((5001, 2)))
    with pytest.raises(ParameterError, match="Expected one of 1, 2"):
        wasserstein_1d([1.0], [2.0], p=3)
    with pytest.raises(DataError, match="not all zero"):
        wasserstein_1d([1.0], [2.0], a_weight=[0.0])
