"""The search finds the directions that are least normal."""

import math

import numpy as np
import pytest
import torch

from pushforward.transport import max_sliced_directions, sliced_distances
from pushforward.transport.directions import orthonormal


def planted(d=12, n=3000, seed=0):
    """Normal but for one random direction, which is exponential."""
    g = torch.Generator().manual_seed(seed)
    x = torch.randn(d, n, generator=g)
    axis = orthonormal(d, 1, g, torch.float32)
    along = -torch.rand(n, generator=g).log() - 1
    return x - axis @ (axis.T @ x) + axis @ along[None], axis


@pytest.mark.parametrize(("d", "k"), [(1, 1), (2, 2), (5, 3), (40, 8)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_directions_are_orthonormal(d, k, dtype, generator):
    x = torch.randn(d, 500, generator=generator, dtype=dtype).square()
    a = max_sliced_directions(x, k, generator)
    assert a.shape == (d, k)
    assert a.dtype == dtype
    error = (a.T @ a - torch.eye(k, dtype=dtype)).abs().max()
    assert error < 20 * torch.finfo(dtype).eps * math.sqrt(d)


@pytest.mark.parametrize("seed", range(5))
def test_finds_the_planted_direction(seed, generator):
    x, axis = planted(seed=seed)
    a = max_sliced_directions(x, 4, generator)
    assert float((a.T @ axis).norm()) > 0.97  # the axis lies in the span


def test_objective_is_far_above_random_axes_and_does_not_fall_with_more_steps(generator):
    x, _ = planted()

    def value(a):
        return float(sliced_distances(a, x).square().mean())

    random = np.mean([value(orthonormal(12, 4, generator, x.dtype)) for _ in range(20)])
    values = []
    for steps in (1, 5, 30):
        g = torch.Generator().manual_seed(5)
        values.append(value(max_sliced_directions(x, 4, g, iterations=steps, rows=10**9)))
    assert values[0] <= values[1] <= values[2]
    assert values[2] > 5 * random


@pytest.mark.parametrize("seed", range(3))
def test_equals_brute_force_in_two_dimensions(seed):
    g = torch.Generator().manual_seed(seed)
    x = torch.randn(2, 1500, generator=g).double()
    x[0] = x[0] ** 3 / 4
    angle = 0.3 + seed
    turn = [[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]
    x = torch.tensor(turn, dtype=torch.float64) @ x
    angles = torch.linspace(0, math.pi, 721, dtype=torch.float64)[:-1]
    circle = torch.stack([angles.cos(), angles.sin()])
    best = max(float(sliced_distances(circle[:, [i]], x)) for i in range(720))
    found = max(
        float(sliced_distances(max_sliced_directions(x, 1, g, iterations=60), x)) for _ in range(3)
    )
    assert found > 0.995 * best


def test_sliced_distance_is_that_of_sorted_samples(generator):
    x = torch.randn(3, 400, generator=generator).double()
    y = 2 * torch.randn(3, 400, generator=generator).double() + 1
    a = orthonormal(3, 2, generator, torch.float64)
    expected = ((a.T @ x).sort().values - (a.T @ y).sort().values).square().mean(1).sqrt()
    assert torch.allclose(sliced_distances(a, x, y), expected)
    assert torch.allclose(sliced_distances(a, x, x), torch.zeros(2).double(), atol=1e-12)


def test_weights_turn_the_search_to_the_rows_they_stress():
    g = torch.Generator().manual_seed(3)
    first, axis = planted(seed=1, n=1500)
    second, other = planted(seed=2, n=1500)
    x = torch.cat([first, second], 1)
    for stressed, left in ((axis, other), (other, axis)):
        weight = torch.full((3000,), 1e-3).double()
        weight[: 1500 if stressed is axis else None] = 1.0
        weight[: 0 if stressed is axis else 1500] = 1e-3
        a = max_sliced_directions(x, 4, g, weight=weight)
        assert float((a.T @ stressed).norm()) > 0.97
        assert float((a.T @ left).norm()) < 0.9


def test_a_seed_gives_the_same_directions():
    x, _ = planted()
    a, b, c = (max_sliced_directions(x, 3, torch.Generator().manual_seed(s)) for s in (0, 0, 1))
    assert torch.equal(a, b)
    assert not torch.equal(a, c)
