"""Detection: figures as scikit-learn has them, intervals that cover, scores that mend others."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

from pushforward.errors import DataError, ParameterError
from pushforward.metrics import (
    auroc,
    average_precision,
    fpr_at_95,
    input_complexity,
    typicality,
)


@pytest.mark.parametrize("levels", [3, 1000])
def test_equal_scikit_learn_with_ties(rng, levels):
    inside = rng.integers(0, levels, 200) + 0.3 * levels
    outside = rng.integers(0, levels, 90).astype(float)
    scores, positive = -np.concatenate([inside, outside]), np.repeat([0, 1], [200, 90])
    assert auroc(inside, outside).value == pytest.approx(roc_auc_score(positive, scores), rel=1e-9)
    expected = average_precision_score(positive, scores)
    assert average_precision(inside, outside).value == pytest.approx(expected, rel=1e-9)


def test_fpr_at_95_is_a_point_of_the_curve(rng):
    inside, outside = rng.normal(size=400), rng.normal(size=300) - 1
    positive = np.repeat([1, 0], [400, 300])
    false, true, _ = roc_curve(
        positive, np.concatenate([inside, outside]), drop_intermediate=False
    )
    assert fpr_at_95(inside, outside).value == pytest.approx(false[np.argmax(true >= 0.95)])


def test_delong_interval_covers():
    truth = 0.7602  # Phi(1 / sqrt 2)
    inside = []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        low, high = auroc(rng.normal(size=60), rng.normal(size=40) - 1).interval
        inside.append(low < truth < high)
    assert 0.9 < np.mean(inside) <= 0.99


def test_perfect_separation_has_an_honest_interval():
    found = auroc(np.arange(10.0, 20), np.arange(10.0))
    assert found.value == 1
    assert 0.6 < found.interval[0] < 0.9
    assert found.interval[1] == 1
    assert auroc([1.0, 1.0], [1.0, 1.0]).value == 0.5


def test_typicality_finds_what_scores_above(rng):
    train, inside, outside = rng.normal(size=500), rng.normal(size=300), rng.normal(size=300) + 4
    assert auroc(inside, outside).value < 0.1
    assert auroc(typicality(train, inside), typicality(train, outside)).value > 0.9
    faint = rng.normal(size=300) + 1
    single = auroc(typicality(train, inside), typicality(train, faint)).value
    grouped = [typicality(train, x, group=10) for x in (inside, faint)]
    assert auroc(*grouped).value > single + 0.2
    levels = typicality(np.stack([train, train], 1), np.stack([inside, faint], 1))
    np.testing.assert_allclose(levels[:, 0], typicality(train, inside))
    with pytest.raises(ParameterError, match="group"):
        typicality(train, inside, group=301)


def test_input_complexity_undoes_the_preference_for_simple_images(rng):
    noise = rng.integers(0, 256, (40, 1, 16, 16), dtype=np.uint8)
    flat = np.repeat(rng.integers(0, 256, (40, 1, 1, 1), dtype=np.uint8), 256, 0).reshape(
        40, 1, 16, 16
    )
    likes_flat = np.where(np.arange(80) < 40, -900.0, -400.0) + rng.normal(size=80)
    assert auroc(likes_flat[:40], likes_flat[40:]).value == 0
    mended = input_complexity(np.concatenate([noise, flat]), likes_flat)
    assert auroc(mended[:40], mended[40:]).value == 1
    colour = input_complexity(np.repeat(noise, 3, axis=1), likes_flat[:40])
    assert (colour >= mended[:40] - 1).all()
    with pytest.raises(DataError, match="uint8"):
        input_complexity(noise.astype(float), likes_flat[:40])


def test_a_score_that_is_not_finite_is_refused():
    with pytest.raises(DataError, match="row 1"):
        auroc([1.0, np.inf], [0.0])
