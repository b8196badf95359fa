"""Outlier scores from normal training rows: what each view finds, p-values, neighbours."""

import numpy as np
import pytest
import torch
from sklearn.neighbors import LocalOutlierFactor

from pushforward.transport import Novelty, Rows
from pushforward.transport.novelty_score import _Neighbours


def rows_of(x):
    return Rows.continuous(torch.from_numpy(x))


def fit(x, seed=0):
    detector, normal = Novelty.fit(rows_of(x), seed)
    return lambda q: detector.score(torch.from_numpy(q), torch.zeros(len(q)).double()), normal


def correlated(r, n):
    return r.normal(size=(n, 5)) @ np.linalg.qr(r.normal(size=(5, 5)))[0] * [2, 1, 1, 0.5, 0.1]


def test_scores_of_held_out_rows_are_those_of_new_normal_rows():
    r = np.random.default_rng(0)
    x = correlated(r, 3000)
    score, normal = fit(x[:1000])
    for share in (0.02, 0.05, 0.2):
        found = float((score(x[1000:]) < torch.quantile(normal, share)).double().mean())
        error = (share * (1 - share) * (1 / 1000 + 1 / 2000)) ** 0.5
        assert found == pytest.approx(share, abs=3 * error)


def test_mean_log_p_of_normal_rows_is_that_of_uniform_p():
    """Each view's p-values are uniform above the tail, where they are ranks: E log p = -1."""
    r = np.random.default_rng(1)
    x = correlated(r, 3000)
    score, _ = fit(x[:1000])
    assert float(score(x[1000:]).mean()) == pytest.approx(-1.0, abs=0.1)


@pytest.mark.parametrize("column", ["own", "plain", "cubed"])
def test_finds_rows_that_are_odd_by_correlation_or_extent(column):
    r = np.random.default_rng(2)
    along = r.normal(size=1200)
    x = np.stack([along, along + 0.1 * r.normal(size=1200), r.normal(size=1200)], 1)
    odd = {"own": [0.5, -0.5, 0.0], "plain": [5.0, 5.0, 0.0], "cubed": [0.0, 0.0, 6.0]}[column]
    if column == "cubed":
        x[:, 2], odd[2] = x[:, 2] ** 3, 6.0**3
    x, odd = x / x.std(0), np.array([odd]) / x.std(0)
    score, _ = fit(x[:800])
    assert float(score(odd)) < float(torch.quantile(score(x[800:]), 0.02))


def test_finds_a_row_between_clusters():
    r = np.random.default_rng(6)
    x = r.normal(size=(1200, 2)) * 0.2 + 2 * r.integers(-1, 2, size=(1200, 1))
    score, _ = fit(x[:800])
    assert float(score(np.array([[1.0, 1.0]]))) < float(torch.quantile(score(x[800:]), 0.01))


def test_neighbours_agree_with_scikit_learn():
    r = np.random.default_rng(3)
    x, q = r.normal(size=(300, 4)), r.normal(size=(1100, 4)) * 2
    theirs = LocalOutlierFactor(10, novelty=True).fit(x)
    ours = _Neighbours(torch.from_numpy(x))
    np.testing.assert_allclose(ours.score(torch.from_numpy(q)), theirs.score_samples(q), rtol=1e-6)
    own = ours.score(torch.from_numpy(x), itself=True)
    np.testing.assert_allclose(own, theirs.negative_outlier_factor_, rtol=1e-6)


@pytest.mark.parametrize("n", [20, 21, 40])
def test_few_rows_copies_and_far_rows_have_finite_scores(n):
    r = np.random.default_rng(4)
    x = np.repeat(r.normal(size=(n, 3)), 2, axis=0)
    x[: n // 2] = x[0]
    score, normal = fit(x)
    assert bool(normal.isfinite().all())
    far = np.concatenate(
        [x, 1e6 * r.normal(size=(5, 3)), 1e140 * np.ones((1, 3)), 1e300 * np.ones((1, 3))]
    )
    assert bool(score(far).isfinite().all())
    assert float(score(far)[-7:].max()) < float(score(far)[:-7].min())


def test_tensors_rebuild_the_detector_and_wrong_ones_are_refused():
    r = np.random.default_rng(5)
    x = correlated(r, 200)
    detector, _ = Novelty.fit(rows_of(x))
    state = {k: v.clone() for k, v in detector.state_dict().items()}
    q, zero = torch.from_numpy(3 * correlated(r, 50)), torch.zeros(50).double()
    assert torch.equal(Novelty.from_state(state).score(q, zero), detector.score(q, zero))
    for name, value in {
        "level": state["level"].flip(1),
        "scale": -state["scale"],
        "reference": state["reference"][:, :2],
    }.items():
        with pytest.raises(ValueError, match=r"rise|belong"):
            Novelty.from_state({**state, name: value})
