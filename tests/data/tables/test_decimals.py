"""How finely numbers are written: found where there is a precision, and kept by rounding."""

import numpy as np
import pytest

from pushforward.data.tables.decimals import FEWEST, Digits


@pytest.mark.parametrize("decimals", [-3, 0, 2, 5])
def test_decimals_are_found_and_rounded_to(decimals, rng):
    values = np.round(rng.uniform(1, 9, 200) * 10.0**-decimals * 100, decimals)
    assert Digits.learn(values) == Digits(decimals=decimals)
    noisy = values + 0.2 * 10.0**-decimals
    assert np.array_equal(Digits(decimals=decimals).round(noisy), values)


def test_significant_digits_are_found_where_numbers_have_many_sizes(rng):
    sizes = 10.0 ** rng.integers(-6, 6, 300)
    values = Digits(significant=3).round(rng.uniform(1, 9, 300) * sizes)
    assert Digits.learn(values) == Digits(significant=3)


def test_there_is_none_of_full_precision_and_of_few_values(rng):
    assert Digits.learn(rng.normal(size=200)) is None
    assert Digits.learn(np.ones(FEWEST - 1)) is None


def test_float32_has_the_decimals_it_was_written_with(rng):
    values = np.round(rng.uniform(0, 50, 200), 2).astype(np.float32).astype(np.float64)
    assert Digits.learn(values) == Digits(decimals=2)


def test_zero_and_signs_stay():
    assert Digits(significant=2).round(np.array([0.0, -123.0, 0.00456])).tolist() == [
        *(0.0, -120.0, 0.0046),
    ]
