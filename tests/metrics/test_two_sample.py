"""The classifier test: calibrated when nothing differs, sensitive when something does."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from pushforward.errors import DataError, ParameterError
from pushforward.metrics import bits_per_dimension, classifier_two_sample, nats_per_row


def test_p_values_hold_for_equal_distributions():
    p = [
        classifier_two_sample(
            *np.random.default_rng(seed).normal(size=(2, 60, 3)),
            classifier="logistic",
            random_state=seed,
        ).details["p_value"]
        for seed in range(40)
    ]
    assert np.mean(np.array(p) < 0.1) < 0.3


@pytest.mark.parametrize("classifier", ["boosting", "neighbours"])
def test_areas_grow_with_the_difference(rng, classifier):
    real = rng.normal(size=(150, 4))
    scales = [1.0, 1.5, 3.0]
    areas = [
        classifier_two_sample(real, s * rng.normal(size=(150, 4)), classifier=classifier).value
        for s in scales
    ]
    assert areas == sorted(areas)
    assert areas[2] > 0.85


def test_a_classifier_of_the_user_and_unequal_sizes(rng, all_fits):
    real, generated = rng.normal(size=(400, 2)), rng.normal(size=(100, 2)) + 1
    found = classifier_two_sample(real, generated, classifier=LogisticRegression())
    assert found.details["classifier"] == "LogisticRegression"
    assert found.details["n_real"] == found.details["n_generated"] == 100
    assert found.value > 0.75
    with pytest.raises(ParameterError, match="Expected one of"):
        classifier_two_sample(real, generated, classifier="forest")
    with pytest.raises(DataError, match="at least 25"):
        classifier_two_sample(real[:20], generated)


def test_likelihoods(rng):
    scores = rng.normal(size=1000) - 5
    found = nats_per_row(scores)
    assert found.value == pytest.approx(scores.mean())
    assert found.interval[0] < -5 < found.interval[1]
    assert bits_per_dimension(np.full(9, -784 * np.log(4)), 784).value == pytest.approx(2)
    with pytest.raises(DataError, match="not finite"):
        nats_per_row([1.0, -np.inf])
