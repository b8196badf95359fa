"""Tables of very many columns: single Gaussians with few parameters, and what they answer."""

import numpy as np
import pytest
from sklearn.covariance import LedoitWolf

import pushforward


def factors(n, d, seed):
    """Rows of five factors and noise of a size of its own in each column."""
    made = np.random.default_rng(0)
    loading, size = made.normal(size=(5, d)), made.uniform(0.5, 2, d)
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, 5)) @ loading + rng.normal(size=(n, d)) * size, size


@pytest.fixture(scope="module")
def wide():
    X, _ = factors(220, 240, 1)
    return pushforward.AutoDensity(random_state=0).fit(X), X


def test_factors_are_found_and_the_density_is_far_above_a_shrunk_gaussian(wide):
    model, X = wide
    new, _ = factors(300, 240, 2)
    shrunk = LedoitWolf().fit(X)
    assert "factors" in model.trials_[0]["structure"]
    assert model.score(new) > shrunk.score(new) + 20
    assert model.held_out_ == pytest.approx(model.score(new), abs=5)


def test_missing_cells_follow_the_factors(wide):
    model, _ = wide
    new, size = factors(20, 240, 3)
    holes = new.copy()
    holes[:, :100] = np.nan
    off = (model.impute(holes, random_state=0) - new)[:, :100]
    # of the noise of a column alone nothing is known, of its factors nearly all
    assert np.sqrt((off**2).mean()) < 1.15 * np.sqrt((size[:100] ** 2).mean())
    assert np.sqrt((new[:, :100] ** 2).mean()) > 1.8 * np.sqrt((off**2).mean())


def test_independent_columns_are_one_gaussian_with_a_diagonal_covariance():
    X = np.random.default_rng(0).normal(size=(150, 210))
    new = np.random.default_rng(1).normal(size=(300, 210))
    model = pushforward.AutoDensity(random_state=0).fit(X)
    assert model.score(new) >= LedoitWolf().fit(X).score(new) - 1.5


def test_of_few_rows_a_single_gaussian_is_pulled_to_its_diagonal_as_far_as_that_helps(all_fits):
    """Covariances of 40 rows of 20 columns were taken as they are, and were -12.7 nats here."""
    r = np.random.default_rng(0)
    X = r.normal(size=(140, 3)) @ r.normal(size=(3, 20)) + 0.2 * r.normal(size=(140, 20))
    train, test = X[:40], X[40:]
    model = pushforward.AutoDensity(random_state=0).fit(train)
    scale = train.std(axis=0)
    shrunk = LedoitWolf().fit(train / scale)
    floor = shrunk.score(test / scale) - np.log(scale).sum()
    assert model.score(test) > floor + 4
    # columns that are sums of others but for the last digits: -171 nats a row
    X[:, 10:] = np.abs(X[:, :10] - X[:, 9:10]).round(15)
    nearly = pushforward.AutoDensity(random_state=0).fit(X[:25])
    assert nearly.held_out_ > -60
