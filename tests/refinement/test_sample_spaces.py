"""Spaces of points: what they draw, and what a sample of them costs."""

import pytest
import torch

from pushforward.errors import DataError
from pushforward.refinement.sample_spaces import Space, chained, moved, resampled, thinned


@pytest.fixture
def normal():
    return Space(lambda n, generator: torch.randn(n, 1, generator=generator), lambda z: 2 * z)


def first(rows):
    return rows[:, 0]


def cost(space):
    return space.draws, space.evaluations


def test_points_follow_from_the_key_and_not_from_their_number(normal):
    few, many = normal.points(1024, 3, 4), normal.points(3000, 3, 4)  # blocks of 1,024
    assert torch.equal(few, many[:1024])
    assert torch.equal(many, normal.points(3000, 3, 4))
    assert not torch.equal(many, normal.points(3000, 3, 5))


def test_rows_are_decoded_and_the_score_of_a_point_is_the_logit_of_its_row(normal):
    points = normal.points(100, 0)
    assert torch.equal(normal.rows(100, 0), 2 * points)
    assert torch.equal(normal.score(first)(points), 2 * points[:, 0])
    assert torch.equal(normal.logits(first, points), 2 * points[:, 0])
    points.requires_grad_()
    (slope,) = torch.autograd.grad(normal.score(first)(points).sum(), points)
    assert torch.equal(slope, torch.full_like(points, 2.0))


def test_what_moves_takes_its_logits_for_every_draw(normal):
    once = thinned(normal, first, torch.ones_like, 0.5)
    twice = moved(once, lambda points, generator: points + 1, 7)
    assert cost(once) == (2, 2)
    assert cost(twice) == (2, 2 + 2 * 7)
    assert twice.log_prior is None
    drawn = once.draw(50, torch.Generator().manual_seed(0))
    assert torch.equal(twice.draw(50, torch.Generator().manual_seed(0)), drawn + 1)


def test_thinning_keeps_by_the_logit_of_rows(normal):
    right = thinned(normal, first, lambda logit: (logit > 0).double(), 0.5)
    points = right.points(2000, 0)
    assert len(points) == 2000
    assert bool((points > 0).all())
    assert float(points.mean()) == pytest.approx((2 / torch.pi) ** 0.5, abs=0.05)


def test_thinning_that_keeps_nothing_ends(normal):
    with pytest.raises(DataError, match="one in a thousand"):
        thinned(normal, first, torch.zeros_like, 0.5).points(5, 0)


def test_chains_and_pools_come_to_the_ratio(normal):
    """Points of N(0, 1) whose logit is the point itself come to N(1, 1)."""

    def logit(rows):
        return rows[:, 0] / 2

    chains = chained(normal, logit, torch.full((5,), 1.0), 40)
    pools = resampled(normal, logit, 40)
    assert cost(chains) == cost(pools) == (40, 40)
    for space in (chains, pools):
        points = space.points(2000, 0)
        assert float(points.mean()) == pytest.approx(1.0, abs=0.12)
        assert float(points.std()) == pytest.approx(1.0, abs=0.1)
