"""KID and MMD: unbiased, equal to torchmetrics, with errors and p-values that hold."""

import numpy as np
import pytest
import torch

from pushforward.errors import ParameterError
from pushforward.metrics import kid, mmd


def given(d):
    class Given(torch.nn.Module):
        num_features = d

        def forward(self, x):
            return x

    return Given()


@pytest.mark.filterwarnings("ignore:Metric .* will save all extracted features")
def test_kid_equals_torchmetrics(rng):
    from torchmetrics.image.kid import KernelInceptionDistance

    a, b = rng.normal(size=(300, 16)), 1.2 * rng.normal(size=(300, 16)) + 0.1
    metric = KernelInceptionDistance(feature=given(16), subsets=2, subset_size=300)
    metric.set_dtype(torch.float64)
    metric.update(torch.from_numpy(a), real=True)
    metric.update(torch.from_numpy(b), real=False)
    expected = float(metric.compute()[0])
    assert kid(a, b).value == pytest.approx(expected, rel=1e-4)
    assert kid(a, b, subsets=3, subset_size=300).value == pytest.approx(expected, rel=1e-4)
    subsets = kid(a, b, subsets=50, subset_size=100, random_state=3)
    assert subsets.value == kid(a, b, subsets=50, subset_size=100, random_state=3).value
    assert subsets.value == pytest.approx(expected, abs=5 * subsets.details["standard_error"])


def test_blocks_do_not_change_the_value(rng, monkeypatch):
    a, b = rng.normal(size=(90, 5)), rng.normal(size=(70, 5)) + 0.3
    whole = kid(a, b), mmd(a, b, permutations=50)
    monkeypatch.setattr("pushforward.metrics.arrays.BLOCK_BYTES", 8 * 90 * 7)
    parts = kid(a, b), mmd(a, b, permutations=50)
    for one, other in zip(whole, parts, strict=True):
        assert one.value == pytest.approx(other.value, rel=1e-9)
    assert whole[1].details["p_value"] == parts[1].details["p_value"]


def test_estimates_are_unbiased_and_errors_hold():
    found = []
    for seed in range(80):
        rng = np.random.default_rng(seed)
        found.append(kid(rng.normal(size=(60, 4)), rng.normal(size=(80, 4)) + 0.5))
    values = np.array([m.value for m in found])
    rng = np.random.default_rng(80)
    truth = kid(rng.normal(size=(4000, 4)), rng.normal(size=(4000, 4)) + 0.5).value
    assert abs(values.mean() - truth) < 4 * values.std() / np.sqrt(80) + 0.05 * truth
    inside = np.mean([m.interval[0] < truth < m.interval[1] for m in found])
    assert inside > 0.85


def test_p_values_are_uniform_for_equal_and_small_for_different():
    p = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        one = mmd(
            rng.normal(size=(40, 3)), rng.normal(size=(50, 3)), permutations=99, random_state=seed
        )
        p.append(one.details["p_value"])
    assert 0.35 < np.mean(p) < 0.65
    assert np.mean(np.array(p) <= 0.1) < 0.25
    rng = np.random.default_rng(0)
    far = mmd(rng.normal(size=(100, 3)), 1.8 * rng.normal(size=(100, 3)), permutations=99)
    assert far.details["p_value"] == 0.01
    assert far.interval[0] > 0


def test_permutations_agree_with_relabelled_samples(rng):
    """The product with memberships is what computing each relabelled MMD² would give."""
    from pushforward.metrics.mmd import _permuted, discrepancy, gaussian_mixture

    both, kernel = rng.normal(size=(30, 2)), gaussian_mixture(1.0)
    dealt = _permuted(both, 12, kernel, 5, np.random.default_rng(1))
    member = np.zeros((30, 5))
    member[:12] = 1
    member = np.random.default_rng(1).permuted(member, axis=0) > 0
    for k in range(5):
        again = discrepancy(both[member[:, k]], both[~member[:, k]], kernel).value
        assert dealt[k] == pytest.approx(again, abs=1e-12)


def test_bad_parameters_are_refused(rng):
    X = rng.normal(size=(20, 2))
    with pytest.raises(ParameterError, match="subsets"):
        kid(X, X, subsets=10, subset_size=21)
    with pytest.raises(ParameterError, match="bandwidth"):
        mmd(X, X, bandwidth=0)
    assert np.isfinite(mmd(np.ones((9, 2)), np.ones((9, 2))).value)
