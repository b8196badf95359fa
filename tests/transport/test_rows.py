"""Rows of coordinates: what they say of their values."""

import dataclasses

import torch

from pushforward.transport import Rows


def test_the_share_of_the_most_common_value_is_counted_with_weights():
    x = torch.tensor([[0.2, 0.0, 5.0], [0.7, 1.0, 6.0], [1.4, 1.5, 7.0], [0.1, 3.0, 8.0]]).double()
    rows = Rows.continuous(x)
    assert rows.commonest().tolist() == [0.0, 0.0, 0.0]
    rows = dataclasses.replace(
        rows,
        discrete=torch.tensor([True, False, False]),
        atoms=(x.new_zeros(0, 2), torch.tensor([[0.5, 1.6]]).double(), x.new_zeros(0, 2)),
    )
    assert rows.commonest().tolist() == [0.75, 0.5, 0.0]
    weighted = dataclasses.replace(rows, weight=torch.tensor([1.0, 1.0, 2.0, 0.0]).double())
    assert weighted.commonest().tolist() == [0.5, 0.75, 0.0]
