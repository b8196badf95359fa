"""Random numbers of rows: even, apart, and the same in any batch."""

import numpy as np
import pytest
import torch
from scipy import stats

from pushforward.transport.row_noise import RowNoise


def rows(n):
    return torch.arange(float(n)).double()[:, None]


def test_numbers_are_even_and_normal_over_rows_draws_and_calls():
    noise = RowNoise.of(rows(3000), 0)
    first, second = noise.uniform(), noise.uniform()
    draws = RowNoise.of(rows(1), 0).spread(3000)
    for u in (first, second, draws.uniform(), draws.uniform()):
        assert float(u.min()) > 0
        assert float(u.max()) < 1
        assert stats.kstest(u.numpy(), "uniform").pvalue > 1e-3
    assert abs(float(torch.corrcoef(torch.stack([first, second]))[0, 1])) < 0.08
    assert abs(float(torch.corrcoef(torch.stack([first[1:], first[:-1]]))[0, 1])) < 0.08
    z = noise.normal(4)
    assert stats.kstest(z.flatten().numpy(), "norm").pvalue > 1e-3
    assert noise.normal(0).shape == (3000, 0)


def test_a_row_has_its_numbers_in_any_batch():
    x = torch.randn(50, 3).double()
    whole, part = RowNoise.of(x, 7), RowNoise.of(x[20:30], 7)
    for _ in range(2):
        assert torch.equal(whole.uniform()[20:30], part.uniform())
    several = whole.spread(5)
    assert torch.equal(several.normal(2)[100:150], part.spread(5).normal(2))
    assert not torch.equal(RowNoise.of(x, 8).uniform(), RowNoise.of(x, 7).uniform())
    taken = whole.take(np.arange(20, 30))
    assert torch.equal(taken.uniform(), whole.uniform()[20:30])


def test_equal_rows_have_equal_numbers_unless_they_are_put_apart():
    x = torch.tensor([[1.0], [2.0], [1.0], [1.0]]).double()
    u = RowNoise.of(x, 0).uniform()
    assert u[0] == u[2] == u[3] != u[1]
    apart = RowNoise.of(x, 0).apart().uniform()
    assert len(apart.unique()) == 4
    # the first of equal rows has the numbers that it has alone
    assert apart[0] == RowNoise.of(x[:1], 0).apart().uniform()[0]


def test_columns_are_chosen_by_their_weights():
    weight = torch.tensor([[1.0, 0.0, 3.0]]).double().expand(20_000, -1)
    found = torch.bincount(RowNoise.of(rows(1), 0).spread(20_000).choice(weight), minlength=3)
    assert found[1] == 0
    assert float(found[2]) / 20_000 == pytest.approx(0.75, abs=0.013)
