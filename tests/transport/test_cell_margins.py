"""Probabilities of whole numbers: sums, means and rows left out."""

import math

import numpy as np
import pytest
import torch

from pushforward.transport.cell_margins import CellMargins


def fitted(values):
    x = torch.as_tensor(np.asarray(values, dtype=np.float64))[None] + 0.5
    one = torch.ones(1, dtype=torch.float64)
    return CellMargins.fit(x, 0 * one, one)


def mean_of(margins):
    cells = float(margins.first) + torch.arange(margins.mass.shape[1])
    return float((margins.mass[0] * cells).sum() / margins.mass.sum())


def mean_nats(margins, values):
    index = torch.as_tensor(values) - int(margins.first)
    inside = (index >= 0) & (index < margins.mass.shape[1])
    return float(margins.mass[0, index[inside]].log().mean())


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    "draw",
    [
        lambda r: np.round(np.exp(r.normal(1.0, 0.9, 207)) / 0.2),  # scores with a long tail
        lambda r: np.round(r.normal(2200, 550, 300)),  # prices
        lambda r: np.append(r.poisson(3.0, 200), 400),  # counts, and one far out
        lambda r: r.geometric(0.02, 150),
    ],
)
def test_what_is_seldom_is_not_spread_over_all_cells_from_the_least_to_the_largest(draw, seed):
    # evenly spread pseudo-counts drew means to the middle of the range, by up to 50 errors
    values = draw(np.random.default_rng(seed))
    margins = fitted(values)
    error = values.std() / math.sqrt(len(values))
    assert mean_of(margins) == pytest.approx(values.mean(), abs=2 * error)
    total = margins.mass.sum() + margins.tails.log_mass.exp().sum()
    assert float(total) == pytest.approx(1)


def test_fresh_rows_are_more_probable_than_by_even_pseudo_counts():
    r = np.random.default_rng(0)
    values, fresh = (np.round(r.normal(2200, 550, n)).astype(int) for n in (300, 5000))
    even = 1 / (values.max() - values.min() + 1)
    assert mean_nats(fitted(values), fresh) > math.log(even) + 0.2
    # where all values are seen often there is nothing to tell apart
    dice = r.integers(1, 7, 600)
    count = np.bincount(dice)[1:]
    np.testing.assert_allclose(fitted(dice).mass[0], count / count.sum(), atol=0.01)
