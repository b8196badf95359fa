"""The noise of a row: uniform, independent, and its own."""

import numpy as np
from scipy import stats

from pushforward.data.tables.dequantisation import row_keys, uniforms

ROWS = np.stack(np.meshgrid(np.arange(100.0), np.arange(50.0)), -1).reshape(-1, 2)


def test_uniform():
    keys = row_keys(ROWS)
    assert len(np.unique(keys)) == len(ROWS)
    for coordinate in range(3):
        for draw in (0, 1, 10**12):
            u = uniforms(keys, coordinate, draw)
            assert u.min() >= 0
            assert u.max() < 1
            assert stats.kstest(u, "uniform").pvalue > 1e-3


def test_coordinates_draws_and_neighbours_are_independent():
    keys = row_keys(ROWS)
    streams = [uniforms(keys, c, d) for c in range(4) for d in range(4)]
    streams += [ROWS[:, 0], ROWS[:, 1], np.roll(streams[0], 1)]
    correlation = np.corrcoef(streams)
    correlation[-3, -2] = correlation[-2, -3] = 0
    off = correlation - np.diag(np.diag(correlation))
    assert np.abs(off).max() < 5 / np.sqrt(len(ROWS))
    table = np.histogram2d(streams[0], streams[1], bins=8)[0]
    assert stats.chisquare(table.ravel()).pvalue > 1e-3


def test_key_is_that_of_the_row_and_of_the_order_of_its_values():
    assert np.array_equal(row_keys(ROWS)[::-7], row_keys(ROWS[::-7]))
    assert not np.array_equal(row_keys(ROWS), row_keys(ROWS[:, ::-1]))
    assert row_keys(np.array([[0.0]])) == row_keys(np.array([[-0.0]]))
