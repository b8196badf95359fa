"""Splines rise, invert, know their own derivative, and are straight beyond the knots."""

import pytest
import torch

from pushforward.transport import Splines
from pushforward.transport.spline import interior_slopes


def make(uniform, dtype=torch.float64, batch=5, knots=12):
    g = torch.Generator().manual_seed(1)
    if uniform:
        x = torch.linspace(-3, 3, knots, dtype=torch.float64).expand(batch, -1)
        x = x * (1 + torch.rand(batch, 1, generator=g).double())
    else:
        x = torch.rand(batch, knots, generator=g).double().add(0.02).cumsum(1) - 3
    # steep and flat intervals side by side, over six orders of magnitude
    rise = torch.exp(3 * torch.randn(batch, knots, generator=g).double()).clamp(1e-3, 1e3)
    y = rise.cumsum(1) - rise.sum(1, keepdim=True) / 2
    ends = torch.rand(2, batch, generator=g).double() + 0.1
    slope = interior_slopes(x, y, ends[0], ends[1])
    return Splines(x.contiguous(), y, slope, uniform).to(dtype)


def points(splines, n=2000, reach=3.0):
    span = splines.x[:, -1:] - splines.x[:, :1]
    share = torch.linspace(-reach, 1 + reach, n, dtype=splines.x.dtype)
    return splines.x[:, :1] + span * share


@pytest.mark.parametrize("uniform", [True, False])
def test_forward_rises_and_passes_through_the_knots(uniform):
    splines = make(uniform)
    y, log_slope = splines.forward(points(splines))
    assert (y.diff(dim=-1) > 0).all()
    assert torch.isfinite(log_slope).all()
    at_knots, log_slope = splines.forward(splines.x)
    assert torch.allclose(at_knots, splines.y, rtol=1e-10, atol=1e-10)
    # approached from the inside of an interval or the other, the derivative is the knot's
    assert torch.allclose(log_slope, splines.slope.log(), atol=1e-6)


@pytest.mark.parametrize("uniform", [True, False])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 2e-4), (torch.float64, 1e-10)])
def test_inverse_undoes_forward(uniform, dtype, tolerance):
    splines = make(uniform, dtype)
    x = points(splines)
    y, forward_slope = splines.forward(x)
    back, inverse_slope = splines.inverse(y)
    # what rounding y costs in x, where the map is flat, is no fault of the inverse
    rounding = 8 * torch.finfo(dtype).eps * y.abs().amax() / forward_slope.exp()
    assert ((back - x).abs() <= tolerance * x.abs().amax() + rounding).all()
    again, _ = splines.forward(back)
    assert ((again - y).abs() <= 10 * tolerance * (1 + y.abs())).double().mean() > 0.999
    assert (forward_slope - inverse_slope).abs().median() < tolerance


@pytest.mark.parametrize("uniform", [True, False])
def test_log_derivative_is_autograds(uniform):
    splines = make(uniform)
    x = points(splines).requires_grad_(True)
    y, log_slope = splines.forward(x)
    (gradient,) = torch.autograd.grad(y.sum(), x)
    assert torch.allclose(gradient.log(), log_slope, atol=1e-8)


@pytest.mark.parametrize("uniform", [True, False])
def test_tails_are_straight_lines_for_any_distance(uniform):
    splines = make(uniform)
    far = torch.tensor([1e2, 1e6, 1e12, 1e200], dtype=torch.float64)
    for side, edge in ((-1.0, 0), (1.0, -1)):
        x = splines.x[:, [edge]] + side * far
        y, log_slope = splines.forward(x)
        slope = splines.slope[:, [edge]]
        assert torch.allclose(log_slope, slope.log().expand_as(x), atol=1e-9)
        assert torch.allclose(y, splines.y[:, [edge]] + side * slope * far, rtol=1e-9)
        back, _ = splines.inverse(y)
        assert torch.allclose(back, x, rtol=1e-9)


def test_uniform_and_searched_knots_give_the_same_map():
    uniform = make(True)
    searched = Splines(uniform.x, uniform.y, uniform.slope, uniform=False)
    x = points(uniform)
    for a, b in zip(uniform.forward(x), searched.forward(x), strict=True):
        assert torch.allclose(a, b, rtol=1e-8, atol=1e-8)


def test_take_chooses_splines_of_the_batch():
    splines = make(True)
    x = points(splines)
    chosen = torch.tensor([3, 0, 3])
    part, _ = splines.take(chosen).forward(x[chosen])
    whole, _ = splines.forward(x)
    assert torch.equal(part, whole[chosen])


@pytest.mark.parametrize("uniform", [True, False])
@pytest.mark.parametrize("many", [1, 512, 100_000])
def test_points_alone_are_those_of_the_inverse(uniform, many):
    splines = make(uniform)
    y, _ = splines.forward(points(splines))
    x, _ = splines.inverse(y)
    again = make(uniform).for_many(many)
    # where Numba is it compiles what takes many, to other last digits
    close = {"rtol": 1e-12, "atol": 1e-12}
    torch.testing.assert_close(again.solve(y), x, **close)
    torch.testing.assert_close(again.forward(x)[0], make(uniform).forward(x)[0], **close)
    assert again.inverse(y)[0].equal(x)
