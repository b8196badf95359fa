"""Compiled splines are those of PyTorch, for all points, numbers of two sizes and threads."""

import pytest
import torch

from pushforward.transport import spline_kernels
from pushforward.transport.spline import Splines

pytest.importorskip("numba")


def splines_of(kind, generator, dtype=torch.float32):
    """Splines (3, 2) of 40 knots, those of images in float32, and points that meet all of them."""
    rise = torch.rand(2, 3, 2, 40, generator=generator) + 1e-3
    if kind == "clustered":
        rise = rise**3 + 1e-2
    x, y = rise.cumsum(-1) - 10
    chord = y.diff(dim=-1) / x.diff(dim=-1)
    slope = torch.cat([chord, chord[..., -1:]], -1) * (
        0.5 + torch.rand(x.shape, generator=generator)
    )
    made = Splines(x, y, slope, uniform=False)
    span = x[..., -1:] - x[..., :1]
    inside = x[..., :1] + span * torch.rand(3, 2, 200, generator=generator)
    beside = torch.nextafter(x, torch.tensor(-torch.inf))
    far = torch.tensor([-50.0, 50.0]).expand(3, 2, 2)
    return made.to(dtype), torch.cat([inside, x, beside, far], -1).to(dtype)


def both(made, points, monkeypatch, work):
    """What the compiled loops find, and what PyTorch does."""
    many = made.clone().for_many(points.shape[-1], compiled=True)
    compiled = getattr(many, work)(points)
    with monkeypatch.context() as without:
        without.setattr(spline_kernels, "installed", lambda: False)
        return compiled, getattr(made, work)(points)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("kind", ["even", "clustered"])
def test_they_are_those_of_pytorch(kind, dtype, generator, monkeypatch):
    made, points = splines_of(kind, generator, dtype)
    digits = 3e-3 if dtype == torch.float32 else 1e-9
    (moved, derivative), right = both(made, points, monkeypatch, "displacement")
    assert moved.dtype == dtype
    torch.testing.assert_close(points + moved, points + right[0], rtol=digits, atol=digits)
    torch.testing.assert_close(derivative, right[1], rtol=digits, atol=digits)
    values = points + right[0]
    solved, right = both(made, values, monkeypatch, "solve")
    torch.testing.assert_close(solved, right, rtol=digits, atol=digits)


def test_tails_are_straight_however_far_out(generator):
    made, _ = splines_of("even", generator, torch.float64)
    far = torch.tensor([-1e30, 1e30]).double().repeat(50).expand(3, 2, 100).contiguous()
    ends = made.slope[..., [0, -1]].repeat(1, 1, 50)
    moved, derivative = made.for_many(100, compiled=True).displacement(far)
    torch.testing.assert_close(moved + far, ends * far, rtol=1e-12, atol=0)
    torch.testing.assert_close(derivative, ends, rtol=1e-12, atol=0)
    torch.testing.assert_close(made.solve(far), far / ends, rtol=1e-12, atol=0)


def test_few_points_and_parts_of_them_are_where_all_are(generator):
    made, points = splines_of("even", generator, torch.float64)
    whole = made.for_many(1000, compiled=True).displacement(points)
    for few in (points[..., ::16], points.mT.contiguous().mT):
        some = made.displacement(few)
        every = 16 if few.shape != points.shape else 1
        for one, all_of in zip(some, whole, strict=True):
            torch.testing.assert_close(one, all_of[..., ::every], rtol=1e-13, atol=1e-13)


def test_knots_of_float32_and_points_of_float64_share_their_buckets(generator):
    made, _ = splines_of("clustered", generator)
    points = made.x.double()
    moved, _ = spline_kernels.displaced(made.x, made.y, made.slope, points.repeat(1, 1, 3))
    right = (made.y.double() - points).repeat(1, 1, 3)
    torch.testing.assert_close(moved, right, rtol=0, atol=1e-14)


def test_what_is_not_a_number_or_infinite_stays_that(generator):
    made, _ = splines_of("even", generator, torch.float64)
    strange = torch.tensor([torch.nan, torch.inf, -torch.inf, 0.0]).double().repeat(25)
    points = strange.expand(3, 2, 100).contiguous()
    moved = made.for_many(100, compiled=True).displacement(points)[0] + points
    solved = made.solve(points)
    for result in (moved, solved):
        assert bool(result[..., ::4].isnan().all())
        assert bool(result[..., 3::4].isfinite().all())
        assert not bool(result[..., 1::4].isfinite().any() or result[..., 2::4].isfinite().any())


def test_threads_share_the_splines(generator, monkeypatch):
    made, points = splines_of("even", generator)
    one = made.for_many(500, compiled=True).solve(points)
    monkeypatch.setattr(spline_kernels, "_THREAD", 100)
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    try:
        assert torch.equal(made.solve(points), one)
    finally:
        torch.set_num_threads(before)


def test_where_gradients_are_wanted_pytorch_computes(generator):
    made, points = splines_of("even", generator)
    points.requires_grad_()
    made.for_many(500, compiled=True).displacement(points)[0].sum().backward()
    assert bool(points.grad.isfinite().all())


def test_without_numba_pytorch_computes(generator, monkeypatch):
    made, points = splines_of("even", generator)
    monkeypatch.setattr(spline_kernels, "installed", lambda: False)
    monkeypatch.setattr(spline_kernels, "displaced", None)
    assert made.for_many(500, compiled=True).displacement(points)[0].shape == points.shape
