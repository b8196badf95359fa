"""Pairs and columns worth a picture are found among dull ones."""

import numpy as np
import pytest

from pushforward.report.column_axes import PlottedColumn, format_cell
from pushforward.report.column_choice import (
    dependence,
    most_informative_columns,
    most_informative_pairs,
    most_informative_partner,
    non_normality,
)


def drawn(*columns, named=()):
    return [
        PlottedColumn(
            j, str(j), j in named, x, x, ([0.0, 1.0], ["a", "b"]) if j in named else None
        )
        for j, x in enumerate(columns)
    ]


def test_a_ring_is_more_telling_than_a_line_or_noise(rng):
    angle, a, b = rng.uniform(0, 2 * np.pi, 500), rng.normal(size=500), rng.normal(size=500)
    ring = np.stack([np.cos(angle), np.sin(angle)]) + 0.05 * rng.normal(size=(2, 500))
    columns = drawn(a, 2 * a, b, *ring)
    information = dependence(columns)
    assert information == pytest.approx(information.T)
    assert information[0, 1] > information[3, 4] > 0.3
    assert information[0, 2] < 0.05
    assert most_informative_pairs(columns, information, 1) == [(3, 4)]


def test_dependence_is_that_of_the_rows_that_have_both_cells(rng):
    x = rng.normal(size=2000)
    y = x + 0.3 * rng.normal(size=2000)
    gone = rng.random(2000) < 0.5
    whole, holed = drawn(x, y), drawn(x, np.where(gone, np.nan, y))
    half = drawn(x[~gone], y[~gone])
    share = (~gone).mean()
    found = dependence(holed)[0, 1]
    assert found == pytest.approx(share * dependence(half)[0, 1], abs=0.03)
    assert found < dependence(whole)[0, 1]
    alternating = np.where(gone, x, np.nan), np.where(gone, np.nan, y)
    assert dependence(drawn(*alternating))[0, 1] == 0
    assert most_informative_pairs(drawn(*alternating), np.zeros((2, 2)), 1) == [(0, 1)]


def test_pairs_are_as_many_as_there_are(rng):
    columns = drawn(*rng.normal(size=(3, 50)))
    assert len(most_informative_pairs(columns, dependence(columns), 5)) == 3
    assert most_informative_pairs(columns[:1], dependence(columns[:1]), 5) == []


def test_a_wide_table_is_looked_at_in_part(rng):
    x = rng.normal(size=(200, 100))
    x[7] = np.exp(2 * x[7])
    x[9] = x[7] ** 2
    columns = drawn(*x)
    assert most_informative_pairs(columns, dependence(columns), 1) == [(7, 9)]


def test_non_normality_is_of_shape_alone(rng):
    x = rng.normal(size=5000)
    assert non_normality(x) < 0.02
    assert non_normality(7 + 100 * x) == pytest.approx(non_normality(x))
    assert non_normality(np.sign(x)) > 0.2 > 0.1 > non_normality(np.append(x, 1e9))
    assert non_normality(np.ones(9)) == 0


def test_singles_show_both_kinds(rng):
    x = [*rng.exponential(size=(8, 50)), *(rng.random((4, 50)) < 0.5).astype(float)]
    columns = drawn(*x, named=(8, 9, 10, 11))
    singles = most_informative_columns(columns, [(0, 1)], 6)
    assert len(singles) == len(set(singles)) == 6
    assert sum(j >= 8 for j in singles) == 2
    assert not {0, 1} & set(singles)


def test_the_partner_is_the_column_that_shows_why(rng):
    a, b = rng.normal(size=(2, 300))
    columns = drawn(b, a, a + 0.05 * rng.normal(size=300))
    columns[0].real = np.append(b, 0.0)
    columns[1].real = np.append(a, 1.5)
    columns[2].real = np.append(columns[2].real, -1.0)
    assert most_informative_partner(columns, 1, 300, expected=-1.0) == 2
    assert most_informative_partner(columns[:1], 0, 0, expected=0.0) is None


@pytest.mark.parametrize(
    ("value", "text"),
    [(np.float64(3.0), "3"), (1e9, "1e+09"), (True, "True"), ("a\nb " * 9, "a b a b a b a b a…")],
)
def test_cells_are_short(value, text):
    assert format_cell(value) == text
