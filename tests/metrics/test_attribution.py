"""The cells a forest goes by are those that are wrong."""

import numpy as np
import pytest

from pushforward.errors import DataError
from pushforward.metrics.attribution import attribute_cells


def test_the_rows_and_cells_that_are_wrong_are_found(rng):
    real, generated = rng.normal(size=(2, 600, 4))
    wrong = np.arange(600) < 200
    generated[wrong, 2] += 6
    found = attribute_cells(real, generated, n=300)
    assert found.cells.shape == (300, 4)
    seen = wrong[found.rows]
    assert seen.any()
    # of the lowest wrong values some share a bin of the forest with the highest right ones
    assert np.quantile(found.log_odds[seen], 0.1) > found.log_odds[~seen].max()
    assert (found.cells[seen].argmax(axis=1) == 2).mean() > 0.9
    assert found.columns.sum() == pytest.approx(1)
    assert found.columns.argmax() == 2


def test_two_cells_that_do_not_go_together_both_add(rng):
    first = rng.integers(0, 2, 800)
    real = np.stack([first, first, rng.integers(0, 2, 800)], axis=1)
    generated = real.copy()
    generated[::2, 1] = 1 - generated[::2, 1]
    found = attribute_cells(real, generated)
    torn = found.cells[found.rows % 2 == 0].mean(axis=0)
    assert min(torn[0], torn[1]) > 1
    assert abs(torn[2]) < 0.3


def test_it_repeats_itself_and_refuses_few_rows(rng):
    real, generated = rng.normal(size=(2, 90, 2))
    one, two = (attribute_cells(real, generated, random_state=3) for _ in range(2))
    assert np.array_equal(one.cells, two.cells)
    with pytest.raises(DataError, match="at least 25"):
        attribute_cells(real[:10], generated)
