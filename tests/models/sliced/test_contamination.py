"""Outliers among the training rows: found, kept out of the density, saved with the model."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import roc_auc_score

import pushforward
from pushforward import GIS, AutoDensity
from pushforward.transport import Rows, TrimmedPair
from pushforward.transport.trimmed_density import held_out_normal


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
    return Rows.continuous(torch.from_numpy((x - x.mean(0)) / x.std(0)))


@pytest.mark.parametrize("share", [0.05, 0.2, 0.35])
def test_the_trimmed_pair_ranks_scattered_outliers_last(share):
    x, outlier = polluted(share)
    rows = as_rows(x)
    assert roc_auc_score(outlier, -TrimmedPair.fit(rows).score(rows.x, rows.log_det)) > 0.97


@pytest.mark.parametrize("share", [0.0, 0.2])
def test_outliers_that_lie_apart_are_not_among_the_normal_rows(share):
    x, outlier = polluted(share, n=1000)
    normal, scores = held_out_normal(as_rows(x))
    left_out = np.setdiff1d(np.arange(len(x)), normal)
    assert len(scores) == len(normal) == len(x) - len(left_out)
    assert (normal.diff() > 0).all()
    assert outlier[left_out].all()
    assert len(left_out) >= 0.85 * outlier.sum()


@pytest.mark.parametrize("kind", ["lognormal", "student", "rare group"])
def test_long_tails_and_rare_groups_are_no_outliers(kind):
    def draw(n, r):
        z = r.normal(size=(n, 3)) @ [[1, 0.8, 0], [0, 1, 0], [0, 0, 1]]
        if kind == "lognormal":
            return np.exp(1.2 * z)
        if kind == "student":
            return z / np.sqrt(r.chisquare(3, size=(n, 1)) / 3)
        return z * (1 + 3 * (r.random((n, 1)) < 0.15))

    r = np.random.default_rng(0)
    model = GIS(contamination="auto", max_layers=1, random_state=0).fit(draw(1000, r))
    alarms = float((model.predict(draw(8000, r)) == -1).mean())
    assert alarms == pytest.approx(0.05, abs=3 * np.sqrt(0.05 * 0.95 * (1 / 1000 + 1 / 8000)))


@pytest.mark.parametrize("seed", [1, 9])
def test_columns_that_are_mostly_one_value_raise_no_alarms(seed):
    """Three groups, of which the most common has zeros alone in six of ten columns."""

    def draw(n, r):
        group = r.choice(3, n, p=[0.7, 0.2, 0.1])
        columns = {}
        for j in range(6):
            on = (group == 1 + j % 2) & (r.random(n) < 0.8)
            columns[f"discount {j}"] = np.where(on, r.choice([0.1, 0.2, 0.3, 0.4], n), 0.0)
        for j in range(4):
            columns[f"number {j}"] = np.round(r.normal(size=n) + group * (j % 2), 2)
        return pd.DataFrame(columns)

    r = np.random.default_rng(seed)
    few, fresh = draw(150, r), draw(2000, r)
    model = GIS(contamination="auto", max_layers=1, random_state=seed).fit(few)
    alarms = float((model.predict(fresh) == -1).mean())
    assert alarms == pytest.approx(0.05, abs=3 * np.sqrt(0.05 * 0.95 * (1 / 150 + 1 / 2000)))


def test_twenty_rows_have_a_threshold_that_none_of_them_bends():
    x, _ = polluted(0.0, n=20)
    normal, scores = held_out_normal(as_rows(x))
    assert normal.tolist() == list(range(20))
    assert bool(scores.isfinite().all())


@pytest.mark.parametrize("cls", [GIS, AutoDensity])
def test_the_density_is_of_the_rows_without_the_outliers(cls):
    x, outlier = polluted(0.2, n=300)
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


@pytest.mark.parametrize("cls", [GIS, AutoDensity])
def test_novelty_keeps_the_density_and_the_asked_rate_of_false_alarms(cls, tmp_path):
    x, _ = polluted(0.0, n=400)
    fresh, odd = polluted(0.2, seed=1, n=4000)
    plain = cls(random_state=0).fit(x)
    novelty = cls(contamination=0, false_alarm_rate=0.1, random_state=0).fit(x)
    assert (novelty.score_samples(fresh) == plain.score_samples(fresh)).all()
    assert float((novelty.predict(fresh[~odd]) == -1).mean()) == pytest.approx(0.1, abs=0.05)
    assert roc_auc_score(odd, -novelty.decision_function(fresh)) > 0.97
    again = pushforward.load(novelty.save(tmp_path / "model"))
    assert (again.decision_function(fresh) == novelty.decision_function(fresh)).all()


def test_novelty_takes_discrete_constant_and_repeated_columns_and_weights():
    x, _ = polluted(0.0, n=200)
    whole = np.random.default_rng(0).integers(0, 3, size=(200, 1))
    x = np.concatenate([x, x[:, :1], whole, np.ones((200, 1))], axis=1)
    weight = np.random.default_rng(1).integers(1, 4, size=200)
    model = GIS(contamination=0, max_layers=3, random_state=0).fit(x, sample_weight=weight)
    scores = model.decision_function(np.concatenate([x, x + 100.0 * (np.arange(7) < 5)]))
    assert np.isfinite(scores).all()
    assert scores[200:].max() < 0


def test_too_few_rows_for_novelty_fall_back_on_the_density():
    x, _ = polluted(0.0, n=15)
    model = AutoDensity(contamination=0.0, random_state=0).fit(x)
    assert model.detector_ is None
    assert (model.decision_function(x) == model.score_samples(x) - model.offset_).all()


@pytest.mark.parametrize("share", [0.0, 0.2])
def test_new_normal_rows_are_called_outliers_as_often_as_asked(share):
    def normal(n, r):
        x = r.normal(size=(n, 5)) * (1 + 0.5 * r.integers(0, 3, size=(n, 1)))
        x[:, 0] = np.exp(x[:, 0] / 2)  # scores have a long tail of rows that are no outliers
        return x

    r = np.random.default_rng(0)
    x = normal(1500, r)
    bad = round(share * len(x))
    x[:bad] = x.mean(0) + 6 * x.std(0) * r.normal(size=(bad, 5))
    model = GIS(contamination="auto", max_layers=1, random_state=0).fit(x)
    alarms = float((model.predict(normal(4000, r)) == -1).mean())
    # the threshold is the 75th of 1,500 rows: three deviations of what it lets through
    assert abs(alarms - 0.05) < 3 * np.sqrt(0.05 * 0.95 * (1 / (1500 - bad) + 1 / 4000)) + 0.01


@pytest.mark.parametrize("contamination", [None, 0, "auto", 0.1])
def test_the_unit_of_a_column_with_zeros_makes_no_outliers(contamination):
    """Rain in metres, in which its density is ten thousand times that in tenths of millimetres."""

    def draw(n, seed):
        z = np.random.default_rng(seed).normal(size=(n, 3))
        rain = np.where(z[:, 2] < -0.5, 0.0, np.exp(0.5 * z[:, 0]))
        return np.column_stack([rain, z[:, 1], z[:, 1] + 0.3 * z[:, 2]])

    few, fresh = draw(500, 0), draw(2000, 1)
    found = []
    for unit in (1e-4, 1.0, 1e4):
        rows = [X * [unit, 1, 1] for X in (few, fresh)]
        model = GIS(contamination=contamination, max_layers=1, random_state=0).fit(rows[0])
        found.append(model.decision_function(rows[1]))
        labels = np.where(found[-1] < 0, -1, 1)
        np.testing.assert_array_equal(model.predict(rows[1]), labels)
    for other in (found[0], found[2]):  # the noise in the cells is another
        assert ((other < 0) != (found[1] < 0)).mean() < 0.01
        assert np.corrcoef(other, found[1])[0, 1] > 0.99
