"""The search by buckets finds what a binary search finds, for all points and knots."""

import pytest
import torch

from pushforward.transport.knot_search import KnotSearch


def knots_of(kind, generator):
    rise = torch.rand(3, 2, 40, generator=generator) + 1e-3
    if kind == "clustered":
        rise = rise**8 + 1e-6
    if kind == "far out":
        rise[..., [0, -1]] *= 1e5
    return rise.cumsum(-1) - 10


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("kind", ["even", "clustered", "far out"])
@pytest.mark.parametrize("many", [512, 100_000])
def test_it_finds_what_a_binary_search_finds(many, kind, dtype, generator):
    knots = knots_of(kind, generator).to(dtype)
    inside = knots[..., :1] + (knots[..., -1:] - knots[..., :1]) * torch.rand(
        3, 2, 500, generator=generator, dtype=dtype
    )
    ends = torch.tensor([-1e30, 1e30, -torch.inf, torch.inf], dtype=dtype).expand(3, 2, 4)
    beside = torch.nextafter(knots, torch.tensor(-torch.inf, dtype=dtype))
    points = torch.cat([inside, knots, beside, ends], -1)
    found = KnotSearch.of(knots, many)(points)
    assert found.equal(torch.searchsorted(knots, points, right=True))


def test_more_knots_than_two_bytes_count(generator):
    knots = torch.rand(1, 40_000, generator=generator, dtype=torch.float64).sort().values
    points = torch.rand(1, 1000, generator=generator, dtype=torch.float64)
    assert KnotSearch.of(knots)(points).equal(torch.searchsorted(knots, points, right=True))


def test_what_is_not_a_number_has_a_place(generator):
    knots = knots_of("even", generator)
    found = KnotSearch.of(knots)(torch.full((3, 2, 5), torch.nan))
    assert bool(((found >= 0) & (found <= 40)).all())
