"""The Inception score where it is known: sure answers, even ones, and the mean of splits."""

import numpy as np
import pytest

from pushforward.errors import DataError, ParameterError
from pushforward.metrics import inception_score


@pytest.mark.parametrize("classes", [2, 5])
def test_sure_answers_of_all_classes_score_the_number_of_classes(classes):
    measure = inception_score(np.tile(np.eye(classes), (80, 1)), splits=4)
    assert measure.value == pytest.approx(classes)
    assert measure.details["bias"] == pytest.approx(0, abs=1e-9)


def test_one_answer_for_all_scores_one():
    p = np.tile([0.7, 0.2, 0.1], (40, 1))
    measure = inception_score(p, splits=4)
    assert measure.value == pytest.approx(1)
    assert measure.interval[0] == 1.0


def test_the_score_is_the_exponential_of_the_mutual_information():
    p = np.tile([[0.9, 0.1], [0.1, 0.9]], (100, 1))
    information = np.log(2) + 0.9 * np.log(0.9) + 0.1 * np.log(0.1)
    assert inception_score(p, splits=2).value == pytest.approx(np.exp(information))


def test_small_splits_warn_of_their_bias(rng):
    p = rng.dirichlet(np.full(50, 0.05), size=200)
    few, many = inception_score(p, splits=20), inception_score(p, splits=2)
    assert few.value < many.value
    assert few.details["bias"] < 0
    assert any("Splits of 10 rows" in text for text in few.warnings)


def test_what_is_no_probability_is_refused():
    with pytest.raises(DataError, match="sum to 1"):
        inception_score(np.full((40, 3), 0.5))
    with pytest.raises(ParameterError, match="splits is 20 and there are 40 rows"):
        inception_score(np.tile(np.eye(2), (20, 1)), splits=20)
