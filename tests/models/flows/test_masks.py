import pytest
import torch

from pushforward.models.flows.masks import (
    checkerboard,
    largest_scales,
    ordered_squeeze,
    ordered_unsqueeze,
)


@pytest.mark.parametrize(("height", "width"), [(1, 2), (2, 2), (3, 5), (8, 6)])
def test_a_pair_of_checkerboards_covers_each_position_once(height, width):
    pair = [checkerboard(height, width, corner=corner) for corner in (True, False)]
    assert torch.equal(pair[0].int() + pair[1].int(), torch.ones(1, 1, height, width).int())
    assert pair[0][0, 0, 0, 0]
    assert (pair[0][..., 1:] != pair[0][..., :-1]).all()
    assert (pair[0][..., 1:, :] != pair[0][..., :-1, :]).all()


def test_the_ordered_squeeze_is_a_bijection_whose_first_half_is_the_diagonals():
    x = torch.arange(2 * 3 * 4 * 6.0).reshape(2, 3, 4, 6)
    y = ordered_squeeze(x)
    assert y.shape == (2, 12, 2, 3)
    assert torch.equal(y.flatten().sort().values, x.flatten())
    assert torch.equal(ordered_unsqueeze(y), x)
    kept = torch.zeros_like(y)
    kept[:, :6] = 1
    expected = checkerboard(4, 6, corner=True).expand(2, 3, -1, -1).float()
    assert torch.equal(ordered_unsqueeze(kept), expected)


@pytest.mark.parametrize(
    ("size", "scales"),
    [
        ((32, 32), 5),
        ((28, 28), 3),
        ((8, 8), 3),
        ((6, 10), 2),
        ((7, 7), 1),
        ((1, 1), 0),
        ((2, 1), 1),
    ],
)
def test_the_last_scale_leaves_two_positions(size, scales):
    assert largest_scales(*size) == scales
