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


@pytest.mark.parametrize(
    ("step", "first", "expected"),
    [
        (0.05, 0.0, Digits(decimals=2, multiple=5)),
        (0.25, 0.1, Digits(decimals=2, multiple=25, remainder=10)),
        (1.0, 0.99, Digits(decimals=2, multiple=100, remainder=99)),
        (5.0, 0.0, Digits(decimals=0, multiple=5)),
        (15.0, -45.0, Digits(decimals=0, multiple=15)),
    ],
)
def test_steps_that_are_no_powers_of_ten(step, first, expected):
    rng = np.random.default_rng(0)
    cells = rng.integers(0, 1000, 200)
    values = np.round(first + cells * step, 2)
    assert Digits.learn(values) == expected
    assert expected.step == pytest.approx(step)
    assert np.array_equal(expected.round(values + rng.uniform(-0.49, 0.49, 200) * step), values)
    # a single value beside the steps would be lost by them
    found = Digits.learn(np.append(values, np.round(first + 0.4 * step, 2)))
    assert found is None or found.multiple < expected.multiple


def test_few_values_show_no_step_beside_decimals():
    rng = np.random.default_rng(1)
    tenths = rng.integers(0, 1000, 300) / 10
    hundredths = rng.integers(0, 1000, 19) / 10 + 0.05  # nineteen that are all fives
    values = np.concatenate([tenths, np.unique(hundredths.round(2))])
    assert Digits.learn(values) == Digits(decimals=2)
    more = np.concatenate([values, rng.integers(0, 1000, 30) / 10 + 0.05]).round(2)
    assert Digits.learn(more) == Digits(decimals=2, multiple=5)


def test_steps_stay_within_bounds():
    digits = Digits(decimals=0, multiple=15)
    values = digits.within(np.array([-30.0, 0.0, 90.0, 105.0]), -20.0, 100.0)
    assert values.tolist() == [-15.0, 0.0, 90.0, 90.0]
