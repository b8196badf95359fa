"""Columns whose numbers are straight functions of others stay off the logarithmic scale."""

import numpy as np
import pandas as pd
import pytest

import pushforward
from pushforward.data import Columns
from pushforward.data.tables.straight_relations import bent_relations


def scales(frame, **options):
    found = Columns.learn(frame, **options).columns.columns
    return [column.logarithm is not None for column in found]


def shares(n=400, seed=0):
    """Shares of a budget, which sum to one but for a little, and what is spent."""
    r = np.random.default_rng(seed)
    parts = np.exp(1.5 * r.normal(size=(n, 6)))
    parts /= parts.sum(axis=1, keepdims=True)
    parts[:, 5] += 0.002 * r.normal(size=n)
    frame = pd.DataFrame(parts, columns=list("abcdef")).clip(lower=1e-4)
    return frame.assign(spent=np.exp(7 + 1.5 * r.normal(size=n)))


def test_shares_that_sum_to_one_are_straight_and_what_is_spent_is_not():
    frame = shares()
    alone = [scales(frame[[name]])[0] for name in frame]
    assert all(alone)
    assert scales(frame) == [*[False] * 6, True]
    notes = [entry["note"] for entry in Columns.learn(frame).columns.describe()]
    assert ["logarithmic" in note for note in notes] == [*[False] * 6, True]
    assert notes[0].startswith("samples are")


def test_factors_of_each_other_stay_on_the_scale_with_gaps_and_weights_too():
    r = np.random.default_rng(0)
    size = np.exp(2 * r.normal(size=300))
    frame = pd.DataFrame(
        {"size": size, "price": 30 * size**0.8 * np.exp(0.1 * r.normal(size=300))}
    )
    assert scales(frame) == [True, True]
    gaps = frame.mask(r.random(frame.shape) < 0.2)
    gaps = gaps[gaps.notna().any(axis=1)]
    assert scales(gaps, missing="model") == [True, True]
    assert scales(frame, sample_weight=r.random(300) + 0.1) == [True, True]


def test_copies_of_rows_count_like_weights():
    frame = shares(120, seed=1)
    weight = np.arange(120) % 3 + 1.0
    copies = frame.loc[np.repeat(frame.index, weight.astype(int))].reset_index(drop=True)
    assert scales(frame, sample_weight=weight) == scales(copies)


def test_too_few_rows_and_none_say_nothing():
    x = {0: np.arange(5.0), 1: np.arange(5.0) ** 2, 2: np.ones(5)}
    on_scale = {0: (np.arange(5.0), np.zeros(5))}
    assert bent_relations(x, on_scale, None) == []
    assert bent_relations({}, {}, None) == []


def test_samples_of_shares_sum_to_one():
    model = pushforward.AutoDensity(random_state=0).fit(shares())
    total = model.sample(1000, random_state=0)[list("abcdef")].sum(axis=1)
    assert total.mean() == pytest.approx(1, abs=0.02)
    assert (total - 1).abs().quantile(0.75) < 0.02
