"""Compressed ends: the identity among the rows, and far points drawn nearer with their density."""

import pytest
import torch

from pushforward.transport import Component, SlicedDensity, SliceLayer
from pushforward.transport.compressed_ends import CompressedEnds
from pushforward.transport.rows import Rows
from pushforward.transport.spline import Splines

LOW, HIGH = torch.tensor([-1.0, 2.0]).double(), torch.tensor([1.0, 2.0]).double()


@pytest.fixture
def ends():
    return CompressedEnds.fit(torch.stack([LOW, HIGH, 0.5 * (LOW + HIGH)]))


def test_inside_of_the_range_nothing_moves(ends):
    x = torch.linspace(-1, 1, 9).double().expand(2, -1).contiguous()
    y, log_det = ends(x)
    assert torch.equal(y, x)
    assert torch.equal(log_det, torch.zeros(9).double())


def test_what_is_five_ranges_beyond_comes_to_lie_one_range_beyond(ends):
    y = torch.tensor([[1 + 10.0, -1 - 10.0], [7.0, -7.0]]).double()
    x = ends.inverse(y)
    assert x[0].tolist() == pytest.approx([1 + 2.0, -1 - 2.0])
    assert x[1].tolist() == [7.0, -7.0]  # a coordinate of one value has no range to count by


def test_the_way_back_is_the_inverse_and_the_log_det_its_derivative(ends):
    x = torch.linspace(-40, 40, 81).double()
    x = torch.stack([x, x]).requires_grad_()
    y, log_det = ends(x)
    assert torch.allclose(ends.inverse(y), x, atol=1e-9)
    (slope,) = torch.autograd.grad(y.sum(), x)
    assert torch.allclose(slope.log().sum(0), log_det)


def test_a_density_with_ends_is_one():
    splines = Splines(
        torch.linspace(-1, 1, 4)[None],
        0.2 * torch.linspace(-1, 1, 4)[None],
        torch.full((1, 4), 0.2),
    )
    flow = [SliceLayer(torch.ones(1, 1), splines)]  # five times as wide as the rows
    one = torch.ones(1).double()
    whole = Component(0.0, 0 * one, one[:, None], flow)
    ends = Rows.continuous(torch.tensor([[-1.0], [1.0]]).double()).fit_ends()
    density = SlicedDensity.assemble([whole], None, ends)
    x = torch.linspace(-30, 30, 60_001).double()[:, None]
    assert float(density.log_prob(x).exp().sum() * 1e-3) == pytest.approx(1, abs=1e-3)
    z = torch.randn(500, 1, generator=torch.Generator().manual_seed(0)).double()
    which = torch.zeros(500, dtype=torch.long)
    points = density.from_latent(z, which)
    assert torch.allclose(density.to_latent(points, which), z, atol=1e-4)
    assert float(points.abs().max()) < 5
    again = SlicedDensity.from_state(density.state_dict())
    assert torch.equal(again.log_prob(x), density.log_prob(x))


def test_cells_of_point_masses_are_no_part_of_the_range():
    x = torch.tensor([[0.0], [10.0]]).double()
    rows = Rows.continuous(x)
    wide = Rows(**{**vars(rows), "atoms": (torch.tensor([[1.0, 9.0]]).double(),)})
    assert float(rows.fit_ends().reach) == pytest.approx(10 / 8)
    assert float(wide.fit_ends().reach) == pytest.approx(2 / 8)


def test_ends_that_have_changed_sides_are_refused(ends):
    state = ends.state_dict()
    state["low"] = state["high"] + 1
    with pytest.raises(ValueError, match="changed sides"):
        CompressedEnds.from_state(state)
