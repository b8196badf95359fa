import pytest
import torch

from pushforward.models.flows.flow_norm import EPSILON, BatchNorm, FlowNorm, Moments
from pushforward.models.flows.masks import checkerboard


def test_batch_norm_agrees_with_torch(generator):
    x = torch.randn(7, 3, 4, 5, generator=generator) * 3 + 1
    ours, theirs = BatchNorm(3), torch.nn.BatchNorm2d(3, eps=EPSILON, momentum=0.1)
    torch.testing.assert_close(ours(x, "batch"), theirs(x))
    torch.testing.assert_close(ours.moments.mean, theirs.running_mean)
    theirs.running_var.copy_(ours.moments.variance)  # torch keeps the unbiased one
    torch.testing.assert_close(ours(x, "kept"), theirs.eval()(x))


@pytest.mark.parametrize("shape", [(9, 3), (6, 3, 4, 5)])
def test_one_kernel_gives_what_the_formula_gives(shape, generator):
    def of(reduce):
        norm = BatchNorm(3).double()
        norm.moments.reduce = reduce  # the formula, whose sums are those of other processes too
        x = torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
        x.requires_grad_()
        y = norm(x, "batch")
        (y * torch.linspace(-1, 2, y.numel(), dtype=y.dtype).view_as(y)).sum().backward()
        return y, x.grad, norm.offset.grad, norm.moments.mean, norm.moments.variance

    for fused, formula in zip(of(None), of(lambda total: total), strict=True):
        torch.testing.assert_close(fused, formula, rtol=1e-9, atol=1e-12)


def test_masked_positions_do_not_count(generator):
    where = checkerboard(4, 4, corner=True).double()
    x = torch.randn(50, 2, 4, 4, generator=generator, dtype=torch.float64) * 2 + 5
    norm = FlowNorm(2, where).double()
    y, log_det = norm(x * where, "first batch")
    counted = y[:, :, where[0, 0] == 1]
    assert (y * (1 - where) == 0).all()
    torch.testing.assert_close(counted.mean((0, 2)), torch.zeros(2).double())
    torch.testing.assert_close(
        counted.var((0, 2), correction=0), torch.ones(2).double(), atol=1e-4, rtol=0
    )
    torch.testing.assert_close(log_det, -4 * (norm.moments.variance + EPSILON).log().sum())
    torch.testing.assert_close(norm.inverse(y), x * where)


@pytest.mark.parametrize("moments", ["batch", "kept"])
def test_a_constant_channel_stays_finite(moments):
    norm = FlowNorm(2)
    x = torch.full((5, 2, 2, 2), 3.0, requires_grad=True)
    y, log_det = norm(x, moments)
    (y.sum() + log_det).backward()
    assert y.isfinite().all()
    assert x.grad.isfinite().all()


def test_two_processes_have_the_moments_and_gradients_of_the_joined_batch(generator):
    """Two processes with the same rows: their sums are twice those of one."""
    half = torch.randn(6, 2, 3, 3, generator=generator, dtype=torch.float64)
    weight = torch.randn(6, 2, 3, 3, generator=generator, dtype=torch.float64)
    x = half.clone().requires_grad_()
    joined = torch.cat([half, half]).requires_grad_()
    shared, single = Moments(2).double(), Moments(2).double()
    shared.reduce = lambda total: total.mul_(2)  # in place, as all_reduce works
    results = []
    for moments, rows, w in ((shared, x, weight), (single, joined, torch.cat([weight, weight]))):
        mean, variance = moments(rows, "batch")
        ((rows - mean) / variance.sqrt() * w).sum().backward()
        results.append((mean, variance, rows.grad[:6], moments.mean, moments.variance))
    for ours, theirs in zip(*results, strict=True):
        torch.testing.assert_close(ours, theirs)


def test_running_moments_move_a_tenth_and_the_first_batch_sets_them(generator):
    x = torch.randn(20, 2, generator=generator) + 4
    moments = Moments(2)
    moments(x, "batch")
    torch.testing.assert_close(moments.mean, 0.1 * x.mean(0))
    moments(x, "first batch")
    torch.testing.assert_close(moments.mean, x.mean(0))
    torch.testing.assert_close(moments.variance, x.var(0, correction=0))
    before = moments.mean.clone()
    moments(x + 9, "kept")
    assert torch.equal(moments.mean, before)
