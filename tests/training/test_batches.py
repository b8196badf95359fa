"""Streams of batches: full, shuffled, repeatable, shared."""

import numpy as np
import pytest
import torch

from pushforward.training import Stream, TensorSource


@pytest.mark.parametrize(("n", "size"), [(10, 4), (7, 7), (3, 8), (100, 1)])
def test_every_pass_sees_every_row_once(n, size):
    stream = Stream(TensorSource(torch.arange(n)), size, seed=0)
    draws = [stream.batch(k).x for k in range(3 * n)]
    assert all(len(x) == min(n, size) for x in draws)
    rows = torch.cat(draws).numpy()
    for epoch in range(len(rows) // n):
        assert sorted(rows[epoch * n : (epoch + 1) * n]) == list(range(n))
    if n > 5:
        assert not np.array_equal(rows[:n], rows[n : 2 * n])


def test_a_batch_is_the_same_whenever_it_is_asked_for():
    a, b = (Stream(TensorSource(torch.arange(20)), 6, seed=3) for _ in range(2))
    later = a.batch(9)
    for k in range(9):
        b.batch(k)
    again = b.batch(9)
    assert torch.equal(later.x, again.x)
    assert torch.equal(later.normal(2), again.normal(2))
    assert not torch.equal(later.normal(2), b.batch(8).normal(2)[: len(later)])


@pytest.mark.parametrize("processes", [2, 3])
def test_the_shares_of_the_processes_are_the_joined_batch(processes):
    source = TensorSource(torch.arange(20.0), torch.arange(20))
    whole = Stream(source, 8, seed=0).batch(5)
    shares = [Stream(source, 8, 0, rank, processes).batch(5) for rank in range(processes)]
    assert torch.equal(torch.cat([s.x for s in shares]), whole.x)
    assert torch.equal(torch.cat([s.y for s in shares]), whole.y)
    assert torch.equal(torch.cat([s.normal(3) for s in shares]), whole.normal(3))
    assert sum(len(s) for s in shares) == whole.total == 8


def test_seeds_give_other_orders():
    source = TensorSource(torch.arange(50))
    assert not torch.equal(Stream(source, 50, 0).batch(0).x, Stream(source, 50, 1).batch(0).x)
