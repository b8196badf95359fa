"""The test that gates: fair to samples of the data, sharp where they are not, and never alone."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from pushforward.errors import DataError
from pushforward.metrics import Measure
from pushforward.refinement.acceptance_test import RealRows, Verdict, improves, likelihood_gain


def split(rows, moments=False):
    return RealRows.split(rows, lambda x: x.numpy(), 0, moments=moments)


@pytest.fixture(scope="module")
def real():
    return split(torch.randn(2000, 2, generator=torch.Generator().manual_seed(0)))


def samples(real, seed, shift=0.0):
    return torch.randn(real.drawn, 2, generator=torch.Generator().manual_seed(seed)) + shift


def test_no_row_has_two_tasks(generator):
    real = split(torch.arange(1000.0)[:, None])
    parts = torch.cat([real.train, real.validation, real.test])
    assert sorted(parts[:, 0].tolist()) == list(range(1000))
    assert (len(real.validation), len(real.test)) == (200, 250)
    with pytest.raises(DataError, match="at least 200"):
        split(torch.zeros(199, 1))


def test_samples_of_the_data_are_at_the_floor(real):
    areas = [real.verdict(samples(real, seed)).measure.value for seed in range(1, 6)]
    assert np.mean(areas) == pytest.approx(0.5, abs=0.02)
    assert real.floor().value == pytest.approx(0.5, abs=0.06)


def test_the_area_is_that_of_the_real_rows_that_beat_samples(real):
    verdict = real.verdict(samples(real, 1, 0.7))
    assert verdict.beaten.mean() == pytest.approx(verdict.measure.value, abs=1e-9)
    assert len(verdict.beaten) == len(real.test)


def test_gains_are_seen_and_none_is_made_up(real):
    """As good again passes once in twenty; a third nearer passes each time."""
    far = real.verdict(samples(real, 1, 0.6))
    passed = [improves(far, real.verdict(samples(real, seed, 0.6))) for seed in range(2, 22)]
    assert sum(passed) <= 4
    nearer = [improves(far, real.verdict(samples(real, seed, 0.4))) for seed in range(2, 7)]
    assert all(nearer)
    assert not improves(real.verdict(samples(real, 3, 0.4)), far)


def test_what_moves_the_moments_away_is_refused():
    draw = torch.Generator().manual_seed(0)
    real = split(torch.randn(2000, 2, generator=draw), moments=True)
    near, far = (real.verdict(samples(real, 1, shift)) for shift in (0.2, 0.6))
    assert improves(far, near)
    near.measure.details["frechet"] = far.measure.details["frechet"] + 1
    assert not improves(far, near)


# What thinning adds to the likelihood


def gain_of(generator, n=4000, change=0.3, truth=0.3):
    """Of samples in two modes of 1/2 each, thinned as if data had ``e^change`` times the first."""
    odds = np.exp([truth, 0.0])
    kind = torch.rand(2, n, generator=generator)
    real = torch.where(kind[0] < odds[0] / odds.sum(), 0.0, -change)
    drawn = torch.where(kind[1] < 0.5, 0.0, -change)
    return likelihood_gain(real, drawn)


def test_the_gain_is_the_divergence_that_goes_away(generator):
    share = np.exp(0.3) / (1 + np.exp(0.3))
    truth = share * np.log(2 * share) + (1 - share) * np.log(2 * (1 - share))
    gains = [gain_of(generator) for _ in range(50)]
    assert np.mean([g for g, _ in gains]) == pytest.approx(truth, abs=0.003)
    assert np.std([g for g, _ in gains]) == pytest.approx(np.mean([e for _, e in gains]), rel=0.3)


def test_what_thins_by_chance_gains_nothing(generator):
    """A wrong change loses; the right one is found where no two-sample test would see it."""
    assert sum(g > 1.645 * e for g, e in (gain_of(generator, truth=0.0) for _ in range(40))) <= 2
    assert all(g > 1.645 * e for g, e in (gain_of(generator) for _ in range(10)))


def test_a_gain_over_another_acceptance_is_the_difference_and_surer(generator):
    real, drawn = -torch.rand(2, 500, generator=generator)
    nearly = [x - 0.01 * torch.rand(500, generator=generator) for x in (real, drawn)]
    gain, error = likelihood_gain(real, drawn, *nearly)
    own, others = likelihood_gain(real, drawn), likelihood_gain(*nearly)
    assert gain == pytest.approx(own[0] - others[0], abs=1e-12)
    assert error < 0.1 * own[1]
    assert likelihood_gain(real, drawn, real, drawn) == (0.0, 0.0)


def test_a_gain_passes_unless_the_test_finds_samples_farther(real):
    far, near = (real.verdict(samples(real, seed, s)) for seed, s in ((1, 0.6), (2, 0.4)))

    def gaining(verdict, gain):
        return Verdict(verdict.measure, verdict.beaten, verdict.variance, gain)

    assert not improves(near, gaining(near, (0.01, 0.01)))
    assert improves(near, gaining(near, (0.05, 0.01)))
    assert not improves(near, gaining(far, (0.05, 0.01)))
    # of wide rows samples and data hardly overlap, and the gain is no gain
    wide = with_distance(near, 0.1, 0.01)
    assert not improves(wide, replace(wide, gain=(0.05, 0.01)))


# What moments add to the test


def with_distance(verdict, value, error):
    measure = replace(verdict.measure, details={**verdict.measure.details, "frechet": value})
    return replace(verdict, measure=measure, scatter=error**2)


def test_a_distance_that_has_fallen_beyond_chance_is_enough_where_the_area_is_no_larger(real):
    # of the same samples the area is the same
    before = with_distance(real.verdict(samples(real, 1, 0.6)), 0.10, 0.01)
    assert improves(before, with_distance(before, 0.06, 0.01))
    assert not improves(before, with_distance(before, 0.09, 0.01))  # within chance
    farther = with_distance(real.verdict(samples(real, 1, 0.9)), 0.06, 0.01)
    assert not improves(before, farther)


def test_a_distance_within_its_error_does_not_refuse_what_is_nearer(real):
    far, near = (real.verdict(samples(real, 1, shift)) for shift in (0.6, 0.2))
    before = with_distance(far, 0.10, 0.01)
    assert improves(before, with_distance(near, 0.105, 0.01))
    assert not improves(before, with_distance(near, 0.13, 0.01))


def test_a_distance_of_features_of_a_network_may_not_grow_at_all(real):
    """By it images are judged: one base had a smaller area and a larger distance."""
    seen = replace(real, classifier="logistic")
    far, near = (seen.verdict(samples(real, 1, shift)) for shift in (0.6, 0.2))
    before = with_distance(far, 0.10, 0.01)
    assert improves(before, with_distance(near, 0.099, 0.01))
    assert not improves(before, with_distance(near, 0.101, 0.01))


def test_real_rows_that_both_distances_share_make_their_difference_surer(real):
    """What all real rows owe to one distance as to the other is no reason to doubt the fall."""
    before = with_distance(real.verdict(samples(real, 1, 0.6)), 0.10, 0.001)
    after = with_distance(before, 0.06, 0.001)
    owed = np.random.default_rng(0).normal(size=400)  # a standard error of 0.05 each
    assert improves(replace(before, influence=owed), replace(after, influence=owed))
    assert not improves(replace(before, influence=owed), replace(after, influence=-owed))


def test_what_is_beyond_chance_and_nothing_is_not_kept():
    """AUC from 1.000 to 1.000, with no doubt about it, is no gain; nor is a distance the same."""

    def verdict(beaten, distance=None):
        told = {"classifier": "neighbours"}
        if distance is not None:
            told["frechet"] = distance
        area = Measure("two_sample_auroc", float(beaten.mean()), None, "lower", told)
        return Verdict(area, beaten, 0.0)

    ones = np.ones(500)
    assert not improves(verdict(ones), verdict(ones - 1e-4))
    assert improves(verdict(ones), verdict(ones - 1e-3))
    assert not improves(verdict(ones, 1000.0), verdict(ones, 999.0))
    assert improves(verdict(ones, 1000.0), verdict(ones, 900.0))


def test_fewer_rows_judge_where_time_is_short(generator):
    rows = torch.randn(4000, 2, generator=generator)
    for kind in ("neighbours", "boosting"):
        real = RealRows.split(rows, lambda x: x.double().numpy(), 0, kind)
        few = real.fewer(real.drawn // 5)
        assert few.drawn == pytest.approx(real.drawn / 5, rel=0.02)
        assert torch.equal(few.test, real.test[: len(few.test)])
        measure = few.verdict(rows[: few.drawn]).measure
        assert measure.details["n_real"] == len(few.test) == 200
        assert len(real.fewer(1).test) == 50


def test_a_classifier_of_rows_that_judge_alone_sees_no_others(generator):
    rows = torch.randn(1000, 2, generator=generator)
    seen = []

    def features(x):
        seen.append(len(x))
        return x.double().numpy()

    real = replace(RealRows.split(rows, features, 0, "boosting"), alone=True)
    assert real.drawn == 1000
    real.verdict(torch.randn(1000, 2, generator=generator))
    assert sorted(seen) == [len(real.validation), len(real.test), 1000]
    assert len(real._known) == 0
