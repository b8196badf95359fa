"""Intervals: against formulas, at the ends of their ranges, and against the truth."""

import math

import pytest

from pushforward.metrics.uncertainty import (
    Z,
    jackknife,
    mean_interval,
    normal_interval,
    share_interval,
)


def test_the_normal_interval_is_cut_off_at_the_ends_of_the_range():
    assert normal_interval(0.5, 0.1) == pytest.approx((0.5 - 0.1 * Z, 0.5 + 0.1 * Z))
    assert normal_interval(0.5, 1.0, 0.0, 1.0) == (0.0, 1.0)


@pytest.mark.parametrize(("hits", "n"), [(0, 5), (5, 5), (3, 10), (1, 1000)])
def test_the_ends_of_wilsons_interval_solve_its_equation(hits, n):
    low, high = share_interval(hits, n)
    share = hits / n
    assert 0 <= low <= share <= high <= 1
    for end in (low, high):
        if end not in (0.0, 1.0):
            assert abs(share - end) == pytest.approx(Z * math.sqrt(end * (1 - end) / n))


def test_students_interval_holds_the_mean_as_often_as_it_says(rng):
    hits = sum(
        low <= 0 <= high for low, high in (mean_interval(rng.normal(size=5)) for _ in range(2000))
    )
    assert abs(hits / 2000 - 0.95) < 4 * math.sqrt(0.95 * 0.05 / 2000)


def test_the_jackknife_has_the_error_of_a_difference_of_means(rng):
    a, b = rng.normal(size=400), rng.normal(size=400)

    def difference(i, j):
        return float(a[i].mean() - b[j].mean())

    error, bias = jackknife(difference, 400, 400, float(a.mean() - b.mean()), seed=0, groups=100)
    assert error == pytest.approx(math.sqrt(a.var() / 400 + b.var() / 400), rel=0.3)
    assert abs(bias) < 1e-9


def test_the_jackknife_takes_away_the_bias_of_the_variance(rng):
    a = rng.normal(size=40)

    def variance(i, j):
        return float(a[i].var())

    _, bias = jackknife(variance, 40, 40, float(a.var()), seed=0, groups=20)
    assert a.var() - bias == pytest.approx(a.var(ddof=1), rel=1e-2)
