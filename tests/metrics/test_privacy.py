"""Memory: found where rows are copied, and nobody is accused of what chance does."""

import numpy as np
import pytest

import pushforward
from pushforward.metrics import nearest_neighbour_privacy


def law(rng, n, d):
    return rng.normal(size=(n, d))


#: Samples that know nothing of the training rows.
INNOCENT = {
    "fresh": lambda rng, n, d: law(rng, n, d),
    "one point": lambda rng, n, d: np.repeat(law(rng, 1, d), n, axis=0),
    "collapsed": lambda rng, n, d: law(rng, 5, d)[rng.integers(5, size=n)] + 0.01 * law(rng, n, d),
    "blurred": lambda rng, n, d: 0.2 * law(rng, n, d),  # all share the rows nearest the middle
    "duplicated": lambda rng, n, d: np.repeat(law(rng, n // 10, d), 10, axis=0),
}


@pytest.mark.parametrize("name", INNOCENT)
def test_the_test_holds_its_level(name):
    found = [
        nearest_neighbour_privacy(law(rng, 200, d), law(rng, 200, d), INNOCENT[name](rng, 200, d))
        for d in (2, 64)
        for rng in map(np.random.default_rng, range(30))
    ]
    accused = sum(f.details["memorised"] for f in found)
    assert accused <= 4  # of 60 at 2.5 %: more has a probability of 2 %
    assert accused == sum(bool(f.warnings) for f in found)
    inside = np.mean([f.interval[0] <= 0.5 <= f.interval[1] for f in found])
    assert inside > 0.85


@pytest.mark.parametrize("d", [2, 16, 256])
def test_one_copy_in_a_hundred_is_found(d):
    for seed in range(5):
        rng = np.random.default_rng(seed)
        train, held_out, samples = (law(rng, n, d) for n in (500, 500, 1000))
        samples[:10] = train[:10]
        caught = nearest_neighbour_privacy(train, held_out, samples)
        assert caught.details["memorised"]
        assert caught.details["copies"] == pytest.approx(0.01)
        assert "remembers" in caught.warnings[0]
        assert not nearest_neighbour_privacy(held_out, train, samples).details["memorised"]


def test_rows_are_counted_once_however_often_they_are_copied():
    rng = np.random.default_rng(0)
    train, held_out, samples = (law(rng, n, 8) for n in (300, 300, 300))
    samples[:150] = train[0]
    found = nearest_neighbour_privacy(train, held_out, samples)
    assert found.value > 0.7
    assert found.interval[0] < 0.5  # one row of one side: it could as well have been the other
    assert not found.details["memorised"]


def test_repeated_rows_are_one_place():
    rng = np.random.default_rng(0)
    train, held_out, samples = (np.round(law(rng, 400, 3)) for _ in range(3))
    assert not nearest_neighbour_privacy(train, held_out, samples).details["memorised"]
    train, held_out, samples = law(rng, 200, 3), law(rng, 400, 3), law(rng, 400, 3)
    samples[:40] = train[:40]
    twice = nearest_neighbour_privacy(np.repeat(train, 2, axis=0), held_out, samples)
    assert twice.details["memorised"]


def test_noise_around_training_rows_is_memory():
    rng = np.random.default_rng(0)
    train, held_out = law(rng, 400, 16), law(rng, 400, 16)
    samples = train + 0.5 * law(rng, 400, 16)
    found = nearest_neighbour_privacy(train, held_out, samples)
    assert found.details["memorised"]
    assert found.details["copies"] == 0


@pytest.mark.parametrize("d", [8, 64])
def test_a_model_that_fits_its_rows_too_well_remembers_none(d):
    """The moments of few rows lean towards these rows; none of them is copied."""
    for seed in range(4):
        rng = np.random.default_rng([d, seed])
        train, held_out = rng.normal(size=(2, 300, d))
        factor = np.linalg.cholesky(np.cov(train.T))
        samples = rng.normal(size=(300, d)) @ factor.T + train.mean(axis=0)
        found = nearest_neighbour_privacy(train, held_out, samples, random_state=seed)
        assert not found.details["memorised"]
        assert found.value > 0.5 or d == 8  # it does lean


def test_sliced_flows_of_few_images_lean_and_copy_nothing():
    """By four layers of SIG; medians of distances are a third above those of new images."""
    X = pushforward.open_images("digits").images[:][:, 0]
    order = np.random.default_rng(0).permutation(len(X))
    train, held_out = X[order[:898]], X[order[898:]]
    samples = pushforward.SIG(layers=4, random_state=0).fit(train).sample(898, random_state=0)
    flat = [x.reshape(len(x), -1).astype(float) for x in (train, held_out, samples)]
    found = nearest_neighbour_privacy(*flat)
    told = found.details
    assert not told["memorised"]
    assert told["copies"] == 0
    assert told["median_distance_to_train"] > 1.2 * told["median_distance_held_out_to_train"]
    noisy = flat[0][:200] + 10 * np.random.default_rng(1).normal(size=(200, 64))
    assert nearest_neighbour_privacy(flat[0], flat[1], noisy).details["memorised"]
