"""FID: the value of torchmetrics and of the textbook formula, at any rank, with honest errors."""

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm

from pushforward.errors import DataError
from pushforward.metrics import Moments, fid, frechet_distance, frechet_influence


def textbook(a, b):
    first, second = np.cov(a.T), np.cov(b.T)
    root = sqrtm(first @ second)
    return np.sum((a.mean(0) - b.mean(0)) ** 2) + np.trace(first + second - 2 * np.real(root))


def mixed(rng, n, d, shift=0.0):
    return np.maximum(rng.normal(size=(n, d)) @ rng.normal(size=(d, d)), 0) + shift


def test_equals_torchmetrics(rng):
    from torchmetrics.image.fid import FrechetInceptionDistance

    class Given(torch.nn.Module):
        num_features = 32

        def forward(self, x):
            return x

    a, b = mixed(rng, 500, 32), mixed(rng, 400, 32, 0.2)
    metric = FrechetInceptionDistance(feature=Given()).set_dtype(torch.float64)
    metric.update(torch.from_numpy(a), real=True)
    metric.update(torch.from_numpy(b), real=False)
    expected = float(metric.compute())
    assert fid(a, b).value == pytest.approx(expected, rel=1e-4)
    assert fid(a, b, interval=False).value == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(
    ("n", "m", "d"), [(300, 200, 16), (20, 300, 40), (20, 30, 40), (41, 50, 40)]
)
def test_equals_the_textbook_formula_at_any_rank(rng, n, m, d):
    a, b = mixed(rng, n, d), mixed(rng, m, d, 0.1)
    expected = textbook(a, b)
    assert fid(a, b).value == pytest.approx(expected, rel=1e-5)
    assert fid(a, b, interval=False).value == pytest.approx(expected, rel=1e-5)
    assert frechet_distance(Moments.of(a), Moments.of(b)) == pytest.approx(expected, rel=1e-5)


def test_equal_samples_are_at_zero_even_with_dead_and_repeated_features(rng):
    a = mixed(rng, 200, 10)
    a = np.concatenate([a, a[:, :3], np.zeros((200, 2))], axis=1)
    assert fid(a, a).value == pytest.approx(0, abs=1e-6 * np.var(a) * a.shape[1])
    assert fid(a, a + 1).value == pytest.approx(a.shape[1], rel=1e-6)


def test_moments_do_not_depend_on_batches_or_their_order(rng):
    X = rng.normal(size=(500, 7)) + 1e6  # far from the origin, where naive sums lose digits
    whole = Moments.of(X)
    parts = [Moments.of(X[:10]), Moments.of(iter([X[10:11], X[11:300]])), Moments.of(X[300:])]
    merged = parts[2].merge(parts[0]).merge(parts[1])
    np.testing.assert_allclose(whole.covariance(), np.cov(X.T), rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(merged.covariance(), whole.covariance(), rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(merged.mean, whole.mean, rtol=1e-12)
    assert merged.n == 500


@pytest.mark.parametrize(("n", "d"), [(200, 16), (20, 32)])
def test_standard_error_and_bias_are_those_of_repetition(n, d):
    scale = np.exp(-np.arange(d) / 8)
    found = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        real = np.exp(rng.normal(size=(n, d)) / 2) * scale
        found.append(fid(real, rng.normal(size=(n, d)) * scale * 1.2, random_state=seed))
    values = np.array([m.value for m in found])
    rng = np.random.default_rng(60)
    large = np.exp(rng.normal(size=(40_000, d)) / 2) * scale
    truth = fid(large, rng.normal(size=(40_000, d)) * scale * 1.2, interval=False).value
    errors = np.mean([m.details["standard_error"] for m in found])
    assert 0.7 < errors / values.std() < 1.4
    bias = np.mean([m.details["bias"] for m in found])
    assert abs(bias - (values.mean() - truth)) < 0.5 * bias + values.std() / 3


def test_small_samples_are_warned_of(rng):
    small = fid(rng.normal(size=(50, 64)), rng.normal(size=(50, 64)))
    assert any("full rank" in text for text in small.warnings)
    assert any("adds about" in text for text in small.warnings)
    large = fid(rng.normal(size=(3000, 4)), rng.normal(size=(3000, 4)) + 1)
    assert not large.warnings


def test_bad_features_are_refused(rng):
    good = rng.normal(size=(10, 3))
    with pytest.raises(DataError, match="3 numbers a row and generated 2"):
        fid(good, good[:, :2])
    bad = good.copy()
    bad[4, 1] = np.nan
    with pytest.raises(DataError, match="row 4"):
        fid(good, bad)
    with pytest.raises(DataError, match="Expected numbers"):
        fid(good, np.array([["a", "b", "c"]] * 10))
    with pytest.raises(DataError, match="No batch"):
        Moments.of(iter([]))


@pytest.mark.parametrize(("n", "d"), [(300, 5), (60, 80)])
def test_influence_is_what_the_distance_changes_by_without_a_row(n, d):
    rng = np.random.default_rng(3)
    scale = np.exp(-np.arange(d) / 4)  # most of it in few directions: a row less is a small change
    real, made = (rng.normal(size=(n, d)) * scale * wide + 0.4 * wide for wide in (1, 1.3))
    value, of_real, of_made = frechet_influence(real, made)
    assert value == pytest.approx(fid(real, made, interval=False).value)

    def without(k, of, beside):
        return fid(np.delete(of, k, axis=0), beside, interval=False).value

    for influence, of, beside in ((of_real, real, made), (of_made, made, real)):
        fallen = value - np.array([without(k, of, beside) for k in range(n)])
        fallen = n * (fallen - fallen.mean())  # the mean is the bias of one row less
        assert np.corrcoef(fallen, influence)[0, 1] > 0.97
        assert np.std(fallen) == pytest.approx(np.std(influence), rel=0.2)
