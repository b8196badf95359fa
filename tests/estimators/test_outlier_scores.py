"""The threshold of ``predict``: as many false alarms as are allowed."""

import math

import pytest
import torch

from pushforward.estimators.outlier_scores import conformal_threshold


@pytest.mark.parametrize(
    ("rate", "count", "threshold"),
    [
        (0.05, 99, 5.0),  # the fifth smallest of 1 to 99: a new score is below it in 5 of 100
        (0.05, 109, 5.5),  # between the fifth and the sixth
        (0.01, 30, 1.0),  # no score is low enough: the smallest
        (1.0, 9, 9.0),
        (0.05, 1, 1.0),
    ],
)
def test_the_threshold_is_the_conformal_quantile(rate, count, threshold):
    scores = 1.0 + torch.randperm(count, generator=torch.Generator().manual_seed(0)).double()
    assert conformal_threshold(scores, rate) == pytest.approx(threshold)


def test_a_threshold_among_scores_of_no_density_is_a_number():
    scores = torch.tensor([-math.inf, 1.0]).double()
    assert conformal_threshold(scores, 0.5) == -math.inf


def test_new_rows_are_below_as_often_as_asked():
    rate, below = 0.05, []
    for seed in range(400):
        scores = torch.rand(50, generator=torch.Generator().manual_seed(seed)).double()
        # the share of the uniform law below a threshold is the threshold
        below.append(conformal_threshold(scores, rate))
    assert sum(below) / len(below) == pytest.approx(rate, abs=0.006)
