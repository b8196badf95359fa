"""The kernel and the discrepancy, against their definitions."""

import itertools

import pytest
import torch

from pushforward.models.gans.kernels import ALPHAS, mmd2, rational_quadratic, witness


def one(a, b):
    """The kernel of two vectors, as the paper writes it."""
    square = sum((p - q) ** 2 for p, q in zip(a.tolist(), b.tolist(), strict=True))
    dot = sum(p * q for p, q in zip(a.tolist(), b.tolist(), strict=True))
    return dot + sum((1 + square / (2 * alpha)) ** -alpha for alpha in ALPHAS)


def test_the_kernel_and_the_discrepancy_pair_by_pair():
    a, b = torch.randn(5, 3, dtype=torch.float64), torch.randn(4, 3, dtype=torch.float64)
    expected = [[one(p, q) for q in b] for p in a]
    torch.testing.assert_close(rational_quadratic(a, b), torch.tensor(expected).double())

    within = [
        sum(one(x[i], x[j]) for i, j in itertools.permutations(range(len(x)), 2))
        / (len(x) * (len(x) - 1))
        for x in (a, b)
    ]
    between = sum(one(p, q) for p in a for q in b) / 20
    assert mmd2(a, b).item() == pytest.approx(sum(within) - 2 * between, rel=1e-9)

    at = torch.randn(2, 3, dtype=torch.float64)
    seen = [sum(one(u, p) for p in a) / 5 - sum(one(u, q) for q in b) / 4 for u in at]
    torch.testing.assert_close(witness(at, a, b), torch.tensor(seen).double())


def test_the_discrepancy_is_0_in_mean_and_only_for_one_law():
    draws = torch.stack([mmd2(*torch.randn(2, 8, 2)) for _ in range(2000)])
    assert draws.mean().abs() < 4 * draws.std() / 2000**0.5
    assert (draws < 0).any()  # where a mean over all pairs, themselves among them, is above 0
    apart = torch.stack([mmd2(torch.randn(8, 2), 0.5 + torch.randn(8, 2)) for _ in range(200)])
    assert apart.mean() > 4 * apart.std() / 200**0.5
    wider = torch.stack([mmd2(torch.randn(64, 2), 2 * torch.randn(64, 2)) for _ in range(50)])
    assert wider.mean() > 4 * wider.std() / 50**0.5  # a dot product alone would not see it


def test_slopes_of_slopes():
    a, b = torch.randn(3, 2, dtype=torch.float64), torch.randn(4, 2, dtype=torch.float64)
    a.requires_grad_()
    assert torch.autograd.gradgradcheck(mmd2, (a, b))
    # equal rows are no trouble, as they are to a square root
    (slope,) = torch.autograd.grad(rational_quadratic(a, a.detach()).sum(), a)
    assert slope.isfinite().all()
