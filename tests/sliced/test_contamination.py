"""Outliers among the training rows: found, kept out of the density, saved with the model."""

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

import pushforward
from pushforward import GIS, AutoDensity
from pushforward.transport import Rows, TrimmedPair


def polluted(share, seed=0, n=600):
    """Two clusters of normal rows among outliers scattered around them: rows, is_outlier."""
    r = np.random.default_rng(seed)
    bad = round(share * n)
    normal = r.normal(size=(n - bad, 4)) * [1.0, 0.5, 0.2, 1.0]
    normal[: len(normal) // 2] += [3.0, 0.0, 0.0, -2.0]
    outliers = r.normal(size=(bad, 4)) * [6.0, 4.0, 3.0, 6.0]
    rows = np.concatenate([normal, outliers])
    order = r.permutation(n)
    return rows[order], (np.arange(n) >= n - bad)[order]


def as_rows(x):
    x = torch.from_numpy((x - x.mean(0)) / x.std(0))
    none = torch.zeros(x.shape[1], dtype=torch.bool)
    return Rows(x, None, torch.zeros(len(x)).double(), none, 0.0 * x[0], 0.0 * x[0] + 1)


@pytest.mark.parametrize("share", [0.05, 0.2, 0.35])
def test_the_trimmed_pair_ranks_scattered_outliers_last(share):
    x, outlier = polluted(share)
    rows = as_rows(x)
    assert roc_auc_score(outlier, -TrimmedPair.fit(rows).score(rows.x)) > 0.97


def test_rows_kept_follow_the_contamination_asked_for():
    rows = as_rows(polluted(0.1)[0])
    pair = TrimmedPair.fit(rows)
    scores = pair.score(rows.x)
    assert int(pair.inliers(scores, 0.1).sum()) == 540
    clean = as_rows(polluted(0.0)[0])
    pair = TrimmedPair.fit(clean)
    assert float(pair.inliers(pair.score(clean.x), None).double().mean()) > 0.97


@pytest.mark.parametrize("cls", [GIS, AutoDensity])
def test_the_density_is_of_the_rows_without_the_outliers(cls):
    x, outlier = polluted(0.2)
    fresh, _ = polluted(0.0, seed=1)
    robust = cls(contamination="auto", random_state=0).fit(x)
    plain = cls(random_state=0).fit(x)
    assert roc_auc_score(outlier, -robust.decision_function(x)) > 0.97
    assert robust.score(fresh) > plain.score(fresh) + 0.1
    assert robust.score(x[outlier]) < plain.score(x[outlier]) - 1


def test_a_number_labels_that_share_and_saving_keeps_the_detector(tmp_path):
    x, _ = polluted(0.1)
    model = GIS(contamination=0.1, max_layers=3, random_state=0).fit(x)
    assert int((model.predict(x) == -1).sum()) == 60
    again = pushforward.load(model.save(tmp_path / "model"))
    assert (again.decision_function(x) == model.decision_function(x)).all()
    assert again.contamination == 0.1


def test_too_few_rows_for_a_core_fall_back_on_the_density():
    x, _ = polluted(0.1, n=15)
    model = AutoDensity(contamination=0.2, random_state=0).fit(x)
    assert model.detector_ is None
    assert int((model.predict(x) == -1).sum()) == 3
