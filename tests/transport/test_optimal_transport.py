"""Matching along slices: searches find where samples differ, whatever the points are like."""

import pytest
import torch

from pushforward.transport.optimal_transport import (
    matching_directions,
    matching_splines,
    matching_value,
)


def normal(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_a_search_finds_the_axis_along_which_samples_differ():
    axis = torch.linalg.qr(normal(0, 30, 1)).Q
    x = normal(1, 1, 30, 500)
    target = normal(2, 1, 30, 500) + 3 * axis
    a = matching_directions(x, target, 1, torch.Generator().manual_seed(3), steps=10)
    assert abs(float(a[0, :, 0] @ axis[:, 0])) > 0.9


def test_a_search_begins_where_the_points_vary():
    scale = torch.ones(100, 1)
    scale[:5] = 20.0
    x, target = scale * normal(0, 1, 100, 400), normal(1, 1, 100, 400)
    a = matching_directions(x, target, 4, torch.Generator().manual_seed(2), steps=1)
    anywhere = torch.linalg.qr(normal(3, 1, 100, 4)).Q
    assert matching_value(a, x, target) > 2 * matching_value(anywhere, x, target)


@pytest.mark.parametrize("flat", [0, 3, 6])
def test_directions_are_orthonormal_where_points_are_flat_too(flat):
    x = normal(0, 2, 6, 50)
    x[:, :flat] = 0.25
    a = matching_directions(x, normal(1, 2, 6, 50), 4, torch.Generator().manual_seed(2), steps=3)
    assert torch.allclose(a.mT @ a, torch.eye(4).expand(2, 4, 4), atol=1e-5)


def test_maps_go_all_of_a_way_that_is_there_and_none_that_is_chance():
    x, same, other = normal(0, 32, 1000), normal(1, 32, 1000), 3 * normal(2, 32, 1000) + 1
    by_chance = matching_splines(x, same, 32)
    there = matching_splines(x, other, 32)
    inside = normal(3, 32, 1000).clamp(-2, 2)
    moved = (by_chance.forward(inside)[0] - inside).square().mean().sqrt()
    full = (x.sort().values - same.sort().values).square().mean().sqrt()
    assert float(moved) < 0.75 * float(full)
    assert float((there.forward(inside)[0] - 3 * inside - 1).abs().mean()) < 0.2


@pytest.mark.parametrize("count", [1, 2, 5])
def test_maps_of_few_points_rise(count):
    splines = matching_splines(normal(0, 3, count), normal(1, 3, 2 * count), 24)
    x = torch.linspace(-5, 5, 200).expand(3, -1)
    y, log_slope = splines.forward(x)
    assert bool((y.diff() > 0).all())
    assert bool(log_slope.isfinite().all())
